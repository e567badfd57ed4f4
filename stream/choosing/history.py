"""The history knows what was played, when and how often, and with it all that another planner needs.

That one goes on as the first would have done.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from model.base.arrays import RowArray
from stream.choosing.generation import Chunk, Generation
from stream.choosing.played import Played
from stream.choosing.step import Step, WalkStop

BEFORE_THE_WALK = -1
"""Where a stream stands that has taken no chunk by the walk yet."""
_MOST_OWED = 4.0
"""Joins to other songs that are owed, or were given in advance, at most."""


@dataclass(kw_only=True, eq=False)
class Course:
    """The way that the stream took through a generation's chunks; belongs to one thread."""

    played: Played
    steps: int = 0
    run: int = 0
    """Steps since the phrase began."""
    stop: int = BEFORE_THE_WALK
    """Where in a walk through buckets it stands."""
    joins: int = 0
    """So many phrases have ended, by a join or because the song went on."""
    owed: float = 0.0
    """How many changes of song are missing for their share of these; below zero: too many."""
    changes: int = 0
    """How many joins led to another song."""
    heard_s: float = 0.0
    """How long all that was played lasts."""
    overlap_s: float = 0.0
    """For so long the song before sounded on when the phrase that is played began."""

    @classmethod
    def new(cls, chunks: int) -> "Course":
        """Return a course that has not begun."""
        return cls(played=Played(chunks))

    @property
    def last_played(self) -> RowArray:
        """`(N,)` int32, read-only: the step at which each chunk was played last, or `NEVER`."""
        return self.played.last_played

    @property
    def plays(self) -> RowArray:
        """`(N,)` int32, read-only: how often each chunk was played."""
        return self.played.plays

    def copy(self) -> "Course":
        """Return a course of its own that began like this one."""
        return replace(self, played=self.played.copy())

    def follow(
        self,
        row: int | None,
        *,
        goes_on: bool,
        other_song: bool | None,
        share: float,
        length_s: float = 0.0,
        overlap_s: float = 0.0,
        stop: WalkStop | None = None,
    ) -> None:
        """Take a step to a chunk (None: no longer in the pool).

        goes_on: whether the phrase does. other_song: whether a phrase ended in another song; None when none
        ended. share: of changes of song that is wanted. length_s: of the chunk. overlap_s: the chunk before
        sounds on for so long. stop: of the walk; None leaves it where it stands.
        """
        if row is not None:
            self.played.add(row, self.steps)
        self.steps += 1
        self.run = self.run + 1 if goes_on else 0
        self.heard_s += length_s
        if not goes_on:
            self.overlap_s = overlap_s
        if stop is not None:
            self.stop = stop.place
        if other_song is not None:
            self.joins += 1
            self.changes += other_song
            self.owed = float(np.clip(self.owed + share - other_song, -_MOST_OWED, _MOST_OWED))

    def moved(self, old: Generation, new: Generation) -> "Course":
        """Return this course on the chunks of another generation of the pool.

        Song by song: one whose chunks are the same is copied, of another each chunk is looked up.
        """
        rows = self.played.rows()
        nowhere = np.empty(0, dtype=np.int64)
        kept_rows, new_rows = [nowhere], [nowhere]
        song_of_row = old.pool.chunk_song[rows]
        for song in np.unique(song_of_row).tolist():
            here, there = old.song_rows(song), new.song_of(old.pool.songs[song].audio_hash)
            if there is None:
                continue
            heard, rows_there = rows[song_of_row == song], new.song_rows(there)
            same = here.stop - here.start == rows_there.stop - rows_there.start and all(
                np.array_equal(getattr(old.pool, name)[here], getattr(new.pool, name)[rows_there])
                for name in ("start_sample", "end_sample")
            )
            if same:
                found = heard - here.start + rows_there.start
            else:
                heard = heard[self.played.of(heard).plays > 0]
                looked_up = [new.row(old.key(row)) for row in heard.tolist()]
                heard = heard[[row is not None for row in looked_up]]
                found = np.array([row for row in looked_up if row is not None], dtype=np.int64)
            kept_rows.append(heard)
            new_rows.append(found)
        played = Played(len(new.index))
        played.put(np.concatenate(new_rows), self.played.of(np.concatenate(kept_rows)))
        return replace(self, played=played)


@dataclass(frozen=True, kw_only=True)
class AskedSong:
    """When it was first looked for a song that is asked for."""

    joins: int
    """So many phrases had ended."""
    heard_s: float
    """So much had been played."""


@dataclass(frozen=True, kw_only=True, eq=False)
class PlannedExit:
    """How the phrase that is played ends: leave after a chunk, for another."""

    exit_row: int
    step: Step
    """The join, but for the chunk that it leaves."""


@dataclass(frozen=True, kw_only=True, eq=False)
class PlannerMemory:
    """What a planner knows once it has planned to a chunk; nothing of it is changed any more."""

    chunk: Chunk | None
    """Where it stands; None where the pool no longer holds that."""
    generation: Generation
    """Of the rows in here; the chunk may be of an earlier one."""
    history: Course
    """What was played, that chunk included."""
    draws: Mapping[str, Any]
    """The state of its random numbers, as NumPy has it."""
    leaving: PlannedExit | None
    """How the phrase ends, where that is chosen."""
    asked: "AskedSong | None"
    """When it was first looked for the song that is asked for."""
