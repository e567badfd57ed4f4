"""A sample is a window as the detector learns it, with its features, label, songs and place."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from model.base.arrays import BoolArray, DoubleArray, FloatArray, IntArray
from tools.quality.joins.hearing.evidence import evidence
from tools.quality.joins.hearing.moments import moments_of
from tools.quality.joins.spectra import Spectra, spectra
from tools.quality.joins.windows import Window


@dataclass(frozen=True, kw_only=True, eq=False)
class Samples:
    """`n` windows; song hashes as given.

    mel: `(n, pairs of frames, bands)` float16, dB. evidence: `(n, F)` float32. joined, other_song: `(n,)`
    bool. from_song, to_song: `(n,)` str. fold: `(n,)` int64. condition: `(n,)` str. transition: `(n,)` int64,
    the same for all windows of one join or place, and for no others. at_s: `(n,)` float64, when the middle of
    the window is heard in its stream, in order of time.
    """

    mel: FloatArray
    evidence: FloatArray
    joined: BoolArray
    other_song: BoolArray
    from_song: "np.ndarray[tuple[int], np.dtype[np.str_]]"
    to_song: "np.ndarray[tuple[int], np.dtype[np.str_]]"
    fold: IntArray
    condition: "np.ndarray[tuple[int], np.dtype[np.str_]]"
    transition: IntArray
    at_s: DoubleArray

    def __len__(self) -> int:
        return len(self.joined)

    def where(self, chosen: BoolArray) -> "Samples":
        """Return the chosen ones."""
        return Samples(**{name: getattr(self, name)[chosen] for name in self.__dataclass_fields__})

    @classmethod
    def joined_of(cls, parts: Iterable["Samples"]) -> "Samples":
        """Return all parts as one."""
        held = [part for part in parts if len(part)]
        columns = {
            name: np.concatenate([getattr(part, name) for part in held]) for name in cls.__dataclass_fields__
        }
        first, numbers = 0, []
        for part in held:
            numbers.append(part.transition + first)
            first += int(part.transition.max()) + 1
        return cls(**{**columns, "transition": np.concatenate(numbers)})


class Collector:
    """Turns windows into samples as they come."""

    def __init__(self, half_s: float) -> None:
        self._half_s = half_s
        self._seen: list[tuple[FloatArray, FloatArray]] = []
        self._rows: list[tuple[bool, bool, str, str]] = []
        self._at: list[tuple[int, float]] = []
        self.count = 0
        """Joins and places taken so far."""

    def take(self, window: Window) -> bool:
        """Take a join or a place, by every window that it is listened to by.

        Returns False, and takes nothing, where something else was joined within one of them.
        """
        place, rate_hz = window.boundary, window.rate_hz
        half = round(self._half_s * rate_hz)
        moments = moments_of(place, self._half_s, rate_hz).tolist()
        if not window.free_for(half - min(0, moments[0]), half + max(0, moments[-1])):
            return False
        for moment in moments:
            seen = around(window, self._half_s, moment)
            self._seen.append((paired(seen.mel).astype(np.float16), evidence(seen)))
            self._rows.append((place.joined, place.other_song, place.from_key[0], place.to_key[0]))
            self._at.append((self.count, (place.centre_frames + moment) / rate_hz))
        self.count += 1
        return True

    def samples(self, condition: str, fold: int) -> Samples:
        """Return what was taken."""
        count = len(self._rows)
        joined, other, from_song, to_song = zip(*self._rows, strict=True) if count else ((), (), (), ())
        return Samples(
            mel=np.array([mel for mel, _ in self._seen], dtype=np.float16),
            evidence=np.array([found for _, found in self._seen], dtype=np.float32),
            joined=np.array(joined, dtype=np.bool_),
            other_song=np.array(other, dtype=np.bool_),
            from_song=np.array(from_song, dtype=np.str_),
            to_song=np.array(to_song, dtype=np.str_),
            fold=np.full(count, fold, dtype=np.int64),
            condition=np.full(count, condition),
            transition=np.array([number for number, _ in self._at], dtype=np.int64),
            at_s=np.array([at_s for _, at_s in self._at], dtype=np.float64),
        )


def around(window: Window, half_s: float, moment: int = 0) -> Spectra:
    """Return the spectra of `half_s` on either side of the boundary, or of a place `moment` frames later."""
    half, middle = round(half_s * window.rate_hz), window.centre + moment
    return spectra(window.audio[middle - half : middle + half].mean(axis=1), window.rate_hz)


def paired(mel: FloatArray) -> FloatArray:
    """Return `(pairs, bands)` of `(frames, bands)`: the mean of every two frames, even about the middle."""
    half = len(mel) // 2 // 2 * 2
    part = mel[len(mel) // 2 - half : len(mel) // 2 + half]
    found: FloatArray = part.reshape(half, 2, -1).mean(axis=1)
    return found
