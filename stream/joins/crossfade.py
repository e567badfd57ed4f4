"""A crossfade lays B over A with gains that keep the level, whatever the correlation of the two."""

import numpy as np

from model.base.arrays import DoubleArray, FloatArray


def correlation(outgoing: FloatArray, incoming: FloatArray) -> float:
    """Return the correlation of two `(frames, 2)` signals over all samples; 0 if one is silent."""
    a, b = outgoing.astype(np.float64), incoming.astype(np.float64)
    # Sums, not BLAS products: its threads wait for each other where the cores are busy.
    energy = float(np.sqrt(np.square(a).sum() * np.square(b).sum()))
    return float(np.clip((a * b).sum() / energy, -1.0, 1.0)) if energy > 1e-9 else 0.0


def fade_gains(before_frames: int, after_frames: int, correlation: float) -> tuple[FloatArray, FloatArray]:
    """Return the gains `(before + after,)` float32 of the outgoing and the incoming signal.

    Both are equal in the middle, `before_frames` after the beginning. They keep `a^2 + b^2 + 2 r a b = 1`,
    so that for signals of equal level and correlation `r` the level stays constant: equal-gain at r = 1,
    equal-power at r = 0. A negative `r` is treated as 0: making up for cancellation would only boost it.
    (Fink, Holters, Zölzer: Signal-Matched Power-Complementary Cross-Fading and Dry-Wet Mixing, DAFx 2016.)
    """
    r = min(max(correlation, 0.0), 1.0)
    along = np.concatenate([_centres(before_frames), 1.0 + _centres(after_frames)])
    angle = along * (np.pi / 4)
    outgoing, incoming = np.cos(angle), np.sin(angle)
    level = np.sqrt(1.0 + r * 2.0 * outgoing * incoming)
    return (outgoing / level).astype(np.float32), (incoming / level).astype(np.float32)


def _centres(frames: int) -> DoubleArray:
    return (np.arange(frames) + 0.5) / max(1, frames)
