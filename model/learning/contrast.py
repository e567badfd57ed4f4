"""The contrast teaches which head follows which tail of a batch, among all songs and in the song alone."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from keras import ops

from model.base.arrays import FloatArray
from model.learning.drawn_seams import Seams

TRUE, OTHER_SONG, SAME_SONG, NOT_ASKED = 1.0, 0.0, -1.0, -2.0
"""What the loss is told of each pair of a batch."""
DUPLICATE_FRAMES = 16
DUPLICATE_DB = 4.0
"""Heads of a song that differ by less, on average over their first frames, are the same music again."""
_FAR = 1e4


def contrast(same_song_share: float) -> Callable[[Any, Any], Any]:
    """Return InfoNCE (van den Oord et al., 2018) over rows and columns, among all and in the song alone.

    Its truth is `(n, n)` of `TRUE`, `OTHER_SONG`, `SAME_SONG` and `NOT_ASKED`.
    """

    def loss(kind: Any, logits: Any) -> Any:
        right = ops.sum(ops.where(kind == TRUE, logits, 0.0), axis=1)
        among_all = ops.where(kind == NOT_ASKED, -_FAR, logits)
        in_song = ops.where(kind == OTHER_SONG, -_FAR, among_all)

        def missed(scores: Any) -> Any:
            return 0.5 * (ops.logsumexp(scores, axis=1) + ops.logsumexp(scores, axis=0)) - right

        return (1 - same_song_share) * missed(among_all) + same_song_share * missed(in_song)

    return loss


def pair_kinds(seams: Seams) -> FloatArray:
    """Return `(n, n)` what each head is to each tail; doubles of the true head are not asked for."""
    kinds = np.where(seams.song[:, None] == seams.song[None], SAME_SONG, OTHER_SONG).astype(np.float32)
    kinds[same_music(seams)] = NOT_ASKED
    np.fill_diagonal(kinds, TRUE)
    return kinds


def same_music(seams: Seams) -> npt.NDArray[np.bool_]:
    """Return `(n, n)`: whether two heads of one song are so alike that each may follow the other's tail."""
    first = seams.heads[:, :DUPLICATE_FRAMES].reshape(len(seams.song), -1)
    square = np.sum(first * first, axis=1)
    mean = (square[:, None] + square[None] - 2 * (first @ first.T)) / first.shape[1]
    alike: npt.NDArray[np.bool_] = (mean < DUPLICATE_DB**2) & (seams.song[:, None] == seams.song[None])
    np.fill_diagonal(alike, False)
    return alike
