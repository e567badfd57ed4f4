"""How loud a song is: integrated loudness and true peak (ITU-R BS.1770-4), and plain RMS level."""

import math
from dataclasses import dataclass

import numpy as np
import soxr

from model.kernels import DoubleArray, FloatArray, kernel

SILENCE_LUFS = -70.0
"""The absolute gate of BS.1770: nothing below it is heard as loudness."""
SILENCE_DB = -120.0
"""Floor of every level in dB, so that digital silence has a finite one."""

HOP_S = 0.1
BLOCK_HOPS = 4  # gating blocks of 400 ms that overlap by 75 %
RELATIVE_GATE = 0.1  # 10 LU below the loudness above the absolute gate
OFFSET_LU = -0.691
OVERSAMPLING = 4
PEAK_BLOCK_FRAMES = 1 << 16


@dataclass(frozen=True, kw_only=True)
class Loudness:
    """Loudness of a whole song."""

    loudness_lufs: float
    true_peak_db: float
    """dBTP: above 0 where the waveform between the samples leaves the range."""


def measure_loudness(audio: FloatArray, sample_rate_hz: int) -> Loudness:
    """Measure a song's integrated loudness and its true peak, four times oversampled (BS.1770-4).

    audio: `(frames, 2)` float32. Silence is `SILENCE_LUFS` and `SILENCE_DB`.
    """
    if not len(audio):
        return Loudness(loudness_lufs=SILENCE_LUFS, true_peak_db=SILENCE_DB)
    return Loudness(
        loudness_lufs=integrated_lufs(audio, sample_rate_hz),
        true_peak_db=amplitude_db(true_peak(audio, sample_rate_hz)),
    )


def integrated_lufs(audio: FloatArray, sample_rate_hz: int) -> float:
    """Return the gated loudness of `audio` `(frames, 2)` (BS.1770-4, annex 1), not below `SILENCE_LUFS`.

    What is shorter than one block of 400 ms is repeated to fill it.
    """
    hop = round(HOP_S * sample_rate_hz)
    if len(audio) < BLOCK_HOPS * hop:
        audio = np.tile(audio, (-(-BLOCK_HOPS * hop // len(audio)), 1))
    energies = _hop_energies(np.ascontiguousarray(audio), hop, k_weighting(sample_rate_hz))
    blocks = np.lib.stride_tricks.sliding_window_view(energies, BLOCK_HOPS).mean(axis=1) / hop
    heard = blocks[blocks > 10 ** ((SILENCE_LUFS - OFFSET_LU) / 10)]
    if not len(heard):
        return SILENCE_LUFS
    gated = heard[heard > RELATIVE_GATE * heard.mean()]
    return max(OFFSET_LU + 10 * math.log10(gated.mean()), SILENCE_LUFS)


def k_weighting(sample_rate_hz: int) -> DoubleArray:
    """Return the two filters of K-weighting, `(2, 5)` float64: b0, b1, b2, a1, a2 of each.

    BS.1770 tables them at 48 kHz; these are the analogue prototypes behind those tables (De Man, Evaluation
    of implementations of the EBU R128 loudness measurement, 2018), so that every rate has the same response.
    """
    gain_db, shelf_hz, shelf_q = 3.999843853973347, 1681.9744509555319, 0.7071752369554193
    k = math.tan(math.pi * shelf_hz / sample_rate_hz)
    high = 10 ** (gain_db / 20)
    band = high**0.499666774155
    a0 = 1 + k / shelf_q + k * k
    shelf = [
        (high + band * k / shelf_q + k * k) / a0,
        2 * (k * k - high) / a0,
        (high - band * k / shelf_q + k * k) / a0,
        2 * (k * k - 1) / a0,
        (1 - k / shelf_q + k * k) / a0,
    ]
    pass_hz, pass_q = 38.13547087613982, 0.5003270373253953
    k = math.tan(math.pi * pass_hz / sample_rate_hz)
    a0 = 1 + k / pass_q + k * k
    high_pass = [1.0, -2.0, 1.0, 2 * (k * k - 1) / a0, (1 - k / pass_q + k * k) / a0]
    return np.array([shelf, high_pass])


def true_peak(audio: FloatArray, sample_rate_hz: int) -> float:
    """Return the largest magnitude of `audio` `(frames, 2)`, oversampled four times (BS.1770-4, annex 2)."""
    peak = max(float(audio.max()), -float(audio.min()))
    # In blocks: a song at four times its rate would not fit into the memory of a small machine.
    stream = soxr.ResampleStream(
        sample_rate_hz, OVERSAMPLING * sample_rate_hz, audio.shape[1], dtype="float32", quality="MQ"
    )
    for start in range(0, len(audio), PEAK_BLOCK_FRAMES):
        stop = start + PEAK_BLOCK_FRAMES
        block = stream.resample_chunk(audio[start:stop], last=stop >= len(audio))
        if len(block):
            peak = max(peak, float(block.max()), -float(block.min()))
    return peak


def rms_db(audio: FloatArray) -> float:
    """Return the RMS level of `audio` `(frames, 2)` over both channels, in dBFS."""
    if not audio.size:
        return SILENCE_DB
    # In double precision: a long chunk's sum of squares outgrows float32.
    return amplitude_db(float(np.sqrt(np.mean(np.square(audio.ravel(), dtype=np.float64)))))


def amplitude_db(amplitude: float) -> float:
    """Return 20 log10 of an amplitude, not below `SILENCE_DB`."""
    return max(20 * math.log10(amplitude), SILENCE_DB) if amplitude > 0 else SILENCE_DB


@kernel
def _hop_energies(audio: FloatArray, hop: int, filters: DoubleArray) -> DoubleArray:
    """Return the K-weighted energy of each whole hop, the sum over its samples and channels."""
    hops = len(audio) // hop
    energies = np.zeros(hops)
    b0, b1, b2, a1, a2 = filters[0]
    c0, c1, c2, d1, d2 = filters[1]
    for channel in range(audio.shape[1]):
        s1 = s2 = t1 = t2 = 0.0
        for i in range(hops):
            energy = 0.0
            for j in range(i * hop, (i + 1) * hop):
                x = np.float64(audio[j, channel])
                y = b0 * x + s1
                s1 = b1 * x - a1 * y + s2
                s2 = b2 * x - a2 * y
                z = c0 * y + t1
                t1 = c1 * y - d1 * z + t2
                t2 = c2 * y - d2 * z
                energy += z * z
            energies[i] += energy
            # Digital silence would let the states decay into denormal numbers, which are slow.
            if abs(t1) + abs(t2) + abs(s1) + abs(s2) < 1e-30:
                s1 = s2 = t1 = t2 = 0.0
    return energies
