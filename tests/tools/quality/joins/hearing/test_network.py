"""The CNN hears what is planted, and does so alike each time."""

from dataclasses import replace

import numpy as np
import pytest

from model.base.arrays import DoubleArray
from tests.support.windows import made_up, planted
from tools.quality.joins.hearing.areas import weighted_area
from tools.quality.joins.hearing.network import Network
from tools.quality.joins.hearing.samples import Samples


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
    held = planted(half, "plain", seed=1)
    deaf = replace(planted(np.zeros(300, dtype=np.bool_), "plain", seed=1), joined=half)
    network = Network(0, batches=100)
    network.fit(planted(half, "plain", seed=2))
    assert area(network.score(held), held) > 0.9
    assert area(network.score(deaf), deaf) == pytest.approx(0.5, abs=0.1)


def test_the_same_seed_hears_the_same() -> None:
    samples = planted(np.arange(60) % 2 == 0, "plain", seed=6)

    def scores(seed: int) -> DoubleArray:
        network = Network(seed, batches=5)
        network.fit(samples)
        return network.score(samples)

    first = scores(0)
    assert np.array_equal(first, scores(0))
    assert not np.array_equal(first, scores(1))


def test_a_window_is_scored_alike_whatever_is_scored_with_it() -> None:
    samples = planted(np.arange(300) % 2 == 0, "plain", seed=7)
    network = Network(0, batches=5)
    network.fit(samples)
    assert network.score(samples)[290:] == pytest.approx(
        network.score(samples.where(np.arange(300) >= 290)), abs=1e-4
    )


def test_a_change_elsewhere_in_the_window_is_no_join() -> None:
    def changed(seed: int) -> Samples:
        # Each changes once, in its middle or a quarter later.
        samples = planted(np.ones(300, dtype=np.bool_), "plain", seed, pairs=96)
        joined = np.arange(300) % 2 == 0
        mel = np.where(joined[:, None, None], samples.mel[:, 16:80], samples.mel[:, :64])
        return replace(samples, mel=mel, joined=joined)

    network = Network(0, batches=100)
    network.fit(changed(3))
    held = changed(4)
    assert area(network.score(held), held) > 0.9
