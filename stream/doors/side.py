"""One side of a door is a chunk with the song around it, of which a pool knows beats, voice and levels."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from model.base.arrays import DoubleArray, FloatArray, IntArray
from stream.pool.pool import Pool
from stream.pool.songs import Song
from stream.pool.timeline import BANDS_STEP_S, VOICE_STEP_S, SongTimeline

SURE_BEAT = 0.5
"""Beats of at least this confidence are built on."""
TEMPO_BEATS = 16
"""Tempo is told from so many beats."""
_WEIGHTS_DB = np.array([-4.0, 0.0, 3.0])
"""About how K-weighting weighs lows, mids and highs (BS.1770)."""
SILENT_DB = -60.0
"""What is quieter than this is over."""
CUT_EARLY_S = 0.05
"""A chunk is cut at most so long before the beat that it begins with."""
SOONER_S = 4.0
"""A song may be changed, or begin to go, so long before it is left, in its last chunk's second half."""


@dataclass(frozen=True, kw_only=True, eq=False)
class SureBeats:
    """Beats in a row that are sure, `(n,)` each; the first is the one that a door is built on."""

    times_s: DoubleArray
    positions: IntArray
    """Place of each in its bar, 0 for a downbeat; -1 where bars are not known."""
    beats_per_bar: int
    """0 where bars are not known."""

    @property
    def period_s(self) -> float:
        """The usual time from one to the next among the first; nan where there are fewer than two."""
        steps_s = np.diff(self.times_s[: TEMPO_BEATS + 1])
        return float(np.median(steps_s)) if len(steps_s) else float("nan")

    def from_bar(self, near_s: float, *, not_before: bool = False) -> "SureBeats":
        """Return those from the downbeat on that is nearest to a time; from a beat where bars are not known.

        not_before: nearest of those that are not before it.
        """
        allowed = np.flatnonzero(self.positions == 0) if self.beats_per_bar else np.arange(len(self.times_s))
        if not_before:
            allowed = allowed[self.times_s[allowed] >= near_s - CUT_EARLY_S]
        if not len(allowed):
            return self.from_place(len(self.times_s))
        return self.from_place(int(allowed[np.abs(self.times_s[allowed] - near_s).argmin()]))

    def from_place(self, place: int) -> "SureBeats":
        """Return all but the first `place`."""
        return SureBeats(
            times_s=self.times_s[place:],
            positions=self.positions[place:],
            beats_per_bar=self.beats_per_bar,
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class DoorSide:
    """A chunk at whose end a song is left, or at whose start one is entered."""

    pool: Pool
    row: int
    timeline: SongTimeline | None
    """Of its song; None where it is not known."""

    @property
    def song_index(self) -> int:
        """Index of its song."""
        return int(self.pool.chunk_song[self.row])

    @cached_property
    def song(self) -> Song:
        """Its song."""
        return self.pool.songs[self.song_index]

    @cached_property
    def start_s(self) -> float:
        """Where the chunk starts in its song."""
        return float(self.pool.start_sample[self.row]) / self.song.sample_rate_hz

    @cached_property
    def end_s(self) -> float:
        """Where the chunk ends in its song."""
        return float(self.pool.end_sample[self.row]) / self.song.sample_rate_hz

    @cached_property
    def start_chroma(self) -> FloatArray:
        """Pitch classes at the chunk's start, `(12,)`."""
        return self._chroma("start_chroma")

    @cached_property
    def end_chroma(self) -> FloatArray:
        """Pitch classes at the chunk's end, `(12,)`."""
        return self._chroma("end_chroma")

    @cached_property
    def heard_end_s(self) -> float:
        """Until when from the chunk's end on its song sounds without a silence."""
        song_end_s = self.song.frames / self.song.sample_rate_hz
        if self.timeline is None or not len(self.timeline.bands_db):
            return song_end_s
        levels_db = self.timeline.bands_db.max(axis=1)
        first = int(self.end_s / BANDS_STEP_S)
        silent = np.flatnonzero(levels_db[first:] < SILENT_DB)
        return min(song_end_s, (first + int(silent[0])) * BANDS_STEP_S) if len(silent) else song_end_s

    @property
    def sooner_s(self) -> float:
        """How long before the chunk's end a fade out of it may begin."""
        return min(SOONER_S, 0.5 * (self.end_s - self.start_s))

    def beats_from(self, at_s: float) -> SureBeats:
        """Return the sure beats in a row, of one metre, from half a bar before a time on."""
        timeline = self.timeline
        if timeline is None or not len(timeline.beats_s):
            return _NO_BEATS
        times_s = timeline.beats_s
        here = int(np.searchsorted(times_s, at_s - CUT_EARLY_S))
        if here >= len(times_s) or timeline.beat_confidence[here] < SURE_BEAT:
            return _NO_BEATS
        metre = int(timeline.beats_per_bar[here])
        fits = (timeline.beat_confidence >= SURE_BEAT) & (timeline.beats_per_bar == metre)
        steps_s = np.diff(times_s, prepend=times_s[0])
        usual_s = float(np.median(np.diff(times_s[max(0, here - 8) : here + 9]))) if len(times_s) > 1 else 1.0
        # A beat that is missing, or one too many, ends the row.
        fits[1:] &= np.abs(steps_s[1:] / usual_s - 1.0) < 0.35
        fits[here] = True
        stop = _first_false(fits, here)
        first = here
        least_s = at_s - max(1, metre // 2) * usual_s - CUT_EARLY_S
        while first > 0 and fits[first - 1] and fits[first] and times_s[first - 1] >= least_s:
            first -= 1
        return SureBeats(
            times_s=times_s[first:stop],
            positions=timeline.beat_positions[first:stop].astype(np.int64),
            beats_per_bar=metre,
        )

    def voice(self, from_s: float, until_s: float) -> FloatArray:
        """Return how likely somebody sings in each `VOICE_STEP_S` of a span; empty where that is unknown."""
        if self.timeline is None:
            return np.empty(0, dtype=np.float32)
        first, stop = (max(0, round(at_s / VOICE_STEP_S)) for at_s in (from_s, until_s))
        return self.timeline.voice[first:stop]

    def loudness_db(self, from_s: float, until_s: float) -> float | None:
        """Return about how loud a span is at its song's gain, 0 as the song as a whole; None: unknown."""
        if self.timeline is None or not len(self.timeline.bands_db):
            return None
        first, stop = (max(0, round(at_s / BANDS_STEP_S)) for at_s in (from_s, until_s))
        span = self.timeline.bands_db[first:stop].astype(np.float64)
        if not len(span):
            return None
        heard = np.power(10.0, (span + _WEIGHTS_DB) / 10.0).sum(axis=1).mean()
        return 10.0 * float(np.log10(heard + 1e-10)) - self.song.loudness_lufs

    def level_db(self, from_s: float, until_s: float) -> float | None:
        """Return how loud a span is against its song, 0 as the song mostly is; None where that is unknown."""
        if self.timeline is None or not len(self.timeline.bands_db):
            return None
        first, stop = (max(0, int(at_s / BANDS_STEP_S)) for at_s in (from_s, until_s))
        span = self.timeline.power[first : max(stop, first + 1)]
        if not len(span):
            return None
        return 10.0 * float(np.log10(span.mean() / self.timeline.usual_power + 1e-10))

    def _chroma(self, name: str) -> FloatArray:
        found: FloatArray = self.pool.traits.of(name, np.array([self.row]))[0]
        return found


def _first_false(values: np.ndarray, place: int) -> int:
    """Return the first place from `place` on where nothing is true, or the end."""
    wrong = np.flatnonzero(~values[place:])
    return place + int(wrong[0]) if len(wrong) else len(values)


_NO_BEATS = SureBeats(times_s=np.empty(0), positions=np.empty(0, dtype=np.int64), beats_per_bar=0)
