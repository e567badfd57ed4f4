"""This module times decisions over 1,800 chunks with a model, as `endlos bench` does."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from model.saved.contract_file import load_contract
from stream.audio.spans import SpanReader
from stream.choosing.generation import Generation
from stream.pool.pool import open_pool
from tools.bench.deciding import BUDGETED_SIZE, carried, decide_ms
from tools.bench.settings import BenchSettings
from tools.pools.resized import resized

DECISIONS = 100
_WARM_UPS = 2
_PLENTY_S = 3600.0
_LIMIT_S = 20.0
"""A model that takes longer for them is timed with fewer."""


def decision_part(folder: Path, model: Path) -> dict[str, Any]:
    """Return how long a decision takes: `p50_ms`, `p99_ms`, `decisions`, `chunks` (JSON values)."""
    pool = open_pool(folder)
    settings = BenchSettings(pool=folder, model=model)
    with tempfile.TemporaryDirectory(prefix="endlos-study-") as scratch:
        larger = resized(pool, BUDGETED_SIZE, Path(scratch), load_contract(model).edge_samples)
        generation = Generation(pool=larger, opened=carried(settings).open(larger), reader=SpanReader(larger))
        try:
            references = np.random.default_rng(0).permutation(len(larger))[: DECISIONS + _WARM_UPS]
            took_ms = decide_ms(generation, references, left_s=_PLENTY_S, rung="full", limit_s=_LIMIT_S)
        finally:
            generation.close()
    return {
        "p50_ms": float(np.percentile(took_ms, 50)),
        "p99_ms": float(np.percentile(took_ms, 99)),
        "decisions": len(took_ms),
        "chunks": BUDGETED_SIZE,
    }
