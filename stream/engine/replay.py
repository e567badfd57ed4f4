"""A replay plays a decision log again, the same audio bit for bit at the engine's tap, live runs too."""

import json
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from model.base.arrays import FloatArray
from model.base.errors import EndlosError
from stream.choosing.generation import Generation, open_generation
from stream.choosing.step import Step
from stream.engine.decisions import Decision
from stream.engine.given_steps import GivenSteps, KnownJoins
from stream.engine.logged import check_decisions
from stream.engine.renderer import Beginning, Renderer
from stream.joins.join_plan import JoinPlan
from stream.joins.kinds.registry import read_join
from stream.joins.levels import Release
from stream.joins.settings import SoundSettings
from stream.pool.pool import ChunkKey
from stream.scoring.settings import ScoringSettings


@dataclass(frozen=True, kw_only=True)
class _Line:
    """What of a logged decision the renderer needs."""

    key: ChunkKey
    natural: bool
    plan: JoinPlan | None
    jump_frames: int | None
    """Stream time at which `next` took effect; None for a join at the end of a chunk."""


class Replay:
    """One logged run; `render` gives its stream, until what the log knows is over.

    Chunks are found by the hash of their song's file and their span, so the pool may have been rebuilt,
    as long as it still holds them.
    """

    def __init__(
        self, folder: Path, log: Path, *, on_decision: Callable[[Decision], None] | None = None
    ) -> None:
        logged = _read(log)
        decisions, stop_frames = logged.decisions, logged.stop_frames
        self.announcements = logged.announcements
        """How many there were in the run; its music stood still meanwhile, and they are not played again."""
        settings = decisions[0]["settings"]
        sound = SoundSettings(**{field.name: settings[field.name] for field in fields(SoundSettings)})
        self.engine_rate_hz = sound.engine_rate_hz
        self._generation = open_generation(
            folder, ScoringSettings(model=None), engine_rate_hz=self.engine_rate_hz
        )
        lines = [_line(decision) for decision in decisions]
        _check(lines, self._generation, folder)
        self._jumps = deque(line.jump_frames for line in lines if line.jump_frames is not None)
        joins = KnownJoins(sound, settings["reach_frames"])
        steps = GivenSteps([self._step(line, joins) for line in lines], joins)
        # One that went on where another run stood did not begin at the start of a chunk.
        begin = Beginning(frame=round(decisions[0]["to"]["start_s"] * self.engine_rate_hz), release=Release())
        self._renderer = Renderer(
            steps, steps, on_decision=on_decision or (lambda decision: None), begin=begin
        )
        if stop_frames is None:
            # A run that was killed did not leave its last chunk, or the join would be in the log.
            entered = begin.frame if len(lines) == 1 else None
            stop_frames = self._known_frames(lines[-1], int(decisions[-1]["t_out_frames"]), entered)
        self._stop_frames = stop_frames

    @property
    def frames_left(self) -> int:
        """What `render` can still give."""
        return self._stop_frames - self._renderer.time_frames

    def render(self, frames: int) -> FloatArray:
        """Return the next `(n, 2)` float32, n = `frames`, or fewer where the log ends."""
        frames = min(frames, self.frames_left)
        blocks = []
        while frames > 0:
            count = frames
            if self._jumps:
                # The renderer makes frames ahead, and there the jump took effect.
                jump_frames = max(0, self._jumps[0] - self._renderer.ahead_frames)
                count = min(frames, jump_frames - self._renderer.time_frames)
            if count == 0:
                self._jumps.popleft()
                self._renderer.jump()
                continue
            blocks.append(self._renderer.render(count))
            frames -= count
        return np.concatenate(blocks) if blocks else np.empty((0, 2), dtype=np.float32)

    def _step(self, line: _Line, joins: KnownJoins) -> Step:
        chunk = self._generation.chunk(_row(self._generation, line.key))
        step = Step(after=None, chunk=chunk, natural=line.natural, rung="replay")
        joins.plans[step] = line.plan
        return step

    def _known_frames(self, last: _Line, t_out_frames: int, entered: int | None) -> int:
        """Return how long the stream is if its last chunk is played to its end.

        entered: where, of a chunk that the stream begins with.
        """
        start, stop = self._generation.reader.chunk_span(_row(self._generation, last.key))
        if entered is None:
            entered = last.plan.enter_frame if last.plan else start
        return t_out_frames + stop - entered

    def close(self) -> None:
        """Close the songs."""
        self._generation.close()


@dataclass(frozen=True, kw_only=True)
class _Logged:
    """What a log holds."""

    decisions: list[dict[str, Any]]
    stop_frames: int | None
    """Stream time of its stop, if it has one."""
    announcements: int


def _read(path: Path) -> _Logged:
    lines = _lines(path)
    decisions = [line for line in lines if "event" not in line]
    stops = [line.get("t_out_frames") for line in lines if line.get("event") == "stop"]
    if not decisions or decisions[0].get("n") != 0:
        raise EndlosError(f"{path} does not begin with the first decision; name a whole decision log")
    try:
        check_decisions(decisions, stops)
    except ValueError as error:
        raise EndlosError(f"{path} is not a decision log ({error}); name one that --log wrote") from error
    return _Logged(
        decisions=decisions,
        stop_frames=stops[-1] if stops else None,
        announcements=sum(line.get("event") == "say" for line in lines),
    )


def _lines(path: Path) -> list[dict[str, Any]]:
    try:
        text = path.read_text(encoding="utf-8")
        # A run that was cut off in mid-line knows nothing of that step: it had not sounded.
        whole = text if _is_json(text.rpartition("\n")[2]) else text[: text.rfind("\n") + 1]
        lines = [json.loads(line) for line in whole.splitlines()]
    except OSError as error:
        raise EndlosError(f"{path} cannot be read: {error.strerror}; name a decision log") from error
    except (ValueError, RecursionError) as error:
        raise EndlosError(f"{path} is not a decision log; name one that --log wrote") from error
    if not all(isinstance(line, dict) for line in lines):
        raise EndlosError(f"{path} is not a decision log; name one that --log wrote")
    return lines


def _is_json(line: str) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def _line(decision: dict[str, Any]) -> _Line:
    try:
        to = decision["to"]
        return _Line(
            key=ChunkKey(**{field.name: to[field.name] for field in fields(ChunkKey)}),
            natural=decision["natural"],
            plan=read_join(decision["join"]) if decision["join"] else None,
            jump_frames=decision["jump_frames"],
        )
    except (KeyError, TypeError) as error:
        raise EndlosError(f"a decision of the log lacks {error}; name one that --log wrote") from error


def _row(generation: Generation, key: ChunkKey) -> int:
    row = generation.row(key)
    assert row is not None, "every line has been checked"
    return row


def _check(lines: list[_Line], generation: Generation, folder: Path) -> None:
    missing = sum(generation.row(line.key) is None for line in lines)
    if missing:
        raise EndlosError(
            f"{folder} lacks {missing} of the {len(lines)} chunks of the log; "
            "replay it with the pool that it was played from"
        )
