"""A banded fade hands over lows, mids and highs of two sounds, each at its time, and nothing is lost."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from model.base.arrays import DoubleArray, FloatArray, IntArray
from model.base.kernels import kernel
from stream.joins.sound import PIECE_FRAMES, Sound, joined
from stream.pool.timeline import BAND_EDGES_HZ

BAND_REACH_FRAMES = 512
"""The filters look so far ahead and back."""
ALIKE = 0.15
"""Correlation of two songs whose beats fall together, by which they fade (`crossfade.fade_gains`); without
any the level falls by half a decibel, and more peaks of both stay below the ceiling."""
HIGHS, MIDS = (0.0, 0.5), (0.25, 0.9)
"""Shares of the time in which two songs sound together between which highs and mids are handed over."""
_MIXED_FRAMES = PIECE_FRAMES // 2
"""So much is mixed together; what is filtered together is longer, as the filters' reach comes on top."""
_SPAN_FRAMES = PIECE_FRAMES + 2 * BAND_REACH_FRAMES


@dataclass(frozen=True, kw_only=True)
class Passage:
    """From `start_frame` to `stop_frame` of a join something comes or goes."""

    start_frame: int
    stop_frame: int


@dataclass(frozen=True, kw_only=True)
class HandOver:
    """When a band of the one sound goes, and when that of the other comes.

    At the same time both keep their power together, if they are as like each other as `ALIKE` says.
    """

    goes: Passage
    comes: Passage

    @classmethod
    def at_once(cls, start_frame: int, stop_frame: int) -> "HandOver":
        """Return one in which both change at the same time."""
        passage = Passage(start_frame=start_frame, stop_frame=stop_frame)
        return cls(goes=passage, comes=passage)


class BandedFade:
    """Two sounds, one band handed over after the other; `make` gives one piece after the other.

    The bands are made by filters of linear phase: highs = all - below the upper edge, and so on. So they add
    up to the sound itself, to the last bit where all three are equally loud.
    """

    def __init__(
        self,
        outgoing: Sound,
        incoming: Sound,
        *,
        frames: int,
        enters_frame: int,
        bands: Sequence[HandOver],
        rate_hz: int,
    ) -> None:
        """frames: of the whole fade. enters_frame: from here on the incoming sound is pulled.

        bands: of lows, mids and highs.
        """
        self._outgoing, self._incoming = outgoing, incoming
        self._frames, self._enters_frame = frames, enters_frame
        passages = [passage for band in bands for passage in (band.goes, band.comes)]
        places = [[passage.start_frame, passage.stop_frame] for passage in passages]
        self._bands: IntArray = np.array(places, dtype=np.int64).reshape(3, 2, 2)
        self._responses = _responses(rate_hz)
        self._mixed_frames = 0
        # Highs, `(frames, 2)`, and what lows and mids have beyond the band above them, by band and side,
        # `(2, 2, frames)`: from `BAND_REACH_FRAMES` before what is made next, at `_start` of the fade.
        self._start = -BAND_REACH_FRAMES
        self._highs: FloatArray = np.zeros((_SPAN_FRAMES + PIECE_FRAMES, 2), dtype=np.float32)
        self._more: DoubleArray = np.zeros((2, 2, len(self._highs)))

    def make(self, first: int, stop: int) -> FloatArray:
        """Return the frames of the fade from `first` to `stop`, `(n, 2)` float32; piece after piece."""
        while self._mixed_frames < min(self._frames, stop + BAND_REACH_FRAMES):
            self._mix(min(_MIXED_FRAMES, self._frames - self._mixed_frames))
        held = self._mixed_frames - self._start
        span = self._more[:, :, :_SPAN_FRAMES]
        # What is beyond the end is alike in all bands.
        span[:, :, held:] = 0.0
        made = self._highs[BAND_REACH_FRAMES : BAND_REACH_FRAMES + stop - first].copy()
        apart = [band for band in range(len(span)) if _differs(span[band])]
        if apart:
            spectra = np.fft.rfft(span[apart[0] : apart[-1] + 1])
            spectra *= self._responses[apart[0] : apart[-1] + 1, None]
            # In place, as `sum` would have it.
            for other in spectra[1:]:
                spectra[0] += other
            _add(made, np.fft.irfft(spectra[0], _SPAN_FRAMES))
        done = stop - first
        self._highs[: held - done] = self._highs[done:held]
        self._more[:, :, : held - done] = self._more[:, :, done:held]
        self._start += done
        return made

    def _mix(self, frames: int) -> None:
        first, stop = self._mixed_frames, self._mixed_frames + frames
        outgoing = self._outgoing.pull(frames)
        entered = min(frames, max(0, stop - self._enters_frame))
        blocks = [np.zeros((frames - entered, 2), dtype=np.float32)] if entered < frames else []
        incoming = joined([*blocks, self._incoming.pull(entered)] if entered else blocks)
        _mix(outgoing, incoming, first, self._bands, self._highs, self._more, first - self._start)
        self._mixed_frames = stop


