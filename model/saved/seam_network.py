"""The seam network corrects the weighed sum of a seam's evidence where no weighed sum is right."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from model.base.arrays import FloatArray
from model.features.seam import SEAM_GROUPS
from model.features.steadiness import STEADINESS_VALUES

SEAM_TERMS = 3 * len(SEAM_GROUPS)
"""What `model.features.seam.seam_terms` gives for each candidate."""
SEAM_INPUTS = SEAM_TERMS + 2 * STEADINESS_VALUES
"""Seam terms, then the steadiness of the end, then of the start."""
_MOST_UNITS = 1_024


@dataclass(frozen=True, kw_only=True, eq=False)
class SeamNetwork:
    """Layers of rectified units over a seam's evidence, the last one unit that is not rectified.

    How far an echo is to be trusted depends on how steady both sides are: a product, which weights alone do
    not make. `tools.quality.ranking.seam_fit` fits it; NumPy runs it, as it is small.
    """

    weights: tuple[FloatArray, ...]
    """`(inputs, outputs)` float32 each; the first takes `SEAM_INPUTS`, the last gives one."""
    biases: tuple[FloatArray, ...]
    """`(outputs,)` float32 each."""

    def __post_init__(self) -> None:
        """`ValueError` when layers do not fit each other, or hold what is no number."""
        inputs = SEAM_INPUTS
        for weight, bias in zip(self.weights, self.biases, strict=True):
            if weight.shape != (inputs, len(bias)) or not 1 <= len(bias) <= _MOST_UNITS:
                raise ValueError(f"a layer of {weight.shape} and {bias.shape} after {inputs} values")
            if not (np.isfinite(weight).all() and np.isfinite(bias).all()):
                raise ValueError("a layer holds what is no number")
            inputs = len(bias)
        if inputs != 1 or not self.weights:
            raise ValueError(f"the network gives {inputs} values")

    def logits(self, evidence: FloatArray) -> FloatArray:
        """Return `(n,)` float32 of `(n, SEAM_INPUTS)`."""
        values = evidence
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            values = values @ weight
            values += bias
            np.maximum(values, 0, out=values)
        found: FloatArray = values @ self.weights[-1][:, 0] + self.biases[-1]
        return found

    def scaled(self, factor: float) -> "SeamNetwork":
        """Return the network that says `factor` times as much."""
        last = (self.weights[-1] * np.float32(factor), self.biases[-1] * np.float32(factor))
        return SeamNetwork(weights=(*self.weights[:-1], last[0]), biases=(*self.biases[:-1], last[1]))

    def plain(self) -> list[dict[str, Any]]:
        """Return what JSON can hold."""
        return [
            {"weights": _short(weight), "biases": _short(bias)}
            for weight, bias in zip(self.weights, self.biases, strict=True)
        ]

    @classmethod
    def read(cls, layers: Sequence[Mapping[str, Any]]) -> "SeamNetwork":
        """Return what `plain` told; `ValueError`, `KeyError` or `TypeError` when it is none."""
        return cls(
            weights=tuple(np.array(layer["weights"], dtype=np.float32) for layer in layers),
            biases=tuple(np.array(layer["biases"], dtype=np.float32) for layer in layers),
        )


def _short(values: FloatArray) -> list[Any]:
    rounded: list[Any] = np.vectorize(lambda value: float(f"{value:.6g}"))(values).tolist()
    return rounded
