"""The training of approach `categorical` sorts transitions into classes, measures, and exports the model."""

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import keras
import numpy as np

from model.approaches.categorical.lessons import ClassLesson, class_lesson
from model.approaches.categorical.measures import ClassFigures, SortedSongs, sort_songs
from model.approaches.categorical.settings import CategoricalSettings
from model.base.arrays import FloatArray
from model.learning.bucket_sizes import BUCKETS_FILE, draw_buckets
from model.learning.calibration import calibrate
from model.learning.curves import Curves
from model.learning.export import export_graph, export_model
from model.learning.lesson import Lesson, ReportTable, TrainProgress, TrainReport
from model.learning.loop import Task, Training, run_training
from model.learning.measures import KEPT_BACK, UNSEEN
from model.learning.successors import RANK_COLUMNS, told_share
from model.saved.scoring import CLASSES_ROLE

LEARNED_SONGS = "songs learned from"
_LAST_RATE = 0.02
"""Share of the learning rate that is left at the end of its cosine."""
_STYLES = {
    LEARNED_SONGS: {"color": "#1f77b4"},
    UNSEEN: {"color": "#d62728"},
    KEPT_BACK: {"color": "#d62728"},
}
_PANELS = (
    ("accuracy", "sorted rightly", 0.0),
    ("surer", "AUC, true or false", 0.5),
    ("auc_cross", "AUC, other songs", 0.5),
)


@dataclass(frozen=True, kw_only=True)
class CategoricalReport(TrainReport):
    """What came of a training: how transitions are sorted, how full the buckets are, and what follows."""

    classes: int
    walk: int
    """Transitions of the reference songs, from start to end."""
    figures: dict[str, ClassFigures]
    calibrated_on: str

    def amount(self) -> str:
        """Return what was learned from, in a few words."""
        return f"{self.epochs} epochs, {self.classes} classes, a walk of {self.walk} transitions"

    def tables(self) -> Sequence[ReportTable]:
        """Return the figures as a person reads them."""
        head = ("measured on", "right", "empty", "true or false", *RANK_COLUMNS)
        rows = [
            (
                name,
                told_share(found.accuracy),
                f"{found.empty:.2f}",
                f"{found.surer:.3f}",
                *found.cells(),
            )
            for name, found in self.figures.items()
        ]
        return (ReportTable(head=head, rows=rows),)

    def remarks(self) -> Sequence[str]:
        """Return what is to be said below the figures."""
        return (f"Probabilities are calibrated on {self.calibrated_on}",)


def train_categorical(
    lesson: Lesson[Any, CategoricalSettings],
    progress: Callable[[TrainProgress[ClassFigures]], None] | None = None,
) -> CategoricalReport:
    """Train, measure on the unseen songs too, export; stops and goes on as `run_training` says.

    Raises `ModelError` when music, settings and checkpoint do not fit together.
    """
    categorical = _Categorical(lesson)
    return run_training(categorical.task, categorical.finish, progress)


class _Categorical:
    """What approach `categorical` gives to be trained, and makes of it."""

    def __init__(self, lesson: Lesson[Any, CategoricalSettings]) -> None:
        settings = lesson.settings
        self.settings = settings
        self.lesson: ClassLesson = class_lesson(lesson)
        self.sets = {LEARNED_SONGS: self.lesson.train}
        if self.lesson.unseen is not None:
            self.sets[lesson.unseen_name] = self.lesson.unseen
        keras.utils.set_random_seed(settings.seed)
        self.network = self.lesson.network()
        rate = settings.chosen_learning_rate
        optimizer = keras.optimizers.RMSprop(**({} if rate is None else {"learning_rate": rate}))
        # On logits: what Keras makes of sigmoids here depends on its backend (`networks`).
        loss = keras.losses.CategoricalCrossentropy(from_logits=True)
        # Compiled kernels take longer to make than the network takes to train.
        self.network.compile(optimizer, loss, jit_compile=False)
        self.start_rate = float(optimizer.learning_rate)
        self.task = Task[ClassFigures](
            approach="categorical",
            lesson=lesson,
            network=self.network,
            epochs=settings.chosen_epochs,
            epoch_examples=self.lesson.epoch_examples,
            batch_examples=self.lesson.batch_examples,
            rate=self.rate,
            batch=self.batch,
            notes=list(self.lesson.notes),
            measure=lambda: {name: found.figures(self.lesson.walk) for name, found in self.sort().items()},
        )

    def rate(self, step: int) -> float:
        if self.settings.defaults.learning_rate is None:
            return self.start_rate
        along = 0.5 + 0.5 * math.cos(math.pi * step / self.task.steps)
        return self.start_rate * (_LAST_RATE + (1 - _LAST_RATE) * along)

    def batch(self, step: int) -> tuple[FloatArray, FloatArray]:
        """Return transitions, and how much each belongs to each class."""
        epoch, number = divmod(step, self.task.batches)
        return self.lesson.batch(epoch, number)

    def sort(self) -> dict[str, SortedSongs]:
        """Return what the network says of each set, always with the same false transitions."""
        return {
            name: sort_songs(self.network, transitions, np.random.default_rng([self.settings.seed, 5]))
            for name, transitions in self.sets.items()
        }

    def finish(self, training: Training[ClassFigures]) -> CategoricalReport:
        """Measure once more, calibrate, draw the buckets, write the history and its picture, export."""
        found, walk, settings = self.sort(), self.lesson.walk, self.settings
        figures = {name: one.figures(walk) for name, one in found.items()}
        calibrated_on = list(found)[-1]
        scored = found[calibrated_on].scored(walk)
        details = {
            "preset": asdict(settings.defaults),
            "classes": self.lesson.classes,
            "walk": len(walk),
            "false": "random tails and heads, as the report made them; measured on, not learned from",
        }
        metrics = {
            "sorted": {name: asdict(one) for name, one in figures.items()},
            "calibrated_on": calibrated_on,
        }
        title = f"categorical {settings.preset}, {self.lesson.classes} classes"
        recorded = training.record(details, metrics, Curves(title=title, panels=_PANELS, styles=_STYLES))
        picture = training.out / BUCKETS_FILE
        draw_buckets({name: one.sizes() for name, one in found.items()}, picture)
        train = self.lesson.train
        rows = np.arange(min(len(train), 64))
        graph = export_graph(
            self.network, "classes.onnx", "transition", "logits", train.look(train.before[rows], rows)
        )
        exported = export_model(
            training.out,
            {CLASSES_ROLE: graph},
            approach="categorical",
            scoring="buckets",
            features=self.lesson.features,
            preset=settings.preset,
            edge_samples=self.lesson.edge_samples,
            spectral_version=self.lesson.spectral_version,
            training=recorded,
            metrics=metrics,
            metric="product",
            calibration=calibrate([scored]),
            walk=tuple(walk.tolist()),
        )
        return training.report(
            replace(exported, files=(*exported.files, picture)),
            CategoricalReport,
            classes=self.lesson.classes,
            walk=len(walk),
            figures=figures,
            calibrated_on=calibrated_on,
        )
