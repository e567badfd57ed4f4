"""A walk is the order of classes along the reference songs, and says how naturally one follows another."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from model.base.arrays import FloatArray

_LEAST_CHANCE = np.float32(1e-12)


@dataclass(frozen=True, kw_only=True, eq=False)
class ClassVectors:
    """What is known of N chunks by the classes of the transitions that lead into them.

    starts: `(N, K)` float32, the logarithm of the probability of each class. ends: the same of each class to
    come next. Metric `product` of both is the logarithm of the chance that the walk leads from one to the
    other.
    """

    ends: FloatArray
    starts: FloatArray


def succession(walk: Sequence[int], classes: int) -> FloatArray:
    """Return `(K, K)` float32: the share of the steps from class `i` along a walk that lead to class `j`.

    The last step leads to the first. All 0 where a class is not in the walk.
    """
    steps = np.asarray(walk, dtype=np.int64)
    counts = np.zeros((classes, classes))
    np.add.at(counts, (steps, np.roll(steps, -1)), 1.0)
    shares: FloatArray = (counts / np.maximum(counts.sum(axis=1, keepdims=True), 1.0)).astype(np.float32)
    return shares


def class_probabilities(logits: FloatArray) -> FloatArray:
    """Return the softmax of logits `(n, K)` over the classes of each row, float32.

    Sigmoids of logits must not be compared between chunks: some rows are higher as a whole.
    """
    values = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    probabilities: FloatArray = (values / values.sum(axis=1, keepdims=True)).astype(np.float32)
    return probabilities


def class_vectors(logits: FloatArray, walk: Sequence[int]) -> ClassVectors:
    """Return what logits `(n, K)` of the transitions into chunks say of these as ends and as starts."""
    starts = class_probabilities(logits)
    ends = starts @ succession(walk, logits.shape[1])
    return ClassVectors(ends=_nats(ends), starts=_nats(starts))


def _nats(chances: FloatArray) -> FloatArray:
    nats: FloatArray = np.log(np.maximum(chances, _LEAST_CHANCE))
    return nats
