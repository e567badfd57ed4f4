"""Chooses what follows: repeat rules, the natural successor, scores, and a seeded draw from the best."""

import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from model.errors import EndlosError
from model.kernels import BoolArray, FloatArray, IntArray
from stream.bans import NothingReadableError
from stream.generation import Chunk, Generation
from stream.index import NEVER, NO_SUCCESSOR
from stream.ladder import Ladder
from stream.ranking import rank_of, top

Strategy = Literal["model", "random", "natural"]
HISTORY_STEPS = 256


@dataclass(frozen=True, kw_only=True)
class PlannerSettings:
    """How the stream wanders through the pool."""

    strategy: Strategy = "model"
    seed: int = 0
    top_k: int = 8
    """The draw is among this many best candidates; 1 always takes the best, as the report does."""
    temperature: float = 0.05
    """Spread of the draw, in units of the score."""
    no_repeat_share: float = 0.25
    """A chunk does not come back before this share of the pool has been played."""
    max_natural: int = 6
    """At most this many natural continuations in a row; 0 forbids them."""
    min_phrase_s: float = 6.0
    """A song goes on naturally for at least this long (within `max_natural`) before the stream may leave."""

    def __post_init__(self) -> None:
        if self.strategy not in ("model", "random", "natural"):
            raise EndlosError(f"strategy {self.strategy!r} is unknown; use model, random or natural")
        if self.top_k < 1 or self.max_natural < 0 or self.min_phrase_s < 0:
            raise EndlosError("top_k must be at least 1, max_natural and min_phrase_s at least 0")
        if not self.temperature > 0 or not 0 <= self.no_repeat_share < 1:
            raise EndlosError("temperature must be above 0 and no_repeat_share from 0 to below 1")


@dataclass(frozen=True, kw_only=True, eq=False)
class Step:
    """One planned move of the stream, and why."""

    after: Chunk | None
    """None for the chunk that starts the stream."""
    chunk: Chunk
    natural: bool
    rung: str
    """Which rung of the ladder decided."""
    score: float | None = None
    rank: int | None = None
    candidates: int = 0
    considered: int = 0
    reasons: tuple[str, ...] = ()
    decision_ms: float = 0.0
    ready_at_s: float = 0.0
    """Monotonic clock at which it was ready."""
    margin_s: float | None = None
    """How long it lay ready before it was taken; None when it was made as it was asked for."""

    @property
    def length_s(self) -> float:
        """How long its chunk is."""
        return self.chunk.end_s - self.chunk.start_s

    @property
    def leaves_song(self) -> bool:
        """Whether it goes from one song to another."""
        return self.after is not None and self.after.key[0] != self.chunk.key[0]


