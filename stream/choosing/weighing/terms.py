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
from stream.choosing.weighing.weights import CostWeights
from stream.doors.ranking import DoorRanking
from stream.index.edge_index import NO_SUCCESSOR
from stream.index.metrics import METRICS
from stream.index.vector_index import EmbeddingIndex
from stream.pool.traits import PITCH_CLASSES

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
CACHED_CHUNKS = HELD_ROWS
"""What a larger pool knows of its chunks is gathered for each shortlist anew."""
UNHEARD_LUFS = -69.0
"""At and below this loudness there is nothing whose level could jump."""
SEVENTH_SEMITONES = 7

# Columns of the sides of a chunk.
_TEMPO, _BEAT, _BAR_BEATS, _BAR, _PLACE, _LEVEL, _WHOLE, _FIFTH, _KEY, _VOICE, _CHROMA = range(11)
_WIDTH = _CHROMA + PITCH_CLASSES


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
        self._song_lufs = generation.pool.songs.numbers("loudness_lufs").astype(np.float32)
        self._starts: FloatArray | None = None
        self._ends: FloatArray | None = None
        if len(generation.index) <= CACHED_CHUNKS:
            everything = np.arange(len(generation.index))
            self._starts, self._ends = self._start_sides(everything), self._end_sides(everything)
        bands, embeddings = generation.index.bands, generation.opened.vectors
        self._bands = _SideIndex(bands)
        self._embeddings = None if embeddings is None else _SideIndex(embeddings)
        self._lost: list[object] = []
        """Of these, what cannot be read any more."""

    def terms(self, exit_row: int, rows: IntArray, weights: CostWeights) -> FloatArray:
        """Return `(n, len(COST_TERMS))` float32, at most 0: each of `rows` `(n,)` after `exit_row`."""
        generation = self._generation
        successor = int(generation.index.successor[exit_row])
        everything = len(rows) == len(generation.index)
        if self._starts is not None and self._ends is not None:
            end, following = self._ends[exit_row], self._starts[max(successor, 0)]
            starts = self._starts if everything else self._starts[rows]
        else:
            end = self._end_sides(np.array([exit_row]))[0]
            following = self._start_sides(np.array([max(successor, 0)]))[0]
            starts = self._start_sides(rows)
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

    def _start_sides(self, rows: IntArray) -> FloatArray:
        pool = self._generation.pool
        traits = pool.traits
        sides = self._sides(rows)
        sides[:, _PLACE] = traits.of("start_bar_beat", rows)
        sides[:, _LEVEL] = _levels(traits.of("start_lufs", rows), self._song_lufs[pool.chunk_song[rows]])
        sides[:, _CHROMA:] = traits.of("start_chroma", rows)
        previous = np.maximum(rows - 1, 0)
        same = pool.chunk_song[previous] == pool.chunk_song[rows]
        sides[:, _VOICE] = np.where(same & (rows > 0), traits.of("voice_across", previous), 0.0)
        return sides

    def _end_sides(self, rows: IntArray) -> FloatArray:
        pool = self._generation.pool
        traits = pool.traits
        sides = self._sides(rows)
        sides[:, _PLACE] = traits.of("end_bar_beat", rows)
        sides[:, _LEVEL] = _levels(traits.of("end_lufs", rows), self._song_lufs[pool.chunk_song[rows]])
        sides[:, _CHROMA:] = traits.of("end_chroma", rows)
        sides[:, _VOICE] = traits.of("voice_across", rows)
        return sides

    def _sides(self, rows: IntArray) -> FloatArray:
        pool = self._generation.pool
        sides = np.empty((len(rows), _WIDTH), dtype=np.float32)
        tempo, key = pool.traits.of("tempo_bpm", rows), pool.traits.of("key", rows)
        sides[:, _TEMPO] = np.where(tempo > 0, np.log2(np.where(tempo > 0, tempo, 1.0)), np.nan)
        sides[:, _BEAT] = pool.traits.of("beat_confidence", rows)
        sides[:, _WHOLE] = pool.loudness_db[rows] - self._song_lufs[pool.chunk_song[rows]]
        sides[:, _BAR_BEATS] = pool.traits.of("beats_per_bar", rows)
        sides[:, _BAR] = pool.traits.of("bar_confidence", rows)
        # A minor key stands on the circle of fifths where its relative major does.
        tonic = np.where(key >= PITCH_CLASSES, key + 3, key) % PITCH_CLASSES
        sides[:, _FIFTH] = np.where(key >= 0, tonic * SEVENTH_SEMITONES % PITCH_CLASSES, np.nan)
        sides[:, _KEY] = pool.traits.of("key_confidence", rows)
        return sides


