"""The keeper keeps the audio of some joins, and of as many other places, to be listened to."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from model.base.arrays import FloatArray
from tools.quality.joins.boundaries import Boundary
from tools.quality.joins.earlier import Earlier
from tools.quality.joins.hearing.samples import Samples
from tools.quality.joins.windows import Window

Heard16 = npt.NDArray[np.int16]


@dataclass(frozen=True, kw_only=True, eq=False)
class Heard:
    """A window that can be listened to."""

    audio: Heard16
    place: Boundary
    transition: int
    """Number of its samples' transition."""
    earlier: Heard16 | None = None
    """The same change of song as a short blend; None where it is not to be compared."""


class Keeper:
    """Keeps the audio of some of the engine's boundaries, drawn evenly from all that are offered.

    Apart from one another: joins, places where nothing was joined, and changes of song to be compared.
    """

    def __init__(self, most: int, seed: int) -> None:
        self._most = most
        self._rng = np.random.default_rng([seed, 4])
        self._kept: dict[str, list[tuple[int, int, Window]]] = {"joined": [], "natural": [], "pair": []}
        self._offered = dict.fromkeys(self._kept, 0)

    def offer(self, window: Window, fold: int, number: int) -> None:
        """Keep a window of a fold's engine stream, or do not."""
        self._offer("joined" if window.boundary.joined else "natural", window, fold, number)
        if window.boundary.joined and window.boundary.other_song:
            self._offer("pair", window, fold, number)

    def _offer(self, name: str, window: Window, fold: int, number: int) -> None:
        self._offered[name] += 1
        kept = self._kept[name]
        if len(kept) < self._most:
            kept.append((fold, number, window))
        elif self._most and (place := int(self._rng.integers(self._offered[name]))) < self._most:
            kept[place] = (fold, number, window)

    def heard(self, samples: Samples) -> list[Heard]:
        """Return joins and other places that were kept, each with its transition among the samples."""
        return [
            _heard(samples, fold, number, window)
            for fold, number, window in self._kept["joined"] + self._kept["natural"]
        ]

    def pairs(self, samples: Samples, earlier: Earlier) -> list[Heard]:
        """Return the changes of song that were kept, each as it is and as it was earlier."""
        found = []
        for fold, number, window in self._kept["pair"]:
            played = earlier.played(window)
            if played is not None:
                found.append(_heard(samples, fold, number, window, played))
        return found


def _heard(
    samples: Samples, fold: int, number: int, window: Window, earlier: FloatArray | None = None
) -> Heard:
    own = np.unique(samples.transition[(samples.condition == "engine") & (samples.fold == fold)])
    return Heard(
        audio=_whole(window.audio),
        place=window.boundary,
        transition=int(own[number]),
        earlier=None if earlier is None else _whole(earlier),
    )


def _whole(audio: FloatArray) -> Heard16:
    return np.rint(np.clip(audio, -1, 1) * 32767).astype(np.int16)
