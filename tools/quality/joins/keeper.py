"""The keeper keeps the audio of some joins, and of as many other places, to be listened to."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tools.quality.joins.boundaries import Boundary
from tools.quality.joins.hearing.samples import Samples
from tools.quality.joins.windows import Window


@dataclass(frozen=True, kw_only=True, eq=False)
class Heard:
    """A window that can be listened to."""

    audio: npt.NDArray[np.int16]
    place: Boundary
    transition: int
    """Number of its samples' transition."""


class Keeper:
    """Keeps the audio of some of the engine's boundaries, drawn evenly from all that are offered."""

    def __init__(self, most: int, seed: int) -> None:
        self._most = most
        self._rng = np.random.default_rng([seed, 4])
        self._kept: dict[bool, list[tuple[int, int, Window]]] = {True: [], False: []}
        self._offered = {True: 0, False: 0}

    def offer(self, window: Window, fold: int, number: int) -> None:
        """Keep a window of a fold's engine stream, or do not."""
        kind = window.boundary.joined
        self._offered[kind] += 1
        kept = self._kept[kind]
        if len(kept) < self._most:
            kept.append((fold, number, window))
        elif self._most and (place := int(self._rng.integers(self._offered[kind]))) < self._most:
            kept[place] = (fold, number, window)

    def heard(self, samples: Samples) -> list[Heard]:
        """Return what was kept, each with the number of its transition among the samples."""
        engine = samples.condition == "engine"
        found = []
        for fold, number, window in self._kept[True] + self._kept[False]:
            own = np.unique(samples.transition[engine & (samples.fold == fold)])
            audio = np.rint(np.clip(window.audio, -1, 1) * 32767).astype(np.int16)
            found.append(Heard(audio=audio, place=window.boundary, transition=int(own[number])))
        return found
