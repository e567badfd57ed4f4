"""The terms weigh a join beyond the model, by tempo, bar, key, level, voice and what really follows.

Into another song, tempo, key, level and voice are the door's (`stream.doors.estimate`).

Every term is in log-odds and is added to the logit of the model's probability. What is not known costs
nothing. The term `next` is free knowledge of the engine: what really follows A (B should be like it), and
`before` what really precedes B (A should be like it); the crossfade uses both.
"""

import logging
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from model.base.arrays import BoolArray, FloatArray, IntArray
from model.base.errors import PoolError
from model.base.kernels import kernel
from model.base.stored_rows import HELD_ROWS
from model.features.texture import DISTANCES
from stream.choosing.generation import Generation
from stream.choosing.weighing.kernel_weights import kernel_weights
from stream.choosing.weighing.side_likeness import SideLikeness
from stream.choosing.weighing.sides import SIDE, SIDE_WIDTH, ChunkSides
from stream.choosing.weighing.weights import CostWeights
from stream.doors.ranking import DoorRanking
from stream.index.edge_index import NO_SUCCESSOR

_log = logging.getLogger(__name__)


class CostTerms(NamedTuple):
    """The terms of a pair of chunks: of each its column in `Costs.terms`."""

    tempo: int
    bar: int
    key: int
    chroma: int
    level: int
    voice: int
    next: int
    before: int
    next_bands: int
    before_bands: int
    rhythm: int
    tone: int
    door: int


COST_TERMS = CostTerms._fields
_AT = CostTerms(*range(len(COST_TERMS)))
DOOR = _AT.door
"""The column of what a door is estimated to be worth."""
CACHED_CHUNKS = HELD_ROWS
"""What a larger pool knows of its chunks is gathered for each shortlist anew."""


class _Likeness(NamedTuple):
    """How like each other both sides of a join are: of each kind its column."""

    next: int
    before: int
    next_bands: int
    before_bands: int
    rhythm: int
    tone: int


_ALIKE = _Likeness(*range(len(_Likeness._fields)))


class Costs:
    """The terms of joins between the chunks of one generation; any thread may ask."""

    def __init__(self, generation: Generation, doors: DoorRanking | None = None) -> None:
        """doors: of this generation; None: a ranking of its own."""
        self._generation = generation
        self._doors = doors or DoorRanking(generation.pool)
        self._textures = generation.opened.textures
        self._sides = ChunkSides(generation.pool)
        self._starts: FloatArray | None = None
        self._ends: FloatArray | None = None
        if len(generation.index) <= CACHED_CHUNKS:
            everything = np.arange(len(generation.index))
            self._starts, self._ends = self._sides.starts(everything), self._sides.ends(everything)
        bands, embeddings = generation.index.bands, generation.opened.vectors
        self._bands = SideLikeness(bands)
        self._embeddings = None if embeddings is None else SideLikeness(embeddings)
        self._lost: list[object] = []
        """Of these, what cannot be read any more."""

    def terms(self, exit_row: int, rows: IntArray, weights: CostWeights) -> FloatArray:
        """Return `(n, len(COST_TERMS))` float32, at most 0: each of `rows` `(n,)` after `exit_row`.

        What is not known counts for nothing.
        """
        generation = self._generation
        successor = int(generation.index.successor[exit_row])
        everything = len(rows) == len(generation.index)
        if self._starts is not None and self._ends is not None:
            end, following = self._ends[exit_row], self._starts[max(successor, 0)]
            starts = self._starts if everything else self._starts[rows]
        else:
            end = self._sides.ends(np.array([exit_row]))[0]
            following = self._sides.starts(np.array([max(successor, 0)]))[0]
            starts = self._sides.starts(rows)
        alike = self._alike(exit_row, successor, rows, everything)
        song = generation.index.song
        other = (song if everything else song[rows]) != song[exit_row]
        doors = self._doors.worths(exit_row, rows)
        follows = successor != NO_SUCCESSOR
        return _terms(end, following, follows, starts, alike, other, doors, kernel_weights(weights))

    def _alike(self, exit_row: int, successor: int, rows: IntArray, everything: bool) -> FloatArray:
        """Return `(n, len(_ALIKE))` float32; 0 where nothing is known."""
        song = self._generation.index.song
        previous = np.maximum(rows - 1, 0)
        has_previous = (rows > 0) & (song[previous] == song[rows])
        alike = np.zeros((len(rows), len(_ALIKE)), dtype=np.float32)
        for measure, *names in (
            (self._bands, "next_bands", "before_bands"),
            (self._embeddings, "next", "before"),
        ):
            if measure is None or measure in self._lost:
                continue
            following, preceding = (_ALIKE._asdict()[name] for name in names)
            try:
                if successor != NO_SUCCESSOR:
                    alike[:, following] = measure.starts(successor, rows, everything)
                before = measure.ends(exit_row, previous, everything)
                alike[:, preceding] = np.where(has_previous, before, np.float32(0.0))
            except PoolError as error:
                self._lose(measure, names, error)
        if self._textures is not None and self._textures not in self._lost:
            columns = [_ALIKE._asdict()[name] for name in DISTANCES]
            try:
                alike[:, columns] = self._textures.distances(exit_row, rows)
            except PoolError as error:
                self._lose(self._textures, DISTANCES, error)
        return alike

    def _lose(self, measure: object, names: Sequence[str], error: PoolError) -> None:
        self._lost.append(measure)
        _log.warning("%s; until then %s count for nothing", error, " and ".join(names))


