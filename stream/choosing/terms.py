"""The terms weigh a join beyond the model, by tempo, bar, key, level, voice and what really follows.

Every term is in log-odds and is added to the logit of the model's probability. What is not known costs
nothing. The term `next` is free knowledge of the engine: what really follows A (B should be like it), and
`before` what really precedes B (A should be like it); the crossfade uses both.
"""

import math
from dataclasses import dataclass, fields

import numpy as np

from model.base.arrays import FloatArray, IntArray
from model.base.errors import EndlosError
from model.base.kernels import kernel
from stream.choosing.generation import Generation
from stream.index.edge_index import NO_SUCCESSOR
from stream.index.vector_index import EmbeddingIndex
from stream.pool.traits import PITCH_CLASSES, ChunkTraits

COST_TERMS = (
    "tempo",
    "bar",
    "key",
    "chroma",
    "level",
    "voice",
    "next",
    "before",
    "next_bands",
    "before_bands",
    "rhythm",
    "tone",
)
"""The terms of a pair of chunks, in the order of the columns of `Costs.terms`."""
_TERMS = len(COST_TERMS)
CACHED_CHUNKS = 65_536
"""What a larger pool knows of its chunks is gathered for each shortlist anew."""
UNHEARD_LUFS = -69.0
"""At and below this loudness there is nothing whose level could jump."""
SEVENTH_SEMITONES = 7

# Columns of the sides of a chunk.
_TEMPO, _BEAT, _BAR_BEATS, _BAR, _PLACE, _LEVEL, _WHOLE, _FIFTH, _KEY, _VOICE, _CHROMA = range(11)
_WIDTH = _CHROMA + PITCH_CLASSES


@dataclass(frozen=True, kw_only=True)
class CostWeights:
    """How much each thing counts, in log-odds; all at least 0, and 0 leaves it out.

    Rhythm and tone outweigh the rest because detectors hear them first where two songs meet; what these hear
    of level, chroma and likeness to the real neighbours is little (docs/joins.md).
    """

    tempo: float = 0.8
    """For each percent of difference beyond `tempo_free_percent`."""
    tempo_free_percent: float = 1.5
    tempo_most: float = 8.0
    octave: float = 0.5
    """For half or double the tempo."""
    beatless: float = 1.0
    """For a beat that begins or ends with the join."""
    bar: float = 1.2
    """For another place in the bar, by a beat or more."""
    key: float = 0.3
    """For each step on the circle of fifths beyond the first."""
    chroma: float = 1.5
    """For pitch classes that have nothing in common."""
    level: float = 0.1
    """For each LU between the start and what really follows, beyond the first; half of it for each dB between
    the two chunks as a whole, and by which A ends quieter than it is, beyond `level_free_db`."""
    level_free_db: float = 3.0
    level_most: float = 5.0
    voice: float = 1.5
    """For a voice that is cut, at either side."""
    next: float = 1.0
    """For a start whose embedding has nothing in common with what really follows."""
    before: float = 0.5
    """For an end whose embedding has nothing in common with what really precedes."""
    next_bands: float = 0.03
    """For each dB of difference, over the bands, between the start and what really follows."""
    before_bands: float = 0.02
    """For each dB of difference, over the bands, between the end and what really precedes."""
    bands_most: float = 3.0
    rhythm: float = 5.5
    """For a rhythm that has nothing in common with the one before; twice that for its opposite."""
    tone: float = 0.25
    """For each dB of difference, over the bands of `model.features.texture`, between end and start."""
    hub: float = 0.5
    """For each log-odd by which a chunk is liked by all more than others are (`stream.scoring.hubs`)."""
    liked: float = 2.0
    """For a join that the listener liked."""
    coverage: float = 1.0
    """For each factor e by which a phrase was played more often than the mean."""
    coverage_most: float = 3.0
    due: float = 2.0
    """For each time that a phrase was played less often than the mean, but for the first; without bound."""

    def as_array(self) -> FloatArray:
        """Return the weights of pairs in the order in which the kernel takes them."""
        return np.array([getattr(self, name) for name in _KERNEL_WEIGHTS], dtype=np.float32)

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not (math.isfinite(value) and value >= 0):
                raise EndlosError(f"the weight {field.name} is {value:g}; give a number of 0 or more")


_KERNEL_WEIGHTS = (
    "tempo",
    "tempo_free_percent",
    "tempo_most",
    "octave",
    "beatless",
    "bar",
    "key",
    "chroma",
    "level",
    "level_most",
    "voice",
    "next",
    "before",
    "next_bands",
    "before_bands",
    "bands_most",
    "level_free_db",
    "rhythm",
    "tone",
)


