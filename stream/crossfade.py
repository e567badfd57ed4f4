"""How two pieces of audio become one: gains from the measured correlation, and a limiter for the sum."""

import numpy as np

from model.kernels import FloatArray

CEILING = float(np.float32(10.0 ** (-1.0 / 20.0)))
"""-1 dBFS: the sum of a join stays below it."""
LOOKAHEAD_S = 0.005


def correlation(outgoing: FloatArray, incoming: FloatArray) -> float:
    """Return the correlation of two `(frames, 2)` signals over all samples; 0 if one is silent."""
    a = outgoing.astype(np.float64).ravel()
    b = incoming.astype(np.float64).ravel()
    energy = float(np.sqrt((a @ a) * (b @ b)))
    return float(np.clip(a @ b / energy, -1.0, 1.0)) if energy > 1e-9 else 0.0


def fade_gains(frames: int, correlation: float) -> tuple[FloatArray, FloatArray]:
    """Return the gains `(frames,)` float32 of the outgoing and the incoming signal.

    They keep `a^2 + b^2 + 2 r a b = 1`, so that for signals of equal level and correlation `r` the level
    stays constant: equal-gain at r = 1, equal-power at r = 0. A negative `r` is treated as 0: making up
    for cancellation would only boost it. (Fink, Holters, Zölzer: Signal-Matched Power-Complementary
    Cross-Fading and Dry-Wet Mixing, DAFx 2016.)
    """
    r = min(max(correlation, 0.0), 1.0)
    angle = (np.arange(frames) + 0.5) / frames * (np.pi / 2)
    level = np.sqrt(1.0 + r * np.sin(2.0 * angle))
    return (np.cos(angle) / level).astype(np.float32), (np.sin(angle) / level).astype(np.float32)


def mix(outgoing: FloatArray, incoming: FloatArray, fade_frames: int) -> tuple[FloatArray, float]:
    """Fade from `outgoing` to `incoming`, both `(frames, 2)`, in the middle `fade_frames`; limited.

    Before the fade the result is `outgoing`, after it `incoming`, bit for bit as long as the limiter is
    idle. Returns the mix and the correlation that chose the law.
    """
    frames = len(outgoing)
    first = (frames - fade_frames) // 2
    last = first + fade_frames
    r = correlation(outgoing[first:last], incoming[first:last])
    gain_out, gain_in = fade_gains(fade_frames, r)
    result = np.concatenate([outgoing[:first], incoming[first:]])
    result[first:last] = outgoing[first:last] * gain_out[:, None] + incoming[first:last] * gain_in[:, None]
    return limit(result, CEILING, first), r


def limit(audio: FloatArray, ceiling: float, lookahead_frames: int) -> FloatArray:
    """Return `(frames, 2)` audio with every peak at or below `ceiling`; the same samples if none is above.

    The gain reaches its lowest value before a peak and leaves it after, smoothly: the smallest gain needed
    within `lookahead_frames` on either side, averaged over as many frames with a Hann window, which never
    exceeds what the peak needs. Frames farther than twice the lookahead from a peak are not touched.
    """
    needed = np.minimum(1.0, ceiling / np.maximum(np.abs(audio).max(axis=1), 1e-9))
    # A song whose true peak was brought to the ceiling rounds to a hair above it: that is not a peak.
    if needed.min() > 1.0 - 1e-4:
        return audio
    half = max(1, lookahead_frames // 2)
    window = np.hanning(2 * half + 3)[1:-1]
    around = np.pad(needed, 2 * half, mode="edge")
    held = np.lib.stride_tricks.sliding_window_view(around, 2 * half + 1).min(axis=1)
    gain = np.convolve(held, window / window.sum(), mode="valid")
    limited: FloatArray = (audio * gain[:, None]).astype(np.float32)
    return limited
