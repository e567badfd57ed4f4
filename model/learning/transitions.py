"""The transitions of reference songs are the classes that ends and starts are sorted into, or are grouped."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from model.base.arrays import BoolArray, FloatArray, IntArray
from model.base.errors import ModelError
from model.base.kernels import kernel
from model.features.spectra import MEL_BANDS, SPECTRUM_FLOOR_DB
from model.learning.edge_set import EdgeSet
from model.learning.song_set import SongSet
from model.learning.song_sides import sides

AnySpectra = npt.NDArray[np.floating]

_FLOOR_DB = -80.0
"""What is softer than this is nobody's: dither, codec noise."""
_SLICE = 256


@dataclass(frozen=True, kw_only=True, eq=False)
class TransitionClasses:
    """The class of each transition of the reference, and what the classes are where several share one."""

    labels: IntArray
    """`(n,)` int64, in the order of the reference songs: the way that a walk through the classes takes."""
    centres: FloatArray | None = None
    """`(K, values)` float32 in the layout of `seam_levels`; None: each transition is a class of its own."""

    @property
    def count(self) -> int:
        """How many classes there are."""
        return len(self.labels) if self.centres is None else len(self.centres)


def chunk_transitions(chunk_song: IntArray, reference: BoolArray, *, wrap: bool) -> tuple[IntArray, IntArray]:
    """Return which rows follow which in the reference songs, `(n,)` int64 predecessors and successors.

    chunk_song: `(N,)` int64, the song of each row, rows of a song together. reference: `(N,)`, which rows are
    of a reference song. wrap: as the report's third approach has it, songs are laid end to end and the first
    chunk follows the last, so that n chunks have n transitions; else a transition stays within its song, and
    a song of n chunks has n - 1. `ModelError` where there are not two.
    """
    rows = np.flatnonzero(reference).astype(np.int64)
    if wrap:
        before, after = rows, np.roll(rows, -1)
    else:
        stays = chunk_song[rows[:-1]] == chunk_song[rows[1:]]
        before, after = rows[:-1][stays], rows[1:][stays]
    _check_some(len(before) if len(rows) > 1 else 0)
    return before, after


def edge_classes(edges: EdgeSet, classes: int | None, *, wrap: bool, seed: int) -> TransitionClasses:
    """Return the classes of the transitions of an edge set's reference songs (`chunk_transitions`).

    classes: how many; None: one for each transition. `ModelError` where there are fewer transitions.
    """
    everything = np.ones(len(edges), dtype=np.bool_)
    reference = everything if edges.reference is None else edges.reference
    before, after = chunk_transitions(edges.chunk_song, reference, wrap=wrap)
    if classes is None:
        return TransitionClasses(labels=np.arange(len(before)))
    return group_transitions(edge_levels(edges, before, after), classes, seed)


def song_classes(songs: SongSet, classes: int | None, *, wrap: bool, seed: int) -> TransitionClasses:
    """Return the classes of the transitions of a song set's reference songs, at the cuts of the pool.

    As `edge_classes` does. Any other place of any song belongs to a class too, by `nearest_centres`.
    """
    runs = songs.runs()
    before, after = chunk_transitions(runs, np.isin(songs.chunk_song, songs.reference), wrap=wrap)
    if classes is None:
        return TransitionClasses(labels=np.arange(len(before)))
    levels = [
        (
            _side_levels(sides(grid, spans[:, 1], spans[:, 1] - spans[:, 0], tail=True)),
            _side_levels(sides(grid, spans[:, 0], spans[:, 1] - spans[:, 0], tail=False)),
        )
        for grid, spans in zip(songs.grids, songs.spans, strict=True)
    ]
    ends, starts = (np.concatenate(side) for side in zip(*levels, strict=True))
    return group_transitions(np.concatenate([ends[before], starts[after]], axis=1), classes, seed)


