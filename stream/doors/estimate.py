"""The estimate says of many doors at once what `stream.doors.judging` would make of each, roughly.

It looks at one number for each fact of a side (`stream.doors.facts`), where judging follows beats and bars
one by one; which of the best doors are as good as they seem is judged.
"""

import numpy as np

from model.base.arrays import FloatArray, IntArray
from model.base.kernels import kernel
from stream.doors.beat_match import FAR_TEMPO, FEW_BARS, MIDDLING_BARS, NEAR_TEMPO
from stream.doors.facts import FACT
from stream.doors.settings import DoorSettings
from stream.doors.side import SURE_BEAT
from stream.doors.worths import (
    BAR_WORTHS,
    FREE_STRETCH,
    LONG_FADE_S,
    NEARLY_OVER,
    OF_KEYS,
    OF_STRETCH,
    OF_UNMATCHED_BEATS,
    OF_UNSURE_BARS,
    OF_UNSURE_BEAT,
    PLAIN_WORTH,
    SHORT_WORTH,
    WELL_KNOWN_BEAT,
)

_MOST_STRETCH = DoorSettings.stretch
OCTAVE_WORTH = -0.3
"""Of a beat that meets every other beat."""
_BLEND_S = 16.0
_BLEND_BARS, _FEWEST_BARS = max(BAR_WORTHS), min(BAR_WORTHS)
_FEW_BARS_WORTH = -BAR_WORTHS[_FEWEST_BARS]
"""What the shortest blend is worth less than the longest."""
_BOTH_FULL, _BOTH_SING = 0.4, 2.5
_TANGENT = float(np.log(2.0))
_ROUNDED = 1e-5
"""More than what rounding makes of any worth."""
_LEVEL_FREE_LU, _LEVEL_MOST_LU, _OF_LEVEL = 4.0, 20.0, 0.08


def door_worths(leaving: FloatArray, entering: FloatArray) -> FloatArray:
    """Return `(n,)` float32, at most 0, in log-odds: what a door is worth from one exit to each entry.

    leaving: `(len(FACT),)`, entering: `(n, len(FACT))` float32. Within a song there are no doors: 0.
    """
    return _worths(leaving, entering)


def best_doors(leaving: FloatArray, entering: FloatArray, count: int) -> tuple[FloatArray, IntArray]:
    """Return worths, `(m, count)` float32, and places in `entering`, int64: of each exit the best doors.

    leaving: `(m, len(FACT))`; entering: `(n, len(FACT))`, songs in a row; of each song there is one entry at
    most, the best. Best first; where there are fewer, the worth is `-inf` and the place -1.
    """
    return _best(leaving, entering, count)


@kernel
def _worth(a: FloatArray, b: FloatArray) -> np.float64:
    if a[FACT.song] == b[FACT.song]:
        return np.float64(0.0)
    both_known = not np.isnan(a[FACT.tempo]) and not np.isnan(b[FACT.tempo])
    beat = min(a[FACT.beat], b[FACT.beat])
    left_s = min(a[FACT.left_s], 0.5 * b[FACT.left_s])
    worth = SHORT_WORTH + (PLAIN_WORTH - SHORT_WORTH) * min(1.0, left_s / LONG_FADE_S)
    worth -= _together(a, b, min(LONG_FADE_S, left_s))
    if both_known:
        worth -= OF_UNMATCHED_BEATS * beat
    metres = a[FACT.metre] > 0 and b[FACT.metre] > 0 and a[FACT.metre] != b[FACT.metre]
    if both_known and beat >= SURE_BEAT and not metres:
        octaves = abs(a[FACT.tempo] - b[FACT.tempo])
        folded = min(octaves, abs(octaves - 1.0))
        apart = 2.0**folded - 1.0
        bars = left_s * 2.0 ** b[FACT.tempo] / 60.0 / max(4.0, b[FACT.metre])
        bars = min(bars, min(a[FACT.bars], b[FACT.bars]))
        if apart <= _MOST_STRETCH and bars >= _FEWEST_BARS:
            if apart > NEAR_TEMPO:
                bars = min(bars, float(FEW_BARS if apart > FAR_TEMPO else MIDDLING_BARS))
            blend = -OF_STRETCH * max(0.0, apart - FREE_STRETCH)
            blend -= _FEW_BARS_WORTH * max(0.0, 1.0 - bars / _BLEND_BARS)
            blend -= OF_UNSURE_BARS * max(0.0, 1.0 - 2.0 * min(a[FACT.bar], b[FACT.bar]))
            blend -= OF_UNSURE_BEAT * max(0.0, WELL_KNOWN_BEAT - beat)
            blend -= _together(a, b, min(_BLEND_S, left_s))
            if folded < octaves:
                blend += OCTAVE_WORTH
            worth = max(worth, blend)
    worth -= NEARLY_OVER * (1.0 - b[FACT.room])
    if not np.isnan(a[FACT.level]) and not np.isnan(b[FACT.level]):
        levels = min(_LEVEL_MOST_LU, abs(a[FACT.level] - b[FACT.level]))
        worth -= _OF_LEVEL * max(0.0, levels - _LEVEL_FREE_LU)
    return np.float64(worth)


