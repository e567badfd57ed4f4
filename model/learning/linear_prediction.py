"""Linear prediction goes on with a signal by its own autocorrelation; a forecast has to be better than it."""

import numpy as np

from model.base.arrays import DoubleArray, FloatArray

LINEAR_ORDER = 32
WHITE_NOISE = 1e-6
"""Share of noise that is added to the power, so that a pure tone has an answer too."""


def linear_coefficients(known: FloatArray, order: int = LINEAR_ORDER) -> DoubleArray:
    """Return `(n, order)`: what the last samples of each signal, newest first, say of the next.

    known: `(n, samples)`, more samples than `order`. The autocorrelation method, solved by Levinson's and
    Durbin's recursion for all signals at once (Makhoul, 1975). Zeros for silence.
    """
    count, samples = known.shape
    if not 1 <= order < samples:
        raise ValueError(f"order {order} does not go with {samples} samples")
    spectrum = np.fft.rfft(known.astype(np.float64), 2 * samples, axis=1)
    power = np.square(spectrum.real) + np.square(spectrum.imag)
    correlation = np.fft.irfft(power, axis=1)[:, : order + 1]
    error = correlation[:, 0] * (1 + WHITE_NOISE) + 1e-12
    coefficients = np.zeros((count, order))
    for step in range(order):
        done = coefficients[:, :step]
        missed = correlation[:, step + 1] - (done * correlation[:, step:0:-1]).sum(axis=1)
        reflection = missed / error
        coefficients[:, :step] = done - reflection[:, None] * done[:, ::-1]
        coefficients[:, step] = reflection
        error = error * (1 - np.square(reflection))
    return coefficients


def predict_linearly(known: FloatArray, steps: int, order: int = LINEAR_ORDER) -> FloatArray:
    """Return `(n, steps)` float32: how each of `known` `(n, samples)` goes on.

    A step is told from those before it, the told ones too.
    """
    coefficients = linear_coefficients(known, order)
    signal = np.concatenate([known[:, -order:].astype(np.float64), np.zeros((len(known), steps))], axis=1)
    for step in range(order, order + steps):
        signal[:, step] = (coefficients * signal[:, step - order : step][:, ::-1]).sum(axis=1)
    return signal[:, order:].astype(np.float32)
