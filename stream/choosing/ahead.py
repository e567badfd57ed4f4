"""This module gives the renderer its steps, planned when asked (offline) or ahead by a thread (live)."""

import contextlib
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

import numpy as np

from model.base.errors import DecodeError, EndlosError
from stream.choosing.bans import Bans, NothingReadableError
from stream.choosing.generation import Chunk, Generation
from stream.choosing.planner import Planner
from stream.choosing.step import Step

_log = logging.getLogger(__name__)

READ_AHEAD_FRAMES = 65_536
"""About a second and a half on either side of where a planned chunk begins."""
REFRESH_S = 2.0
RETRY_S = 1.0
FIRST_DECISION_S = 0.25
"""A chunk may be left a second after it begins: what follows the first is waited for, no longer than this."""
MAX_DEPTH = 16
"""At most this many steps are planned ahead to find one that leaves the song."""
PATIENCE_S = 600.0
"""A stream none of whose songs can be read is silent for this long before it ends."""


class StepSource(Protocol):
    """Steps in the order in which they are played; every method belongs to the renderer's thread."""

    def take(self, after: Chunk | None, *, jump: bool = False) -> Step:
        """Return the step after `after` and count it as played; `EndlosError` when nothing can be played.

        With `jump` it leads into another song, if there is one. After a `NothingReadableError` it may be
        asked again, a little later.
        """

    def peek(self) -> Step | None:
        """Return the next step that leaves the song, if it is known already, else the next one."""

    def ban(self, audio_hash: str, at: Chunk) -> None:
        """Plan no more steps into this song, whose file cannot be read; the stream stands at chunk `at`."""

    def close(self) -> None:
        """End; nothing is taken afterwards."""


class Immediate:
    """Plans a step when it is asked for: a function of pool, model, seed and settings alone."""

    def __init__(self, planner: Planner) -> None:
        self._planner = planner

    def take(self, after: Chunk | None, *, jump: bool = False) -> Step:
        """Plan the step after `after`, however long that takes."""
        if after is not None:
            self._planner.anchor(after)
        try:
            step = self._planner.next(leave=jump)
        except NothingReadableError as error:
            # Nobody listens yet: a file is better begun anew than filled with silence.
            raise EndlosError(str(error)) from error
        self._planner.deliver(step)
        return step

    def peek(self) -> Step | None:
        """Nothing is known ahead."""
        return None

    def ban(self, audio_hash: str, at: Chunk) -> None:
        """Plan no more steps into this song."""
        self._planner.ban(audio_hash)

    def close(self) -> None:
        """Nothing to end."""


