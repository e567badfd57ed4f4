"""One side of a door is a chunk with the song around it, of which a pool knows beats, voice and levels."""

import statistics
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from model.base.arrays import DoubleArray, FloatArray, IntArray
from stream.doors.facts import room
from stream.pool.pool import Pool
from stream.pool.songs import Song
from stream.pool.timeline import BANDS_STEP_S, VOICE_STEP_S, SongTimeline

SURE_BEAT = 0.5
"""Beats of at least this confidence are built on."""
TEMPO_BEATS = 16
"""Tempo is told from so many beats."""
LEVEL_SPANS_S = (0.5, 3.0)
"""Levels before and after are held against each other over the moment and over bars."""
SILENT_DB = -60.0
"""What is quieter than this is over."""
CUT_EARLY_S = 0.05
"""A chunk is cut at most so long before the beat that it begins with."""
SOONER_S = 4.0
"""A song may be changed, or begin to go, so long before it is left, in its last chunk's second half."""


class Chroma(NamedTuple):
    """Pitch classes of one end of a chunk."""

    tones: FloatArray
    """`(12,)` from C."""
    square: np.float32
    """The sum of their squares."""


@dataclass(frozen=True, kw_only=True, eq=False)
class SureBeats:
    """Beats in a row that are sure, `(n,)` each; the first is the one that a door is built on."""

    times_s: DoubleArray
    positions: IntArray
    """Place of each in its bar, 0 for a downbeat; -1 where bars are not known."""
    beats_per_bar: int
    """0 where bars are not known."""

    @cached_property
    def period_s(self) -> float:
        """The usual time from one to the next among the first; nan where there are fewer than two."""
        return _usual_step_s(self.times_s[: TEMPO_BEATS + 1]) if len(self.times_s) > 1 else float("nan")

    def from_bar(self, near_s: float, *, not_before: bool = False) -> "SureBeats":
        """Return those from the downbeat on that is nearest to a time; from a beat where bars are not known.

        not_before: nearest of those that are not before it.
        """
        allowed, times_s = self._firsts
        if not_before:
            later = times_s >= near_s - CUT_EARLY_S
            allowed, times_s = allowed[later], times_s[later]
        if not len(allowed):
            return self.from_place(len(self.times_s))
        return self.from_place(int(allowed[np.abs(times_s - near_s).argmin()]))

    def from_place(self, place: int) -> "SureBeats":
        """Return all but the first `place`."""
        return SureBeats(
            times_s=self.times_s[place:],
            positions=self.positions[place:],
            beats_per_bar=self.beats_per_bar,
        )

    @cached_property
    def _firsts(self) -> tuple[IntArray, DoubleArray]:
        """Places of downbeats, or of all beats where bars are not known, and their times."""
        places = np.flatnonzero(self.positions == 0) if self.beats_per_bar else np.arange(len(self.times_s))
        return places, self.times_s[places]


