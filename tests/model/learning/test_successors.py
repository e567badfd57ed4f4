"""Ranks, areas and calibration equal what was counted by hand or drawn from a known law."""

import numpy as np
import pytest

from model.learning.calibration import ScoredSongs, calibrate
from model.learning.successors import rank_successors


def test_ranks_of_a_small_library_counted_by_hand() -> None:
    # Song 0 has chunks 0 to 2, song 1 chunks 3 and 4. True pairs: (0, 1), (1, 2), (3, 4).
    logits = np.array(
        [
            [9, 5, 6, 1, 1],  # true 5: one of the song above, both others below
            [0, 9, 4, 4, 1],  # true 4: level with one of the other song
            [0, 0, 0, 0, 0],
            [7, 0, 0, 9, 3],  # true 3: one of the other song above
            [0, 0, 0, 0, 0],
        ],
        dtype=np.float32,
    )
    ranks = rank_successors(ScoredSongs(logits=logits, song=np.array([0, 0, 0, 1, 1])))
    assert ranks is not None
    assert ranks.chunks == 5
    assert ranks.top_1 == pytest.approx(1 / 3)
    assert ranks.top_10 == 1.0
    assert ranks.mrr == pytest.approx((1 / 2 + 1 / 1.5 + 1 / 2) / 3)
    assert ranks.auc_same == pytest.approx((0 + 1) / 2)
    assert ranks.auc_cross == pytest.approx(((1 + 0.75) / 2 + 2 / 3) / 2)


def test_songs_of_one_chunk_have_no_ranks() -> None:
    assert rank_successors(ScoredSongs(logits=np.zeros((3, 3), np.float32), song=np.arange(3))) is None


def test_calibration_finds_the_law_that_the_labels_were_drawn_from() -> None:
    # Logits of true and wrong pairs are normal, one deviation each: the log odds are linear in them.
    rng = np.random.default_rng(0)
    song = np.repeat(np.arange(20), 30)
    logits = rng.normal(2.0, 1.5, (600, 600))
    rows = np.flatnonzero(song[:-1] == song[1:])
    logits[rows, rows + 1] += 3.0
    found = calibrate([ScoredSongs(logits=logits.astype(np.float32), song=song)])
    assert found["scale"] == pytest.approx(3.0 / 1.5**2, rel=0.15)
    assert found["scale"] * 3.5 + found["offset"] == pytest.approx(0.0, abs=0.15)


def test_calibration_without_true_pairs_leaves_the_logit() -> None:
    logits = np.zeros((3, 3), np.float32)
    assert calibrate([ScoredSongs(logits=logits, song=np.arange(3))]) == {"scale": 1.0, "offset": 0.0}


def test_perfectly_told_apart_pairs_stay_finite() -> None:
    song = np.repeat(np.arange(2), 4)
    scored = ScoredSongs(logits=np.zeros((8, 8), np.float32), song=song)
    parted = ScoredSongs(logits=np.where(scored.true_pairs, 50.0, -50.0).astype(np.float32), song=song)
    assert all(np.isfinite(value) for value in calibrate([parted]).values())
