"""What weighs for a detector is drawn for the CNN as often."""

from dataclasses import replace

import numpy as np
import pytest

from tests.support.windows import made_up, planted
from tools.quality.joins.hearing.between import NATURAL
from tools.quality.joins.hearing.lessons import LESSON_JOINS, MADE_SHARE, Lessons, balance
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
    seen = batches[:, :, 0, 0].astype(int)
    joins, others = seen[:, :LESSON_JOINS], seen[:, LESSON_JOINS:]
    assert (joins % 2 == 0).all() and (others % 2 == 1).all()
    assert np.bincount(joins.ravel() // 100) / joins.size == pytest.approx([1 / 3] * 3, abs=0.03)
    # Every window comes.
    assert len(np.unique(seen)) == len(samples)


def test_plain_joins_are_made_of_untouched_windows_and_others_are_not() -> None:
    plain = numbered(planted(np.ones(8, dtype=np.bool_), "plain", seed=0), 0)
    engine = numbered(planted(np.arange(16) % 2 == 0, "engine", seed=0), 100)
    untouched = numbered(planted(np.zeros(50, dtype=np.bool_), NATURAL, seed=0), 300)
    lessons = Lessons(Samples.joined_of([plain, engine, untouched]), seed=0)
    batches = np.stack([lessons.batch() for _ in range(200)])[..., 0]
    before, after = batches[:, :LESSON_JOINS, 0], batches[:, :LESSON_JOINS, -1]
    made = before >= 300
    assert (after[made] >= 300).all()
    assert (before[made] != after[made]).mean() > 0.9
    assert (before == after)[~made].all()
    # Half of the joins are plain, and of these the share is made.
    assert made.mean() == pytest.approx(MADE_SHARE / 2, abs=0.03)
    others = batches[:, LESSON_JOINS:]
    assert (others[:, :, 0] == others[:, :, -1]).all()
    assert (others[:, :, 0][made] >= 300).all()


def test_without_untouched_windows_nothing_is_made() -> None:
    samples = numbered(planted(np.arange(8) % 2 == 0, "plain", seed=0), 0)
    batch = Lessons(samples, seed=0).batch()[..., 0]
    assert (batch == batch[:, :1]).all()