@kernel
def _together(a: FloatArray, b: FloatArray, together_s: float) -> float:
    """Return what it costs that two songs sound at the same time for so long."""
    share = together_s / _BLEND_S
    cost: float = _BOTH_FULL * share * a[FACT.full] * b[FACT.full]
    cost += _BOTH_SING * share * a[FACT.voice] * b[FACT.voice]
    if not np.isnan(a[FACT.fifth]) and not np.isnan(b[FACT.fifth]):
        steps = abs(a[FACT.fifth] - b[FACT.fifth])
        if min(steps, 12.0 - steps) > 1.0:
            cost += OF_KEYS * min(1.0, together_s / 8.0) * min(a[FACT.key], b[FACT.key])
    return float(cost)


@kernel
def _worths(leaving: FloatArray, entering: FloatArray) -> FloatArray:
    result = np.empty(len(entering), dtype=np.float32)
    for place in range(len(entering)):
        result[place] = _worth(leaving, entering[place])
    return result


@kernel
def _most_worths(a: FloatArray, entering: FloatArray, most: FloatArray) -> None:
    """Fill `most` `(n,)` with what `_worth` is at most from `a` to entries `(len(FACT), n)` of other songs.

    Without powers, and without branches that would keep a processor from taking many at once.
    """
    for place in range(len(most)):
        left_s = min(a[FACT.left_s], 0.5 * entering[FACT.left_s, place])
        octaves = abs(a[FACT.tempo] - entering[FACT.tempo, place])
        # A power of two lies above its tangent at 1.
        apart = _TANGENT * min(octaves, abs(octaves - 1.0))
        together = _BOTH_FULL * a[FACT.full] * entering[FACT.full, place]
        together += _BOTH_SING * a[FACT.voice] * entering[FACT.voice, place]
        fades_s = min(LONG_FADE_S, left_s)
        worth = SHORT_WORTH + (PLAIN_WORTH - SHORT_WORTH) * (fades_s / LONG_FADE_S)
        worth -= fades_s / _BLEND_S * together
        blend = -OF_STRETCH * max(0.0, apart - FREE_STRETCH) - min(_BLEND_S, left_s) / _BLEND_S * together
        sure = min(a[FACT.beat], entering[FACT.beat, place]) >= SURE_BEAT and apart <= _MOST_STRETCH
        worth = max(worth, blend) if sure else worth
        levels = abs(a[FACT.level] - entering[FACT.level, place])
        over_lu = max(0.0, min(_LEVEL_MOST_LU, levels) - _LEVEL_FREE_LU)
        worth -= _OF_LEVEL * over_lu if levels == levels else 0.0
        most[place] = worth - NEARLY_OVER * (1.0 - entering[FACT.room, place]) + _ROUNDED


@kernel
def _best(leaving: FloatArray, entering: FloatArray, count: int) -> tuple[FloatArray, IntArray]:
    worths = np.full((len(leaving), count), -np.inf, dtype=np.float32)
    places = np.full((len(leaving), count), -1, dtype=np.int64)
    by_fact = np.ascontiguousarray(entering.T)
    most = np.empty(len(entering), dtype=np.float32)
    for exit_place in range(len(leaving)):
        a, mine, where = leaving[exit_place], worths[exit_place], places[exit_place]
        _most_worths(a, by_fact, most)
        sure = _sure_worth(leaving, entering, places, exit_place)
        place = 0
        while place < len(entering):
            # What cannot be among the best need not be reckoned.
            least = max(sure, mine[count - 1])
            if not most[place] > least:
                place += 1
                continue
            song = entering[place, FACT.song]
            best, at = -np.inf, -1
            while place < len(entering) and entering[place, FACT.song] == song:
                if song != a[FACT.song] and most[place] > max(best, least):
                    worth = _worth(a, entering[place])
                    if worth > best:
                        best, at = worth, place
                place += 1
            if at < 0 or not best > mine[count - 1]:
                continue
            slot = count - 1
            while slot > 0 and mine[slot - 1] < best:
                mine[slot], where[slot] = mine[slot - 1], where[slot - 1]
                slot -= 1
            mine[slot], where[slot] = best, at
    return worths, places


@kernel
def _sure_worth(leaving: FloatArray, entering: FloatArray, places: IntArray, exit_place: int) -> float:
    """Return what the best doors of an exit are worth at least: it has those of the exit before, too."""
    least = np.inf if exit_place > 0 else -np.inf
    for place in places[exit_place - 1]:
        if place < 0 or entering[place, FACT.song] == leaving[exit_place, FACT.song]:
            return -np.inf
        least = min(least, _worth(leaving[exit_place], entering[place]))
    return float(least - _ROUNDED)