@kernel
def _terms(
    end: FloatArray,
    following: FloatArray,
    follows: bool,
    starts: FloatArray,
    alike: FloatArray,
    abroad: BoolArray,
    doors: FloatArray,
    weights: CostWeights,
) -> FloatArray:
    count = len(starts)
    result = np.zeros((count, len(_AT)), dtype=np.float32)
    for row in range(count):
        start = starts[row]
        beat = min(end[SIDE.beat], start[SIDE.beat])
        if not np.isnan(end[SIDE.tempo]) and not np.isnan(start[SIDE.tempo]):
            octaves = abs(start[SIDE.tempo] - end[SIDE.tempo])
            folded = min(octaves, abs(octaves - 1.0))
            percent = 100.0 * (2.0**folded - 1.0)
            cost = min(weights.tempo_most, weights.tempo * max(0.0, percent - weights.tempo_free_percent))
            if folded < octaves:
                cost += weights.octave
            result[row, _AT.tempo] = -beat * cost
            bar_beats = end[SIDE.bar_beats]
            if bar_beats > 0 and not np.isnan(end[SIDE.place]) and not np.isnan(start[SIDE.place]):
                off = (start[SIDE.place] - end[SIDE.place]) % bar_beats
                off = min(off, bar_beats - off)
                result[row, _AT.bar] = -weights.bar * min(1.0, off) * min(end[SIDE.bar], start[SIDE.bar])
        elif not np.isnan(end[SIDE.tempo]) or not np.isnan(start[SIDE.tempo]):
            result[row, _AT.tempo] = -weights.beatless * max(end[SIDE.beat], start[SIDE.beat])
        if not np.isnan(end[SIDE.fifth]) and not np.isnan(start[SIDE.fifth]):
            steps = abs(end[SIDE.fifth] - start[SIDE.fifth])
            steps = min(steps, 12.0 - steps)
            result[row, _AT.key] = -weights.key * max(0.0, steps - 1.0) * min(end[SIDE.key], start[SIDE.key])
        # What really follows says best what is expected now; at the end of a song, how that sounds.
        expected = following if follows else end
        common, own, other = 0.0, 0.0, 0.0
        for tone in range(SIDE.chroma, SIDE_WIDTH):
            common += expected[tone] * start[tone]
            own += expected[tone] ** 2
            other += start[tone] ** 2
        if own > 0.0 and other > 0.0:
            result[row, _AT.chroma] = -weights.chroma * (1.0 - common)
        if not np.isnan(expected[SIDE.level]) and not np.isnan(start[SIDE.level]):
            apart = abs(expected[SIDE.level] - start[SIDE.level])
            level = weights.level * max(0.0, apart - 1.0)
        else:
            level = 0.0
        level += (
            0.5 * weights.level * max(0.0, abs(end[SIDE.whole] - start[SIDE.whole]) - weights.level_free_db)
        )
        if not np.isnan(end[SIDE.level]):
            level += 0.5 * weights.level * max(0.0, end[SIDE.whole] - end[SIDE.level] - weights.level_free_db)
        result[row, _AT.level] = -min(weights.level_most, level)
        result[row, _AT.voice] = -weights.voice * max(end[SIDE.voice], start[SIDE.voice])
        result[row, _AT.next] = weights.next * alike[row, _ALIKE.next]
        result[row, _AT.before] = weights.before * alike[row, _ALIKE.before]
        result[row, _AT.next_bands] = -min(
            weights.bands_most, -weights.next_bands * alike[row, _ALIKE.next_bands]
        )
        result[row, _AT.before_bands] = -min(
            weights.bands_most, -weights.before_bands * alike[row, _ALIKE.before_bands]
        )
        result[row, _AT.rhythm] = -weights.rhythm * alike[row, _ALIKE.rhythm]
        result[row, _AT.tone] = -weights.tone * alike[row, _ALIKE.tone]
        if abroad[row]:
            result[row, _AT.tempo] = result[row, _AT.key] = result[row, _AT.level] = 0.0
            result[row, _AT.voice] = 0.0
            result[row, _AT.door] = weights.door * doors[row]
        for term in range(len(_AT)):
            # Damage leaves what is no number: that is not known.
            if not np.isfinite(result[row, term]):
                result[row, term] = 0.0
    return result
