"""The truth of a stretch of music says when its beats are and which of them begin a bar."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from model.base.arrays import DoubleArray, IntArray
from model.base.errors import EndlosError

TRUTH_SUFFIX = ".beats"
UNKNOWN_PLACE = "?"


@dataclass(frozen=True, kw_only=True, eq=False)
class BeatTruth:
    """Beats of a song, or of some stretches of it.

    times_s: `(beats,)` float64, rising, in seconds from the song's first sample. positions: `(beats,)` int64,
    place of each in its bar, 0 on a downbeat; all -1 where only beats are known.
    """

    times_s: DoubleArray
    positions: IntArray
    stretches_s: tuple[tuple[float, float], ...]
    """From when to when the truth is known; outside of them nothing is asked."""
    bar_beats: int = 0
    """Beats to a bar; 0 where that is not known."""
    thirds: bool = False
    """Whether a beat falls into three (6/8): three times its tempo is a level of the metre, too."""


def read_truth(path: Path) -> BeatTruth:
    """Read a file of beats; `EndlosError` where it is none.

    Text: `#` begins a remark; each line has a time in seconds and a place in the bar from 1, or `?` on all
    lines; an empty line ends a stretch.
    """
    times_s: list[float] = []
    positions: list[int] = []
    stretches: list[list[float]] = [[]]
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise EndlosError(f"{path} cannot be read as a list of beats ({error})") from error
    for number, line in enumerate(lines, 1):
        words, _, remark = line.partition("#")
        if not words.strip():
            if not remark:
                stretches.append([])
            continue
        try:
            time, place = words.split()
            time_s, position = float(time), (-1 if place == UNKNOWN_PLACE else int(place) - 1)
        except ValueError as error:
            raise EndlosError(
                f"{path}, line {number}: expected a time in s and a place in the bar"
            ) from error
        if (place != UNKNOWN_PLACE and position < 0) or (times_s and time_s <= times_s[-1]):
            raise EndlosError(f"{path}, line {number}: times rise, and places in the bar count from 1")
        times_s.append(time_s)
        positions.append(position)
        stretches[-1].append(time_s)
    if not times_s:
        raise EndlosError(f"{path} names no beat")
    places = np.array(positions, dtype=np.int64)
    return BeatTruth(
        times_s=np.array(times_s),
        positions=places,
        stretches_s=tuple((beats[0], beats[-1]) for beats in stretches if len(beats) > 1),
        bar_beats=max(0, int(places.max()) + 1),
    )
