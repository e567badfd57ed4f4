"""Approach `start-end` learns from the transitions of edges, or from seams drawn anywhere in songs."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import numpy as np

from model.approaches.start_end.networks import StartEndNetworks, edge_networks, spectral_networks
from model.approaches.start_end.settings import StartEndSettings
from model.base.arrays import FloatArray, IntArray
from model.features.edges import EDGE_RATE_HZ
from model.learning.drawn_seams import Variation, draw_seams
from model.learning.edge_set import EdgeSet
from model.learning.lesson import Lesson
from model.learning.pairs import song_bounds
from model.learning.song_set import GridArray, SongSet
from model.learning.song_sides import equal_chunks, level_statistics, sides
from model.learning.successors import MEASURED_GAP_S
from model.learning.transitions import (
    TransitionClasses,
    chunk_transitions,
    edge_classes,
    edge_levels,
    nearest_centres,
    seam_levels,
    song_classes,
)

SAMPLED_CHUNKS = 512
"""Chunks of a set that is measured on, at most, in whole songs."""
_CHUNK_S = 3.0
_SECOND_CHANNEL = 1


@dataclass(frozen=True, kw_only=True, eq=False)
class MeasuredChunks:
    """Chunks of some songs, in their order, and the classes of the seams between them."""

    tails: FloatArray
    """`(N, *seen shape)` float32."""
    heads: FloatArray
    song: IntArray
    """`(N,)`, chunks of one number follow each other."""
    labels: IntArray | None
    """Class of each seam, in order: between a chunk and the next of its song. None: they are of no class."""


class Material(Protocol):
    """What is learned from, whatever is seen of it."""

    classes: TransitionClasses
    epoch_examples: int
    batch_examples: int
    notes: list[str]

    def networks(self) -> StartEndNetworks:
        """Return networks that have not learned anything."""

    def batch(self, step: int) -> tuple[list[FloatArray], IntArray]:
        """Return [tails, heads], `(n, 2)` classes of ends and of starts: a function of seed and step."""

    def measured(self) -> dict[str, MeasuredChunks]:
        """Return what is measured on, by the name of the set."""


class EdgeTransitions:
    """Transitions of chunks as the pool has them, seen as edges: the report's manner."""

    def __init__(self, lesson: Lesson[EdgeSet, StartEndSettings], training: str, second: str) -> None:
        self.lesson, self.names = lesson, (training, second)
        settings, train = lesson.settings, lesson.train
        self.samples = settings.chosen_edge_samples
        for edges in (train, lesson.unseen):
            if edges is not None:
                edges.check_edge(self.samples)
        self.classes = edge_classes(train, settings.chosen_classes, wrap=False, seed=settings.seed)
        self.before, self.after, labels = self.seams(train)
        assert labels is not None  # each transition of the training songs is of a class
        self.labels = labels
        self.epoch_examples, self.batch_examples = len(labels), settings.defaults.batch_size
        short, seen_s = int((train.chunk_samples < self.samples).sum()), self.samples / EDGE_RATE_HZ
        self.notes = []
        if short:
            self.notes.append(
                f"{short} of {len(train)} chunks are shorter than the {seen_s:.2f} s that are seen of each: "
                "they are filled up with silence on the far side"
            )
        # Batches are made ahead, so that two epochs are asked for by turns.
        self.order = lru_cache(maxsize=2)(self.drawn_order)

    def networks(self) -> StartEndNetworks:
        """As `Material.networks`."""
        return edge_networks(self.samples, self.classes.count)

    def seams(self, edges: EdgeSet) -> tuple[IntArray, IntArray, IntArray | None]:
        """Return all transitions of an edge set, and their classes where they are of one."""
        before, after = chunk_transitions(edges.chunk_song, np.ones(len(edges), dtype=np.bool_), wrap=False)
        if self.classes.centres is not None:
            return before, after, nearest_centres(edge_levels(edges, before, after), self.classes.centres)
        return before, after, self.classes.labels if edges is self.lesson.train else None

    def seen(self, edges: EdgeSet, rows: IntArray, channel: int = 0) -> tuple[FloatArray, FloatArray]:
        """Return tails and heads of some chunks."""
        tails = edges.tails_of(rows, channel)[:, edges.ceiling_samples - self.samples :]
        return tails[:, :, None], edges.heads_of(rows, channel)[:, : self.samples, None]

    def drawn_order(self, epoch: int) -> IntArray:
        """Return the order of the transitions in an epoch."""
        return np.random.default_rng([self.lesson.settings.seed, 1, epoch]).permutation(len(self.labels))

    def batch(self, step: int) -> tuple[list[FloatArray], IntArray]:
        """As `Material.batch`."""
        epoch, number = divmod(step, -(-self.epoch_examples // self.batch_examples))
        rows = self.order(epoch)[number * self.batch_examples :][: self.batch_examples]
        tails, _ = self.seen(self.lesson.train, self.before[rows])
        _, heads = self.seen(self.lesson.train, self.after[rows])
        return [tails, heads], np.stack([self.labels[rows]] * 2, axis=1)

    def measured(self) -> dict[str, MeasuredChunks]:
        """As `Material.measured`."""
        training, second = self.names
        found = {
            training: self.chunks(self.lesson.train),
            second: self.chunks(self.lesson.train, _SECOND_CHANNEL),
        }
        unseen = self.lesson.unseen
        if unseen is not None and (np.diff(unseen.chunk_song) == 0).any():
            found[self.lesson.unseen_name] = self.chunks(unseen)
        return found

    def chunks(self, edges: EdgeSet, channel: int = 0) -> MeasuredChunks:
        """Return the first songs of an edge set, `SAMPLED_CHUNKS` chunks at most."""
        _, stop = song_bounds(edges.chunk_song)
        rows = np.arange(len(edges))[: int(max(stop[0], stop[stop <= SAMPLED_CHUNKS].max(initial=0)))]
        tails, heads = self.seen(edges, rows, channel)
        before, _, labels = self.seams(edges)
        return MeasuredChunks(
            tails=tails,
            heads=heads,
            song=edges.chunk_song[rows],
            labels=None if labels is None else labels[before < len(rows)],
        )


class DrawnSeams:
    """Seams anywhere in songs, seen as spectra; each belongs to the group that is nearest."""

    def __init__(self, lesson: Lesson[SongSet, StartEndSettings], training: str) -> None:
        self.lesson, self.training = lesson, training
        settings, defaults = lesson.settings, lesson.settings.defaults
        self.classes = song_classes(lesson.train, settings.chosen_classes, wrap=False, seed=settings.seed)
        # The loss is a mean over a batch, however many seams it has.
        self.epoch_examples, self.batch_examples = defaults.steps_per_epoch, 1
        self.notes: list[str] = []

    def networks(self) -> StartEndNetworks:
        """As `Material.networks`."""
        rng = np.random.default_rng([self.lesson.settings.seed, 1])
        return spectral_networks(self.classes.count, *level_statistics(self.lesson.train.grids, rng))

    def labelled(self, tails: FloatArray, heads: FloatArray) -> IntArray:
        """Return the class of each seam."""
        assert self.classes.centres is not None  # the preset has groups
        return nearest_centres(seam_levels(tails, heads), self.classes.centres)

    def batch(self, step: int) -> tuple[list[FloatArray], IntArray]:
        """As `Material.batch`."""
        defaults = self.lesson.settings.defaults
        seams = draw_seams(
            self.lesson.train.grids,
            np.random.default_rng([self.lesson.settings.seed, 2, step]),
            Variation(),
            songs=defaults.songs,
            seams_per_song=defaults.seams_per_song,
        )
        labels = self.labelled(seams.tails, seams.heads)
        return [seams.tails, seams.heads], np.stack([labels] * 2, axis=1)

    def measured(self) -> dict[str, MeasuredChunks]:
        """As `Material.measured`."""
        sets = {self.training: self.lesson.train, self.lesson.unseen_name: self.lesson.unseen}
        return {name: self.chunks(songs.grids) for name, songs in sets.items() if songs is not None}

    def chunks(self, grids: Sequence[GridArray]) -> MeasuredChunks:
        """Return the first chunks of songs, `SAMPLED_CHUNKS` in all or 4 of each, a gap beside each cut."""
        most = max(4, SAMPLED_CHUNKS // max(1, len(grids)))
        cuts = [
            [values[:most] for values in equal_chunks(len(grid), _CHUNK_S, MEASURED_GAP_S)] for grid in grids
        ]
        tails = _read(grids, [(ends, lengths) for _, ends, lengths in cuts], tail=True)
        heads = _read(grids, [(starts, lengths) for starts, _, lengths in cuts], tail=False)
        song = np.repeat(np.arange(len(grids)), [len(starts) for starts, _, _ in cuts])
        rows = np.flatnonzero(song[:-1] == song[1:])
        return MeasuredChunks(
            tails=tails, heads=heads, song=song, labels=self.labelled(tails[rows], heads[rows + 1])
        )


def _read(grids: Sequence[GridArray], cuts: Sequence[tuple[IntArray, IntArray]], *, tail: bool) -> FloatArray:
    return np.concatenate(
        [sides(grid, at, lengths, tail=tail) for grid, (at, lengths) in zip(grids, cuts, strict=True)]
    )
