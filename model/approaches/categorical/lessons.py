"""A class lesson makes transitions, classes and a walk of what approach `categorical` learns from."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Protocol

import numpy as np

from model.approaches.categorical.data import (
    Transitions,
    edge_transitions,
    entered_from,
    grid_transitions,
)
from model.approaches.categorical.groups import Groups
from model.approaches.categorical.networks import fast_classes, seed_classes
from model.approaches.categorical.settings import CategoricalSettings
from model.base.arrays import FloatArray, IntArray
from model.base.errors import ModelError
from model.features.edges import EDGE_RATE_HZ
from model.features.spectra import SPECTRAL_VERSION, SPECTRUM_FLOOR_DB, SPECTRUM_FRAMES
from model.learning.drawn_seams import Variation, draw_seams
from model.learning.edge_set import EdgeSet
from model.learning.lesson import Lesson
from model.learning.settings import MOST_CLASSES
from model.learning.song_set import GridArray, SongSet
from model.learning.song_sides import equal_chunks
from model.learning.successors import MEASURED_GAP_S
from model.learning.transitions import chunk_transitions, edge_levels, seam_levels
from model.saved.scoring import Features

SEED_EDGE_SAMPLES = 1000
"""The report's network sees 2,000 samples: so many of either side."""
BATCH_TRANSITIONS = 64
DRAWN_SONGS, DRAWN_PER_SONG = 12, 12
"""Songs in a batch of preset `fast`, and transitions drawn of each."""
DRAWN_BATCHES = 50
"""Batches in an epoch of preset `fast`: transitions are drawn anew for each, and songs are never used up."""
INDEX_EDGE_SAMPLES = 441
"""Edge length for the index, which falls back on edges without a score; preset `fast` sees spectra."""
MOST_IN_A_SET = 1_000
"""Chunks of each set of songs that are measured, at most."""
_CHUNK_S = 3.0
_SLICE = 64


class ClassLesson(Protocol):
    """What is learned from, and measured on."""

    features: Features
    edge_samples: int
    spectral_version: int | None
    classes: int
    walk: IntArray
    """The class of each transition of the reference songs, `(L,)` int64, from start to end."""
    train: Transitions
    unseen: Transitions | None
    epoch_examples: int
    batch_examples: int
    notes: list[str]
    """What is to be said of what is learned from."""

    def network(self) -> Any:
        """Return the Keras network, not compiled."""

    def batch(self, epoch: int, number: int) -> tuple[FloatArray, FloatArray]:
        """Return what is seen of some transitions, and `(n, K)` how much they belong to each class."""


def class_lesson(lesson: Lesson[Any, CategoricalSettings]) -> ClassLesson:
    """Return what a lesson's edges or songs teach; `ModelError` when there is too little of them."""
    if isinstance(lesson.train, EdgeSet):
        return _EdgeLesson(lesson)
    return _SongLesson(lesson)


class _EdgeLesson:
    """Every transition at a cut of the pool, as the report has it; the order is drawn for each epoch."""

    features: Features = "edges"
    edge_samples = SEED_EDGE_SAMPLES
    spectral_version: int | None = None
    batch_examples = BATCH_TRANSITIONS

    def __init__(self, lesson: Lesson[EdgeSet, CategoricalSettings]) -> None:
        edges, settings = lesson.train, lesson.settings
        self._seed = settings.seed
        for one in (edges, lesson.unseen):
            if one is not None:
                one.check_edge(self.edge_samples)
        everything = np.ones(len(edges), dtype=np.bool_)
        reference = everything if edges.reference is None else edges.reference
        # Songs are laid end to end, and the first chunk follows the last.
        before, after = chunk_transitions(edges.chunk_song, reference, wrap=True)
        groups = None
        self.classes, self.walk = len(after), np.arange(len(after))
        if settings.chosen_classes is not None:
            levels = edge_levels(edges, before, after)
            groups = Groups.of(levels, settings.chosen_classes, settings.seed)
            self.classes, self.walk = len(groups.centres), groups.nearest(levels)
        elif len(after) > MOST_CLASSES:
            raise ModelError(
                f"the reference songs have {len(after)} transitions, each a class, and a model has at most "
                f"{MOST_CLASSES}; name fewer songs with --reference, or group them with --classes"
            )
        self.learned, self.train = self._whole(edges, after, groups)
        self.unseen = None if lesson.unseen is None else self._measured(lesson.unseen, groups)
        self.epoch_examples = len(self.learned)
        short = int(np.count_nonzero(edges.chunk_samples < self.edge_samples))
        told = (
            f"{short} of the {len(edges)} chunks are shorter than the "
            f"{self.edge_samples / EDGE_RATE_HZ:.2f} s that the network sees of either side; "
            "they are filled up with silence"
        )
        self.notes = [told] if short else []
        # Batches are made ahead, so that two epochs are asked for by turns.
        self._order = lru_cache(maxsize=2)(self._draw_order)

    def network(self) -> Any:
        return seed_classes(self.edge_samples, self.classes)

    def batch(self, epoch: int, number: int) -> tuple[FloatArray, FloatArray]:
        rows = self._order(epoch)[number * self.batch_examples : (number + 1) * self.batch_examples]
        assert self.learned.labels is not None  # what is learned from has classes
        truth = np.eye(self.classes, dtype=np.float32)[self.learned.labels[rows]]
        return self.learned.look(self.learned.before[rows], rows), truth

    def _draw_order(self, epoch: int) -> IntArray:
        rng = np.random.default_rng([self._seed, 2, epoch])
        return rng.permutation(len(self.learned)).astype(np.int64)

    def _whole(
        self, edges: EdgeSet, after: IntArray, groups: Groups | None
    ) -> tuple[Transitions, Transitions]:
        """Return what is learned from, and what of it is measured."""
        if groups is None:
            # In the order of the reference each is entered from the one before, the first from the last.
            order = np.roll(np.arange(len(after)), 1)
            learned = edge_transitions(edges, self.edge_samples, after, order, self.walk)
            return learned, learned
        return self._sorted(edges, len(edges), groups), self._measured(edges, groups)

    def _measured(self, edges: EdgeSet, groups: Groups | None) -> Transitions:
        return self._sorted(edges, min(len(edges), MOST_IN_A_SET), groups)

    def _sorted(self, edges: EdgeSet, count: int, groups: Groups | None) -> Transitions:
        """Return the transitions into the first chunks, each within its song; of groups, with their own."""
        rows = np.arange(count)
        before = entered_from(edges.chunk_song[rows])
        labels = None if groups is None else groups.nearest(edge_levels(edges, before, rows))
        return edge_transitions(edges, self.edge_samples, rows, before, labels)


