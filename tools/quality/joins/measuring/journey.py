"""The journey is the way of a stream from song to song, with its returns, its turns and its arcs."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from model.base.arrays import DoubleArray
from stream.choosing.journey.arcs import pool_energy
from stream.pool.pool import Pool
from tools.quality.joins.boundaries import Boundary, Key

LATELY_SONGS = 8
"""A change of song back to one of the last so many is a return."""
FAIR_TIMES = 3.0
"""A song is heard in time when it is never unheard for longer than so many times its fair time."""
_SHOWN_S = 3600.0


@dataclass(frozen=True, kw_only=True)
class JourneyMap:
    """What of a pool a journey is measured by."""

    chunks: int
    songs: int
    tempo_bpm: dict[Key, float] = field(default_factory=dict)
    """Of each chunk that has a beat."""
    energy: dict[Key, float] = field(default_factory=dict)
    """How lively each chunk is (`stream.choosing.journey.arcs.pool_energy`), 0 to 1."""

    @classmethod
    def of(cls, pool: Pool) -> "JourneyMap":
        """Return what is known of a pool."""
        keys: list[Key] = [(key.audio_hash, key.start_sample, key.end_sample) for key in pool.chunk_keys()]
        tempo = pool.traits.tempo_bpm.tolist()
        return cls(
            chunks=len(pool),
            songs=len(pool.songs),
            tempo_bpm={key: bpm for key, bpm in zip(keys, tempo, strict=True) if bpm > 0},
            energy=dict(zip(keys, pool_energy(pool).tolist(), strict=True)),
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class JourneyCurve:
    """The last hour of a stream. Each `(steps,)`: when a chunk was entered, its tempo (nan) and energy."""

    at_s: DoubleArray
    tempo_bpm: DoubleArray
    energy: DoubleArray
    changes_s: DoubleArray
    """`(changes,)`: when the song changed."""


@dataclass(frozen=True, kw_only=True)
class Journey:
    """How a stream travelled from song to song; nan where it cannot be told."""

    song_changes: int
    returns_share: float
    """Share of the changes of song that go back to one of the last `LATELY_SONGS`."""
    in_time_share: float
    """Share of the pool's songs that were never unheard for more than `FAIR_TIMES` their fair time, the
    time that every song once takes; nan in a shorter stream."""
    tempo_steps: float
    """How far tempo goes from song to song, over how far it would in random order: 1 random, 0 an arc."""
    energy_steps: float
    """The same of energy."""


def journey_of(
    boundaries: Sequence[Boundary], pool: JourneyMap, rate_hz: int
) -> tuple[Journey, JourneyCurve]:
    """Measure the way of one stream, by its boundaries in order, and draw its last hour as a curve."""
    keys = [boundary.to_key for boundary in boundaries]
    at_s = np.array([boundary.centre_frames for boundary in boundaries], dtype=np.float64) / rate_hz
    tempo = np.array([pool.tempo_bpm.get(key, np.nan) for key in keys], dtype=np.float64)
    energy = np.array([pool.energy.get(key, np.nan) for key in keys], dtype=np.float64)
    starts = [
        step for step, place in enumerate(boundaries) if step == 0 or place.from_key[0] != place.to_key[0]
    ]
    songs = [keys[step][0] for step in starts]
    changes = [step for step in starts if boundaries[step].other_song]
    stop_s = float(at_s[-1]) if len(at_s) else 0.0
    visits = [slice(begin, end) for begin, end in pairwise([*starts, len(keys)])]
    lately = at_s > stop_s - _SHOWN_S
    changes_s = at_s[changes] if changes else np.empty(0)
    return (
        Journey(
            song_changes=len(changes),
            returns_share=_returns(songs),
            in_time_share=_in_time(songs, at_s[starts] if starts else at_s, stop_s, pool.songs),
            tempo_steps=_steps([_mean(np.log2(tempo[visit])) for visit in visits]),
            energy_steps=_steps([_mean(energy[visit]) for visit in visits]),
        ),
        JourneyCurve(
            at_s=at_s[lately],
            tempo_bpm=tempo[lately],
            energy=energy[lately],
            changes_s=changes_s[changes_s > stop_s - _SHOWN_S],
        ),
    )


def _returns(songs: Sequence[str]) -> float:
    """Return the share of visits, but the first, to a song that was heard lately; songs: of each visit."""
    back = []
    for place in range(1, len(songs)):
        # The song that is left cannot be returned to; the others are counted back from it.
        lately: list[str] = []
        for song in reversed(songs[: place - 1]):
            if song not in lately and song != songs[place - 1]:
                lately.append(song)
            if len(lately) == LATELY_SONGS:
                break
        back.append(songs[place] in lately)
    return float(np.mean(back)) if back else float("nan")


def _in_time(songs: Sequence[str], begins_s: DoubleArray, stop_s: float, count: int) -> float:
    """Return the share of all songs that were heard in time; begins_s: `(visits,)`."""
    if len(songs) < 2:
        return float("nan")
    ends_s = np.append(begins_s[1:], stop_s)
    longest_s = FAIR_TIMES * count * float(np.mean(ends_s - begins_s))
    if stop_s < longest_s:
        return float("nan")
    fine = 0
    for song in set(songs):
        own = [place for place, heard in enumerate(songs) if heard == song]
        gaps_s = np.append(begins_s[own], stop_s) - np.insert(ends_s[own], 0, 0.0)
        fine += bool(gaps_s.max() <= longest_s)
    return fine / count


def _steps(values: Sequence[float]) -> float:
    known = np.array([value for value in values if np.isfinite(value)])
    if len(known) < 3:
        return float("nan")
    apart = np.abs(known[:, None] - known[None, :]).sum() / (len(known) * (len(known) - 1))
    return float(np.abs(np.diff(known)).mean() / apart) if apart > 0 else float("nan")


def _mean(values: DoubleArray) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")
