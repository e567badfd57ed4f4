"""The baselines score by handcrafted distances of spectra; a model has to beat them."""

import numpy as np
import numpy.typing as npt

from model.base.arrays import BoolArray, DoubleArray, FloatArray, IntArray
from model.features.edges import EDGE_RATE_HZ
from model.features.seam import SeamSides, seam_terms
from model.features.spectra import MEL_BANDS, SEMITONES
from model.learning.linear_prediction import predict_linearly
from tools.quality.ranking.preference import FOLDS, preference_scores

SEAM_FRAMES = 8
TIMBRES = 12
PITCH_WEIGHT = 10.0
ALIKE_DB = 1.5
ALIKE_FRAMES = 64
"""Two chunks whose first 1.5 s differ by less than `ALIKE_DB` on average begin near-identically."""
_KNOWN_SAMPLES = 880
"""Linear prediction knows as much of an end as the report's forecast does."""
COMPARED_SAMPLES = 64
_SLICE = 256


def baseline_scores(name: str, spectra: npt.NDArray[np.floating], rng: np.random.Generator) -> FloatArray:
    """Return `(N, N)` float32 scores, higher = better.

    spectra: `(N, 2, SPECTRUM_FRAMES, SPECTRUM_BINS)`, head and tail.
    """
    heads, tails = (np.asarray(spectra[:, side], dtype=np.float32) for side in (0, 1))
    ends, starts = tails[:, -SEAM_FRAMES:], heads[:, :SEAM_FRAMES]
    mel = [frames[:, :, :MEL_BANDS].mean(axis=1) for frames in (ends, starts)]
    if name == "random":
        return rng.random((len(spectra), len(spectra)), dtype=np.float32)
    if name == "loudness":
        return _nearness(*(_power_db(side)[:, None] for side in mel))
    if name == "6-band spectrum":
        return _nearness(*(_six_bands(side) for side in mel))
    if name == "log-mel, 8 frames at the seam":
        return _nearness(*mel)
    if name == "Infinite Jukebox":
        return _jukebox(ends, starts)
    raise ValueError(f"there is no baseline {name!r}")


BASELINES = (
    "random",
    "loudness",
    "6-band spectrum",
    "log-mel, 8 frames at the seam",
    "Infinite Jukebox",
)
LINEAR_BASELINE = "linear prediction of samples"
LEARNED_BASELINE = "logistic regression, all distances"
LEARNED_IN_SONG = "logistic regression, in the song"
"""The same where distances know the song around each chunk: no baseline, as only this project's echoes do."""
FEWEST_REGRESSION_SONGS = 2 * FOLDS


def seam_scores(
    sides: SeamSides,
    song: IntArray,
    successor: IntArray,
    rng: np.random.Generator,
    model: FloatArray | None = None,
) -> FloatArray | None:
    """Return `(N, N)` scores of all seam distances, weighted by logistic regression on songs of other folds.

    model: `(N, N)` scores that join in as one more term. None when there are too few songs for folds.
    """
    if len(np.unique(song)) < FEWEST_REGRESSION_SONGS:
        return None

    def terms(row: int, candidates: IntArray | None) -> FloatArray:
        found = seam_terms(sides.distances_db(row, candidates))
        if model is None:
            return found
        given = model[row] if candidates is None else model[row, candidates]
        return np.concatenate([found, given[:, None]], axis=1)

    return preference_scores(terms, song, successor, rng)


def linear_scores(tails: FloatArray, heads: FloatArray, gap_s: float) -> FloatArray:
    """Return `(N, N)` float32: correlation of how ends go on by linear prediction with how chunks start.

    tails, heads: `(N, samples)` at `EDGE_RATE_HZ`. gap_s: missing between them; the prediction runs on
    over it. What follows is compared by its shape alone, over `COMPARED_SAMPLES`.
    """
    gap = round(gap_s * EDGE_RATE_HZ)
    foretold = predict_linearly(tails[:, -_KNOWN_SAMPLES:], gap + COMPARED_SAMPLES)[:, gap:]
    ends, starts = (
        side / np.maximum(np.linalg.norm(side, axis=1, keepdims=True), 1e-9)
        for side in (foretold, heads[:, :COMPARED_SAMPLES])
    )
    scores: FloatArray = ends @ starts.T
    return scores


