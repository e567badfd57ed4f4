"""Middles of chunks are the places of a stream where there is no border, joined or not."""

from model.base.arrays import FloatArray
from tools.quality.joins.boundaries import Boundary
from tools.quality.joins.windows import Source


class WithMiddles:
    """A natural stream in which the middle of every chunk counts as a boundary too."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.rate_hz = source.rate_hz
        self.boundaries: list[Boundary] = []
        self.middles: set[int] = set()
        self._taken = 0

    def render(self, frames: int) -> FloatArray:
        """Return the next `(frames, 2)` float32."""
        block = self._source.render(frames)
        for place in self._source.boundaries[self._taken :]:
            if self.boundaries:
                last = self.boundaries[-1]
                centre = (last.centre_frames + place.centre_frames) // 2
                self.middles.add(centre)
                self.boundaries.append(
                    Boundary(
                        centre_frames=centre,
                        before_frames=0,
                        after_frames=0,
                        joined=False,
                        from_key=last.to_key,
                        to_key=last.to_key,
                        left_s=last.entered_s,
                        entered_s=last.entered_s,
                    )
                )
            self.boundaries.append(place)
            self._taken += 1
        return block
