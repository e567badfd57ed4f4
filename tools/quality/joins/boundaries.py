"""A boundary is where one chunk of a stream ends and the next begins, joined or gone on naturally."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from model.base.arrays import DoubleArray, IntArray
from model.base.errors import EndlosError

Key = tuple[str, int, int]
"""Audio hash, start and end sample of a chunk."""


@dataclass(frozen=True, kw_only=True)
class Boundary:
    """One boundary between two chunks of a stream; frames are the stream's."""

    centre_frames: int
    """The middle of the join, or the border that the song went over."""
    before_frames: int
    """The join begins this long before; 0 where nothing was joined, ..."""
    after_frames: int
    """... and ends this long after."""
    joined: bool
    from_key: Key
    to_key: Key
    left_s: float
    """What of the song before is heard at the centre, ..."""
    entered_s: float
    """... and what of the song after, in seconds of the song."""
    alone_frames: int = 0
    """At first the song that is left is changed alone for so long; then both sound."""
    course: tuple[tuple[int, ...], tuple[int, ...]] | None = None
    """At these times from its beginning those frames of A sound, where it changes its tempo."""
    echo_frames: int = 0
    """From the centre on the last so many frames of A are repeated; 0: they are not."""
    kind: str = ""
    """How the engine calls such a join; empty where it tells none, and where nothing was joined."""
    beat_error_ms: float | None = None
    """How far B's beats are off A's by the engine's own account; None where it gives none."""

    @property
    def other_song(self) -> bool:
        """Whether it leads from one song to another."""
        return self.from_key[0] != self.to_key[0]

    @property
    def fade_frames(self) -> int:
        """Length of the join."""
        return self.before_frames + self.after_frames

    def left_frames(self, at_frames: IntArray) -> DoubleArray:
        """Return which frames of A sound at times from the centre on, counted from the one there."""
        if self.course is None:
            return at_frames.astype(np.float64)
        played, heard = np.array(self.course, dtype=np.float64)
        times = np.append(at_frames, 0) + self.before_frames
        frames = np.interp(times, played, heard)
        # Before the join, and after the course, the song goes at its own tempo.
        frames += np.minimum(times, 0) + np.maximum(times - played[-1], 0)
        found: DoubleArray = frames[:-1] - frames[-1]
        return found


def boundary(line: Mapping[str, Any]) -> Boundary | None:
    """Return the boundary that a line of the decision log tells of; None for the start of the stream.

    `EndlosError` when it is no such line.
    """
    try:
        if line["from"] is None:
            return None
        join: Mapping[str, Any] = line.get("join") or {}
        extent = _extent(line, join)
        return Boundary(
            centre_frames=int(line["t_out_frames"]),
            before_frames=extent[0],
            after_frames=extent[1],
            joined=not line["natural"],
            from_key=_key(line["from"]),
            to_key=_key(line["to"]),
            left_s=float(line["from"]["end_s"]),
            entered_s=float(line["to"]["start_s"]),
            alone_frames=int(join.get("ramp_frames", 0)),
            course=_course(join),
            echo_frames=int(join.get("beat_frames", 0)),
            kind=str(join.get("kind", "")),
            beat_error_ms=join.get("terms", {}).get("beat_error_ms"),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise EndlosError(
            f"a decision lacks {error}, which its join is measured by; use a log of this endlos"
        ) from error


def _extent(line: Mapping[str, Any], join: Mapping[str, Any]) -> tuple[int, int]:
    """Return how long before the line's time the songs are not as they are, and how long after it."""
    fade_frames = round(line["fade_s"] * line["settings"]["engine_rate_hz"])
    before = int(join.get("before_frames", fade_frames // 2))
    return before, int(join.get("after_frames", fade_frames - before))


def _course(join: Mapping[str, Any]) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
    if "played_frames" not in join:
        return None
    played, heard = (tuple(int(frame) for frame in join[name]) for name in ("played_frames", "heard_frames"))
    return played, heard


def _key(place: Mapping[str, Any]) -> Key:
    return str(place["audio_hash"]), int(place["start_sample"]), int(place["end_sample"])
