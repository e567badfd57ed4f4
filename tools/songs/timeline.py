"""This module puts together what is known of a song over time."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import scipy.fft

from model.base.arrays import FloatArray
from model.base.kernels import kernel
from stream.audio.samples import SongSamples, in_parts
from stream.pool.timeline import BAND_EDGES_HZ, BANDS_STEP_S, QUIETEST_DB, SongTimeline
from tools.songs.rhythm.rhythm import Rhythm
from tools.songs.voice.singing import VoiceCurve

_STEPS_AT_A_TIME = 4
"""So much stays in a near cache."""


def song_timeline(
    audio: SongSamples, sample_rate_hz: int, rhythms: Sequence[tuple[int, Rhythm]], voice: VoiceCurve
) -> SongTimeline:
    """Return the timeline of a song, `(frames, 2)` float32; voice: of all of it.

    rhythms: of each stretch that sounds, with the sample at which it begins, in order.
    """
    times_s, positions, metres, confidence = [np.empty(0)], [_whole(())], [_whole(())], [_single(())]
    starts_s = [start / sample_rate_hz for start, _ in rhythms]
    for (_, rhythm), start_s, stop_s in zip(rhythms, starts_s, [*starts_s[1:], np.inf], strict=True):
        beats, bars = rhythm.beats, rhythm.bars
        # A grid reaches beyond its stretch, and there the next one begins.
        inside = slice(*np.searchsorted(beats.times_s + start_s, (start_s, stop_s)))
        times_s.append(beats.times_s[inside] + start_s)
        known = bars.beats_per_bar > 0
        count = len(times_s[-1])
        positions.append(_whole(bars.position[inside] if known else np.full(count, -1)))
        metres.append(_whole(np.full(count, bars.beats_per_bar)))
        confidence.append(_single(beats.confidence[inside]))
    return SongTimeline(
        beats_s=np.concatenate(times_s),
        beat_positions=np.concatenate(positions),
        beats_per_bar=np.concatenate(metres),
        beat_confidence=np.concatenate(confidence),
        voice=voice.likely,
        bands_db=_bands_db(audio, sample_rate_hz),
    )


def _whole(values: npt.ArrayLike) -> npt.NDArray[np.int8]:
    return np.asarray(values, dtype=np.int8)


def _single(values: npt.ArrayLike) -> FloatArray:
    return np.asarray(values, dtype=np.float32)


def _bands_db(audio: SongSamples, sample_rate_hz: int) -> FloatArray:
    """Return the levels of lows, mids and highs, `(steps, 3)` float32, by the spectrum of each step."""
    step = round(BANDS_STEP_S * sample_rate_hz)
    window = np.hanning(step + 2)[1:-1].astype(np.float32)
    edges = np.round(np.array(BAND_EDGES_HZ) * step / sample_rate_hz).astype(np.int64)
    steps: list[FloatArray] = []
    for part in in_parts(audio, step * _STEPS_AT_A_TIME):
        whole = np.ascontiguousarray(part[: len(part) // step * step], dtype=np.float32)
        # Both channels as one complex signal: the powers of line k and of line -k are, in sum, twice theirs.
        signal = whole.view(np.complex64).reshape(-1, step) * window
        lines = scipy.fft.fft(signal, axis=1, overwrite_x=True)
        both = np.empty((len(lines), step // 2), dtype=np.float32)
        _fill_powers_of_both(lines.view(np.float32), both)
        # Lines but the first stand for two, and are counted twice already; the window takes 3/8 of the power.
        powers = np.add.reduceat(both, np.array([0, *edges]), axis=1)[:, :3] / (0.375 * step * step)
        steps.append(10.0 * np.log10(powers + 10.0 ** (QUIETEST_DB / 10.0)))
    return np.concatenate([np.empty((0, 3)), *steps]).astype(np.float32)


@kernel
def _fill_powers_of_both(parts: FloatArray, both: FloatArray) -> None:
    """Sum up the powers of lines k and -k, from the first on, of spectra whose lines are two parts each."""
    last, one = np.uint64(parts.shape[1]), np.uint64(1)
    for row in range(len(parts)):
        for line in range(both.shape[1]):
            here = np.uint64(2 * (line + 1))
            re, im, back_re, back_im = (
                parts[row, here],
                parts[row, here + one],
                parts[row, last - here],
                parts[row, last - here + one],
            )
            both[row, line] = (re * re + im * im) + (back_re * back_re + back_im * back_im)
