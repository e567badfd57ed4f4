"""This module cuts windows around the boundaries of a stream as it renders, in bounded memory."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from model.base.arrays import FloatArray
from tools.quality.joins.boundaries import Boundary

CONTEXT_S = 6.0
"""So much of the stream on either side of a boundary is looked at."""
_BLOCK_FRAMES = 65_536


class Source(Protocol):
    """What windows are cut from: a stream that tells of a boundary before it has rendered past it."""

    rate_hz: int
    boundaries: list[Boundary]

    def render(self, frames: int) -> FloatArray:
        """Return the next `(frames, 2)` float32."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Window:
    """The stream around one boundary.

    audio: `(2 * context, 2)` float32, the boundary in the middle.
    """

    boundary: Boundary
    audio: FloatArray
    rate_hz: int
    free_before_frames: int
    """From the end of the join before, or the window's start, to the centre, ..."""
    free_after_frames: int
    """... and from the centre to the beginning of the next join, or the window's end."""

    @property
    def centre(self) -> int:
        """Index of the boundary in `audio`."""
        return len(self.audio) // 2

    def free_for(self, half_frames: int) -> bool:
        """Whether nothing else was joined within `half_frames` of the boundary."""
        return min(self.free_before_frames, self.free_after_frames) >= half_frames


def cut_windows(
    source: Source,
    seconds: float,
    *,
    heard: Callable[[FloatArray], None] | None = None,
    context_s: float = CONTEXT_S,
) -> Iterator[Window]:
    """Render `seconds` of a stream and yield the window of each boundary that lies whole inside.

    heard: is given every block that was rendered.
    """
    context = round(context_s * source.rate_hz)
    total = round(seconds * source.rate_hz)
    kept = np.zeros((0, 2), dtype=np.float32)
    kept_from = rendered = done = 0
    while rendered < total:
        block = source.render(min(_BLOCK_FRAMES, total - rendered))
        if heard is not None:
            heard(block)
        kept = np.concatenate([kept, block])
        rendered += len(block)
        while done < len(source.boundaries) and source.boundaries[done].centre_frames + context <= rendered:
            place = source.boundaries[done]
            first = place.centre_frames - context
            if first >= kept_from:
                before, after = _free(source.boundaries, done, context)
                yield Window(
                    boundary=place,
                    audio=kept[first - kept_from : first - kept_from + 2 * context],
                    rate_hz=source.rate_hz,
                    free_before_frames=before,
                    free_after_frames=after,
                )
            done += 1
        drop = max(0, len(kept) - 2 * context - _BLOCK_FRAMES)
        kept, kept_from = kept[drop:], kept_from + drop


def _free(boundaries: list[Boundary], place: int, context: int) -> tuple[int, int]:
    centre = boundaries[place].centre_frames
    before = after = context
    for other in reversed(boundaries[:place]):
        if centre - other.centre_frames > 2 * context:
            break
        if other.joined:
            before = min(before, centre - other.centre_frames - other.after_frames)
            break
    for other in boundaries[place + 1 :]:
        if other.joined:
            after = min(after, other.centre_frames - other.before_frames - centre)
            break
    return max(0, before), max(0, after)
