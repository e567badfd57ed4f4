"""Between the borders of an untouched stream lie places at which it is listened to as a join is inside."""

from model.base.arrays import FloatArray
from tools.quality.joins.boundaries import Boundary
from tools.quality.joins.hearing.moments import places_between
from tools.quality.joins.windows import Source

NATURAL = "natural"
"""Borders of chunks of an untouched stream."""
MIDDLE = "middle"
"""Places in the middle of a chunk, against which chunk borders that went on naturally are the floor."""
BETWEEN = "between"
"""Other places of an untouched stream, which with borders and middles are its whole length."""

LATEST_BORDER_S = 30.0
"""Of a longer chunk no place between its borders is known in time."""


class WithBetween:
    """A natural stream in which places between its borders count as boundaries too."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.rate_hz = source.rate_hz
        self.boundaries: list[Boundary] = []
        self._conditions: dict[int, str] = {}
        self._taken = 0

    def render(self, frames: int) -> FloatArray:
        """Return the next `(frames, 2)` float32."""
        block = self._source.render(frames)
        for place in self._source.boundaries[self._taken :]:
            if self.boundaries:
                self._add_between(self.boundaries[-1], place)
            self.boundaries.append(place)
            self._taken += 1
        return block

    def condition(self, place: Boundary) -> str:
        """Return what a place is: a border, the middle of a chunk, or another place between borders."""
        return self._conditions.get(place.centre_frames, NATURAL)

    def _add_between(self, last: Boundary, place: Boundary) -> None:
        offsets = places_between(place.centre_frames - last.centre_frames, self.rate_hz).tolist()
        for number, offset in enumerate(offsets):
            centre = last.centre_frames + offset
            self._conditions[centre] = MIDDLE if number == len(offsets) // 2 else BETWEEN
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