def edge_levels(edges: EdgeSet, before: IntArray, after: IntArray) -> FloatArray:
    """Return the `seam_levels` of chunks `before` followed by `after`, `(n,)` each.

    `ModelError` where the pool keeps no spectra.
    """
    spectra = edges.spectra
    if spectra is None:
        raise ModelError("the pool keeps no spectra, by which transitions are grouped; build it again")
    tails, heads = edges.rows[before], edges.rows[after]
    parts = [slice(first, first + _SLICE) for first in range(0, len(before), _SLICE)]
    return np.concatenate([seam_levels(spectra[tails[part], 1], spectra[heads[part], 0]) for part in parts])


def seam_levels(tails: AnySpectra, heads: AnySpectra) -> FloatArray:
    """Return `(n, 2 * MEL_BANDS)` float32: the log-mel spectra on both sides of n seams, in dB.

    tails, heads: `(n, SPECTRUM_FRAMES, SPECTRUM_BINS)` of any float type, as `model.features.spectra` has
    them. The mean of all that a side has, 2.8 s: of the eight frames next to the cut alone, 32 groups tell a
    successor from chunks of other songs by an AUC of .85 instead of .92 (`docs/report.md`).
    """
    return np.concatenate([_side_levels(tails), _side_levels(heads)], axis=1)


def nearest_centres(levels: FloatArray, centres: FloatArray) -> IntArray:
    """Return `(n,)` int64: the centre nearest to each of `(n, values)` levels, the first of equals.

    centres: `(K, values)`. Both may be of any float type: scikit-learn's own `predict` refuses the other one
    than it was fitted with.
    """
    if levels.ndim != 2 or centres.ndim != 2 or levels.shape[1] != centres.shape[1] or not len(centres):
        raise ValueError(f"levels {levels.shape} and centres {centres.shape} do not fit together")
    found = np.empty(len(levels), dtype=np.int64)
    _nearest(levels.astype(np.float32), centres.astype(np.float32), found)
    return found


def group_transitions(levels: FloatArray, classes: int, seed: int) -> TransitionClasses:
    """Group transitions by `(n, values)` levels, by k-means (Lloyd, 1982; seeded by k-means++)."""
    if classes > len(levels):
        raise ModelError(
            f"{classes} classes were asked for, the reference songs have {len(levels)} transitions; "
            "give fewer --classes, or more songs with --reference"
        )
    # Here, because it takes seconds and playing has no need of it.
    from sklearn.cluster import KMeans

    found = KMeans(n_clusters=classes, n_init=4, random_state=seed).fit(levels)
    centres = np.ascontiguousarray(found.cluster_centers_, dtype=np.float32)
    return TransitionClasses(labels=nearest_centres(levels, centres), centres=centres)


@kernel
def _nearest(levels: FloatArray, centres: FloatArray, found: IntArray) -> None:
    for row in range(levels.shape[0]):
        least = np.inf
        for centre in range(centres.shape[0]):
            total = 0.0
            for value in range(levels.shape[1]):
                apart = levels[row, value] - centres[centre, value]
                total += apart * apart
            if total < least:
                least = total
                found[row] = centre


def _side_levels(spectra: AnySpectra) -> FloatArray:
    """Return `(n, MEL_BANDS)` float32, the mean of the frames that a chunk has."""
    mel = spectra[:, :, :MEL_BANDS].astype(np.float32)
    there = (mel > SPECTRUM_FLOOR_DB).any(axis=2, keepdims=True)
    total = np.where(there, np.maximum(mel, np.float32(_FLOOR_DB)), np.float32(0.0)).sum(axis=1)
    count = there.sum(axis=1)
    levels: FloatArray = np.where(count > 0, total / np.maximum(count, 1), np.float32(_FLOOR_DB))
    return levels.astype(np.float32)


def _check_some(transitions: int) -> None:
    if transitions < 2:
        raise ModelError(
            f"the reference songs have {'only' if transitions else 'no'} two chunks in a row, so that there "
            "are no transitions to be told apart; name longer songs with --reference, or cut them shorter"
        )
