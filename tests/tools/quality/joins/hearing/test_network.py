"""The CNN hears what is planted, learns from joins that it makes, and does so alike each time."""

from dataclasses import replace

import numpy as np
import pytest

from model.base.arrays import DoubleArray
from tests.support.windows import made_up, planted
from tools.quality.joins.hearing import lessons
from tools.quality.joins.hearing.areas import weighted_area
from tools.quality.joins.hearing.between import BETWEEN, NATURAL
from tools.quality.joins.hearing.detector import out_of_fold, to_qualify
from tools.quality.joins.hearing.network import Network
from tools.quality.joins.hearing.samples import Samples
from tools.quality.joins.streams import PLAIN


def area(scores: DoubleArray, samples: Samples) -> float:
    right, wrong = scores[samples.joined], scores[~samples.joined]
    return weighted_area(right, np.ones(len(right)), wrong, np.ones(len(wrong)))


def test_it_hears_a_step_in_the_spectrum() -> None:
    samples = made_up(0.0)
    mel = np.random.default_rng(0).normal(0, 6, (400, 64, 64)).astype(np.float16)
    mel[samples.joined, 32:] += 6
    samples = replace(samples, mel=mel)
    network = Network(0, batches=60)
    network.fit(samples.where(samples.fold == 0))
    held = samples.where(samples.fold == 1)
    assert area(network.score(held), held) > 0.95


def test_it_hears_planted_joins_and_none_where_none_are() -> None:
    half = np.arange(300) % 2 == 0
    held = planted(half, PLAIN, seed=1)
    deaf = replace(planted(np.zeros(300, dtype=np.bool_), PLAIN, seed=1), joined=half)
    network = Network(0, batches=100)
    network.fit(planted(half, PLAIN, seed=2))
    assert area(network.score(held), held) > 0.9
    assert area(network.score(deaf), deaf) == pytest.approx(0.5, abs=0.1)


def test_of_few_joins_it_learns_what_joins_are_by_making_more(monkeypatch: pytest.MonkeyPatch) -> None:
    few = planted(np.arange(4) % 2 == 0, PLAIN, seed=3)
    untouched = planted(np.zeros(400, dtype=np.bool_), NATURAL, seed=4)
    held = planted(np.arange(300) % 2 == 0, PLAIN, seed=5)

    def heard() -> float:
        network = Network(0, batches=100)
        network.fit(Samples.joined_of([few, untouched]))
        return area(network.score(held), held)

    with_made = heard()
    monkeypatch.setattr(lessons, "MADE_SHARE", 0.0)
    alone = heard()
    print(with_made, alone)
    assert with_made > 0.9
    assert alone < with_made - 0.1


def test_the_same_seed_hears_the_same() -> None:
    samples = planted(np.arange(60) % 2 == 0, PLAIN, seed=6)

    def scores(seed: int) -> DoubleArray:
        network = Network(seed, batches=5)
        network.fit(samples)
        return network.score(samples)

    first = scores(0)
    assert np.array_equal(first, scores(0))
    assert not np.array_equal(first, scores(1))


def test_a_window_is_scored_alike_whatever_is_scored_with_it() -> None:
    samples = planted(np.arange(300) % 2 == 0, PLAIN, seed=7)
    network = Network(0, batches=5)
    network.fit(samples)
    assert network.score(samples)[290:] == pytest.approx(
        network.score(samples.where(np.arange(300) >= 290)), abs=1e-4
    )


def test_a_detector_qualifies_by_plain_joins_and_only_the_network_by_those_that_it_makes() -> None:
    parts = [planted(np.zeros(4, dtype=np.bool_), name, seed=8) for name in (PLAIN, NATURAL, BETWEEN)]
    engine = planted(np.ones(4, dtype=np.bool_), "engine", seed=8)
    samples = Samples.joined_of([*parts, engine])
    assert set(samples.condition[to_qualify("boosted", samples)]) == {PLAIN}
    assert set(samples.condition[to_qualify("network", samples)]) == {PLAIN, NATURAL, BETWEEN}


def test_untouched_windows_are_of_the_folds_that_are_learned_from() -> None:
    """A detector that makes joins has none of the songs that it judges to make them of."""
    plain = planted(np.arange(20) % 2 == 0, PLAIN, seed=9)
    parts = []
    for fold in range(2):
        own = planted(np.zeros(20, dtype=np.bool_), NATURAL, seed=10 + fold)
        parts += [replace(own, fold=np.full(20, fold)), replace(plain, fold=np.full(20, fold))]
    samples = Samples.joined_of(parts)
    heard: list[set[int]] = []

    class Spy:
        def fit(self, samples: Samples) -> None:
            heard.append(set(samples.fold[samples.condition == NATURAL].tolist()))

        def score(self, samples: Samples) -> DoubleArray:
            assert not heard[-1] & set(samples.fold.tolist())
            return np.zeros(len(samples))

    first = samples.where(samples.condition == PLAIN)
    out_of_fold(first, Spy, samples.where(to_qualify("network", samples)))
    assert heard == [{1}, {0}]
