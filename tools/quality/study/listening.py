"""A detector listens to streams that the engine makes with a model of songs never learned from."""

import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from model.base.arrays import IntArray
from stream.choosing.settings import PlannerSettings, Strategy
from stream.engine.settings import EngineSettings
from stream.pool.pool import open_pool
from tools.pools.sub_pool import sub_pool
from tools.quality.joins.hearing.between import BETWEEN, MIDDLE, NATURAL
from tools.quality.joins.hearing.collecting import along_untouched, collected
from tools.quality.joins.hearing.detector import Boosted, out_of_fold
from tools.quality.joins.hearing.folds import FEWEST_FOLD_SONGS, fold_of_songs
from tools.quality.joins.hearing.samples import Samples
from tools.quality.joins.hearing.worst import worst_area, worst_of_joins
from tools.quality.joins.protocol import LEAST_WINDOW_S
from tools.quality.joins.streams import EngineStream

_FOLDS = 2
_CONDITIONS: tuple[Strategy, ...] = ("natural", "model")
_SHORT_PHRASES = PlannerSettings(min_phrase_bars=2, min_phrase_s=5.0, max_phrase_s=12.0)
"""As short as joins may stand and still be heard alone: a detector needs many of them."""


def stream_part(folder: Path, asked: IntArray, model: Path, seconds: float, seed: int) -> dict[str, Any]:
    """Return the AUC by which boosted trees tell joins of the engine from borders that went on naturally.

    The songs that are asked about are parted into two; in each part the engine plays with the model, in
    phrases of 5 to 12 s so that there are joins enough, and the songs as they are, `seconds` each. Every
    score is by a detector that heard the other part alone.
    JSON values: `auc`, `low`, `high`, `joins`, `others`, or `left_out`, a sentence.
    """
    needed = _FOLDS * FEWEST_FOLD_SONGS
    if len(asked) < needed:
        return {"left_out": f"{len(asked)} songs are asked about, and a detector needs {needed}"}
    with tempfile.TemporaryDirectory(prefix="endlos-study-") as scratch:
        whole = sub_pool(folder, asked, Path(scratch) / "asked")
        fold = fold_of_songs(open_pool(whole), _FOLDS, seed)
        parts = [
            part
            for number in range(_FOLDS)
            for part in _fold_samples(whole, np.flatnonzero(fold == number), model, seconds, seed, number)
        ]
    joins, others = (
        sum(len(np.unique(part.transition[part.joined == joined])) for part in parts)
        for joined in (True, False)
    )
    heard = [part.fold[0] for part in parts if part.joined.any()]
    if len(set(heard)) < _FOLDS or not others:
        return {"left_out": f"{joins} joins in {seconds:g} s that stand alone are too few for a detector"}
    samples = Samples.joined_of(parts)
    scores = out_of_fold(samples, lambda: Boosted(seed))
    track = along_untouched(samples)
    area = worst_area(
        samples,
        scores,
        worst_of_joins(samples, scores, samples.joined),
        ~samples.joined & (samples.condition != BETWEEN) & (samples.condition != MIDDLE),
        track,
        track & (samples.condition == NATURAL),
        seed,
    )
    assert area is not None  # there are joins and other places
    return {
        "auc": area.value,
        "low": area.low,
        "high": area.high,
        "joins": area.joins,
        "others": area.others,
    }


def _fold_samples(
    folder: Path, songs: IntArray, model: Path, seconds: float, seed: int, number: int
) -> Iterator[Samples]:
    """Yield what the engine, and the songs as they are, sound like at their boundaries in one part."""
    half_s = LEAST_WINDOW_S / 2
    with tempfile.TemporaryDirectory(prefix="endlos-study-") as scratch:
        small = sub_pool(folder, songs, Path(scratch) / "part")
        for condition in _CONDITIONS:
            planner = replace(_SHORT_PHRASES, strategy=condition, seed=seed + number)
            engine = EngineSettings(planner=planner, model=model)
            with closing(EngineStream(small, engine)) as stream:
                yield from (
                    part for part in collected(stream, seconds, half_s, condition, number) if len(part)
                )
