"""This logistic regression learns the one right choice among several on some songs, for others."""

from collections.abc import Callable, Iterator

import numpy as np

from model.base.arrays import DoubleArray, FloatArray, IntArray

FOLDS = 4
WRONG_OF_SONG = 40
OTHER_SONGS = 20
"""Wrong candidates that each right one is held against, of its song and, after those, of others."""
PENALTY = 1e-3

Terms = Callable[[int, IntArray | None], FloatArray]
"""`(row, candidates or None for all)` -> `(n, terms)` float32."""
Contests = DoubleArray
"""`(rows, 1 + WRONG_OF_SONG + OTHER_SONGS, terms)` float64."""


def song_folds(song: IntArray, rng: np.random.Generator, folds: int = FOLDS) -> IntArray:
    """Return `(N,)` the fold of each chunk; a song is in one fold only."""
    songs = np.unique(song)
    fold = np.empty(len(songs), dtype=np.int64)
    fold[rng.permutation(len(songs))] = np.arange(len(songs)) % folds
    return fold[np.searchsorted(songs, song)]


def fit_weights(shown: Contests) -> DoubleArray:
    """Return `(terms,)` weights under which the first of each contest is likeliest.

    Conditional logit (McFadden, 1974), by L-BFGS. Weights are for terms as they come; what all candidates
    share makes no difference.
    """
    from scipy.optimize import minimize

    spread = shown.std(axis=(0, 1)) + 1e-9
    shown = (shown - shown.mean(axis=(0, 1))) / spread

    def loss(weights: DoubleArray) -> tuple[float, DoubleArray]:
        value = shown @ weights
        value -= value.max(axis=1, keepdims=True)
        chance = np.exp(value)
        chance /= chance.sum(axis=1, keepdims=True)
        slope = (np.einsum("qn,qnt->qt", chance, shown) - shown[:, 0]).mean(axis=0)
        likely = -np.log(np.maximum(chance[:, 0], 1e-300)).mean()
        return float(likely + PENALTY * weights @ weights), slope + 2 * PENALTY * weights

    found = minimize(loss, np.zeros(shown.shape[2]), jac=True, method="L-BFGS-B", options={"maxiter": 300})
    weights: DoubleArray = found.x / spread
    return weights


def preference_scores(
    terms: Terms, song: IntArray, successor: IntArray, rng: np.random.Generator
) -> FloatArray:
    """Return `(N, N)` float32 scores; the weights for each song come from songs of other folds."""
    fold = song_folds(song, rng)
    scores = np.empty((len(song), len(song)), dtype=np.float32)
    for number in range(FOLDS):
        weights = fit_weights(contests(terms, song, successor, np.flatnonzero(fold != number), rng))
        for row in np.flatnonzero(fold == number).tolist():
            scores[row] = terms(row, None) @ weights.astype(np.float32)
    return scores


def contests(
    terms: Terms, song: IntArray, successor: IntArray, chosen: IntArray, rng: np.random.Generator
) -> Contests:
    """Return what a fit is shown of the `chosen` rows, those that have a successor.

    The true one stands first, then wrong ones of its song and of other chosen songs, with replacement.
    """
    return np.stack(list(_contests(terms, song, successor, chosen, rng))).astype(np.float64)


def _contests(
    terms: Terms, song: IntArray, successor: IntArray, chosen: IntArray, rng: np.random.Generator
) -> Iterator[FloatArray]:
    for row in chosen[successor[chosen] >= 0].tolist():
        same = chosen[(song[chosen] == song[row]) & (chosen != row) & (chosen != successor[row])]
        other = chosen[song[chosen] != song[row]]
        if len(same) and len(other):
            wrong = np.concatenate([rng.choice(same, WRONG_OF_SONG), rng.choice(other, OTHER_SONGS)])
            yield terms(row, np.append(successor[row], wrong))
