"""A banded fade hands over lows, mids and highs of two sounds, each at its time, and nothing is lost."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from model.base.arrays import DoubleArray, FloatArray
from stream.joins.sound import PIECE_FRAMES, Sound
from stream.pool.timeline import BAND_EDGES_HZ

REACH_FRAMES = 1_024
"""The filters look so far ahead and back."""
_SPAN_FRAMES = PIECE_FRAMES + 2 * REACH_FRAMES


@dataclass(frozen=True, kw_only=True)
class Passage:
    """From `start_frame` to `stop_frame` of a join something comes or goes."""

    start_frame: int
    stop_frame: int

    def angles(self, first: int, stop: int) -> DoubleArray:
        """Return how far it has come at frames from one to another, `(n,)`, in angles from 0 to pi / 2."""
        along = (np.arange(first, stop) + 0.5 - self.start_frame) / max(1, self.stop_frame - self.start_frame)
        angles: DoubleArray = 0.5 * np.pi * np.clip(along, 0.0, 1.0)
        return angles


@dataclass(frozen=True, kw_only=True)
class HandOver:
    """When a band of the one sound goes, and when that of the other comes.

    At the same time both keep their power together, as it is with sounds that know nothing of each other.
    """

    goes: Passage
    comes: Passage

    @classmethod
    def at_once(cls, start_frame: int, stop_frame: int) -> "HandOver":
        """Return one in which both change at the same time."""
        passage = Passage(start_frame=start_frame, stop_frame=stop_frame)
        return cls(goes=passage, comes=passage)

    def gains(self, first: int, stop: int) -> tuple[FloatArray, FloatArray]:
        """Return the gains `(n,)` float32 of what goes and of what comes, from one frame to another."""
        outgoing = np.cos(self.goes.angles(first, stop))
        # A cosine of a right angle is no zero.
        outgoing[first + np.arange(stop - first) >= self.goes.stop_frame] = 0.0
        incoming = np.sin(self.comes.angles(first, stop))
        return outgoing.astype(np.float32), incoming.astype(np.float32)


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
        self._bands = bands
        self._responses = _responses(rate_hz)
        self._mixed_frames = 0
        # Highs, and what mids and lows have beyond the band above them; the first is `REACH_FRAMES` back.
        self._start = -REACH_FRAMES
        before = np.zeros((REACH_FRAMES, 2), dtype=np.float32)
        self._highs, self._more = before, np.stack([before, before])

    def make(self, first: int, stop: int) -> FloatArray:
        """Return the frames of the fade from `first` to `stop`, `(n, 2)` float32; piece after piece."""
        while self._mixed_frames < min(self._frames, stop + REACH_FRAMES):
            self._mix(min(PIECE_FRAMES, self._frames - self._mixed_frames))
        at = first - self._start
        made: FloatArray = self._highs[at : at + stop - first]
        more = self._more[:, at - REACH_FRAMES : at - REACH_FRAMES + _SPAN_FRAMES]
        if more.any():
            span = np.zeros((2, 2, _SPAN_FRAMES))
            # What is beyond the end is alike in all bands.
            span[:, :, : more.shape[1]] = more.transpose(0, 2, 1)
            spectra = np.fft.rfft(span) * self._responses[:, None, :]
            filtered = np.fft.irfft(spectra.sum(axis=0), _SPAN_FRAMES)
            made = made + filtered[:, REACH_FRAMES : REACH_FRAMES + stop - first].T.astype(np.float32)
        done = stop - REACH_FRAMES - self._start
        if done > 0:
            self._highs, self._more = self._highs[done:], self._more[:, done:]
            self._start += done
        return made

    def _mix(self, frames: int) -> None:
        first, stop = self._mixed_frames, self._mixed_frames + frames
        outgoing = self._outgoing.pull(frames)
        incoming = np.zeros_like(outgoing)
        entered = max(0, stop - max(first, self._enters_frame))
        if entered:
            incoming[frames - entered :] = self._incoming.pull(entered)
        mixed: list[FloatArray] = []
        for band in self._bands:
            gain_out, gain_in = band.gains(first, stop)
            mixed.append(outgoing * gain_out[:, None] + incoming * gain_in[:, None])
        lows, mids, highs = mixed
        self._highs = np.concatenate([self._highs, highs])
        self._more = np.concatenate([self._more, np.stack([lows - mids, mids - highs])], axis=1)
        self._mixed_frames = stop


@cache
def _responses(rate_hz: int) -> npt.NDArray[Any]:
    """Return the responses of what passes below either edge, `(2, bins)`, of spans as `BandedFade` has them.

    Windowed sincs of `2 * REACH_FRAMES + 1` taps (Hamming), the last sample of a span falls on its middle.
    """
    places = np.arange(-REACH_FRAMES, REACH_FRAMES + 1)
    window: DoubleArray = np.hamming(len(places))
    responses = []
    for edge_hz in BAND_EDGES_HZ:
        taps = np.sinc(2.0 * edge_hz / rate_hz * places) * window
        span = np.zeros(_SPAN_FRAMES)
        # Turned so that the middle tap is the first: no delay.
        np.add.at(span, places % _SPAN_FRAMES, taps / taps.sum())
        responses.append(np.fft.rfft(span))
    return np.stack(responses)
