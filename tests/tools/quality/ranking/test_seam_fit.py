"""A network of seams learns what no weighed sum says, when a distance is to be trusted."""

import numpy as np

from model.saved.seam_network import SEAM_INPUTS
from tools.quality.ranking.preference import Contests, fit_weights
from tools.quality.ranking.seam_fit import fit_network

TOLD = SEAM_INPUTS - 1
CANDIDATES = 12


def _contests(count: int, seed: int) -> Contests:
    """The right one is the highest in the first value where the last is high, else the lowest."""
    rng = np.random.default_rng(seed)
    shown = rng.normal(0, 1, (count, CANDIDATES, SEAM_INPUTS))
    steady = rng.random(count) < 0.5
    shown[:, :, TOLD] = np.where(steady, 1.0, -1.0)[:, None]
    shown[:, 0, 0] = np.where(steady, 2.5, -2.5)
    return shown


def test_what_the_sum_cannot_say_the_network_adds() -> None:
    shown, unseen = _contests(300, 1), _contests(100, 2)
    sums = [part @ fit_weights(shown) for part in (shown, unseen)]
    network = fit_network(shown, sums[0], 0, epochs=60)
    flat = unseen.reshape(-1, SEAM_INPUTS).astype(np.float32)
    corrected = sums[1] + network.logits(flat).reshape(sums[1].shape)
    first = [float((scores.argmax(axis=1) == 0).mean()) for scores in (sums[1], corrected)]
    assert first[0] < 0.3 and first[1] > 0.6
    one, two = (fit_network(shown, sums[0], 0, epochs=1) for _ in range(2))
    assert all(np.array_equal(*both) for both in zip(one.weights, two.weights, strict=True))
