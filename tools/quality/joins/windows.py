"""This module cuts windows around the boundaries of a stream as it renders, in bounded memory."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from model.base.arrays import FloatArray
from tools.quality.joins.boundaries import Boundary

CONTEXT_S = 6.0
"""So much of the stream is looked at before a join begins, and after it has ended."""
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

    audio: `(context + fade + context, 2)` float32.
    """

    boundary: Boundary
    audio: FloatArray
    rate_hz: int
    centre: int
    """Index of the boundary in `audio`."""
    free_before_frames: int
    """From the end of the join before, or the window's start, to the centre, ..."""
    free_after_frames: int
    """... and from the centre to the beginning of the next join, or the window's end."""

    def free_for(self, before_frames: int, after_frames: int) -> bool:
        """Whether nothing else was joined for so long before the boundary, and after it."""
        return self.free_before_frames >= before_frames and self.free_after_frames >= after_frames


def cut_windows(
    source: Source,
    seconds: float,
    *,
    heard: Callable[[FloatArray], None] | None = None,
    context_s: float = CONTEXT_S,
    late_s: float = 0.0,
) -> Iterator[Window]:
    """Render `seconds` of a stream and yield the window of each boundary that lies whole inside.

    heard: is given every block that was rendered. context_s: before each fade begins and after it has ended.
    late_s: boundaries may be told of when so much more has been rendered.
    """
    context = round(context_s * source.rate_hz)
    total, late = round(seconds * source.rate_hz), round(late_s * source.rate_hz)
    kept = np.zeros((0, 2), dtype=np.float32)
    kept_from = rendered = done = 0
    while rendered < total:
        block = source.render(min(_BLOCK_FRAMES, total - rendered))
        if heard is not None:
            heard(block)
        kept = np.concatenate([kept, block])
        rendered += len(block)
        while done < len(source.boundaries):
            place = source.boundaries[done]
            first, stop = _span(place, context)
            if stop > rendered:
                break
            if first >= kept_from:
                before, after = _free(source.boundaries, done, context)
                yield Window(
                    boundary=place,
                    audio=kept[first - kept_from : stop - kept_from],
                    rate_hz=source.rate_hz,
                    centre=place.centre_frames - first,
                    free_before_frames=before,
                    free_after_frames=after,
                )
            done += 1
        waiting = [_span(place, context)[0] for place in source.boundaries[done:]]
        drop = max(0, min([*waiting, rendered - late - context - _BLOCK_FRAMES]) - kept_from)
        kept, kept_from = kept[drop:], kept_from + drop


def _span(place: Boundary, context: int) -> tuple[int, int]:
    return (
        place.centre_frames - place.before_frames - context,
        place.centre_frames + place.after_frames + context,
    )


def _free(boundaries: list[Boundary], place: int, context: int) -> tuple[int, int]:
    own = boundaries[place]
    before, after = own.before_frames + context, own.after_frames + context
    for other in reversed(boundaries[:place]):
        if other.joined:
            before = min(before, own.centre_frames - other.centre_frames - other.after_frames)
            break
    for other in boundaries[place + 1 :]:
        if other.joined:
            after = min(after, other.centre_frames - other.before_frames - own.centre_frames)
            break
    return max(0, before), max(0, after)
