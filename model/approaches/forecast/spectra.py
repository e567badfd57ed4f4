"""The small forecast learns to say the next spectra, and what of them tells successors from other heads."""

import math
from typing import Any, ClassVar

import keras
import numpy as np

from model.approaches.forecast.measures import Foretold
from model.approaches.forecast.networks import build_spectrum_networks
from model.approaches.forecast.settings import ForecastSettings
from model.base.arrays import FloatArray
from model.base.errors import ModelError
from model.features.spectra import SPECTRAL_VERSION, SPECTRUM_HOP_S
from model.learning.calibration import ScoredSongs
from model.learning.contrast import contrast, pair_kinds
from model.learning.drawn_seams import Variation, draw_seams
from model.learning.lesson import Lesson
from model.learning.linear_prediction import predict_linearly
from model.learning.song_set import SongSet
from model.learning.song_sides import equal_chunks, level_statistics, sides
from model.learning.successors import MEASURED_GAP_S, score_songs
from model.saved.scoring import VectorMetric

SONGS, SEAMS_PER_SONG = 6, 20
_SAME_SONG_SHARE = 0.5
ERROR_SHARE = 3.0
"""Weight of the forecast's mean squared error beside the contrast: what is compared stays a forecast."""
_WEIGHT_DECAY = 1e-4
_RISING_STEPS = 50
_LAST_RATE = 0.02
_MEASURED_SONGS = 16
_PLACES_IN_A_SONG = 8
PLACES_APART_S = 3.0
_BIN_ORDER = 8


class SpectrumForecast:
    """What the small forecast gives to be trained, and how it is measured."""

    metric: VectorMetric = "dot"
    edge_samples = 441
    """For the index, which falls back on edges without a score; the network sees spectra."""
    promises: ClassVar[dict[str, Any]] = {"features": "spectra", "spectral_version": SPECTRAL_VERSION}
    seen = "spectrum"
    unit = "frames of 23 ms"
    batch_examples = 1

    def __init__(self, lesson: Lesson[SongSet, ForecastSettings]) -> None:
        self.train, self.settings, self.variation = lesson.train, lesson.settings, Variation()
        if _places(lesson.train) is None:
            raise ModelError(
                f"none of {len(lesson.train.grids)} songs lasts {2 * PLACES_APART_S:g} s, so that there is "
                "nothing to foretell; build the pool from longer songs"
            )
        keras.utils.set_random_seed(self.settings.seed)
        rng = np.random.default_rng([self.settings.seed, 1])
        self.mean, self.deviation = level_statistics(lesson.train.grids, rng)
        self.networks = build_spectrum_networks(self.mean, self.deviation)
        optimizer = keras.optimizers.AdamW(
            self.settings.chosen_learning_rate, weight_decay=_WEIGHT_DECAY, clipnorm=1.0
        )
        self.networks.learned.compile(optimizer, _loss, jit_compile=False)
        # The loss is a mean over a batch, however many seams it has.
        self.epoch_examples = self.settings.defaults.steps_per_epoch

    def rate(self, step: int, steps: int) -> float:
        """Return the learning rate of a step: it rises, then falls along a cosine."""
        along = 0.5 + 0.5 * math.cos(math.pi * step / steps)
        rising = min(1.0, (step + 1) / _RISING_STEPS)
        return self.settings.chosen_learning_rate * rising * (_LAST_RATE + (1 - _LAST_RATE) * along)

    def batch(self, step: int) -> tuple[list[FloatArray], FloatArray]:
        """Return tails and heads with a gap between them, and what each head is to each tail."""
        rng = np.random.default_rng([self.settings.seed, 2, step])
        seams = draw_seams(self.train.grids, rng, self.variation, songs=SONGS, seams_per_song=SEAMS_PER_SONG)
        return [seams.tails, seams.heads], pair_kinds(seams)

    def examples(self) -> tuple[FloatArray, FloatArray]:
        """Return tails and heads to compare graphs on."""
        rng = np.random.default_rng([self.settings.seed, 3])
        seams = draw_seams(self.train.grids, rng, self.variation, songs=4, seams_per_song=8)
        return seams.tails, seams.heads

    def foretell(self, songs: SongSet) -> Foretold | None:
        """Return forecasts at places of some songs, always the same; None where no song is long enough."""
        places = _places(songs)
        if places is None:
            return None
        known, truth = places[0], self._predicted(self.networks.truth, places[1])
        said = self._predicted(self.networks.forecast, known)
        frames = self._standardised(known)
        steps, bins = truth.shape[1:]
        middle = frames.mean(axis=1, keepdims=True)
        by_bin = (frames - middle).transpose(0, 2, 1).reshape(-1, frames.shape[1])
        # Over what is missing between them the prediction runs on.
        gap = round(2 * MEASURED_GAP_S / SPECTRUM_HOP_S)
        ahead = predict_linearly(by_bin, gap + steps, _BIN_ORDER)[:, gap:]
        linear = ahead.reshape(-1, bins, steps).transpose(0, 2, 1)
        return Foretold(
            known=frames,
            truth=truth,
            forecast=said,
            last_value=np.repeat(frames[:, -1:], steps, axis=1),
            linear=linear + middle,
        )

    def score(self, songs: SongSet) -> ScoredSongs:
        """Return what forecasts of chunks' ends say of their starts."""
        return score_songs(self.networks.ends, self.networks.starts, songs.grids[:_MEASURED_SONGS])

    def _standardised(self, spectra: FloatArray) -> FloatArray:
        return np.asarray((spectra - self.mean) / np.maximum(self.deviation, 1.0), dtype=np.float32)

    @staticmethod
    def _predicted(network: Any, seen: FloatArray) -> FloatArray:
        return np.asarray(network.predict_on_batch(seen))


def _loss(kinds: Any, said: Any) -> Any:
    return contrast(_SAME_SONG_SHARE)(kinds, said[:, :-1]) + ERROR_SHARE * said[:, -1]


def _places(songs: SongSet) -> tuple[FloatArray, FloatArray] | None:
    """Return tails and the heads that follow them, from some songs that are long enough; None without any."""
    tails: list[FloatArray] = []
    heads: list[FloatArray] = []
    for grid in songs.grids:
        begins, ends, lengths = equal_chunks(len(grid), PLACES_APART_S, MEASURED_GAP_S)
        if len(begins) > 1 and len(tails) < _MEASURED_SONGS:
            chosen = np.linspace(0, len(begins) - 2, _PLACES_IN_A_SONG).astype(np.int64)
            tails.append(sides(grid, ends[chosen], lengths[chosen], tail=True))
            heads.append(sides(grid, begins[chosen + 1], lengths[chosen], tail=False))
    return (np.concatenate(tails), np.concatenate(heads)) if tails else None
