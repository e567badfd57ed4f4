"""This measure finds clicks, samples that the ones around them do not lead to expect."""

import numpy as np

from model.base.arrays import DoubleArray, FloatArray

ORDER = 24
MARGIN_S = 0.015
"""Predicted and compared over this much around each stretch."""
STRETCH_S = 0.03
LONE_FRAMES = 24
"""A click is this short; a drum goes on."""
TIMES_OTHERS = 6.0
"""A click's error is this many times the largest one elsewhere in its surroundings."""
LEAST = 0.003
"""Errors below it (-50 dBFS) are not heard as clicks."""


def clicks(audio: FloatArray, begin: int, end: int, rate_hz: int) -> int:
    """Count the clicks in frames `begin` to `end` of `(frames, 2)` audio.

    Both channels are whitened by linear prediction fitted to the surroundings (Godsill and Rayner, 1998,
    chapter 5); what stands out alone, far above every other error within 15 ms, is a click.
    """
    margin, stretch = round(MARGIN_S * rate_hz), round(STRETCH_S * rate_hz)
    found = 0
    for start in range(begin, end, stretch):
        stop = min(start + stretch, end)
        first, last = max(0, start - margin), min(len(audio), stop + margin)
        if last - first <= 4 * ORDER:
            continue
        found += any(
            _stands_alone(np.abs(_residual(audio[first:last, side])), start - first, stop - first)
            for side in range(audio.shape[1])
        )
    return found


def _residual(signal: FloatArray) -> DoubleArray:
    """Return the error of linear prediction, `(len(signal) - ORDER,)` padded to the signal's length."""
    wide = signal.astype(np.float64)
    rows = np.lib.stride_tricks.sliding_window_view(wide, ORDER)[:-1]
    wanted = wide[ORDER:]
    # A click must not teach its own prediction: large steps count little in the fit.
    steps = np.abs(np.diff(wide))[ORDER - 1 :]
    weight = 1.0 / (1.0 + (steps / (4 * np.median(steps) + 1e-9)) ** 2)
    weighted = rows * weight[:, None]
    matrix = weighted.T @ rows + 1e-9 * np.eye(ORDER)
    error: DoubleArray = wanted - rows @ np.linalg.solve(matrix, weighted.T @ wanted)
    return np.concatenate([np.zeros(ORDER), error])


def _stands_alone(error: DoubleArray, first: int, stop: int) -> bool:
    place = first + int(error[first:stop].argmax())
    others = np.concatenate([error[: max(0, place - LONE_FRAMES)], error[place + LONE_FRAMES :]])
    return bool(error[place] > LEAST and error[place] > TIMES_OTHERS * others.max(initial=0.0))