class Ahead:
    """Keeps `depth` steps planned by a thread of its own, so that `take` never waits for a score.

    When no step is ready in time, `take` goes on naturally, or anywhere, and the plan starts anew there.
    A song that could not be read is tried again after a while. When none can be, the stream may be silent
    for `PATIENCE_S` before it ends.
    `prepare` is called by that thread before it plans: the stream sounds already while models warm up.
    `refresh` is asked now and then for a newer generation to go on in; None when there is none.
    `rehearse` is given each planned step, to do for the renderer what can be done beforehand.
    """

    def __init__(
        self,
        planner: Planner,
        *,
        depth: int,
        prepare: Callable[[], None] | None = None,
        refresh: Callable[[], Generation | None] | None = None,
        rehearse: Callable[[Step], None] | None = None,
    ) -> None:
        self._planner = planner
        self._depth = depth
        self._prepare = prepare
        self._refresh = refresh
        self._rehearse = rehearse
        self._changed = threading.Condition()
        self._ready: deque[Step] = deque([planner.next()])
        self._delivered: list[Step] = []
        self._bans = Bans()
        self._taken_hash: str | None = None
        """Song of the step that was taken last, unless it turned out that it cannot be read."""
        self._silent_since_s: float | None = None
        self._anchor: Chunk | None = None
        self._plan_number = 0
        self._closed = False
        self._next_refresh_s = time.monotonic() + REFRESH_S
        self._heard_until_s = time.monotonic()
        """When the chunk that was taken last ends, if it began to sound when it was taken; at first, now."""
        self._thread = threading.Thread(target=self._run, name="planner", daemon=True)
        self._thread.start()
        with self._changed:
            self._changed.wait_for(lambda: len(self._ready) > 1, timeout=FIRST_DECISION_S)

    def take(self, after: Chunk | None, *, jump: bool = False) -> Step:
        """Return the planned step after `after`, else at once a fallback."""
        with self._changed:
            if self._taken_hash is not None:
                self._silent_since_s = None
            in_plan = bool(self._ready) and self._ready[0].after is after
            while in_plan and jump and self._ready and not self._ready[0].leaves_song:
                self._ready.popleft()
            if in_plan and self._ready:
                step = self._ready.popleft()
            elif after is not None:
                step = self._fallback(after, jump=jump)
                self._start_anew(step.chunk)
            else:
                raise EndlosError("the stream has begun already")
            self._delivered.append(step)
            self._taken_hash = step.chunk.song.audio_hash
            self._heard_until_s = time.monotonic() + step.length_s
            self._changed.notify()
            return replace(step, margin_s=time.monotonic() - step.ready_at_s)

    def peek(self) -> Step | None:
        """Return the next planned step that leaves the song, else the next one."""
        with self._changed:
            leaving = (step for step in self._ready if step.leaves_song)
            return next(leaving, self._ready[0] if self._ready else None)

    def ban(self, audio_hash: str, at: Chunk) -> None:
        """Throw the plan away and plan no more steps into this song."""
        with self._changed:
            self._bans.add(audio_hash)
            if audio_hash == self._taken_hash:
                self._taken_hash = None
            self._start_anew(at)
            self._changed.notify()

    def close(self) -> None:
        """End the thread; a score under way is waited for."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join(timeout=5.0)

    def _fallback(self, after: Chunk, *, jump: bool) -> Step:
        generation = after.generation
        natural = int(generation.index.successor[after.row])
        songs = generation.pool.songs
        # From the song itself, else the next one that can be read, from its beginning.
        order = [(after.song_index + further) % len(songs) for further in range(len(songs) + 1)]
        banned = self._bans.current()
        readable = [song for song in order if songs[song].audio_hash not in banned]
        if not readable:
            raise self._nothing_readable()
        if natural >= 0 and readable[0] == after.song_index and not jump:
            row, rung = natural, "natural"
        else:
            others = [song for song in readable if song != after.song_index] or readable
            row, rung = int(np.searchsorted(generation.index.song, others[0])), "any"
        return Step(
            after=after,
            chunk=generation.chunk(row),
            natural=row == natural,
            rung=rung,
            candidates=len(generation.index),
            considered=1,
            reasons=("no decision was ready in time",),
            ready_at_s=time.monotonic(),
        )

    def _nothing_readable(self) -> EndlosError:
        """Return what to raise: at first that the stream is silent, in the end that it is over."""
        now_s = time.monotonic()
        if self._silent_since_s is None:
            self._silent_since_s = now_s
            _log.warning(
                "none of the songs can be read; the stream is silent and tries them again for %g minutes",
                PATIENCE_S / 60,
            )
        if now_s - self._silent_since_s < PATIENCE_S:
            return NothingReadableError(
                "none of the songs can be read at this moment; put them back, or build the pool again"
            )
        return EndlosError("none of the songs can be read any more; build the pool again")

    def _run(self) -> None:
        prepare, failing = self._prepare, False
        while not self._closed:
            try:
                if prepare is not None:
                    first, prepare = prepare, None
                    first()
                self._plan()
                failing = False
            except NothingReadableError:
                self._pause()
            except EndlosError as error:
                _log.error("planning has ended: %s", error)
                return
            except Exception:
                # The stream goes on by fallbacks meanwhile; the cause must be seen, once.
                if not failing:
                    _log.exception("planning failed; it is tried again every %g s", RETRY_S)
                failing = True
                self._pause()

    def _pause(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._closed, timeout=RETRY_S)

    def _plan(self) -> None:
        """Wait until there is something to do, and do it."""
        with self._changed:
            self._changed.wait_for(self._has_work, timeout=REFRESH_S)
            if self._closed:
                return
            self._tell_planner()
            plan, enough = self._plan_number, self._is_enough()
            deadline_s = self._heard_until_s + sum(step.length_s for step in self._ready)
        if self._refresh is not None and time.monotonic() >= self._next_refresh_s:
            self._next_refresh_s = time.monotonic() + REFRESH_S
            generation = self._refresh()
            if generation is not None:
                self._planner.generation.retire()
                self._planner.adopt(generation)
                with self._changed:
                    # Whoever built it has just read the songs.
                    self._bans.clear()
        if not enough:
            step = self._planner.next(deadline_s=deadline_s)
            with self._changed:
                if plan == self._plan_number:
                    self._ready.append(step)
                    self._changed.notify_all()
            _read_ahead(step)
            if self._rehearse is not None:
                self._rehearse(step)

    def _has_work(self) -> bool:
        return self._closed or not self._is_enough() or bool(self._delivered) or self._anchor is not None

    def _is_enough(self) -> bool:
        leaves = any(step.leaves_song for step in self._ready)
        return len(self._ready) >= (self._depth if leaves else MAX_DEPTH)

    def _tell_planner(self) -> None:
        """Pass on what the renderer's thread did meanwhile; the lock is held."""
        for step in self._delivered:
            self._planner.deliver(step)
        self._delivered.clear()
        self._planner.leave_out(self._bans.current())
        if self._anchor is not None:
            self._planner.anchor(self._anchor)
            self._anchor = None

    def _start_anew(self, at: Chunk) -> None:
        """Throw the plan away and have it go on from `at`; the lock is held."""
        self._ready.clear()
        self._plan_number += 1
        self._anchor = at


def _read_ahead(step: Step) -> None:
    """Read where the renderer will come in, so that a slow disk is waited for here and not there."""
    if step.natural:
        return
    reader = step.chunk.generation.reader
    start, _ = reader.chunk_span(step.chunk.row)
    # A file that cannot be read is found, named and left by the renderer.
    with contextlib.suppress(DecodeError):
        reader.check(step.chunk.row)
        reader.read(step.chunk.song_index, start - READ_AHEAD_FRAMES, start + READ_AHEAD_FRAMES)
