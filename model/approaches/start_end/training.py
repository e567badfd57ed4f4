"""The training of approach `start-end` teaches both classifiers at once, measures, and exports the model."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from math import cos, pi
from typing import Any

import keras
import numpy as np

from model.approaches.start_end.data import DrawnSeams, EdgeTransitions, Material, MeasuredChunks
from model.approaches.start_end.export import export_start_end
from model.approaches.start_end.networks import StartEndNetworks
from model.approaches.start_end.settings import StartEndSettings
from model.base.arrays import FloatArray
from model.learning.calibration import ScoredSongs, calibrate
from model.learning.curves import Curves
from model.learning.lesson import Lesson, ReportTable, TrainProgress, TrainReport
from model.learning.loop import Task, Training, run_training
from model.learning.measures import KEPT_BACK, UNSEEN
from model.learning.successors import RANK_COLUMNS, SuccessorRanks, rank_successors, told_share

TRAINED_ON = "training songs"
SAME_AGAIN = "second channel (the same music again)"
_LAST_RATE = 0.02
"""Share of the learning rate that is left at the end of its cosine, of preset `fast`."""
_BATCH = 128
_STYLES = {
    TRAINED_ON: {"color": "#1f77b4"},
    SAME_AGAIN: {"color": "#17becf", "linestyle": "--"},
    UNSEEN: {"color": "#d62728"},
    KEPT_BACK: {"color": "#d62728"},
}


@dataclass(frozen=True, kw_only=True)
class StartEndFigures(SuccessorRanks):
    """Figures of one set of chunks: where the successor stands, and how often a class is told right."""

    ends: float | None
    """Share of the ends whose class is told; None where they are of no class."""
    starts: float | None

    def brief(self) -> str:
        """Return both shares, and where the successor stands."""
        told = "" if self.ends is None else f"ends {self.ends:.3f}, starts {self.starts:.3f}, "
        return f"{told}MRR {self.mrr:.3f}, AUC same song {self.auc_same:.3f}, other {self.auc_cross:.3f}"


@dataclass(frozen=True, kw_only=True)
class StartEndReport(TrainReport):
    """What came of a training."""

    classes: int
    figures: dict[str, StartEndFigures]
    calibration: dict[str, float]
    calibrated_on: str

    def amount(self) -> str:
        """Return what was learned from, in a few words."""
        return f"{self.epochs} epochs, {self.classes} classes"

    def tables(self) -> Sequence[ReportTable]:
        """Return the figures as a person reads them."""
        head = ("measured on", "ends", "starts", *RANK_COLUMNS)
        rows = [
            (name, told_share(one.ends), told_share(one.starts), *one.cells())
            for name, one in self.figures.items()
        ]
        return (ReportTable(head=head, rows=rows),)

    def remarks(self) -> Sequence[str]:
        """Return what is to be said below the figures."""
        return (
            "ends, starts: share whose class is told right, where they are of one",
            f"Probabilities are calibrated on {self.calibrated_on}",
        )


def train_start_end(
    lesson: Lesson[Any, StartEndSettings],
    progress: Callable[[TrainProgress[StartEndFigures]], None] | None = None,
) -> StartEndReport:
    """Train, measure on the unseen songs too, export; stops and goes on as `run_training` says.

    Raises `ModelError` when music, settings and checkpoint do not fit together.
    """
    if lesson.settings.preset == "seed":
        both = _StartEnd(lesson, EdgeTransitions(lesson, TRAINED_ON, SAME_AGAIN), falling_rate=False)
    else:
        both = _StartEnd(lesson, DrawnSeams(lesson, TRAINED_ON), falling_rate=True)
    return run_training(both.task, both.finish, progress)


@dataclass(frozen=True, kw_only=True, eq=False)
class ToldChunks:
    """What both classifiers say of the chunks of a set: `(N, classes)` logarithms of probabilities."""

    chunks: MeasuredChunks
    ends: FloatArray
    starts: FloatArray

    @classmethod
    def by(cls, networks: StartEndNetworks, chunks: MeasuredChunks) -> "ToldChunks":
        """Ask both classifiers."""
        ends, starts = _told(networks.ends, chunks.tails), _told(networks.starts, chunks.heads)
        return cls(chunks=chunks, ends=ends, starts=starts)

    def scored(self) -> ScoredSongs:
        """Return the logarithms of the chance that an end and a start are of one class, all against all."""
        products = np.exp(self.ends, dtype=np.float64) @ np.exp(self.starts, dtype=np.float64).T
        return ScoredSongs(logits=np.log(products + 1e-30).astype(np.float32), song=self.chunks.song)

    def figures(self) -> StartEndFigures | None:
        """Return the figures; None where no chunk has a successor."""
        ranks, labels = rank_successors(self.scored()), self.chunks.labels
        if ranks is None:
            return None
        ends = starts = None
        if labels is not None:
            rows = np.flatnonzero(self.chunks.song[:-1] == self.chunks.song[1:])
            ends = float((self.ends[rows].argmax(axis=1) == labels).mean())
            starts = float((self.starts[rows + 1].argmax(axis=1) == labels).mean())
        return StartEndFigures(**asdict(ranks), ends=ends, starts=starts)


class _StartEnd:
    """What approach `start-end` gives to be trained, and makes of it."""

    def __init__(
        self, lesson: Lesson[Any, StartEndSettings], material: Material, *, falling_rate: bool
    ) -> None:
        self.lesson, self.settings, self.material = lesson, lesson.settings, material
        self.falling_rate = falling_rate
        self.measured = material.measured()
        keras.utils.set_random_seed(self.settings.seed)
        self.networks = material.networks()
        rate = self.settings.chosen_learning_rate
        optimizer = keras.optimizers.Adam(rate) if falling_rate else keras.optimizers.RMSprop(rate)
        # Categorical cross-entropy of the softmax, from its logits: no small probability is lost.
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        # Compiled kernels take longer to make than the classifiers take to train.
        self.networks.both.compile(optimizer, loss, jit_compile=False)
        self.task = Task[StartEndFigures](
            approach="start-end",
            lesson=lesson,
            network=self.networks.both,
            epochs=self.settings.chosen_epochs,
            epoch_examples=material.epoch_examples,
            batch_examples=material.batch_examples,
            rate=self.rate,
            batch=material.batch,
            measure=lambda: _figures(self.told()),
            identity={"classes": material.classes.count},
            notes=material.notes,
        )

    def rate(self, step: int) -> float:
        start = self.settings.chosen_learning_rate
        if not self.falling_rate:
            return start
        along = 0.5 + 0.5 * cos(pi * step / self.task.steps)
        return start * (_LAST_RATE + (1 - _LAST_RATE) * along)

    def told(self) -> dict[str, ToldChunks]:
        return {name: ToldChunks.by(self.networks, chunks) for name, chunks in self.measured.items()}

    def finish(self, training: Training[StartEndFigures]) -> StartEndReport:
        """Measure once more, calibrate, write the history and its picture, export."""
        told, classes, unseen = self.told(), self.material.classes, self.lesson.unseen_name
        figures = _figures(told)
        calibrated_on = unseen if unseen in figures else TRAINED_ON
        calibration = calibrate([told[calibrated_on].scored()])
        metrics = {
            "successors": {name: asdict(value) for name, value in figures.items()},
            "calibrated_on": calibrated_on,
        }
        chance = 1 / classes.count
        curves = Curves(
            title=f"start-end {self.settings.preset}, {classes.count} classes",
            panels=(
                ("ends", "ends told right", chance),
                ("starts", "starts told right", chance),
                ("auc_same", "AUC same song", 0.5),
            ),
            styles=_STYLES,
        )
        details = {"preset": asdict(self.settings.defaults), "classes": classes.count}
        (tails, heads), _ = self.material.batch(0)
        exported = export_start_end(
            self.networks,
            training.out,
            preset=self.settings.preset,
            edge_samples=self.settings.chosen_edge_samples,
            classes=classes,
            tails=tails,
            heads=heads,
            calibration=calibration,
            training=training.record(details, metrics, curves),
            metrics=metrics,
        )
        return training.report(
            exported,
            StartEndReport,
            classes=classes.count,
            figures=figures,
            calibration=calibration,
            calibrated_on=calibrated_on,
        )


def _figures(told: dict[str, ToldChunks]) -> dict[str, StartEndFigures]:
    found = {name: one.figures() for name, one in told.items()}
    return {name: figures for name, figures in found.items() if figures is not None}


def _told(classifier: Any, seen: FloatArray) -> FloatArray:
    """Return `(n, classes)` logarithms of probabilities, in batches, so that memory is bounded."""
    parts = [
        np.asarray(classifier.predict_on_batch(seen[first : first + _BATCH]))
        for first in range(0, len(seen), _BATCH)
    ]
    return np.concatenate(parts)
