"""The leaning says what a listener's steering makes of each chunk of one generation."""

from dataclasses import dataclass, replace

import numpy as np

from model.base.arrays import BoolArray, FloatArray
from stream.choosing.generation import Generation
from stream.choosing.phrases import NOWHERE, Phrases
from stream.choosing.repeats import Entries
from stream.choosing.steering import Steering
from stream.choosing.weights import CostWeights
from stream.scoring.ladder import band_logits

TOWARDS_PHRASES = 3
"""So many phrases may end elsewhere on the way to the song that is asked for; then it follows."""
MOST_LISTENED = 16
"""Chunks of that song, evenly spread, which say how near the other songs are."""
_NEAREST = 0.5
"""What the nearest other song has of the pull of the song that is asked for."""
LEAST_LEFT = 2
"""A stream needs as many chunks that may be played."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Pull:
    """What steering adds to each chunk at one choice; `(N,)` float32, in log-odds."""

    favoured: FloatArray
    towards: FloatArray
    only: BoolArray | None = None
    """`(N,)`, the chunks of which one has to follow; None where any may."""

    @property
    def worths(self) -> FloatArray:
        """Both together, `(N,)`."""
        return self.favoured + self.towards


@dataclass(frozen=True, kw_only=True, eq=False)
class Steered:
    """Where a phrase may begin at one choice as a listener wants it."""

    here: Entries
    pull: Pull | None
    """None where nothing speaks for any chunk."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Leaning:
    """What steering means among the `N` chunks of one generation, at any time.

    muted, favoured: `(N,)` bool. target: `(N,)` bool, the chunks of the song that is asked for, or None.
    near: `(N,)` float32 from 0 to 1: how much of the pull to that song each chunk has by its own song.
    """

    muted: BoolArray
    favoured: BoolArray
    target: BoolArray | None
    near: FloatArray

    @classmethod
    def of(cls, generation: Generation, steering: Steering) -> "Leaning":
        """Find the songs of a steering in a generation, and how near all are to the one to be reached."""
        goal = None if steering.towards is None else generation.song_of(steering.towards)
        return cls(
            muted=_of_songs(generation, steering.muted),
            favoured=_of_songs(generation, steering.favoured),
            target=None if goal is None else generation.index.song == goal,
            near=np.zeros(0, dtype=np.float32) if goal is None else _near(generation, goal),
        )

    def left_out(self, banned: BoolArray) -> tuple[BoolArray, tuple[str, ...]]:
        """Return the chunks that are not chosen, `(N,)`, and why some are that should not be.

        banned: `(N,)`, those that cannot be read. What is muted is played where nothing else is left.
        """
        both = banned | self.muted
        if not self.muted.any() or np.count_nonzero(~both) >= LEAST_LEFT:
            return both, ()
        return banned, ("all that could be played is muted: it is played all the same",)

    def at_ease(self, here: Entries, weights: CostWeights) -> Steered:
        """Return how things stand where no song is to be reached."""
        if not self.favoured.any():
            return Steered(here=here, pull=None)
        nothing = np.zeros(len(self.favoured), dtype=np.float32)
        return Steered(here=here, pull=Pull(favoured=self._favour(weights), towards=nothing))

    def aimed(self, here: Entries, target: BoolArray, phrases_since: int, weights: CostWeights) -> Steered:
        """Return how things stand on the way to `target` `(N,)`, so many phrases after it was asked for.

        The pull grows with each phrase, until nothing else may follow.
        """
        towards = np.float32(weights.towards * (phrases_since + 1)) * self.near
        wanted = here.allowed & target
        if phrases_since < TOWARDS_PHRASES or not wanted.any():
            reasons = (*here.reasons, "towards the song that was asked for")
            pull = Pull(favoured=self._favour(weights), towards=towards)
            return Steered(here=replace(here, reasons=reasons), pull=pull)
        reasons = (*here.reasons, "now the song that was asked for")
        pull = Pull(favoured=self._favour(weights), towards=towards, only=wanted)
        return Steered(here=replace(here, allowed=wanted, reasons=reasons), pull=pull)

    def _favour(self, weights: CostWeights) -> FloatArray:
        return np.float32(weights.favoured) * self.favoured.astype(np.float32)


def opened_to(here: Entries, target: BoolArray, phrases: Phrases) -> Entries:
    """Return the entries where some of `target` `(N,)` are, however lately they were played."""
    if (here.allowed & target).any():
        return here
    lasting = target & (phrases.first_exit != NOWHERE)
    return replace(
        here,
        blocked=here.blocked & ~target,
        allowed=here.allowed | (lasting if lasting.any() else target),
        reasons=(*here.reasons, "the song that was asked for comes back early"),
    )


def _of_songs(generation: Generation, hashes: frozenset[str]) -> BoolArray:
    found = [song for name in hashes if (song := generation.song_of(name)) is not None]
    return np.isin(generation.index.song, found)


def _near(generation: Generation, goal: int) -> FloatArray:
    """Return `(N,)` float32: 1 in song `goal`, in others the more the better one of their ends leads there.

    By rank of the songs, so that any model's scores do: the nearest has `_NEAREST`, the farthest 0.
    """
    index, rows = generation.index, generation.song_rows(goal)
    vectors = generation.opened.vectors
    chosen = np.linspace(rows.start, rows.stop - 1, min(MOST_LISTENED, rows.stop - rows.start))
    best = np.full(len(index), -np.inf, dtype=np.float32)
    for row in np.unique(chosen.round().astype(int)).tolist():
        leads = band_logits(-index.bands.preceding(row)) if vectors is None else vectors.preceding(row)
        np.maximum(best, leads, out=best)
    songs = np.full(len(generation.pool.songs), -np.inf, dtype=np.float32)
    np.maximum.at(songs, index.song, best)
    songs[goal] = -np.inf
    rank = np.argsort(np.argsort(songs, kind="stable"), kind="stable")
    shares = (_NEAREST * rank / max(1, len(songs) - 1)).astype(np.float32)
    shares[goal] = 1.0
    near: FloatArray = shares[index.song]
    return near