class Costs:
    """The terms of joins between the chunks of one generation; any thread may ask."""

    def __init__(self, generation: Generation, weights: CostWeights) -> None:
        self._generation = generation
        self._weights = weights.as_array()
        levels = [song.loudness_lufs for song in generation.pool.songs]
        self._song_lufs = np.array(levels, dtype=np.float32)
        self._starts: FloatArray | None = None
        self._ends: FloatArray | None = None
        if len(generation.index) <= CACHED_CHUNKS:
            everything = np.arange(len(generation.index))
            self._starts, self._ends = self._start_sides(everything), self._end_sides(everything)
        bands, embeddings = generation.index.bands, generation.opened.vectors
        self._likeness = [_Likeness(bands)]
        if embeddings is not None:
            self._likeness.append(_Likeness(embeddings))

    def terms(self, exit_row: int, rows: IntArray) -> FloatArray:
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
        song = generation.index.song
        previous = np.maximum(rows - 1, 0)
        has_previous = (rows > 0) & (song[previous] == song[rows])
        likeness = np.zeros((len(rows), 6), dtype=np.float32)
        for kind, measure in enumerate(self._likeness):
            column = 2 if kind == 0 else 0
            if successor != NO_SUCCESSOR:
                likeness[:, column] = measure.starts(successor, rows, everything)
            before = measure.ends(exit_row, previous, everything)
            likeness[:, column + 1] = np.where(has_previous, before, np.float32(0.0))
        if generation.opened.textures is not None:
            likeness[:, 4:] = generation.opened.textures.distances(exit_row, rows)
        return _terms(end, following, successor != NO_SUCCESSOR, starts, likeness, self._weights)

    def _start_sides(self, rows: IntArray) -> FloatArray:
        pool = self._generation.pool
        traits = pool.traits.take(rows)
        sides = self._sides(rows, traits)
        sides[:, _PLACE] = traits.start_bar_beat
        sides[:, _LEVEL] = _levels(traits.start_lufs, self._song_lufs[pool.chunk_song[rows]])
        sides[:, _CHROMA:] = traits.start_chroma
        previous = np.maximum(rows - 1, 0)
        same = pool.chunk_song[previous] == pool.chunk_song[rows]
        sides[:, _VOICE] = np.where(same & (rows > 0), pool.traits.voice_across[previous], 0.0)
        return sides

    def _end_sides(self, rows: IntArray) -> FloatArray:
        pool = self._generation.pool
        traits = pool.traits.take(rows)
        sides = self._sides(rows, traits)
        sides[:, _PLACE] = traits.end_bar_beat
        sides[:, _LEVEL] = _levels(traits.end_lufs, self._song_lufs[pool.chunk_song[rows]])
        sides[:, _CHROMA:] = traits.end_chroma
        sides[:, _VOICE] = traits.voice_across
        return sides

    def _sides(self, rows: IntArray, traits: ChunkTraits) -> FloatArray:
        sides = np.empty((len(rows), _WIDTH), dtype=np.float32)
        tempo = traits.tempo_bpm
        sides[:, _TEMPO] = np.where(tempo > 0, np.log2(np.where(tempo > 0, tempo, 1.0)), np.nan)
        sides[:, _BEAT] = traits.beat_confidence
        pool = self._generation.pool
        sides[:, _WHOLE] = pool.loudness_db[rows] - self._song_lufs[pool.chunk_song[rows]]
        sides[:, _BAR_BEATS] = traits.beats_per_bar
        sides[:, _BAR] = traits.bar_confidence
        # A minor key stands on the circle of fifths where its relative major does.
        tonic = np.where(traits.key >= PITCH_CLASSES, traits.key + 3, traits.key) % PITCH_CLASSES
        fifth = tonic * SEVENTH_SEMITONES % PITCH_CLASSES
        sides[:, _FIFTH] = np.where(traits.key >= 0, fifth, np.nan)
        sides[:, _KEY] = traits.key_confidence
        return sides


class _Likeness:
    """How like each other starts are, and ends: at most 0, from band levels in dB, else from embeddings."""

    def __init__(self, index: EmbeddingIndex) -> None:
        self._cosine = index.metric == "dot"
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
        if self._cosine and len(index) <= CACHED_CHUNKS:
            self._lengths = {id(side): _lengths(side, None) for side in (self._starts, self._ends)}

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
        if not self._cosine:
            return found
        kept = self._lengths.get(id(index))
        if kept is not None:
            lengths, own = kept if rows is None else kept[rows], kept[row]
        else:
            lengths, own = _lengths(index, rows), _lengths(index, np.array([row]))[0]
        alike: FloatArray = found / np.maximum(lengths * own, np.float32(1e-9)) - np.float32(1.0)
        return alike


