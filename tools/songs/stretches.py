"""This module finds the stretches of a song that sound, between silences too long to be part of the music."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from model.base.arrays import DoubleArray, FloatArray
from stream.audio.samples import SongSamples
from tools.songs.cut import DEAD_AIR_DB, WINDOW_S
from tools.songs.power import song_powers

LONGEST_SILENCE_S = 2.0
"""A longer silence belongs to no stretch: nobody wants to hear a pre-gap, or wait for a hidden song."""
_LONG_END_S, _LONG_END_SHARE = 15.0, 0.2
"""What is silent for so long, or for such a share of the song, before it begins or after it has ended, is not
looked at either. Less is what most songs have, and does no harm there."""
_SHORTEST_S = 0.5
"""What is shorter between two silences is a crackle."""
_BLOCK_WINDOWS = 10
"""Silence is looked for in tenths of a second, in the median of their windows: clicks of vinyl are short."""
_GATED_TIMES, _GATE_DB = 3, -10.0
_BELOW_SONG_DB = 25.0
"""A noise floor lies so far below the song at least."""
_NOTHING_DB = -80.0
"""What is softer than this is nothing, whatever it sounds like."""
_SPECTRUM_SAMPLES = 4_096
_LOWEST_HZ, _HIGHEST_HZ = 150.0, 5_000.0
"""Rumble and hum lie below, and above there is too little music to tell it from noise."""
_NEARBY_LINES = 61
_NEARBY_S = 5
_TONAL_DB = 9.0
"""A spectrum of noise has no line that stands out by so much, soft music has several."""


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """A part of a song, in samples at its own rate."""

    start: int
    stop: int


def sounding_stretches(audio: SongSamples, sample_rate_hz: int) -> tuple[Stretch, ...]:
    """Return what of a song, `(frames, 2)` float32 and finite, lies between its long silences, in order.

    Silence is what is nothing, or a noise floor: far below the song, and without a tone in it. A song without
    a silence of more than `LONGEST_SILENCE_S` is one stretch; one that never sounds is, too.
    """
    whole = (Stretch(start=0, stop=len(audio)),)
    window = max(1, round(sample_rate_hz * WINDOW_S))
    power = song_powers(audio, window).heard
    alive = power > 10 ** (DEAD_AIR_DB / 10)
    blocks = len(power) // _BLOCK_WINDOWS
    if not alive.any() or not blocks:
        return whole
    levels = np.median(power[: blocks * _BLOCK_WINDOWS].reshape(blocks, _BLOCK_WINDOWS), axis=1)
    nothing = 10 ** (_NOTHING_DB / 10)
    soft = levels < max(nothing, _song_power(power[alive]) * 10 ** (-_BELOW_SONG_DB / 10))
    block = window * _BLOCK_WINDOWS
    least = round(LONGEST_SILENCE_S * sample_rate_hz / block)
    found = [
        Stretch(start=start * block, stop=len(audio) if stop == blocks else stop * block)
        for first, last in _runs(soft, least)
        for start, stop in _runs(_silent(audio, sample_rate_hz, levels, first, last, block), least)
        for start, stop in [(start + first, stop + first)]
    ]
    silences = [silence for silence in found if _is_long(silence, len(audio), sample_rate_hz)]
    edges = [0, *(edge for silence in silences for edge in (silence.start, silence.stop)), len(audio)]
    stretches = tuple(
        Stretch(start=start, stop=stop)
        for start, stop in zip(edges[::2], edges[1::2], strict=True)
        if stop - start >= _SHORTEST_S * sample_rate_hz
    )
    return stretches or whole


def _song_power(power: DoubleArray) -> float:
    """Return how loud the music is, gated like loudness: minutes of noise do not make it softer."""
    for _ in range(_GATED_TIMES):
        power = power[power > power.mean() * 10 ** (_GATE_DB / 10)]
    return float(power.mean())


def _is_long(silence: Stretch, frames: int, sample_rate_hz: int) -> bool:
    """Whether a silence is left out: at the song's ends, where no chunk is anyway, only a really long one."""
    length = silence.stop - silence.start
    if silence.start > 0 and silence.stop < frames:
        return length > LONGEST_SILENCE_S * sample_rate_hz
    return length > min(_LONG_END_S * sample_rate_hz, _LONG_END_SHARE * frames)


def _runs(wanted: npt.NDArray[np.bool_], least: int) -> list[tuple[int, int]]:
    """Return start and stop of all runs of more than `least` in a row."""
    steps = np.flatnonzero(np.diff(np.concatenate([[False], wanted, [False]]).astype(np.int8)))
    return [(start, stop) for start, stop in steps.reshape(-1, 2).tolist() if stop - start > least]


def _silent(
    audio: SongSamples, sample_rate_hz: int, levels: DoubleArray, first: int, last: int, block: int
) -> npt.NDArray[np.bool_]:
    """Return which of the soft blocks `first` to `last` are nothing, or noise."""
    silent = levels[first:last] < 10 ** (_NOTHING_DB / 10)
    # A second at a time: a shorter spectrum of noise has lines of its own.
    step = max(1, round(sample_rate_hz / block))
    starts = range(first, last, step)
    tonal = np.zeros(len(starts), dtype=np.bool_)
    for number, start in enumerate(starts):
        stop = min(start + step, last)
        if not silent[start - first : stop - first].all():
            tonal[number] = _is_tonal(audio[max(0, stop - step) * block : stop * block], sample_rate_hz)
    for number, start in enumerate(starts):
        # Noise has a line now and then, music has one nearly always.
        nearby = tonal[max(0, number - _NEARBY_S // 2) : number + _NEARBY_S // 2 + 1]
        if 2 * np.count_nonzero(nearby) <= len(nearby):
            silent[start - first : start - first + step] = True
    return silent


def _is_tonal(audio: FloatArray, sample_rate_hz: int) -> bool:
    """Whether a line stands out of the mean spectrum of either channel."""
    size = min(_SPECTRUM_SAMPLES, len(audio))
    window = np.hanning(size)
    hop = max(1, size // 2)
    powers = sum(
        np.square(np.abs(np.fft.rfft(audio[start : start + size] * window[:, None], axis=0)))
        for start in range(0, len(audio) - size + 1, hop)
    )
    hz = np.arange(size // 2 + 1) * sample_rate_hz / size
    lines = np.asarray(powers)[(hz >= _LOWEST_HZ) & (hz <= _HIGHEST_HZ)] + 1e-20
    if len(lines) < _NEARBY_LINES:
        return False
    nearby = np.lib.stride_tricks.sliding_window_view(lines, _NEARBY_LINES, axis=0)
    floor = np.median(nearby, axis=-1)
    middle = _NEARBY_LINES // 2
    above_db = 10 * np.log10(lines[middle : middle + len(floor)] / floor)
    return bool(above_db.max() > _TONAL_DB)
