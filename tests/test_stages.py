"""The second stage is fitted on what towers do not know, judged on songs of other folds, and calibrated."""

import numpy as np
import pytest

from model.kernels import FloatArray
from model.seam import seam_sides
from model.spectral import SPECTRUM_BINS, SPECTRUM_FRAMES
from tools.evaluate.stages import CARRIED, EVIDENCE, Fold, fit_stage, judged, over_all

SONGS, CHUNKS = 4, 14


def _fold(seed: int) -> Fold:
    """Songs whose chunks begin like the last one ended, and products that know it, too; both with noise."""
    rng = np.random.default_rng(seed)
    count = SONGS * CHUNKS
    sounds = rng.normal(-35.0, 3.0, (count + 1, 1, SPECTRUM_BINS))
    spectra = np.empty((count, 2, SPECTRUM_FRAMES, SPECTRUM_BINS), np.float32)
    spectra[:, 0], spectra[:, 1] = sounds[:-1], sounds[1:]
    spectra += rng.normal(0.0, 5.0, (count, 2, 1, SPECTRUM_BINS))
    song = np.repeat(np.arange(SONGS), CHUNKS)
    successor = np.arange(1, count + 1)
    successor[CHUNKS - 1 :: CHUNKS] = -1
    dots = rng.normal(0.0, 2.0, (count, count)).astype(np.float32)
    rows = np.flatnonzero(successor >= 0)
    dots[rows, successor[rows]] += 4.0
    starts_s = 3.0 * np.arange(count)
    sides = seam_sides(spectra, np.stack([starts_s, starts_s + 3.0], axis=1))
    return Fold(song=song, successor=successor, dots=dots, in_song=sides, alone=sides)


@pytest.fixture(scope="module")
def folds() -> list[Fold]:
    return [_fold(1), _fold(2)]


def test_all_evidence_together_is_worth_most(folds: list[Fold]) -> None:
    worth = {evidence.name: over_all(judged(evidence, folds, 0), "all/mrr", 0) for evidence in EVIDENCE}
    carried = worth[CARRIED.name]
    assert carried.low < carried.value < carried.high
    assert all(carried.value >= other.value for other in worth.values())
    assert worth["towers"].value < carried.value
    # Both folds count, each song once.
    assert sum(fold.per_song["all/mrr"].shape[1] for fold in judged(CARRIED, folds, 0)) == 2 * SONGS


def test_what_is_fitted_gives_probabilities(folds: list[Fold]) -> None:
    stage = fit_stage(folds, 0)
    fold = _fold(3)
    true, wrong = [], []
    for row in np.flatnonzero(fold.successor >= 0).tolist():
        found: FloatArray = stage.probabilities(fold.dots[row], fold.in_song.distances_db(row))
        true.append(found[fold.successor[row]])
        wrong += [found[other] for other in range(len(found)) if other not in (row, fold.successor[row])]
    assert np.median(true) > 0.8 and np.median(wrong) < 0.2
    # Where it says one half, both are as likely, when true and wrong ones are as many.
    assert abs(np.mean(np.array(true) > 0.5) - np.mean(np.array(wrong) <= 0.5)) < 0.15
