"""The training of approach `binary` draws pairs, validates on three sets, and exports the model."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from math import cos, pi
from typing import Any

import keras
import numpy as np

from model.approaches.binary.data import choose_edge_samples
from model.approaches.binary.export import export_binary
from model.approaches.binary.learner import WedgeLearner
from model.approaches.binary.networks import build_network
from model.approaches.binary.settings import BinarySettings
from model.approaches.binary.validation import SECOND_CHANNEL, TRAINING_PAIRS, successor_areas, validate
from model.base.arrays import FloatArray
from model.features.edges import EDGE_RATE_HZ
from model.learning.curves import Curves
from model.learning.edge_set import EdgeSet, plain_batch, varied_batch
from model.learning.lesson import Lesson, ReportTable, TrainProgress, TrainReport
from model.learning.loop import Task, Training, run_training
from model.learning.measures import UNSEEN, Measure
from model.learning.pairs import Pairs, binary_pairs, contrast_pairs

EVALUATED_AT_LEAST = 256
"""Between epochs at most a twelfth of the pairs is measured on, so that learning takes most of the time."""
EVALUATED_AT_END = 4096
_LAST_RATE = 0.01
"""Share of the learning rate that is left at the end of its cosine."""
_STYLES = {
    TRAINING_PAIRS: {"color": "#1f77b4", "linestyle": "-"},
    SECOND_CHANNEL: {"color": "#17becf", "linestyle": "--"},
    UNSEEN: {"color": "#d62728", "linestyle": "-"},
}
_PANELS = (("loss", "cross-entropy", 0.6931), ("accuracy", "accuracy", 0.5), ("auc", "AUC", 0.5))


@dataclass(frozen=True, kw_only=True)
class BinaryReport(TrainReport):
    """What came of a training: the three validations side by side, and rankings."""

    edge_samples: int
    pairs: int
    """Pairs in an epoch."""
    validations: dict[str, Measure]
    """By name: as in `model.approaches.binary.validation`."""
    ranking: dict[str, dict[str, float]]
    """AUC of the true next chunk: by name of the songs, against chunks of `all`, `cross` and `same` song."""

    def amount(self) -> str:
        """Return what was learned from, in a few words."""
        return f"{self.epochs} epochs of {self.pairs} pairs, edge {self.edge_samples / EDGE_RATE_HZ:.2f} s"

    def tables(self) -> Sequence[ReportTable]:
        """Return the figures as a person reads them."""
        kinds = ("all", "cross", "same")
        return (
            ReportTable(
                head=("measured on", "accuracy", "loss", "AUC", "pairs"),
                rows=[
                    (name, f"{value.accuracy:.3f}", f"{value.loss:.3f}", f"{value.auc:.3f}", value.pairs)
                    for name, value in self.validations.items()
                ],
            ),
            ReportTable(
                head=("AUC, next chunk against those of", "all songs", "other songs", "the same song"),
                rows=[
                    (name, *(f"{figures[kind]:.3f}" if kind in figures else "-" for kind in kinds))
                    for name, figures in self.ranking.items()
                ],
            ),
        )


def train_binary(
    lesson: Lesson[EdgeSet, BinarySettings],
    progress: Callable[[TrainProgress[Measure]], None] | None = None,
) -> BinaryReport:
    """Train, measure on the unseen songs too, export; stops and goes on as `run_training` says.

    Raises `ModelError` when music, settings and checkpoint do not fit together.
    """
    binary = _Binary(lesson)
    return run_training(binary.task, binary.finish, progress)


def build_optimizer(settings: BinarySettings) -> Any:
    """Return the Keras optimiser that the settings ask for."""
    rate = settings.chosen_learning_rate
    options = {} if rate is None else {"learning_rate": rate}
    optimizers = {
        "rmsprop": keras.optimizers.RMSprop,
        "adam": keras.optimizers.Adam,
        "sgd": keras.optimizers.SGD,
    }
    return optimizers[settings.chosen_optimizer](**options)


class _Binary:
    """What approach `binary` gives to be trained, and makes of it."""

    def __init__(self, lesson: Lesson[EdgeSet, BinarySettings]) -> None:
        train, unseen, settings = lesson.train, lesson.unseen, lesson.settings
        self.train, self.unseen, self.settings = train, unseen, settings
        self.edge_samples, note = choose_edge_samples(train, settings)
        if unseen is not None:
            unseen.check_edge(self.edge_samples)
        self.drawn_once = (
            binary_pairs(train.chunk_song, np.random.default_rng([settings.seed, 1]))
            if settings.defaults.report_pairs
            else None
        )
        # Batches are made ahead, so that two epochs are asked for by turns.
        self.epoch_pairs = lru_cache(maxsize=2)(self.draw_pairs)
        self.measured_pairs = self.epoch_pairs(0)
        keras.utils.set_random_seed(settings.seed)
        self.network = build_network(settings.preset, self.edge_samples)
        optimizer = build_optimizer(settings)
        # Compiled kernels take longer to make than a small network takes to train.
        self.network.compile(optimizer, "binary_crossentropy", jit_compile=False)
        self.learner = (
            WedgeLearner(self.network, settings.seed)
            if settings.chosen_gradients == "wedges"
            else self.network
        )
        self.start_rate = float(optimizer.learning_rate)
        self.task = Task[Measure](
            approach="binary",
            lesson=lesson,
            identity={"edge_samples": self.edge_samples},
            network=self.learner,
            epochs=settings.chosen_epochs,
            epoch_examples=len(self.measured_pairs),
            batch_examples=settings.chosen_batch_size,
            rate=self.rate,
            batch=self.batch,
            measure=self.measure,
            notes=[note] if note else [],
        )

    def draw_pairs(self, epoch: int) -> Pairs:
        """Return the pairs of an epoch in their order, a function of seed and epoch alone."""
        rng = np.random.default_rng([self.settings.seed, 2, epoch])
        pairs = self.drawn_once or contrast_pairs(self.train.chunk_song, rng, repeats=2)
        return pairs.take(rng.permutation(len(pairs)))

    def rate(self, step: int) -> float:
        if not self.settings.defaults.falling_rate:
            return self.start_rate
        along = 0.5 + 0.5 * cos(pi * (step // self.task.batches) / self.task.epochs)
        return self.start_rate * (_LAST_RATE + (1 - _LAST_RATE) * along)

    def batch(self, step: int) -> tuple[FloatArray, FloatArray]:
        """Return pairs of edges and `(n, 1)` labels."""
        epoch, number = divmod(step, self.task.batches)
        rows = np.arange(self.task.examples(number), self.task.examples(number + 1))
        pairs = self.epoch_pairs(epoch).take(rows)
        if self.settings.defaults.report_pairs:
            seen = plain_batch(self.train, pairs, self.edge_samples)
        else:
            rng = np.random.default_rng([self.settings.seed, 3, epoch, number])
            seen = varied_batch(self.train, pairs, self.edge_samples, rng)
        return seen, pairs.labels[:, np.newaxis]

    def measure(self) -> dict[str, Measure]:
        return self.validate(max(EVALUATED_AT_LEAST, self.task.epoch_examples // 12))

    def validate(self, most: int) -> dict[str, Measure]:
        """Measure on the three sets, always on the same pairs, so that epochs can be told from each other."""
        return validate(
            self.learner,
            self.train,
            self.unseen,
            self.measured_pairs,
            self.edge_samples,
            most=most,
            report_pairs=self.settings.defaults.report_pairs,
            rng=np.random.default_rng([self.settings.seed, 4]),
        )

    def rank(self, edges: EdgeSet) -> dict[str, float]:
        rng = np.random.default_rng([self.settings.seed, 5])
        return successor_areas(self.learner, edges, self.edge_samples, rng)

    def finish(self, training: Training[Measure]) -> BinaryReport:
        """Measure once more, write the history and its picture, export."""
        task, out = self.task, training.out
        final = self.validate(EVALUATED_AT_END)
        ranking = {TRAINING_PAIRS: self.rank(self.train)}
        if self.unseen is not None:
            ranking[UNSEEN] = self.rank(self.unseen)
        examples = self.measured_pairs.sample(64, np.random.default_rng(self.settings.seed))
        metrics = {
            "validations": {name: asdict(value) for name, value in final.items()},
            "ranking_auc": ranking,
        }
        details = {
            "epochs": task.epochs,
            "batch_size": task.batch_examples,
            "optimizer": self.settings.chosen_optimizer,
            "gradients": self.settings.chosen_gradients,
            "learning_rate": self.start_rate,
            "pairs_per_epoch": task.epoch_examples,
        }
        title = f"binary {self.settings.preset}"
        recorded = training.record(details, metrics, Curves(title=title, panels=_PANELS, styles=_STYLES))
        exported = export_binary(
            self.network,
            out,
            preset=self.settings.preset,
            edge_samples=self.edge_samples,
            examples=plain_batch(self.train, examples, self.edge_samples),
            training=recorded,
            metrics=metrics,
        )
        return training.report(
            exported,
            BinaryReport,
            edge_samples=self.edge_samples,
            pairs=task.epoch_examples,
            validations=final,
            ranking=ranking,
        )
