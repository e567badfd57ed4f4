"""The ladder gives a decision the best scores that can be had in time, from all candidates to none."""

import logging
import math
import time
from dataclasses import dataclass, replace

import numpy as np

from model.base.arrays import BoolArray, FloatArray, IntArray
from model.base.errors import PoolError
from stream.index.edge_index import EdgeIndex
from stream.index.vector_index import EmbeddingIndex
from stream.scoring.scorer import Scorer, ScoringLateError

_log = logging.getLogger(__name__)

FEWEST_SHORTLISTED = 16
MOST_SCORED = 20_000
"""In a larger pool the nearest of this number are scored, however much time there is."""
MOST_BY_VECTORS = 512
"""So many, where the model's own vectors say what is near: the pass over them misses none of the best."""
SHARE_OF_TIME = 0.5
"""Scoring may be planned to take this share of the time left, and may really take a little more."""
TIMEOUT_SHARE = 0.7
LEAST_TIMEOUT_S = 0.02
SMOOTHING = 0.3
EVEN_DB, SPREAD_DB = 8.0, 4.0
"""Band levels that differ by the first count as an even chance; each `SPREAD_DB` more is a log-odd less."""
FORGETTING = 0.7
"""What is left of an expected cost after a decision that did not dare to score."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ScoredCandidates:
    """Scores of the candidates that are still considered, and how they were come by."""

    scores: FloatArray
    """`(N,)` float32; where `mask` does not hold they say nothing."""
    mask: BoolArray
    """`(N,)`, never empty."""
    rung: str
    """`full`, `kept`, `shortlist` or `nearest`."""
    reasons: tuple[str, ...] = ()
    rows: IntArray | None = None
    """`(n,)`, where `mask` holds, in any order; None: not told."""

    @property
    def failed(self) -> bool:
        """Whether nothing was scored."""
        return self.rung == "nearest"


class Ladder:
    """Picks the highest rung that fits into the time left; belongs to the planner's thread.

    full: every candidate is scored. kept: there was no time for that, but the scores were known.
    shortlist: the spectrally nearest are scored. nearest: spectral distance decides (no time, or the model
    failed, hung, or gave nothing that is a number; a candidate whose score is none is left out). Below it,
    the renderer goes on by itself (`stream.choosing.ready.plan_ahead`).
    """

    def __init__(self) -> None:
        self._candidate_s = 0.0
        self._told_wrong = False

    def climb(
        self,
        scorer: Scorer,
        index: EdgeIndex,
        row: int,
        mask: BoolArray,
        time_left_s: float | None,
        vectors: EmbeddingIndex | None = None,
    ) -> ScoredCandidates:
        """Return scores for the successors of `row` that `mask` allows; offline (None) there is no hurry.

        vectors: of the model, by which a large pool's candidates are found; None: by band levels, which know
        a third of the nearest 64.
        """
        count = len(index)
        affordable = self._affordable(time_left_s)
        known = scorer.kept(row) is not None
        if count > MOST_SCORED and not known:
            affordable = min(affordable, MOST_SCORED if vectors is None else MOST_BY_VECTORS)
        if affordable < FEWEST_SHORTLISTED and not known:
            self._candidate_s *= FORGETTING
            return _nearest(index, row, mask, "there was no time to score")
        timeout_s = None if time_left_s is None else max(LEAST_TIMEOUT_S, TIMEOUT_SHARE * time_left_s)
        rows = None
        began_s = time.perf_counter()
        try:
            if affordable < count and not known:
                nearest = index.bands if vectors is None else vectors
                rows, _ = nearest.shortlist(row, mask, int(affordable))
                began_s = time.perf_counter()
            found = scorer.score(row, rows, timeout_s=timeout_s)
        except ScoringLateError as error:
            self._learn(time.perf_counter() - began_s, count if rows is None else len(rows))
            return _nearest(index, row, mask, f"the model was late: {error}")
        except Exception as error:  # whatever a runtime or a broken graph may raise
            return _nearest(index, row, mask, f"the model failed: {type(error).__name__}")
        if rows is not None or not known:
            self._learn(time.perf_counter() - began_s, len(found))
        if rows is None:
            rung = "full" if affordable >= count else "kept"
            scored = ScoredCandidates(scores=found, mask=mask, rung=rung)
        else:
            scores = np.zeros(count, dtype=np.float32)
            scores[rows] = found
            considered = np.zeros(count, dtype=np.bool_)
            considered[rows] = True
            reason = f"scored the nearest {len(rows)} of {np.count_nonzero(mask)} candidates"
            scored = ScoredCandidates(
                scores=scores, mask=considered, rung="shortlist", reasons=(reason,), rows=rows
            )
        if np.isfinite(found).all():
            return scored
        return self._of_numbers(scored) or _nearest(
            index, row, mask, "the model gave scores that are not numbers"
        )

    def affords(self, candidates: int, time_left_s: float | None) -> bool:
        """Whether so many candidates can be scored in time."""
        return self._affordable(time_left_s) >= candidates

    def _of_numbers(self, scored: ScoredCandidates) -> ScoredCandidates | None:
        """Leave out the candidates whose scores are no numbers; None where nothing is left."""
        numbers = np.isfinite(scored.scores)
        mask = scored.mask & numbers
        if not mask.any():
            return None
        asked, reasons = np.count_nonzero(scored.mask), scored.reasons
        lost = asked - np.count_nonzero(mask)
        if lost:
            reasons = (*reasons, f"the model gave no number for {lost} of {asked} candidates")
            if not self._told_wrong:
                self._told_wrong = True
                _log.warning("%s, which are left out; copy the model again, or train it again", reasons[-1])
        return replace(
            scored,
            # In sums over all candidates a score counts also where it says nothing.
            scores=np.where(numbers, scored.scores, np.float32(0)),
            mask=mask,
            reasons=reasons,
            rows=None if scored.rows is None else scored.rows[mask[scored.rows]],
        )

    def _affordable(self, time_left_s: float | None) -> float:
        """Return how many candidates can be scored in time."""
        if time_left_s is None:
            return math.inf
        if time_left_s < LEAST_TIMEOUT_S:
            return 0
        return SHARE_OF_TIME * time_left_s / self._candidate_s if self._candidate_s else math.inf

    def _learn(self, took_s: float, candidates: int) -> None:
        cost_s = took_s / max(1, candidates)
        self._candidate_s += (SMOOTHING if self._candidate_s else 1.0) * (cost_s - self._candidate_s)


def band_logits(distances_db: FloatArray) -> FloatArray:
    """Return what band levels that differ by so much say of two sides of a seam, in log-odds."""
    logits: FloatArray = -(distances_db - EVEN_DB) / SPREAD_DB
    return logits


def _nearest(index: EdgeIndex, row: int, mask: BoolArray, reason: str) -> ScoredCandidates:
    # Brought to where probabilities are, so that terms in log-odds count as beside a model's.
    try:
        scores = (1.0 / (1.0 + np.exp(-band_logits(index.distances_db(row))))).astype(np.float32)
    except PoolError as error:
        scores, reason = np.full(len(mask), 0.5, dtype=np.float32), f"{reason}, and {error}"
    return ScoredCandidates(scores=scores, mask=mask, rung="nearest", reasons=(reason,))