def _lengths(index: EmbeddingIndex, rows: IntArray | None) -> FloatArray:
    """Return the lengths of embeddings, `(n,)` float32."""
    values = index.successors if rows is None else index.successors[rows]
    scales = index.successor_scales if rows is None else index.successor_scales[rows]
    lengths: FloatArray = np.sqrt(np.einsum("ij,ij->i", values, values, dtype=np.float32)) * scales
    return lengths


def _levels(lufs: FloatArray, song_lufs: FloatArray) -> FloatArray:
    """Return levels as they are heard, songs being brought to one loudness; nan where nothing is heard."""
    return np.where(lufs > UNHEARD_LUFS, lufs - song_lufs, np.float32(np.nan))


@kernel
def _terms(
    end: FloatArray,
    following: FloatArray,
    follows: bool,
    starts: FloatArray,
    likeness: FloatArray,
    weights: FloatArray,
) -> FloatArray:
    count = len(starts)
    result = np.zeros((count, _TERMS), dtype=np.float32)
    w_tempo, tempo_free, tempo_most, w_octave = weights[0], weights[1], weights[2], weights[3]
    w_beatless, w_bar, w_key, w_chroma = weights[4], weights[5], weights[6], weights[7]
    w_level, level_most, w_voice, w_next = weights[8], weights[9], weights[10], weights[11]
    w_before, w_next_bands, w_before_bands, bands_most = weights[12], weights[13], weights[14], weights[15]
    level_free_db, w_rhythm, w_tone = weights[16], weights[17], weights[18]
    for row in range(count):
        start = starts[row]
        beat = min(end[_BEAT], start[_BEAT])
        if not np.isnan(end[_TEMPO]) and not np.isnan(start[_TEMPO]):
            octaves = abs(start[_TEMPO] - end[_TEMPO])
            folded = min(octaves, abs(octaves - 1.0))
            percent = 100.0 * (2.0**folded - 1.0)
            cost = min(tempo_most, w_tempo * max(0.0, percent - tempo_free))
            if folded < octaves:
                cost += w_octave
            result[row, 0] = -beat * cost
            bar_beats = end[_BAR_BEATS]
            if bar_beats > 0 and not np.isnan(end[_PLACE]) and not np.isnan(start[_PLACE]):
                off = (start[_PLACE] - end[_PLACE]) % bar_beats
                off = min(off, bar_beats - off)
                result[row, 1] = -w_bar * min(1.0, off) * min(end[_BAR], start[_BAR])
        elif not np.isnan(end[_TEMPO]) or not np.isnan(start[_TEMPO]):
            result[row, 0] = -w_beatless * max(end[_BEAT], start[_BEAT])
        if not np.isnan(end[_FIFTH]) and not np.isnan(start[_FIFTH]):
            steps = abs(end[_FIFTH] - start[_FIFTH])
            steps = min(steps, 12.0 - steps)
            result[row, 2] = -w_key * max(0.0, steps - 1.0) * min(end[_KEY], start[_KEY])
        # What really follows says best what is expected now; at the end of a song, how that sounds.
        expected = following if follows else end
        common, own, other = 0.0, 0.0, 0.0
        for tone in range(_CHROMA, _WIDTH):
            common += expected[tone] * start[tone]
            own += expected[tone] ** 2
            other += start[tone] ** 2
        if own > 0.0 and other > 0.0:
            result[row, 3] = -w_chroma * (1.0 - common)
        if not np.isnan(expected[_LEVEL]) and not np.isnan(start[_LEVEL]):
            apart = abs(expected[_LEVEL] - start[_LEVEL])
            level = w_level * max(0.0, apart - 1.0)
        else:
            level = 0.0
        level += 0.5 * w_level * max(0.0, abs(end[_WHOLE] - start[_WHOLE]) - level_free_db)
        if not np.isnan(end[_LEVEL]):
            level += 0.5 * w_level * max(0.0, end[_WHOLE] - end[_LEVEL] - level_free_db)
        result[row, 4] = -min(level_most, level)
        result[row, 5] = -w_voice * max(end[_VOICE], start[_VOICE])
        result[row, 6] = w_next * likeness[row, 0]
        result[row, 7] = w_before * likeness[row, 1]
        result[row, 8] = -min(bands_most, -w_next_bands * likeness[row, 2])
        result[row, 9] = -min(bands_most, -w_before_bands * likeness[row, 3])
        result[row, 10] = -w_rhythm * likeness[row, 4]
        result[row, 11] = -w_tone * likeness[row, 5]
    return result
