"""The report's forecast learns to say the next samples, anywhere in the songs' edges."""

from typing import Any, ClassVar

import keras
import numpy as np

from model.approaches.forecast.measures import Foretold, correlations
from model.approaches.forecast.networks import FORETOLD_SAMPLES, KNOWN_SAMPLES, build_sample_networks
from model.approaches.forecast.settings import ForecastSettings
from model.approaches.forecast.windows import Windows
from model.base.arrays import FloatArray, IntArray
from model.base.errors import ModelError
from model.learning.calibration import ScoredSongs
from model.learning.edge_set import EdgeSet
from model.learning.lesson import Lesson
from model.learning.linear_prediction import predict_linearly
from model.learning.pairs import song_bounds
from model.saved.scoring import VectorMetric

BATCH = 64
MEASURED_WINDOWS = 128
MEASURED_CHUNKS = 160
"""Of all songs, the first chunks of each: the report's network takes 10 ms for one."""


class SampleForecast:
    """What the report's forecast gives to be trained, and how it is measured."""

    metric: VectorMetric = "correlation"
    edge_samples = KNOWN_SAMPLES
    promises: ClassVar[dict[str, Any]] = {"features": "edges"}
    seen = "edge"
    unit = "samples at 1,260 Hz"
    batch_examples = BATCH

    def __init__(self, lesson: Lesson[EdgeSet, ForecastSettings]) -> None:
        self.train, self.settings = lesson.train, lesson.settings
        for edges in (lesson.train, lesson.unseen):
            if edges is not None:
                edges.check_edge(KNOWN_SAMPLES)
        self.windows = Windows.of(lesson.train, KNOWN_SAMPLES + FORETOLD_SAMPLES)
        keras.utils.set_random_seed(self.settings.seed)
        self.networks = build_sample_networks()
        rate = self.settings.chosen_learning_rate
        # Compiled kernels slow an LSTM down on a processor.
        self.networks.learned.compile(keras.optimizers.RMSprop(rate), "mse", jit_compile=False)
        self.epoch_examples = self.settings.defaults.steps_per_epoch * BATCH

    def rate(self, step: int, steps: int) -> float:
        """Return the learning rate of a step, always the same."""
        return self.settings.chosen_learning_rate

    def batch(self, step: int) -> tuple[FloatArray, FloatArray]:
        """Return known samples `(n, KNOWN_SAMPLES, 1)` and the next `(n, FORETOLD_SAMPLES)`."""
        drawn = self.windows.draw(BATCH, np.random.default_rng([self.settings.seed, 2, step]))
        return drawn[:, :KNOWN_SAMPLES, None], drawn[:, KNOWN_SAMPLES:]

    def examples(self) -> tuple[FloatArray, FloatArray]:
        """Return tails and heads to compare graphs on."""
        chunks = np.arange(min(len(self.train), BATCH))
        return self._tails(self.train, chunks), self.train.heads_of(chunks)[:, :KNOWN_SAMPLES, None]

    def foretell(self, edges: EdgeSet) -> Foretold | None:
        """Return forecasts at places of some songs, always the same; None where no place is long enough."""
        try:
            windows = Windows.of(edges, KNOWN_SAMPLES + FORETOLD_SAMPLES)
        except ModelError:
            return None
        drawn = windows.draw(MEASURED_WINDOWS, np.random.default_rng([self.settings.seed, 4]))
        known = drawn[:, :KNOWN_SAMPLES]
        said = self._predicted(self.networks.forecast, known[..., None])
        return Foretold(
            known=known[..., None],
            truth=drawn[:, KNOWN_SAMPLES:, None],
            forecast=said[..., None],
            last_value=np.repeat(known[:, -1:], FORETOLD_SAMPLES, axis=1)[..., None],
            linear=predict_linearly(known, FORETOLD_SAMPLES)[..., None],
        )

    def score(self, edges: EdgeSet) -> ScoredSongs:
        """Return what forecasts of ends say of starts; of each song, some chunks from its first."""
        begins, _ = song_bounds(edges.chunk_song)
        most = max(4, MEASURED_CHUNKS // len(np.unique(edges.chunk_song)))
        chunks = np.flatnonzero(np.arange(len(edges)) - begins < most)
        ends = self._predicted(self.networks.ends, self._tails(edges, chunks))
        starts = edges.heads_of(chunks)[:, :FORETOLD_SAMPLES]
        return ScoredSongs(logits=correlations(ends, starts), song=edges.chunk_song[chunks])

    @staticmethod
    def _tails(edges: EdgeSet, chunks: IntArray) -> FloatArray:
        return edges.tails_of(chunks)[:, edges.ceiling_samples - KNOWN_SAMPLES :, None]

    @staticmethod
    def _predicted(network: Any, seen: FloatArray) -> FloatArray:
        parts = [seen[row : row + BATCH] for row in range(0, len(seen), BATCH)]
        return np.concatenate([np.asarray(network.predict_on_batch(part)) for part in parts])