class _SideIndex:
    """How like each other starts are, and ends: at most 0, from band levels in dB, else from embeddings."""

    def __init__(self, index: EmbeddingIndex) -> None:
        self._starts = EmbeddingIndex(
            metric=index.metric,
            width=index.width,
            key=index.key,
            predecessors=index.successors,
            predecessor_scales=index.successor_scales,
            successors=index.successors,
            successor_scales=index.successor_scales,
        )
        self._ends = EmbeddingIndex(
            metric=index.metric,
            width=index.width,
            key=index.key,
            predecessors=index.predecessors,
            predecessor_scales=index.predecessor_scales,
            successors=index.predecessors,
            successor_scales=index.predecessor_scales,
        )
        self._lengths: dict[int, FloatArray] = {}
        if len(index) <= CACHED_CHUNKS:
            for side in (self._starts, self._ends):
                lengths = side.lengths()
                if lengths is not None:
                    self._lengths[id(side)] = lengths

    def starts(self, row: int, rows: IntArray, everything: bool) -> FloatArray:
        """Return `(n,)`: the start of `row` against the starts of `rows`."""
        return self._alike(self._starts, row, None if everything else rows)

    def ends(self, row: int, rows: IntArray, everything: bool) -> FloatArray:
        """Return `(n,)`: the end of `row` against the ends of `rows`."""
        if everything:
            return self._alike(self._ends, row, None)[rows]
        return self._alike(self._ends, row, rows)

    def _alike(self, index: EmbeddingIndex, row: int, rows: IntArray | None) -> FloatArray:
        found = index.scores(row, rows)
        if METRICS[index.metric].logarithmic:
            np.exp(found, out=found)
        kept = self._lengths.get(id(index))
        if kept is not None:
            lengths, own = kept if rows is None else kept[rows], kept[row]
        else:
            these, this = index.lengths(rows), index.lengths(np.array([row]))
            if these is None or this is None:
                return found
            lengths, own = these, this[0]
        alike: FloatArray = found / np.maximum(lengths * own, np.float32(1e-9)) - np.float32(1.0)
        return alike


def _levels(lufs: FloatArray, song_lufs: FloatArray) -> FloatArray:
    """Return levels as they are heard, songs being brought to one loudness; nan where nothing is heard."""
    return np.where(lufs > UNHEARD_LUFS, lufs - song_lufs, np.float32(np.nan))


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
        beat = min(end[_BEAT], start[_BEAT])
        if not np.isnan(end[_TEMPO]) and not np.isnan(start[_TEMPO]):
            octaves = abs(start[_TEMPO] - end[_TEMPO])
            folded = min(octaves, abs(octaves - 1.0))
            percent = 100.0 * (2.0**folded - 1.0)
            cost = min(weights.tempo_most, weights.tempo * max(0.0, percent - weights.tempo_free_percent))
            if folded < octaves:
                cost += weights.octave
            result[row, _AT.tempo] = -beat * cost
            bar_beats = end[_BAR_BEATS]
            if bar_beats > 0 and not np.isnan(end[_PLACE]) and not np.isnan(start[_PLACE]):
                off = (start[_PLACE] - end[_PLACE]) % bar_beats
                off = min(off, bar_beats - off)
                result[row, _AT.bar] = -weights.bar * min(1.0, off) * min(end[_BAR], start[_BAR])
        elif not np.isnan(end[_TEMPO]) or not np.isnan(start[_TEMPO]):
            result[row, _AT.tempo] = -weights.beatless * max(end[_BEAT], start[_BEAT])
        if not np.isnan(end[_FIFTH]) and not np.isnan(start[_FIFTH]):
            steps = abs(end[_FIFTH] - start[_FIFTH])
            steps = min(steps, 12.0 - steps)
            result[row, _AT.key] = -weights.key * max(0.0, steps - 1.0) * min(end[_KEY], start[_KEY])
        # What really follows says best what is expected now; at the end of a song, how that sounds.
        expected = following if follows else end
        common, own, other = 0.0, 0.0, 0.0
        for tone in range(_CHROMA, _WIDTH):
            common += expected[tone] * start[tone]
            own += expected[tone] ** 2
            other += start[tone] ** 2
        if own > 0.0 and other > 0.0:
            result[row, _AT.chroma] = -weights.chroma * (1.0 - common)
        if not np.isnan(expected[_LEVEL]) and not np.isnan(start[_LEVEL]):
            apart = abs(expected[_LEVEL] - start[_LEVEL])
            level = weights.level * max(0.0, apart - 1.0)
        else:
            level = 0.0
        level += 0.5 * weights.level * max(0.0, abs(end[_WHOLE] - start[_WHOLE]) - weights.level_free_db)
        if not np.isnan(end[_LEVEL]):
            level += 0.5 * weights.level * max(0.0, end[_WHOLE] - end[_LEVEL] - weights.level_free_db)
        result[row, _AT.level] = -min(weights.level_most, level)
        result[row, _AT.voice] = -weights.voice * max(end[_VOICE], start[_VOICE])
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
    return result
