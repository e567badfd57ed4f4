"""This module finds a song's silent ranges as pydub does, by a compiled kernel or by pydub itself."""

import math
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from model.base.arrays import FloatArray, IntArray
from model.base.errors import EndlosError
from model.base.kernels import kernel

Int16Array = npt.NDArray[np.int16]

FULL_SCALE = 32_768
"""Full scale of 16 bit samples, as pydub counts it (`AudioSegment.max_possible_amplitude`)."""


def to_int16(audio: FloatArray) -> Int16Array:
    """Return float audio as both cutters see it: 16 bit, rounded to nearest, clipped at full scale.

    audio: `(frames, channels)` float32, finite, full scale at 1.0.
    """
    scaled = np.clip(audio, -1.0, 1.0)
    scaled *= FULL_SCALE
    np.rint(scaled, out=scaled)
    return np.minimum(scaled, FULL_SCALE - 1, out=scaled).astype(np.int16)


def detect_silence(
    audio_int16: Int16Array,
    sample_rate_hz: int,
    silence_ms: int,
    silence_db: float,
    seek_step_ms: int = 1,
) -> IntArray:
    """Return the silent ranges, `(n, 2)` int64 in milliseconds, equal to `pydub.silence.detect_silence`.

    A slice of `silence_ms` is silent when the RMS over its samples, truncated to an integer, is at most
    `silence_db` dBFS. Slices start every `seek_step_ms`, the last one where it ends with the song. Silent
    slices make one range where one starts a step after the other, or before the other has ended.

    audio_int16: `(frames, channels)` int16. Raises `EndlosError` when an argument is out of its range.
    Source: pydub 0.25, `silence.py` and `AudioSegment.__getitem__`; CPython, `audioop.rms`.
    """
    _check(audio_int16, sample_rate_hz, silence_ms, silence_db, seek_step_ms)
    energy = measure_energy([audio_int16], len(audio_int16), sample_rate_hz)
    return silent_ranges(energy, silence_ms, silence_db, seek_step_ms)


@dataclass(frozen=True, kw_only=True, eq=False)
class SongEnergy:
    """What is known of a song's energy, to look for silence of any level in it.

    positions: `(ms + 1,)` int64, the frame at which each millisecond begins, as pydub counts them.
    until: `(ms + 1,)` int64, the sum of the squares of all samples before it.
    """

    positions: IntArray
    until: IntArray
    channels: int


def measure_energy(parts: Iterable[Int16Array], frames: int, sample_rate_hz: int) -> SongEnergy:
    """Measure a song of so many frames, given in parts `(n, channels)` int16, one after the other."""
    length_ms = round(1000 * (frames / sample_rate_hz))
    # pydub's arithmetic in pydub's order, so that every position is truncated as there.
    positions = (np.arange(length_ms + 1) * (sample_rate_hz / 1000.0)).astype(np.int64)
    until = np.zeros(length_ms + 1, dtype=np.int64)
    start, total, channels = 0, 0, 1
    for part in parts:
        channels = part.shape[1]
        first, last = np.searchsorted(positions, (start, start + len(part)))
        here = np.append(positions[first:last] - start, len(part))
        energy = total + _energy_until(np.ascontiguousarray(part), here)
        until[first:last], total = energy[:-1], int(energy[-1])
        start += len(part)
    until[positions >= start] = total
    return SongEnergy(positions=positions, until=until, channels=channels)