@kernel
def _differs(span: DoubleArray) -> bool:
    """Return whether a band `(2, frames)` has anything beyond the one above it."""
    for side in range(span.shape[0]):
        for frame in range(span.shape[1]):
            if span[side, frame] != 0.0:
                return True
    return False


@kernel
def _add(made: FloatArray, filtered: DoubleArray) -> None:
    """Add to `made` `(n, 2)` what was filtered, `(2, frames)`, from `BAND_REACH_FRAMES` on."""
    for frame in range(len(made)):
        for side in range(2):
            made[frame, side] += np.float32(filtered[side, BAND_REACH_FRAMES + frame])


@kernel
def _mix(
    outgoing: FloatArray,
    incoming: FloatArray,
    first: int,
    bands: IntArray,
    highs: FloatArray,
    more: DoubleArray,
    at: int,
) -> None:
    """Fill `highs` and `more` from `at` on with what begins at frame `first` of the fade.

    bands: `(3, 2, 2)`, of `HandOver`.
    """
    frames = len(outgoing)
    gains = np.empty((3, 2, frames), dtype=np.float32)
    spare = np.empty(frames, dtype=np.float32)
    for band in range(3):
        goes, comes = bands[band, 0], bands[band, 1]
        if goes[0] == comes[0] and goes[1] == comes[1]:
            begin, end = _turn(gains[band, 0], gains[band, 1], first, goes[0], goes[1])
            for frame in range(begin, end):
                together = gains[band, 0, frame] * gains[band, 1, frame]
                level = np.float32(1.0 / np.sqrt(1.0 + 2.0 * ALIKE * together))
                gains[band, 0, frame] *= level
                gains[band, 1, frame] *= level
        else:
            _turn(gains[band, 0], spare, first, goes[0], goes[1])
            _turn(spare, gains[band, 1], first, comes[0], comes[1])
    lows_out, lows_come, mids_out = gains[0, 0], gains[0, 1], gains[1, 0]
    mids_come, highs_out, highs_come = gains[1, 1], gains[2, 0], gains[2, 1]
    for side in range(2):
        more_low, more_mid = more[0, side, at : at + frames], more[1, side, at : at + frames]
        for frame in range(frames):
            out, come = outgoing[frame, side], incoming[frame, side]
            low = out * lows_out[frame] + come * lows_come[frame]
            mid = out * mids_out[frame] + come * mids_come[frame]
            high = out * highs_out[frame] + come * highs_come[frame]
            highs[at + frame, side] = high
            more_low[frame] = low - mid
            more_mid[frame] = mid - high


@kernel
def _turn(falls: FloatArray, rises: FloatArray, first: int, start: int, stop: int) -> tuple[int, int]:
    """Fill quarters of a cosine that falls and of a sine that rises from frame `start` to `stop`.

    Return from where to where of them they change: before and after they are 0 and 1.
    """
    frames = len(falls)
    begin, end = min(max(start - first, 0), frames), min(max(stop - first, 0), frames)
    falls[:begin], rises[:begin] = np.float32(1.0), np.float32(0.0)
    falls[end:], rises[end:] = np.float32(0.0), np.float32(1.0)
    if begin < end:
        step = 0.5 * np.pi / (stop - start)
        angle = step * (first + begin - start + 0.5)
        sine, cosine, turn, keep = np.sin(angle), np.cos(angle), np.sin(step), np.cos(step)
        for frame in range(begin, end):
            falls[frame], rises[frame] = np.float32(cosine), np.float32(sine)
            sine, cosine = sine * keep + cosine * turn, cosine * keep - sine * turn
    return begin, end


@cache
def _responses(rate_hz: int) -> npt.NDArray[Any]:
    """Return the responses of what passes below either edge, `(2, bins)`, of spans as `BandedFade` has them.

    Windowed sincs (Hamming) that reach `BAND_REACH_FRAMES` either way; the middle tap is the first sample.
    """
    places = np.arange(-BAND_REACH_FRAMES, BAND_REACH_FRAMES + 1)
    window: DoubleArray = np.hamming(len(places))
    responses = []
    for edge_hz in BAND_EDGES_HZ:
        taps = np.sinc(2.0 * edge_hz / rate_hz * places) * window
        span = np.zeros(_SPAN_FRAMES)
        # Turned so that the middle tap is the first: no delay.
        np.add.at(span, places % _SPAN_FRAMES, taps / taps.sum())
        responses.append(np.fft.rfft(span))
    return np.stack(responses)