@dataclass(frozen=True, kw_only=True, eq=False)
class DoorSide:
    """A chunk at whose end a song is left, or at whose start one is entered.

    What all doors through it ask for is found once.
    """

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
    def start_chroma(self) -> Chroma:
        """Pitch classes at the chunk's start."""
        return self._chroma("start_chroma")

    @cached_property
    def end_chroma(self) -> Chroma:
        """Pitch classes at the chunk's end."""
        return self._chroma("end_chroma")

    @cached_property
    def start_beats(self) -> SureBeats:
        """The sure beats from the first bar of the chunk on."""
        return self.beats_from(self.start_s).from_bar(self.start_s, not_before=True)

    @cached_property
    def end_beats(self) -> SureBeats:
        """The sure beats about the chunk's end, and from there on."""
        return self.beats_from(self.end_s)

    @cached_property
    def end_loudness_db(self) -> tuple[float | None, ...]:
        """How loud its song is just before the chunk's end, over each of `LEVEL_SPANS_S`."""
        return tuple(self.loudness_db(self.end_s - span_s, self.end_s) for span_s in LEVEL_SPANS_S)

    @cached_property
    def start_room(self) -> float:
        """How much of a stay in the song there is room for from the chunk's start on."""
        length_s = self.song.frames / self.song.sample_rate_hz
        return float(room(np.float64(length_s - self.start_s), np.float64(length_s)))

    @cached_property
    def beat_confidence(self) -> float:
        """0 to 1: how clearly a beat is heard in the chunk."""
        return float(self.pool.traits.beat_confidence[self.row])

    @cached_property
    def bar_confidence(self) -> float:
        """0 to 1: how clearly bars are."""
        return float(self.pool.traits.bar_confidence[self.row])

    @cached_property
    def key(self) -> tuple[int, float]:
        """The chunk's key, as `ChunkTraits` has it, and 0 to 1 how sure it is."""
        traits = self.pool.traits
        return int(traits.key[self.row]), float(traits.key_confidence[self.row])

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
        here = int(times_s.searchsorted(at_s - CUT_EARLY_S))
        if here >= len(times_s) or timeline.beat_confidence[here] < SURE_BEAT:
            return _NO_BEATS
        metre = int(timeline.beats_per_bar[here])
        fits = (timeline.beat_confidence >= SURE_BEAT) & (timeline.beats_per_bar == metre)
        usual_s = _usual_step_s(times_s[max(0, here - 8) : here + 9]) if len(times_s) > 1 else 1.0
        # A beat that is missing, or one too many, ends the row.
        fits[1:] &= np.abs((times_s[1:] - times_s[:-1]) / usual_s - 1.0) < 0.35
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
        first, stop = max(0, round(from_s / VOICE_STEP_S)), max(0, round(until_s / VOICE_STEP_S))
        return self.timeline.voice[first:stop]

    def loudness_db(self, from_s: float, until_s: float) -> float | None:
        """Return about how loud a span is at its song's gain, 0 as the song as a whole; None: unknown."""
        if self.timeline is None or not len(self.timeline.bands_db):
            return None
        first, stop = max(0, round(from_s / BANDS_STEP_S)), max(0, round(until_s / BANDS_STEP_S))
        span = self.timeline.heard_power[first:stop]
        if not len(span):
            return None
        return 10.0 * float(np.log10(mean_of(span) + 1e-10)) - self.song.loudness_lufs

    def level_db(self, from_s: float, until_s: float) -> float | None:
        """Return how loud a span is against its song, 0 as the song mostly is; None where that is unknown."""
        if self.timeline is None or not len(self.timeline.bands_db):
            return None
        first, stop = max(0, int(from_s / BANDS_STEP_S)), max(0, int(until_s / BANDS_STEP_S))
        span = self.timeline.power[first : max(stop, first + 1)]
        if not len(span):
            return None
        return 10.0 * float(np.log10(mean_of(span) / self.timeline.usual_power + 1e-10))

    def _chroma(self, name: str) -> Chroma:
        tones: FloatArray = self.pool.traits.of(name, np.array([self.row]))[0]
        return Chroma(tones=tones, square=np.square(tones).sum())


def mean_of(values: FloatArray | DoubleArray) -> float:
    """Return the mean of `(n,)`, n at least 1, to the last bit as NumPy has it, in a third of the time."""
    return float(np.add.reduce(values) / values.dtype.type(len(values)))


def _usual_step_s(times_s: DoubleArray) -> float:
    """Return the median time from one beat to the next; of so few, lists have it sooner than NumPy."""
    return float(statistics.median((times_s[1:] - times_s[:-1]).tolist()))


def _first_false(values: np.ndarray, place: int) -> int:
    """Return the first place from `place` on where nothing is true, or the end."""
    wrong = np.flatnonzero(~values[place:])
    return place + int(wrong[0]) if len(wrong) else len(values)


_NO_BEATS = SureBeats(times_s=np.empty(0), positions=np.empty(0, dtype=np.int64), beats_per_bar=0)