class Planner:
    """Plans step after step from a reference chunk; belongs to one thread.

    A planned step counts as played only when it is delivered, so that plans can be thrown away.
    """

    def __init__(self, generation: Generation, settings: PlannerSettings, start: Chunk | None = None) -> None:
        self.generation = generation
        self._settings = settings
        self._start = start
        self._ladder = Ladder()
        self._rng = np.random.default_rng(settings.seed)
        self._reference: Chunk | None = None
        # What is heard, natural or not, and for how long; no steps, which would keep old generations open.
        self._heard: deque[tuple[bool, float]] = deque(maxlen=HISTORY_STEPS)
        self._planned: list[Step] = []
        self._steps = 0
        self._last_played = np.full(len(generation.index), NEVER, dtype=np.int64)
        self._banned_hashes: frozenset[str] = frozenset()
        self._banned = np.zeros(len(generation.index), dtype=np.bool_)

    def next(self, *, leave: bool = False, deadline_s: float | None = None) -> Step:
        """Plan the step after the last planned one; with `leave`, into another song if there is one.

        deadline_s: when it must be ready, by the monotonic clock; None takes the time that it takes.
        Raises `NothingReadableError` when every song is left out.
        """
        if self._banned.all():
            raise NothingReadableError("none of the songs can be read any more; build the pool again")
        began_s = time.perf_counter()
        step = self._first() if self._reference is None else self._after(self._reference, leave, deadline_s)
        decision_ms = (time.perf_counter() - began_s) * 1e3
        step = replace(step, decision_ms=decision_ms, ready_at_s=time.monotonic())
        self._planned.append(step)
        self._reference = step.chunk
        return step

    def deliver(self, step: Step) -> None:
        """Count a step as played, planned here or not (a fallback of the renderer)."""
        if step in self._planned:
            # Steps before it were jumped over.
            del self._planned[: self._planned.index(step) + 1]
        self._heard.append((step.natural, step.length_s))
        row = self.generation.rows.get(step.chunk.key)
        if row is not None:
            self._last_played[row] = self._steps
        self._steps += 1

    def anchor(self, chunk: Chunk) -> None:
        """Throw planned steps away and go on from `chunk`."""
        self._planned.clear()
        self._reference = chunk

    def ban(self, audio_hash: str) -> None:
        """Choose no more chunks of this song (its file cannot be read)."""
        self.leave_out(self._banned_hashes | {audio_hash})

    def leave_out(self, audio_hashes: frozenset[str]) -> None:
        """Choose no chunks of these songs, and again of all others."""
        if audio_hashes != self._banned_hashes:
            self._banned_hashes = audio_hashes
            self._mark_banned()

    def adopt(self, generation: Generation) -> None:
        """Go on in another generation of the pool; what was played stays known."""
        played = {
            self.generation.keys[row]: self._last_played[row]
            for row in np.flatnonzero(self._last_played != NEVER)
        }
        self.generation = generation
        self._last_played = np.full(len(generation.index), NEVER, dtype=np.int64)
        for key, step in played.items():
            row = generation.rows.get(key)
            if row is not None:
                self._last_played[row] = step
        self._banned = np.zeros(len(generation.index), dtype=np.bool_)
        self._mark_banned()

    def _mark_banned(self) -> None:
        hashes = [song.audio_hash in self._banned_hashes for song in self.generation.pool.songs]
        self._banned[:] = np.array(hashes, dtype=np.bool_)[self.generation.index.song]

    def _first(self) -> Step:
        if self._start is not None:
            return Step(after=None, chunk=self._start, natural=False, rung="start")
        firsts = self._song_starts()
        place = 0 if self._settings.strategy == "natural" else int(self._rng.integers(len(firsts)))
        first = self.generation.chunk(int(firsts[place]))
        return Step(after=None, chunk=first, natural=False, rung="start")

    def _after(self, reference: Chunk, leave: bool, deadline_s: float | None) -> Step:
        row = self.generation.rows.get(reference.key)
        if row is None:
            return self._any(reference)
        natural = int(self.generation.index.successor[row])
        if natural != NO_SUCCESSOR and (leave or self._banned[natural]):
            natural = NO_SUCCESSOR
        if self._settings.strategy == "natural":
            return self._in_order(reference, row, natural)
        mask, reasons = self._allowed(row)
        if leave:
            reasons.append("next was asked for")
            mask = self._elsewhere(mask, row)
        if self._settings.strategy == "random":
            choice = int(self._rng.choice(np.flatnonzero(mask)))
            return self._step(reference, choice, natural, "random", mask=mask, reasons=reasons)
        run, phrase_s = self._phrase()
        if natural != NO_SUCCESSOR and mask[natural]:
            if run < self._settings.max_natural and phrase_s < self._settings.min_phrase_s:
                return self._step(reference, natural, natural, "phrase", mask=mask, reasons=reasons)
            if run >= self._settings.max_natural and np.count_nonzero(mask) > 1:
                mask[natural] = False
                reasons.append(f"{run} natural continuations in a row")
        time_left_s = None if deadline_s is None else deadline_s - time.monotonic()
        scored = self._ladder.climb(self.generation, row, mask, time_left_s)
        best = top(scored.scores, scored.mask, self._settings.top_k)
        spread = (scored.scores[best] - scored.scores[best[0]]).astype(np.float64)
        odds = np.exp(spread / self._settings.temperature)
        chosen = int(self._rng.choice(best, p=odds / odds.sum()))
        return self._step(
            reference,
            chosen,
            natural,
            scored.rung,
            mask=scored.mask,
            scores=scored.scores,
            reasons=(*reasons, *scored.reasons),
        )

    def _allowed(self, row: int) -> tuple[BoolArray, list[str]]:
        index = self.generation.index
        window = int(self._settings.no_repeat_share * len(index))
        # A planned step counts here as if it were played: planning ahead changes no choice.
        last_played = self._last_played.copy()
        for ahead, step in enumerate(self._planned):
            planned = self.generation.rows.get(step.chunk.key)
            if planned is not None:
                last_played[planned] = self._steps + ahead
        now = self._steps + len(self._planned) - 1
        mask = index.playable(last_played, now, window, self._banned)
        mask[row] = False
        if mask.any():
            return mask, []
        # The repeat rule may not starve the stream: take what was heard longest ago.
        others = np.flatnonzero(~self._banned)
        if len(others) > 1:
            others = others[others != row]
        oldest = others[np.argsort(last_played[others], kind="stable")]
        mask[oldest[: max(1, len(others) // 4)]] = True
        return mask, ["everything was played lately: the least recent come back"]

    def _elsewhere(self, mask: BoolArray, row: int) -> BoolArray:
        """Return `mask` without the song of `row`, or without what follows there if nothing else is left."""
        index = self.generation.index
        for left_out in (index.song == index.song[row], np.arange(len(index)) == index.successor[row]):
            others: BoolArray = mask & ~left_out
            if others.any():
                return others
        return mask

    def _in_order(self, reference: Chunk, row: int, natural: int) -> Step:
        if natural != NO_SUCCESSOR:
            following = natural
        else:
            firsts = self._song_starts()
            later = firsts[firsts > row]
            following = int(later[0] if len(later) else firsts[0])
        return self._step(reference, following, natural, "natural")

    def _song_starts(self) -> IntArray:
        firsts = np.flatnonzero(np.diff(self.generation.index.song, prepend=-1) != 0)
        return firsts[~self._banned[firsts]]

    def _any(self, reference: Chunk) -> Step:
        row = int(self._rng.choice(np.flatnonzero(~self._banned)))
        reasons = ["the chunk before is no longer in the pool"]
        return self._step(reference, row, NO_SUCCESSOR, "any", reasons=reasons)

    def _phrase(self) -> tuple[int, float]:
        """Return how many natural continuations led here, and how long the song has gone on."""
        run, seconds = 0, 0.0
        planned = [(step.natural, step.length_s) for step in self._planned]
        for natural, length_s in reversed([*self._heard, *planned]):
            seconds += length_s
            if not natural:
                break
            run += 1
        return run, seconds

    def _step(
        self,
        reference: Chunk,
        row: int,
        natural: int,
        rung: str,
        *,
        mask: BoolArray | None = None,
        scores: FloatArray | None = None,
        reasons: Iterable[str] = (),
    ) -> Step:
        return Step(
            after=reference,
            chunk=self.generation.chunk(row),
            natural=row == natural,
            rung=rung,
            score=None if scores is None else float(scores[row]),
            rank=None if scores is None or mask is None else rank_of(scores, mask, row),
            candidates=len(self.generation.index),
            considered=1 if mask is None else int(np.count_nonzero(mask)),
            reasons=tuple(reasons),
        )
