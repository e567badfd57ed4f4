"""The loop trains every approach, with batches, epochs, checkpoints, interruption and resumption."""

import json
import math
import time
from collections.abc import Callable, Generator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any, Generic, TypeVar, overload

import keras
import numpy as np

from model.base.errors import ModelError, StoppedError, interrupted
from model.base.files import what_to_do, write_whole
from model.learning.checkpoint import (
    CHECKPOINT_FILE,
    Checkpoint,
    load_checkpoint,
    restore_variables,
    save_checkpoint,
    training_variables,
)
from model.learning.curves import Curves, draw_curves
from model.learning.export import Exported
from model.learning.lesson import FiguresT, Lesson, TrainProgress, TrainReport
from model.saved.carried import CONTRACT_FILE

HISTORY_FILE = "history.json"
CURVES_FILE = "curves.png"
CHECKPOINT_PERIOD_S = 60.0

ReportT = TypeVar("ReportT", bound=TrainReport)
Made = TypeVar("Made")


class TrainingStoppedError(StoppedError):
    """Training was interrupted; its checkpoint stands."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Task(Generic[FiguresT]):
    """What an approach gives to be trained; everything else is the same for every approach."""

    approach: str
    """Its name."""
    lesson: Lesson[Any, Any]
    network: Any
    """Compiled."""
    epochs: int
    epoch_examples: int
    batch_examples: int
    """The last batch of an epoch has what is left."""
    rate: Callable[[int], float]
    """Learning rate of a step (from 0, over all epochs)."""
    batch: Callable[[int], tuple[Any, Any]]
    """Inputs and truth of a step, a function of seed and step alone; called in a thread of its own."""
    measure: Callable[[], dict[str, FiguresT]]
    """Figures between epochs, by the name of the set."""
    identity: dict[str, object] = field(default_factory=dict)
    """What else than settings and music must be the same again for a checkpoint to be gone on from."""
    notes: list[str] = field(default_factory=list)

    @property
    def batches(self) -> int:
        """Batches in an epoch."""
        return math.ceil(self.epoch_examples / self.batch_examples)

    @property
    def steps(self) -> int:
        """Batches in all epochs."""
        return self.epochs * self.batches

    def examples(self, batches: int) -> int:
        """Return how many examples the first `batches` of an epoch hold."""
        return min(self.epoch_examples, batches * self.batch_examples)


def run_training(
    task: Task[FiguresT],
    finish: "Callable[[Training[FiguresT]], ReportT]",
    progress: Callable[[TrainProgress[FiguresT]], None] | None = None,
) -> ReportT:
    """Train, and return what `finish` makes of it: it measures, keeps the record, and exports the model.

    A `KeyboardInterrupt` at any moment leaves a checkpoint in the model's folder and becomes
    `TrainingStoppedError`; the same call with `Lesson.resume` goes on from there and ends where the
    uninterrupted one ends. Raises `ModelError` when task and checkpoint do not fit together.
    """
    training = Training(task)
    training.out.mkdir(parents=True, exist_ok=True)
    training.begin(task.lesson.resume)
    try:
        training.learn(progress)
        # What is learned outlives an export that fails, or that this backend of Keras cannot do.
        training.save()
        report = finish(training)
        (training.out / CHECKPOINT_FILE).unlink(missing_ok=True)
    except BaseException as error:
        if not interrupted(error):
            raise
        stopped = f"training stopped in epoch {min(training.epoch + 1, task.epochs)} of {task.epochs}"
        try:
            training.save()
        except OSError as failed:
            raise TrainingStoppedError(
                f"{stopped}; no checkpoint of it can be written to {training.out} "
                f"({failed.strerror or failed}); {what_to_do(failed)}; "
                "the same command with --resume goes on from one that is there"
            ) from None
        raise TrainingStoppedError(
            f"{stopped}; its checkpoint is in {training.out}; "
            "the same command with --resume goes on from there"
        ) from None
    return report


class Training(Generic[FiguresT]):
    """One training: its task, its folder, and how far it is (the optimiser's own count of steps)."""

    def __init__(self, task: Task[FiguresT]) -> None:
        self.task, self.out = task, task.lesson.out
        # A checkpoint holds the optimiser's variables too, which it else makes in its first step.
        task.network.optimizer.build(task.network.trainable_variables)
        self.notes = list(task.notes)
        self.history: list[dict[str, Any]] = []
        self.loss_sum = 0.0
        self.before_s = 0.0
        self.started_s = self.saved_s = time.monotonic()

    @property
    def step(self) -> int:
        """Batches done; the optimiser counts them in the same instant as it learns."""
        return int(self.task.network.optimizer.iterations)

    @property
    def epoch(self) -> int:
        """Finished epochs, measured and written down."""
        return len(self.history)

    @property
    def elapsed_s(self) -> float:
        """Time spent, before an interruption too."""
        return self.before_s + time.monotonic() - self.started_s

    @property
    def files(self) -> tuple[Path, Path]:
        """What is written beside the model: the history, and its picture."""
        return self.out / HISTORY_FILE, self.out / CURVES_FILE

    def identity(self) -> dict[str, Any]:
        """What must be the same again for a checkpoint to be gone on from."""
        task, lesson = self.task, self.task.lesson
        asked = {
            "approach": task.approach,
            "settings": asdict(lesson.settings),
            "train": lesson.train.source,
            **task.identity,
        }
        found: dict[str, Any] = json.loads(json.dumps(asked))
        return found

    def begin(self, resume: bool) -> None:
        """Take up a checkpoint when asked to; refuse to overwrite one when not."""
        checkpoint = load_checkpoint(self.out)
        if checkpoint is None:
            if resume and (self.out / CONTRACT_FILE).is_file():
                raise ModelError(f"the training in {self.out} is finished; leave out --resume to train anew")
            if resume:
                raise ModelError(
                    f"{self.out} holds no checkpoint to go on from: one is kept every minute, and when one "
                    "is stopped; leave out --resume to begin anew"
                )
            return
        if not resume:
            raise ModelError(
                f"{self.out} holds a training that was interrupted after {len(checkpoint.history)} epochs; "
                f"add --resume to go on with it, or delete its {CHECKPOINT_FILE} to begin anew"
            )
        if checkpoint.identity != self.identity():
            raise ModelError(
                f"the training in {self.out} was begun with other settings or another pool; "
                f"give the same again, or delete its {CHECKPOINT_FILE} to begin anew"
            )
        restore_variables(self.task.network, checkpoint.variables)
        self.history = checkpoint.history
        self.loss_sum = checkpoint.loss_sum
        self.before_s = checkpoint.elapsed_s
        self.notes.append(f"resumed after {self.epoch} epochs")

    def save(self) -> None:
        """Keep a checkpoint of where the training stands."""
        values = [keras.ops.convert_to_numpy(value) for value in training_variables(self.task.network)]
        save_checkpoint(
            Checkpoint(
                identity=self.identity(),
                step=self.step,
                loss_sum=self.loss_sum,
                elapsed_s=self.elapsed_s,
                history=self.history,
                variables=values,
            ),
            self.out,
        )
        self.saved_s = time.monotonic()

    def learn(self, progress: Callable[[TrainProgress[FiguresT]], None] | None) -> None:
        """Learn from every epoch that is left, and measure."""
        task = self.task
        with closing(made_ahead(task.batch, range(self.step, task.steps))) as batches:
            for epoch in range(self.epoch, task.epochs):
                for seen, truth in islice(batches, (epoch + 1) * task.batches - self.step):
                    self.learn_batch(epoch, seen, truth)
                    self.tell(progress, epoch, None)
                measured = epoch + 1 == task.epochs or (epoch + 1) % task.lesson.settings.evaluate_every == 0
                validations = task.measure() if measured else None
                self.history.append(
                    {
                        "epoch": epoch + 1,
                        "optimizer_loss": self.loss_sum / task.epoch_examples,
                        "elapsed_s": round(self.elapsed_s, 1),
                        "validations": {name: asdict(value) for name, value in (validations or {}).items()},
                    }
                )
                if time.monotonic() - self.saved_s > CHECKPOINT_PERIOD_S:
                    self.save()
                self.tell(progress, epoch, validations)

    def learn_batch(self, epoch: int, seen: Any, truth: Any) -> None:
        """Learn from one batch."""
        task, step = self.task, self.step
        number = step - epoch * task.batches
        if number == 0:
            self.loss_sum = 0.0
        task.network.optimizer.learning_rate = task.rate(step)
        loss = float(np.asarray(task.network.train_on_batch(seen, truth)))
        if not math.isfinite(loss):
            raise ModelError(
                f"the loss became {loss} in epoch {epoch + 1}; train again with a lower --learning-rate"
            )
        self.loss_sum += loss * (task.examples(number + 1) - task.examples(number))

    def tell(
        self,
        progress: Callable[[TrainProgress[FiguresT]], None] | None,
        epoch: int,
        validations: dict[str, FiguresT] | None,
    ) -> None:
        """Say where the training stands."""
        if progress is None:
            return
        task, step, elapsed_s = self.task, self.step, self.elapsed_s
        progress(
            TrainProgress(
                epoch=epoch + 1,
                epochs=task.epochs,
                step=step,
                steps=task.steps,
                loss=self.loss_sum / task.examples(step - epoch * task.batches),
                elapsed_s=elapsed_s,
                remaining_s=elapsed_s / step * (task.steps - step),
                validations=validations,
            )
        )

    def record(
        self, details: Mapping[str, object], metrics: Mapping[str, object], curves: Curves
    ) -> dict[str, Any]:
        """Write the history and its picture, and return what a contract says of the training.

        details: of the approach. metrics: the final ones.
        """
        lesson = self.task.lesson
        training = {
            "settings": asdict(lesson.settings),
            **details,
            "learned_parameters": learned_parameters(self.task.network),
            "train": lesson.train.source,
            "unseen": None if lesson.unseen is None else lesson.unseen.source,
            "elapsed_s": round(self.elapsed_s, 1),
            "versions": {name: version(name) for name in ("keras", "tensorflow", "tf2onnx", "numpy")},
        }
        history = {"training": training, "metrics": metrics, "epochs": self.history}
        history_path, curves_path = self.files
        write_whole(history_path, json.dumps(history, indent=1) + "\n")
        draw_curves(self.history, curves_path, curves)
        return training

    @overload
    def report(self, exported: Exported) -> TrainReport: ...

    @overload
    def report(self, exported: Exported, kind: type[ReportT], **own: Any) -> ReportT: ...

    def report(self, exported: Exported, kind: type[TrainReport] = TrainReport, **own: Any) -> TrainReport:
        """Return what came of it, as a report of some kind; own: the fields that are this kind's alone."""
        return kind(
            folder=str(self.out),
            learned_parameters=learned_parameters(self.task.network),
            epochs=self.task.epochs,
            elapsed_s=self.elapsed_s,
            export_difference=exported.difference,
            notes=tuple(self.notes),
            files=tuple(str(path) for path in (*exported.files, *self.files)),
            **own,
        )


def made_ahead(make: Callable[[int], Made], steps: range) -> Generator[Made, None, None]:
    """Yield what is made of each step; the next one is made in a thread meanwhile."""
    with ThreadPoolExecutor(max_workers=1) as maker:
        ahead = [maker.submit(make, step) for step in steps[:1]]
        for step in steps:
            made = ahead.pop().result()
            if step + 1 in steps:
                ahead.append(maker.submit(make, step + 1))
            yield made


def learned_parameters(network: Any) -> int:
    """Return how many numbers of a network training may change."""
    return int(sum(int(np.prod(weight.shape)) for weight in network.trainable_weights))