def silent_ranges(song: SongEnergy, silence_ms: int, silence_db: float, seek_step_ms: int = 1) -> IntArray:
    """Return what `detect_silence` does, of a song whose energy is measured."""
    last_ms = len(song.positions) - 1 - silence_ms
    if last_ms < 0:
        return np.empty((0, 2), dtype=np.int64)
    starts_ms = np.arange(0, last_ms + 1, seek_step_ms, dtype=np.int64)
    if last_ms % seek_step_ms:
        starts_ms = np.append(starts_ms, last_ms)
    stops_ms = starts_ms + silence_ms
    # A length that was rounded up to the millisecond ends past the last frame; pydub fills in zeros there,
    # which count as samples, but nothing where no frame is left to fill from: an RMS of 0 either way.
    samples = np.maximum(song.positions[stops_ms] - song.positions[starts_ms], 1) * song.channels
    rms = np.floor(np.sqrt((song.until[stops_ms] - song.until[starts_ms]) / samples))
    threshold = 10.0 ** (silence_db / 20.0) * FULL_SCALE
    return _joined(starts_ms[rms <= threshold], silence_ms, seek_step_ms)


def detect_silence_pydub(
    audio_int16: Int16Array,
    sample_rate_hz: int,
    silence_ms: int,
    silence_db: float,
    seek_step_ms: int = 1,
) -> IntArray:
    """Return what `pydub.silence.detect_silence` itself finds; arguments and result as `detect_silence`.

    Raises `EndlosError` also when pydub is not installed.
    """
    _check(audio_int16, sample_rate_hz, silence_ms, silence_db, seek_step_ms)
    pydub = load_pydub()
    segment = pydub.AudioSegment(
        audio_int16.astype("<i2").tobytes(),
        sample_width=2,
        frame_rate=sample_rate_hz,
        channels=audio_int16.shape[1],
    )
    ranges = pydub.silence.detect_silence(segment, silence_ms, silence_db, seek_step_ms)
    return np.array(ranges, dtype=np.int64).reshape(-1, 2)


def load_pydub() -> Any:
    """Import pydub with its module `silence`; `EndlosError` when it is not installed."""
    try:
        with warnings.catch_warnings():
            # It misses ffmpeg, which only its own decoding needs.
            warnings.simplefilter("ignore", RuntimeWarning)
            import pydub
            import pydub.silence
    except ImportError as error:
        raise EndlosError(
            f"pydub cannot be loaded ({error}); "
            "install it in endlos' folder by `pip install -e '.[pydub]'` or take `--cutter numba`"
        ) from error
    return pydub


def _check(
    audio_int16: Int16Array, sample_rate_hz: int, silence_ms: int, silence_db: float, seek_step_ms: int
) -> None:
    if audio_int16.ndim != 2 or audio_int16.dtype != np.int16 or audio_int16.shape[1] < 1:
        raise EndlosError(
            f"audio for the silence cutter has shape {audio_int16.shape} {audio_int16.dtype}, "
            "expected (frames, channels) int16; convert it with `to_int16`"
        )
    if sample_rate_hz < 1 or silence_ms < 1 or seek_step_ms < 1 or not math.isfinite(silence_db):
        raise EndlosError(
            f"silence of {silence_db} dBFS for {silence_ms} ms, stepping {seek_step_ms} ms at "
            f"{sample_rate_hz} Hz, cannot be looked for; give a finite level and numbers from 1 up"
        )


def _joined(starts_ms: IntArray, silence_ms: int, seek_step_ms: int) -> IntArray:
    step_ms = np.diff(starts_ms)
    new_range = (step_ms != seek_step_ms) & (step_ms > silence_ms)
    first = np.concatenate((starts_ms[:1], starts_ms[1:][new_range]))
    last = np.concatenate((starts_ms[:-1][new_range], starts_ms[-1:]))
    return np.stack((first, last + silence_ms), axis=1)


@kernel
def _energy_until(audio: Int16Array, positions: IntArray) -> IntArray:
    """Return the exact sum of squares of all samples before each frame position (rising)."""
    samples = audio.ravel()
    channels = audio.shape[1]
    energy = np.empty(len(positions), dtype=np.int64)
    total = np.int64(0)
    start = 0
    for i in range(len(positions)):
        stop = min(positions[i] * channels, len(samples))
        for j in range(start, stop):
            total += np.int64(samples[j]) * np.int64(samples[j])
        start = max(start, stop)
        energy[i] = total
    return energy
