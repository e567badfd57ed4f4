"""The rules choose what follows where nothing is scored, by order, by lot, or what was heard longest ago."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from model.base.arrays import BoolArray, IntArray
from stream.choosing.generation import Chunk, Generation
from stream.choosing.settings import PlannerSettings
from stream.choosing.situation import Situation
from stream.choosing.step import Step
from stream.doors.door import Door, JoinKind
from stream.doors.gapless import gapless_successor
from stream.index.edge_index import NO_SUCCESSOR, EdgeIndex


def anywhere(now: Situation, generation: Generation, rng: np.random.Generator) -> Step:
    """Draw any chunk that was not heard lately; what steering speaks for, more readily."""
    index, row = generation.index, now.row
    mask, reasons = ~now.here.blocked, list(now.here.reasons)
    mask[row] = False
    if not mask.any():
        mask = now.here.allowed
    if now.asked:
        reasons.append("next was asked for")
        for left_out in (index.song == index.song[row], np.arange(len(index)) == index.successor[row]):
            if (mask & ~left_out).any():
                mask &= ~left_out
                break
    if now.pull is None:
        choice = int(rng.choice(np.flatnonzero(mask)))
    else:
        if now.pull.only is not None and (mask & now.pull.only).any():
            mask &= now.pull.only
        choices = np.flatnonzero(mask)
        odds = np.exp(now.pull.worths[choices].astype(np.float64))
        choice = int(rng.choice(choices, p=odds / odds.sum()))
    considered = int(np.count_nonzero(mask))
    return plain_step(
        generation, now.reference, choice, now.natural, "random", considered=considered, reasons=reasons
    )


def elsewhere(
    now: Situation,
    generation: Generation,
    left_out: BoolArray,
    rng: np.random.Generator,
    reasons: tuple[str, ...],
) -> Step:
    """Go where it is allowed, else to what was heard longest ago, and on only if nothing else is left.

    left_out: `(N,)`, chunks that are not to be chosen.
    """
    natural = int(generation.index.successor[now.row])
    others = ~left_out
    others[[now.row, natural] if natural != NO_SUCCESSOR else [now.row]] = False
    if not others.any():
        others = ~left_out
    choices = np.flatnonzero(others & now.here.allowed)
    if not len(choices):
        choices = np.flatnonzero(others)
        choices = choices[np.argsort(now.history.last_played[choices], kind="stable")[:1]]
    reasons = (*reasons, "nothing that is scored may follow now")
    return plain_step(generation, now.reference, int(rng.choice(choices)), natural, "rules", reasons=reasons)


def any_step(reference: Chunk, generation: Generation, left_out: BoolArray, rng: np.random.Generator) -> Step:
    """Draw any chunk after one that the generation does not hold."""
    row = int(rng.choice(np.flatnonzero(~left_out)))
    reasons = ["the chunk before is no longer in the pool"]
    return plain_step(generation, reference, row, NO_SUCCESSOR, "any", reasons=reasons)


def song_starts(index: EdgeIndex, left_out: BoolArray) -> IntArray:
    """Return where music begins: the first chunk of each song, and each after a silence in one."""
    follows = index.successor[:-1] != NO_SUCCESSOR
    firsts = np.flatnonzero(np.append(True, ~follows))
    return firsts[~left_out[firsts]]


def next_in_order(row: int, natural: int, starts: IntArray) -> int:
    """Return the row that follows in the song, else where the next of `starts` is, round the pool."""
    if natural != NO_SUCCESSOR:
        return natural
    later = starts[starts > row]
    return int(later[0] if len(later) else starts[0])


def straight_on(
    reference: Chunk, row: int, generation: Generation, left_out: BoolArray, settings: PlannerSettings
) -> Step | None:
    """Return the step that goes on where the music does, after the last chunk of a stretch; None without one.

    Tracks of an album that run into each other do so in the stream; a song that is played whole goes on after
    a silence in it. left_out: `(N,)`, chunks that are not to be chosen.
    """
    song = generation.index.song
    following = gapless_successor(generation.pool, row)
    if following is not None and not left_out[following] and settings.strategy == "model":
        reason = ("the next track of the album goes on here",)
        step = plain_step(generation, reference, following, NO_SUCCESSOR, "rules", reasons=reason)
        return replace(step, door=Door(kind=JoinKind.GAPLESS))
    in_song = row + 1 < len(song) and song[row + 1] == song[row]
    if settings.whole_songs and in_song and not left_out[row + 1]:
        reason = ("a silence in the song is left out",)
        return plain_step(generation, reference, row + 1, NO_SUCCESSOR, "rules", reasons=reason)
    return None


def step_in_order(
    reference: Chunk,
    row: int,
    natural: int,
    generation: Generation,
    left_out: BoolArray,
    target: BoolArray | None,
    reasons: tuple[str, ...],
) -> Step:
    """Go on in the order of the pool, or to the song of `target` `(N,)`, where one is to be reached.

    left_out: `(N,)`, chunks that are not to be chosen.
    """
    starts = song_starts(generation.index, left_out if target is None else ~target)
    following = next_in_order(row, natural, starts if target is None else starts[:1])
    return plain_step(generation, reference, following, natural, "natural", reasons=reasons)


def plain_step(
    generation: Generation,
    reference: Chunk,
    row: int,
    natural: int,
    rung: str,
    *,
    considered: int = 1,
    reasons: Iterable[str] = (),
) -> Step:
    """Return a step that was not scored, which goes on in the song where the chunk is row `natural`."""
    return Step(
        after=reference,
        chunk=generation.chunk(row),
        natural=row == natural,
        rung=rung,
        candidates=len(generation.index),
        considered=considered,
        reasons=tuple(reasons),
    )
