"""This check says whether a pool's embeddings are those of its chunks and of the model that they name."""

from collections.abc import Iterator

import numpy as np

from model.base.arrays import IntArray
from model.base.errors import EndlosError, PoolError
from model.saved.carried import carried_model, carried_models
from model.saved.contract_file import load_contract
from model.saved.scoring import EMBEDDED
from stream.index.model_graphs import VECTORS_FOLDER, Chunks, VectorGraphs, graphs_of, pool_identities
from stream.index.vector_index import EmbeddingIndex
from stream.index.vectors import embeddings, kept
from stream.pool.pool import Pool, generation_folder

_SAMPLED_CHUNKS = 64
"""This many chunks, evenly spread, are embedded again; a deep check takes all."""
STEP = 1
"""Versions of onnxruntime and numbers of threads may differ by this much of 127."""
SCALE_TOLERANCE = 1e-3


def embedding_problems(pool: Pool, *, deep: bool = False) -> Iterator[str]:
    """Yield the problems of the embeddings in the current generation of `pool`, one sentence each.

    Those of carried models are computed again, a sample or with `deep` all; of others it is checked that they
    are whole, and of these very chunks. That there are none is no problem: they are made when needed.
    """
    home = generation_folder(pool.folder, pool.generation)
    folders = sorted(path for path in (home / VECTORS_FOLDER).glob("*") if path.is_dir() and not path.suffix)
    if not folders:
        return
    named, known = pool_identities(pool), _carried_graphs()
    count = len(pool) if deep else min(_SAMPLED_CHUNKS, len(pool))
    rows = np.unique(np.linspace(0, len(pool) - 1, count).astype(np.int64))
    for folder in folders:
        try:
            index, graphs = kept(folder, named), known.get(folder.name)
            if graphs is not None and not _same(index, graphs.pool_chunks(pool), graphs, rows):
                # Generations share them: deleted in one alone, they would be taken over from another.
                everywhere = home.parent / "*" / VECTORS_FOLDER / folder.name
                raise PoolError(
                    f"{folder} holds other embeddings than its model gives; "
                    f"delete {everywhere}, they will be made again"
                )
        except EndlosError as error:
            yield str(error)


def _carried_graphs() -> dict[str, VectorGraphs]:
    carried = {}
    for folder in (carried_model(name) for name in carried_models()):
        contract = load_contract(folder)
        if contract.scoring in EMBEDDED:
            found = graphs_of(folder, contract)
            carried[found.name] = found
    return carried


def _same(index: EmbeddingIndex, chunks: Chunks, graphs: VectorGraphs, rows: IntArray) -> bool:
    """Whether embedding some rows again gives what the index holds of them."""
    again, there = embeddings(chunks.take(rows), graphs).index, index.take(rows)
    values = ((again.predecessors, there.predecessors), (again.successors, there.successors))
    scales = (
        (again.predecessor_scales, there.predecessor_scales),
        (again.successor_scales, there.successor_scales),
    )
    return all(
        (np.abs(np.asarray(ours, dtype=np.int16) - np.asarray(theirs, dtype=np.int16)) <= STEP).all()
        for ours, theirs in values
    ) and all(np.allclose(ours, theirs, rtol=SCALE_TOLERANCE) for ours, theirs in scales)
