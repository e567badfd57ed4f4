"""A sample is a window as the detector learns it, with its features, label and songs."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from model.base.arrays import BoolArray, FloatArray, IntArray
from tools.quality.joins.evidence import evidence
from tools.quality.joins.spectra import Spectra, spectra
from tools.quality.joins.windows import Window


@dataclass(frozen=True, kw_only=True, eq=False)
class Samples:
    """`n` windows; song hashes as given.

    mel: `(n, frames, bands)` float16, dB. evidence: `(n, F)` float32. joined, other_song: `(n,)` bool.
    from_song, to_song: `(n,)` str. fold: `(n,)` int64. condition: `(n,)` str.
    """

    mel: FloatArray
    evidence: FloatArray
    joined: BoolArray
    other_song: BoolArray
    from_song: "np.ndarray[tuple[int], np.dtype[np.str_]]"
    to_song: "np.ndarray[tuple[int], np.dtype[np.str_]]"
    fold: IntArray
    condition: "np.ndarray[tuple[int], np.dtype[np.str_]]"

    def __len__(self) -> int:
        return len(self.joined)

    def where(self, chosen: BoolArray) -> "Samples":
        """Return the chosen ones."""
        return Samples(**{name: getattr(self, name)[chosen] for name in self.__dataclass_fields__})

    @classmethod
    def joined_of(cls, parts: Iterable["Samples"]) -> "Samples":
        """Return all parts as one."""
        held = [part for part in parts if len(part)]
        return cls(
            **{
                name: np.concatenate([getattr(part, name) for part in held])
                for name in cls.__dataclass_fields__
            }
        )


class Collector:
    """Turns windows into samples as they come."""

    def __init__(self, half_s: float) -> None:
        self._half_s = half_s
        self._seen: list[tuple[FloatArray, FloatArray]] = []
        self._rows: list[tuple[bool, bool, str, str]] = []

    @property
    def count(self) -> int:
        """Windows taken so far."""
        return len(self._rows)

    def add(self, window: Window) -> None:
        """Take one window."""
        seen = around(window, self._half_s)
        place = window.boundary
        self._seen.append((seen.mel.astype(np.float16), evidence(seen)))
        self._rows.append((place.joined, place.other_song, place.from_key[0], place.to_key[0]))

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
        )


def around(window: Window, half_s: float) -> Spectra:
    """Return the spectra of `half_s` on either side of the boundary."""
    half = round(half_s * window.rate_hz)
    return spectra(window.audio[window.centre - half : window.centre + half].mean(axis=1), window.rate_hz)
