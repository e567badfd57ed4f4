"""The decision log has one JSON line for each step of the stream, what was played and how it went."""

import contextlib
import json
import logging
import threading
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType

from model.base.aside import LinesAside
from model.base.errors import OutputError
from model.base.files import what_to_do
from model.base.kept import held_to_write, set_aside
from stream.choosing.generation import Chunk
from stream.choosing.step import Step
from stream.joins.join_plan import JoinPlan
from stream.joins.settings import SoundSettings

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Decision:
    """One step as it was played; `as_json` gives its line of the log."""

    n: int
    step: Step
    before: Chunk | None
    """What was left; None at the start of the stream."""
    left_at_s: float | None
    """Where in its song it was left: what of it is heard at the middle of the join."""
    entered_at_s: float
    """Where in its song the step's chunk was entered: what of it is heard at the same time."""
    t_out_frames: int
    """Stream time of the middle of the join, in engine frames."""
    plan: JoinPlan | None
    """How it was joined; None where the stream begins or goes on naturally."""
    jump_frames: int | None
    """Stream time at which `next` took effect; None for a join at the end of a chunk."""
    gain_db: float
    settings: SoundSettings
    reach_frames: int
    """No join begins longer than this before the end of a chunk."""

    @property
    def fade_frames(self) -> int:
        """Length of the join; 0 where nothing is joined."""
        return self.plan.fade_frames if self.plan else 0

    @property
    def fade_law(self) -> str:
        """How levels change in the join, in words."""
        if self.plan:
            return self.plan.law
        return "natural" if self.step.natural else "none"

    def as_json(self) -> dict[str, object]:
        """Return the fields of one line, times in seconds."""
        step, before, plan = self.step, self.before, self.plan
        return {
            "n": self.n,
            "t_out_s": self.t_out_frames / self.settings.engine_rate_hz,
            "t_out_frames": self.t_out_frames,
            "from": before
            and {
                "song": before.song.name,
                "end_s": self.left_at_s,
                "chunk": before.row,
                **_span(before),
            },
            "to": {
                "song": step.chunk.song.name,
                "start_s": self.entered_at_s,
                "chunk": step.chunk.row,
                **_span(step.chunk),
            },
            "natural": step.natural,
            "score": step.score,
            "rank": step.rank,
            "candidates": step.candidates,
            "considered": step.considered,
            "strategy": step.rung,
            "reasons": list(step.reasons),
            "terms": {name: round(value, 3) for name, value in step.terms.items()},
            "walk": None if step.stop is None else asdict(step.stop),
            "decision_ms": round(step.decision_ms, 3),
            "margin_s": None if step.margin_s is None else round(step.margin_s, 3),
            "kind": None if plan is None else str(plan.kind),
            "door": step.door and asdict(step.door),
            "fade_s": self.fade_frames / self.settings.engine_rate_hz,
            "fade_law": self.fade_law,
            "shift_ms": 1e3 * plan.shift_frames / self.settings.engine_rate_hz if plan else 0.0,
            "gain_db": self.gain_db,
            "match_db": plan.match_db if plan else 0.0,
            "release_s": plan.release_frames / self.settings.engine_rate_hz if plan else 0.0,
            "jumped": self.jump_frames is not None,
            "jump_frames": self.jump_frames,
            "join": plan.as_json() if plan else None,
            "settings": {
                "engine_rate_hz": self.settings.engine_rate_hz,
                "fade_s": self.settings.fade_s,
                "reach_frames": self.reach_frames,
                "target_lufs": self.settings.target_lufs,
            },
        }


def _span(chunk: Chunk) -> dict[str, object]:
    return asdict(chunk.key)


def log_held(path: Path) -> AbstractContextManager[None]:
    """Keep a decision log to this process; `OutputError` where another one writes it."""
    taken = OutputError(
        f"the decision log {path} is written by another endlos; end that one, or name another file"
    )
    return held_to_write(path, taken)


class DecisionLog:
    """Writes decisions and what the listener did to a file as it happens; a context manager."""

    def __init__(self, path: Path, *, live: bool = False) -> None:
        """live: keep what stands there (`set_aside`), and have lines written aside: nobody waits for them."""
        # Decisions come from the pacer's thread, events from the main thread.
        self._lock = threading.Lock()
        self.lost_lines = 0
        """Lines that could not be written."""
        self.kept: Path | None = None
        """Where the log is that stood there before."""
        try:
            if live:
                self.kept = set_aside(path)
        except OSError as error:
            raise OutputError(
                f"the decision log {path} cannot be set aside ({error.strerror}); {what_to_do(error)}"
            ) from error
        try:
            self._file = path.open("w", encoding="utf-8", buffering=1)
        except OSError as error:
            raise OutputError(
                f"the decision log {path} cannot be written: {error.strerror}; name another file"
            ) from error
        self._aside = LinesAside(self._write_line, "decision log") if live else None

    def __call__(self, decision: Decision) -> None:
        """Write the line of a decision."""
        self._write(decision.as_json())

    def event(
        self, kind: str, t_out_frames: int, engine_rate_hz: int, told: Mapping[str, object] | None = None
    ) -> None:
        """Write that something happened at a stream time: `pause`, `resume`, `stop`, `steer`.

        told: more of it, by name.
        """
        t_out_s = t_out_frames / engine_rate_hz
        line: dict[str, object] = {"event": kind, "t_out_s": t_out_s, "t_out_frames": t_out_frames}
        self._write(line | dict(told or {}))

    def _write(self, line: dict[str, object]) -> None:
        if self._aside is None:
            self._write_line(json.dumps(line))
        elif not self._aside.put(json.dumps(line)):
            self._lose("nobody takes its lines")

    def _write_line(self, line: str) -> None:
        try:
            if not self._file.closed:
                self._file.write(line + "\n")
        except OSError as error:
            # A full disk must not end the stream.
            self._lose(error.strerror)

    def _lose(self, why: str | None) -> None:
        with self._lock:
            first = self.lost_lines == 0
            self.lost_lines += 1
        if first:
            _log.warning("the decision log has gaps from here on: %s", why)

    def __enter__(self) -> "DecisionLog":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._aside is not None and not self._aside.close():
            # It is being written into at this moment: to close it would wait for that.
            _log.warning("the decision log lacks its last lines: nobody takes them")
            return
        with contextlib.suppress(OSError):
            self._file.close()