class _SongLesson:
    """Any place of the songs, varied, and grouped by its sound as the cuts of the reference songs are."""

    features: Features = "spectra"
    edge_samples = INDEX_EDGE_SAMPLES
    spectral_version: int | None = SPECTRAL_VERSION
    epoch_examples = DRAWN_BATCHES
    batch_examples = 1
    """The loss is a mean over a batch, however many transitions it has."""

    def __init__(self, lesson: Lesson[SongSet, CategoricalSettings]) -> None:
        songs, settings = lesson.train, lesson.settings
        self.notes: list[str] = []
        self._songs, self._seed = songs, settings.seed
        grids = [songs.grids[number] for number in songs.reference]
        spans = [songs.spans[number] for number in songs.reference]
        walked = grid_transitions(grids, spans, in_song=False)
        assert settings.chosen_classes is not None  # of this preset
        levels = _seen_levels(walked)
        self._groups = Groups.of(levels, settings.chosen_classes, settings.seed)
        # The transition into the first chunk, out of the last, is the last.
        self.classes, self.walk = len(self._groups.centres), np.roll(self._groups.nearest(levels), -1)
        self.train = self._measured(songs.grids)
        self.unseen = None if lesson.unseen is None else self._measured(lesson.unseen.grids)

    def network(self) -> Any:
        drawn = self._drawn(np.random.default_rng([self._seed, 1]))
        frames = drawn.reshape(-1, drawn.shape[2])
        frames = frames[(frames > SPECTRUM_FLOOR_DB).any(axis=1)]
        return fast_classes(self.classes, frames.mean(axis=0), frames.std(axis=0))

    def batch(self, epoch: int, number: int) -> tuple[FloatArray, FloatArray]:
        seen = self._drawn(np.random.default_rng([self._seed, 2, epoch, number]))
        return seen, self._groups.members(_levels_of(seen))

    def _drawn(self, rng: np.random.Generator) -> FloatArray:
        seams = draw_seams(
            self._songs.grids, rng, Variation(), songs=DRAWN_SONGS, seams_per_song=DRAWN_PER_SONG
        )
        return np.concatenate([seams.tails, seams.heads], axis=1)

    def _measured(self, grids: Sequence[GridArray]) -> Transitions:
        """Return equal chunks of songs, with a gap at both ends; of many songs the first ones of each."""
        most = max(4, MOST_IN_A_SET // max(1, len(grids)))
        spans = []
        for grid in grids:
            starts, ends, _ = equal_chunks(len(grid), _CHUNK_S, MEASURED_GAP_S)
            spans.append(np.stack([starts, ends], axis=1)[:most])
        found = grid_transitions(grids, spans)
        return Transitions(
            song=found.song,
            before=found.before,
            look=found.look,
            labels=self._groups.nearest(_seen_levels(found)),
        )


def _seen_levels(transitions: Transitions) -> FloatArray:
    rows = np.arange(len(transitions))
    found = [
        _levels_of(transitions.look(transitions.before[rows[row : row + _SLICE]], rows[row : row + _SLICE]))
        for row in range(0, len(rows), _SLICE)
    ]
    return np.concatenate(found)


def _levels_of(seen: FloatArray) -> FloatArray:
    return seam_levels(seen[:, :SPECTRUM_FRAMES], seen[:, SPECTRUM_FRAMES:])
