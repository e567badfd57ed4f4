"""A worker carries out a run, which is to train on the chosen songs and to measure what came of it."""

import shutil
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from model.approaches.registry import APPROACHES
from model.base.arrays import IntArray
from model.base.errors import EndlosError, ModelError
from model.learning.checkpoint import CHECKPOINT_FILE
from model.learning.edge_set import EdgeSet
from model.learning.lesson import Lesson
from model.learning.measures import UNSEEN
from model.saved.contract_file import load_contract
from stream.pool.pool import Pool, open_pool
from tools.quality.study.judging import AskedChunks, asked_pools, mean_channels, ranking_parts
from tools.quality.study.ledger import KeptRun, RunFigures
from tools.quality.study.listening import stream_part
from tools.quality.study.runs import RANKED_GAPS_MS, Channels, StudyRun, WantedRun
from tools.quality.study.timing import decision_part
from tools.training.common import training_packages
from tools.training.lessons import chosen_music
from tools.work.workers import Room

RARELY = 1_000_000
"""Epochs from one measurement to the next: the last is always measured."""
_PACKAGES = ("keras", "tensorflow", "tf2onnx", "matplotlib")


@dataclass(frozen=True, kw_only=True, eq=False)
class RunTask:
    """A run for a worker."""

    wanted: WantedRun
    pool: Path
    model: Path
    """Where it may keep a model meanwhile."""
    scratch: Path
    """Where it may keep other files, until the study ends."""
    files: Mapping[str, Path]
    """The file that the pool has of each song, by audio hash."""


def require_training() -> None:
    """Raise `ModelError`, which says what to install, where nothing can be trained."""
    with training_packages("train"):
        for name in _PACKAGES:
            if find_spec(name) is None:
                raise ModuleNotFoundError(name=name)


def carry_out(task: RunTask, room: Room) -> KeptRun:
    """Do one run, in a worker; what cannot be done is a sentence."""
    began_s = time.process_time()
    try:
        # Runs are spread over cores: threads that wait for each other would only take processor time.
        with threadpool_limits(1):
            figures = _figures(task)
    except EndlosError as error:
        return KeptRun(figures=None, failed=str(error))
    finally:
        _forget_networks()
        # Only a worker that was stopped leaves a model, whose training is gone on with.
        shutil.rmtree(task.model, ignore_errors=True)
    figures["cpu_s"] = round(time.process_time() - began_s, 2)
    return KeptRun(figures=figures)


def _figures(task: RunTask) -> RunFigures:
    run, parts = task.wanted.run, task.wanted.parts
    pool = open_pool(task.pool)
    places = [_places(pool, songs, task.files) for songs in (run.learned, run.asked)]
    learned, asked = (np.array(sorted(found), dtype=np.int64) for found in places)
    figures = _trained(run, pool, learned, asked, task.model)
    if "ranking" in parts:
        chunks = AskedChunks(
            songs=tuple(asked.tolist()),
            gaps_ms=RANKED_GAPS_MS,
            speed=run.speed,
            chunks_a_song=run.chunks_a_song,
        )
        questions = asked_pools(pool, chunks, task.scratch)
        figures["ranking"] = ranking_parts(task.model, questions, run.channels, run.seed)
        for found in figures["ranking"].values():
            found["songs"] = [places[1][number] for number in found["songs"]]
    if "stream" in parts:
        figures["stream"] = stream_part(task.pool, asked, task.model, run.stream_s, run.seed)
    if "decisions" in parts:
        figures["decisions"] = decision_part(task.pool, task.model)
    return figures


def _trained(run: StudyRun, pool: Pool, learned: IntArray, asked: IntArray, out: Path) -> RunFigures:
    """Train, and return what the training says of itself."""
    approach = APPROACHES[run.approach]
    settings = approach.asked(run.preset, seed=run.seed, evaluate_every=RARELY, **dict(run.settings))
    features = approach.presets[run.preset].features
    train = chosen_music(pool, learned, features, settings.reference_songs)
    unseen = chosen_music(pool, asked, features, None)
    if run.channels != "first":
        train, unseen = with_channels(train, run.channels, learn=True), with_channels(unseen, run.channels)
    with training_packages(approach.extra):
        trainer = approach.trainer()
    began_s = time.process_time()
    report = trainer(
        Lesson(
            train=train,
            unseen=unseen,
            out=out,
            settings=settings,
            unseen_name=UNSEEN,
            # What was interrupted after its first minute left one.
            resume=(out / CHECKPOINT_FILE).is_file(),
        )
    )
    train_cpu_s = time.process_time() - began_s
    contract = load_contract(out)
    told = asdict(report)
    sizes = [(out / graph.file).stat().st_size for graph in contract.graphs.values()]
    return {
        "train_cpu_s": round(train_cpu_s, 2),
        "validations": told.get("validations") or {},
        "epochs": report.epochs,
        "edge_samples": contract.edge_samples,
        "learned_parameters": report.learned_parameters,
        "size_bytes": sum(sizes),
        "chunks_learned": int(np.isin(pool.chunk_song, learned).sum()),
    }


def with_channels(music: Any, channels: Channels, *, learn: bool = False) -> Any:
    """Return edges of the asked channels; of `both`, to be learned from, each song stands twice, swapped.

    `ModelError` for music that has no channels.
    """
    if not isinstance(music, EdgeSet):
        raise ModelError("only what sees edges can be asked about channels; take another approach")
    heads, tails = (np.asarray(edges[music.rows], dtype=np.float32) for edges in (music.heads, music.tails))
    rows = np.arange(len(music))
    if channels == "mean":
        return replace(music, rows=rows, heads=mean_channels(heads), tails=mean_channels(tails), spectra=None)
    if not learn:
        return music
    return replace(
        music,
        chunk_song=np.concatenate([music.chunk_song, music.chunk_song + music.chunk_song.max() + 1]),
        chunk_samples=np.tile(music.chunk_samples, 2),
        rows=np.arange(2 * len(music)),
        heads=np.concatenate([heads, heads[:, ::-1]]),
        tails=np.concatenate([tails, tails[:, ::-1]]),
        reference=None if music.reference is None else np.tile(music.reference, 2),
        spectra=None,
    )


def _places(pool: Pool, songs: tuple[str, ...], files: Mapping[str, Path]) -> dict[int, str]:
    """Return songs by their number in the pool; those that nothing could be cut from are not there."""
    numbers = {path: number for number, song in enumerate(pool.songs) for path in (song.path, *song.copies)}
    found = {numbers[files[song]]: song for song in songs if files[song] in numbers}
    if not found:
        raise EndlosError(
            f"none of the {len(songs)} songs of this run is in {pool.folder}: nothing could be cut from "
            "them; add longer or louder songs"
        )
    return found


def _forget_networks() -> None:
    """Let go of what Keras keeps of the networks of this process."""
    import sys

    keras = sys.modules.get("keras")
    if keras is not None:
        keras.utils.clear_session()
