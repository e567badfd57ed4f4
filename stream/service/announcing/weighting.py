"""The weighting hears a short recording as BS.1770 does, in the frequency domain, with NumPy alone."""

import math

import numpy as np

from model.base.arrays import FloatArray

# ITU-R BS.1770-4, annex 1, tables 1 and 2: the stages at 48 kHz, as (b, a).
_TABLES_RATE_HZ = 48_000
_STAGES = (
    ((1.53512485958697, -2.69169618940638, 1.19839281085285), (1.0, -1.69065929318241, 0.73248077421585)),
    ((1.0, -2.0, 1.0), (1.0, -1.99004745483398, 0.99007225036621)),
)
_BLOCK_S, _HOP_S = 0.4, 0.1
_LEAST_LUFS = -70.0
_RELATIVE = 0.1


def spoken_lufs(audio: FloatArray, sample_rate_hz: int) -> float:
    """Return the gated loudness of `audio`, `(frames, 2)` of some minutes at most; silence is -70 LUFS."""
    block, hop = round(_BLOCK_S * sample_rate_hz), round(_HOP_S * sample_rate_hz)
    # What is shorter than one block is repeated to fill it, as the analysis of songs has it.
    padded = np.tile(audio.astype(np.float64), (-(-(block + 1) // len(audio)), 1))
    frequencies_hz = np.fft.rfftfreq(len(padded), 1 / sample_rate_hz)
    # Above the tables' own half rate there is next to nothing to hear.
    z = np.exp(-2j * np.pi * np.minimum(frequencies_hz, _TABLES_RATE_HZ / 2) / _TABLES_RATE_HZ)
    gain = np.ones(len(z), dtype=np.complex128)
    for b, a in _STAGES:
        gain *= np.polynomial.polynomial.polyval(z, b) / np.polynomial.polynomial.polyval(z, a)
    weighted = np.fft.irfft(np.fft.rfft(padded, axis=0) * gain[:, None], n=len(padded), axis=0)
    total = np.concatenate([[0.0], np.cumsum(np.square(weighted).sum(axis=1))])
    starts = np.arange(0, len(padded) - block, hop)
    powers = (total[starts + block] - total[starts]) / block
    heard = powers[powers > 10 ** ((_LEAST_LUFS + 0.691) / 10)]
    if len(heard):
        heard = heard[heard > _RELATIVE * heard.mean()]
    return -0.691 + 10 * math.log10(float(heard.mean())) if len(heard) else _LEAST_LUFS