def near_identical(spectra: npt.NDArray[np.floating]) -> BoolArray:
    """Return `(N, N)` bool: which chunks begin so alike that nobody could tell which one was meant."""
    from scipy.spatial.distance import cdist

    heads = np.asarray(spectra[:, 0, :ALIKE_FRAMES, :MEL_BANDS], dtype=np.float32)
    values = np.maximum(heads, -80.0).reshape(len(heads), ALIKE_FRAMES, -1, 4).mean(axis=3)
    values = values.reshape(len(heads), -1).astype(np.float64)
    alike = np.empty((len(heads), len(heads)), dtype=np.bool_)
    for first in range(0, len(heads), _SLICE):
        part = slice(first, first + _SLICE)
        alike[part] = cdist(values[part], values, "cityblock") < ALIKE_DB * values.shape[1]
    np.fill_diagonal(alike, False)
    return alike


def _nearness(ends: FloatArray, starts: FloatArray) -> FloatArray:
    from scipy.spatial.distance import cdist

    scores = np.empty((len(ends), len(starts)), dtype=np.float32)
    for first in range(0, len(ends), _SLICE):
        part = slice(first, first + _SLICE)
        scores[part] = -cdist(ends[part].astype(np.float64), starts.astype(np.float64), "cityblock")
    return scores


def _power_db(mel_db: FloatArray) -> FloatArray:
    level: FloatArray = 10 * np.log10(np.mean(10 ** (mel_db / 10), axis=1))
    return level


def _six_bands(mel_db: FloatArray) -> FloatArray:
    parts = np.array_split(np.arange(MEL_BANDS), 6)
    return np.stack([_power_db(mel_db[:, part]) for part in parts], axis=1)


def _jukebox(ends: FloatArray, starts: FloatArray) -> FloatArray:
    """Distances of the Infinite Jukebox (Lamere, 2012): timbre + 10 * pitch + loudness, each Euclidean.

    Its fourth term, the place in the bar, is the same for all: a chunk that is cut anywhere has none.
    """
    scores = np.zeros((len(ends), len(starts)), dtype=np.float32)
    scores -= _euclidean(_timbre(ends), _timbre(starts))
    scores -= np.float32(PITCH_WEIGHT) * _euclidean(_pitch(ends), _pitch(starts))
    levels = [_power_db(side[:, :, :MEL_BANDS].mean(axis=1)).astype(np.float64) for side in (ends, starts)]
    scores -= _euclidean(levels[0][:, None], levels[1][:, None])
    return scores


def _timbre(frames: FloatArray) -> DoubleArray:
    from scipy.fft import dct

    coefficients: DoubleArray = dct(frames[:, :, :MEL_BANDS].mean(axis=1), norm="ortho", axis=1)
    return coefficients[:, 1 : TIMBRES + 1]


def _pitch(frames: FloatArray) -> DoubleArray:
    tones = frames[:, :, MEL_BANDS : MEL_BANDS + SEMITONES].mean(axis=1)
    classes = (10 ** (tones.astype(np.float64) / 20)).reshape(len(frames), -1, 12).sum(axis=1)
    pitch: DoubleArray = classes / (classes.max(axis=1, keepdims=True) + 1e-12)
    return pitch


def _euclidean(ends: DoubleArray, starts: DoubleArray) -> FloatArray:
    from scipy.spatial.distance import cdist

    distance: FloatArray = cdist(ends.astype(np.float64), starts.astype(np.float64)).astype(np.float32)
    return distance
