"""The decision log: one JSON line for each step of the stream, what was played and how it went."""

import contextlib
import json
import logging
import threading
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from model.errors import OutputError
from stream.generation import Chunk
from stream.planner import Step

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Decision:
    """One step as it was played; `as_json` gives its line of the log."""

    n: int
    step: Step
    before: Chunk | None
    """What was left; None at the start of the stream."""
    left_at_s: float | None
    """Where in its song it was left: the end of the chunk, or earlier after `next`."""
    t_out_frames: int
    """Stream time of the middle of the join, in engine frames."""
    engine_rate_hz: int
    reach_frames: int
    """The join begins this long before its middle: half the fade and the limiter's lookahead."""
    fade_frames: int
    fade_law: str
    jumped: bool
    """Whether `next` was pressed: the join came before the chunk's end."""
    gain_db: float
    fade_s: float
    """The setting, of which `fade_frames` may fall short."""
    target_lufs: float | None

    def as_json(self) -> dict[str, object]:
        """Return the fields of one line, times in seconds."""
        step = self.step
        before = self.before
        return {
            "n": self.n,
            "t_out_s": self.t_out_frames / self.engine_rate_hz,
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
                "start_s": step.chunk.start_s,
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
            "decision_ms": round(step.decision_ms, 3),
            "margin_s": None if step.margin_s is None else round(step.margin_s, 3),
            "fade_s": self.fade_frames / self.engine_rate_hz,
            "fade_law": self.fade_law,
            "shift_ms": 0.0,
            "gain_db": self.gain_db,
            "jumped": self.jumped,
            "reach_frames": self.reach_frames,
            "settings": {
                "engine_rate_hz": self.engine_rate_hz,
                "fade_s": self.fade_s,
                "target_lufs": self.target_lufs,
            },
        }


def _span(chunk: Chunk) -> dict[str, object]:
    audio_hash, start_sample, end_sample = chunk.key
    return {"audio_hash": audio_hash, "start_sample": start_sample, "end_sample": end_sample}


class DecisionLog:
    """Writes decisions and what the listener did to a file as it happens; a context manager."""

    def __init__(self, path: Path) -> None:
        # Decisions come from the pacer's thread, events from the main thread.
        self._lock = threading.Lock()
        self.lost_lines = 0
        """Lines that could not be written."""
        try:
            self._file = path.open("w", encoding="utf-8", buffering=1)
        except OSError as error:
            raise OutputError(
                f"the decision log {path} cannot be written: {error.strerror}; name another file"
            ) from error

    def __call__(self, decision: Decision) -> None:
        """Write the line of a decision."""
        self._write(decision.as_json())

    def event(self, kind: str, t_out_frames: int, engine_rate_hz: int) -> None:
        """Write that something happened at a stream time: `pause`, `resume`, `stop`."""
        t_out_s = t_out_frames / engine_rate_hz
        self._write({"event": kind, "t_out_s": t_out_s, "t_out_frames": t_out_frames})

    def _write(self, line: dict[str, object]) -> None:
        with self._lock:
            if self._file.closed:
                return
            try:
                self._file.write(json.dumps(line) + "\n")
            except OSError as error:
                # A full disk must not end the stream.
                if self.lost_lines == 0:
                    log.warning("the decision log has gaps from here on: %s", error.strerror)
                self.lost_lines += 1

    def __enter__(self) -> "DecisionLog":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock, contextlib.suppress(OSError):
            self._file.close()
