"""Kernels take the weights as a named tuple, so that they find each by its name."""

from collections import namedtuple
from dataclasses import fields
from functools import lru_cache
from typing import cast

import numpy as np

from stream.choosing.weighing.weights import CostWeights

_NAMES = [weight.name for weight in fields(CostWeights)]
_KernelWeights = namedtuple("_KernelWeights", _NAMES)  # type: ignore[misc]


@lru_cache(maxsize=8)
def kernel_weights(weights: CostWeights) -> CostWeights:
    """Return the same weights as kernels take them, float32 under the same names."""
    return cast(CostWeights, _KernelWeights(*[np.float32(getattr(weights, name)) for name in _NAMES]))
