"""The leaning says what a listener's steering makes of each chunk of one generation."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from model.base.arrays import BoolArray, FloatArray, IntArray
from model.base.kernels import kernel
from stream.choosing.generation import Generation
from stream.choosing.journey.route import GOOD_WORTH, LEG_S, MOST_CHANGES, Route
from stream.choosing.journey.steering import Steering
from stream.choosing.phrases import NOWHERE, Phrases
from stream.choosing.repeats import Entries
from stream.choosing.weighing.weights import CostWeights
from stream.doors.ranking import DoorRanking

TOWARDS_PHRASES = 3
"""So many phrases may end elsewhere on the way to the song that is asked for; then it follows."""
MOST_LISTENED = 1_024
"""So many chunks of the pool, evenly spread, are held against the starts of that song."""
_AS_GOOD = 0.5
"""Ways that are worth so much less are as good."""
_SPARE_LEGS = 1
_FARTHEST = -30.0
"""Worth of a phrase from which nothing that is known leads to that song, in log-odds."""
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
    target: BoolArray | None = None
    """`(N,)`, chunks of the song that is to be reached; None where none is."""
    until_s: float | None = None
    """Within so much music; None where nothing is said of that."""
    departs: bool = False
    """Whether there is no more time than the way takes, so that it goes to another song now."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Leaning:
    """What steering means among the `N` chunks of one generation, at any time.

    muted, favoured: `(N,)` bool. target: `(N,)` bool, the chunks of the song that is asked for, or None.
    ways: `(N,)` float32, in log-odds: how good the join into that song is to which a phrase leads.
    """

    muted: BoolArray
    favoured: BoolArray
    target: BoolArray | None
    ways: FloatArray
    route: Route | None = None
    """To that song, where it is said within what time."""

    @classmethod
    def of(
        cls,
        generation: Generation,
        steering: Steering,
        phrases: Phrases,
        reach: Callable[[int, IntArray], float] | None,
        doors: DoorRanking | None = None,
    ) -> "Leaning":
        """Find the songs of a steering in a generation, and which phrases lead to the one to be reached.

        reach: what the best join from a chunk to one of others, `(n,)`, is worth; None: nobody knows.
        doors: by which a route is found.
        """
        goal = None if steering.towards is None else generation.song_of(steering.towards)
        return cls(
            muted=chunks_of(generation, steering.muted),
            favoured=chunks_of(generation, steering.favoured),
            target=None if goal is None else generation.index.song == goal,
            route=None
            if goal is None or doors is None or steering.within_s is None
            else Route.to(goal, generation.pool, doors),
            ways=np.zeros(len(generation.index), dtype=np.float32)
            if goal is None or reach is None or steering.within_s is not None
            else _ways(generation.song_rows(goal), phrases, reach),
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

        Either a good join leads there, or one to where a good join leads there: what both are worth counts.
        The pull grows with each phrase, until nothing else may follow.
        """
        towards = np.where(target, np.float32(weights.towards * (phrases_since + 1)), self.ways)
        wanted = here.allowed & target
        if phrases_since < TOWARDS_PHRASES or not wanted.any():
            reasons = (*here.reasons, "towards the song that was asked for")
            pull = Pull(favoured=self._favour(weights), towards=towards)
            return Steered(here=replace(here, reasons=reasons), pull=pull, target=target)
        return self._now(here, target, towards, weights)

    def timed(
        self,
        here: Entries,
        target: BoolArray,
        *,
        song: IntArray,
        row: int,
        until_s: float,
        weights: CostWeights,
    ) -> Steered:
        """Return how things stand where `target` `(N,)` is to be reached within so much music.

        song: `(N,)`, of each chunk. row: the chunk that plays. As many changes of song are thought of as fit
        in; once only one does, nothing else may follow.
        """
        changes = int(until_s // LEG_S)
        assert self.route is not None  # whoever says within what time has one
        from_here = float(self.route.within(max(1, changes))[song[row]])
        said = () if from_here >= GOOD_WORTH else ("no good doors lead to the song that was asked for",)
        here = replace(here, reasons=(*here.reasons, *said))
        worths = self.route.worths[: min(max(1, changes), MOST_CHANGES) + 1, song[row]]
        needed = int(np.argmax(worths >= worths[-1] - _AS_GOOD))
        beyond = np.maximum(np.float32(weights.door) * self.route.within(changes - 1)[song], _FARTHEST)
        towards = np.where(target, np.float32(weights.towards), beyond.astype(np.float32))
        if changes <= 1 and (here.allowed & target).any():
            return self._now(here, target, towards, weights, until_s)
        reasons = (*here.reasons, "towards the song that was asked for")
        return Steered(
            here=replace(here, reasons=reasons),
            pull=Pull(favoured=self._favour(weights), towards=towards),
            target=target,
            until_s=until_s,
            departs=changes <= needed + _SPARE_LEGS,
        )

    def _now(
        self,
        here: Entries,
        target: BoolArray,
        towards: FloatArray,
        weights: CostWeights,
        until_s: float | None = None,
    ) -> Steered:
        """Return how things stand where nothing but `target` may follow."""
        wanted = here.allowed & target
        reasons = (*here.reasons, "now the song that was asked for")
        pull = Pull(favoured=self._favour(weights), towards=towards, only=wanted)
        here = replace(here, allowed=wanted, reasons=reasons)
        return Steered(here=here, pull=pull, target=target, until_s=until_s)

    def _favour(self, weights: CostWeights) -> FloatArray:
        return np.float32(weights.favoured) * self.favoured.astype(np.float32)


def opened_to(here: Entries, target: BoolArray, phrases: Phrases) -> Entries:
    """Return the entries where some of `target` `(N,)` are, however lately they were played."""
    if (here.allowed & target).any():
        return here
    lasting = target & phrases.entry & (phrases.first_exit != NOWHERE)
    return replace(
        here,
        blocked=here.blocked & ~target,
        allowed=here.allowed | (lasting if lasting.any() else target),
        reasons=(*here.reasons, "the song that was asked for comes back early"),
    )


def chunks_of(generation: Generation, hashes: frozenset[str]) -> BoolArray:
    """Return the chunks of songs, which are named by audio hash, `(N,)` bool."""
    found = [song for name in hashes if (song := generation.song_of(name)) is not None]
    return np.isin(generation.index.song, found)


def _ways(goal: slice, phrases: Phrases, reach: Callable[[int, IntArray], float]) -> FloatArray:
    """Return `(N,)` float32: how good the best join is that leads from a phrase into the rows of `goal`."""
    count = len(phrases.first_exit)
    leads = np.full(count, _FARTHEST, dtype=np.float32)
    starts = np.arange(goal.start, goal.stop)
    for row in np.unique(np.linspace(0, count - 1, min(count, MOST_LISTENED)).round().astype(int)).tolist():
        leads[row] = max(_FARTHEST, reach(row, starts))
    return _beyond(leads, phrases.first_exit, phrases.last_exit, _FARTHEST)


@kernel
def _beyond(leads: FloatArray, first_exit: IntArray, last_exit: IntArray, least: float) -> FloatArray:
    """Return `(N,)`: of the exits of each phrase what the best leads to; `least` where none is known."""
    result = np.full(len(leads), np.float32(least))
    for entry in range(len(leads)):
        if first_exit[entry] >= 0:
            for exit_row in range(first_exit[entry], last_exit[entry] + 1):
                result[entry] = max(result[entry], leads[exit_row])
    return result
