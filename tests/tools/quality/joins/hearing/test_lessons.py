"""What weighs for a detector is drawn for the CNN as often."""

from dataclasses import replace

import numpy as np
import pytest

from tests.support.windows import made_up, planted
from tools.quality.joins.hearing.lessons import LESSON_JOINS, Lessons, balance
from tools.quality.joins.hearing.samples import Samples


def test_joins_of_every_condition_weigh_alike() -> None:
    samples = made_up(1.0)
    few = replace(samples, condition=np.where(np.arange(400) < 40, "engine", "plain"))
    weight = balance(few)
    joined = few.joined
    assert weight[joined].sum() == pytest.approx(weight[~joined].sum())
    assert weight[joined & (few.condition == "engine")].sum() == pytest.approx(
        weight[joined & (few.condition == "plain")].sum()
    )


def test_places_between_borders_teach_as_much_as_joins_are_long() -> None:
    samples = made_up(1.0)
    condition = np.where(~samples.joined & (np.arange(400) < 100), "between", "plain")
    short = balance(replace(samples, condition=condition))
    assert short[condition == "between"].sum() == 0
    # Every fourth join is of ten windows.
    long = samples.joined & (np.arange(400) % 8 == 0)
    rows = np.concatenate([np.flatnonzero(~long), np.repeat(np.flatnonzero(long), 10)])
    some = replace(samples, condition=condition).where(rows)
    weight = balance(some)
    places = weight[~some.joined].sum()
    assert weight[some.condition == "between"].sum() == pytest.approx(places / 4)
    assert weight[some.joined].sum() == pytest.approx(places)


def numbered(samples: Samples, first: int) -> Samples:
    """Return windows that are told apart by what is seen in all of them, from a number on."""
    numbers = first + np.arange(len(samples), dtype=np.float16)
    mel = np.broadcast_to(numbers[:, None, None], (len(samples), 16, 2))
    return replace(samples, mel=mel)


def test_a_batch_has_joins_of_every_condition_alike_and_as_many_other_places() -> None:
    parts = []
    for first, (name, count) in zip(
        (0, 100, 200), (("plain", 40), ("random", 10), ("engine", 4)), strict=True
    ):
        parts.append(numbered(planted(np.arange(count) % 2 == 0, name, seed=0), first))
    samples = Samples.joined_of(parts)
    lessons = Lessons(samples, seed=0)
    batches = np.stack([lessons.batch() for _ in range(300)])
    assert batches.shape[1:] == (2 * LESSON_JOINS, 16, 2)
    seen = batches[:, :, 0, 0].astype(int)
    joins, others = seen[:, :LESSON_JOINS], seen[:, LESSON_JOINS:]
    assert (joins % 2 == 0).all() and (others % 2 == 1).all()
    assert np.bincount(joins.ravel() // 100) / joins.size == pytest.approx([1 / 3] * 3, abs=0.03)
    # Every window comes.
    assert len(np.unique(seen)) == len(samples)
