"""The validation measures a network on its training pairs, on the second channel, and on unseen songs."""

from typing import Any

import numpy as np

from model.base.arrays import FloatArray, IntArray
from model.learning.edge_set import EdgeSet, plain_batch
from model.learning.measures import UNSEEN, Measure, area_under_curve, measure_scores
from model.learning.pairs import (
    Pairs,
    binary_pairs,
    contrast_pairs,
    draw_any,
    draw_other_song,
    draw_same_song,
    rows_with_choice,
    song_bounds,
)

TRAINING_PAIRS = "training pairs"
SECOND_CHANNEL = "second channel (the same music again)"

_BATCH = 256
MOST_RANKED = 512
"""Chunks whose true successor is ranked, at most."""
FALSE_PER_TRUE = 8
"""Wrong successors that each of them is ranked against."""


def score_pairs(
    network: Any, edges: EdgeSet, pairs: Pairs, edge_samples: int, channel: int = 0
) -> FloatArray:
    """Return `(n,)` scores of a Keras network, in batches, so that memory is bounded whatever the pool."""
    parts = []
    for start in range(0, len(pairs), _BATCH):
        rows = np.arange(start, min(len(pairs), start + _BATCH))
        seen = plain_batch(edges, pairs.take(rows), edge_samples, channel)
        parts.append(np.asarray(network.predict_on_batch(seen))[:, 0])
    return np.concatenate(parts)


def validate(
    network: Any,
    train: EdgeSet,
    unseen: EdgeSet | None,
    pairs: Pairs,
    edge_samples: int,
    *,
    most: int,
    report_pairs: bool,
    rng: np.random.Generator,
) -> dict[str, Measure]:
    """Return the figures of the three sets by name, each on at most `most` pairs; the third needs `unseen`.

    pairs: those of the training epoch. report_pairs: whether unseen songs are paired as the report pairs
    (`binary_pairs`), or as `contrast_pairs` does.
    """
    shown = pairs.sample(most, rng)
    found = {
        TRAINING_PAIRS: measure_scores(score_pairs(network, train, shown, edge_samples), shown.labels),
        SECOND_CHANNEL: measure_scores(score_pairs(network, train, shown, edge_samples, 1), shown.labels),
    }
    if unseen is not None:
        draw = binary_pairs if report_pairs else contrast_pairs
        other = draw(unseen.chunk_song, rng).sample(most, rng)
        found[UNSEEN] = measure_scores(score_pairs(network, unseen, other, edge_samples), other.labels)
    return found


def successor_areas(
    network: Any, edges: EdgeSet, edge_samples: int, rng: np.random.Generator
) -> dict[str, float]:
    """Return the AUC of true next chunks against wrong ones, by where those come from.

    Keys: `all` songs, the `same` song, and, where there are several songs, `cross` (other songs only). Wrong
    ones are never the chunk itself or its next two. Empty when no song is long enough to be asked.
    """
    rows = rows_with_choice(edges.chunk_song)
    if len(rows) == 0:
        return {}
    rows = np.sort(rng.permutation(rows)[:MOST_RANKED])
    start, stop = song_bounds(edges.chunk_song)
    many = np.repeat(rows, FALSE_PER_TRUE)
    against = {"all": draw_any(many, start, stop, rng), "same": draw_same_song(many, start, stop, rng)}
    if len(np.unique(edges.chunk_song)) > 1:
        against["cross"] = draw_other_song(many, start, stop, rng)

    def scored(predecessors: IntArray, candidates: IntArray) -> FloatArray:
        labels = np.zeros(len(candidates), np.float32)
        pairs = Pairs(predecessors=predecessors, candidates=candidates, labels=labels)
        return score_pairs(network, edges, pairs, edge_samples)

    true = scored(rows, rows + 1)
    return {kind: area_under_curve(true, scored(many, candidates)) for kind, candidates in against.items()}
