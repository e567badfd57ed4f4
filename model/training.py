"""Training of approach `binary`: the loop, its three validations, interruption and resumption."""

import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import keras
import numpy as np

from model.checkpoint import (
    CHECKPOINT_FILE,
    Checkpoint,
    load_checkpoint,
    restore_variables,
    save_checkpoint,
    training_variables,
)
from model.contract import CONTRACT_FILE
from model.curves import draw_curves
from model.edgeset import EdgeSet, choose_edge_samples, plain_batch, varied_batch
from model.errors import ModelError
from model.export import export_binary
from model.measures import Measure
from model.networks import build_network, learned_parameters
from model.pairs import Pairs, binary_pairs, contrast_pairs
from model.settings import TrainSettings
from model.validation import TRAINING, UNSEEN, rank_successors, validate

HISTORY_FILE = "history.json"
CURVES_FILE = "curves.png"
CHECKPOINT_PERIOD_S = 60.0
EVALUATED_AT_LEAST = 256
"""Between epochs at most a twelfth of the pairs is measured on, so that learning takes most of the time."""
EVALUATED_AT_END = 4096


class TrainingStoppedError(ModelError):
    """Training was interrupted; its checkpoint stands."""


@dataclass(frozen=True, kw_only=True)
class TrainProgress:
    """Where a training stands."""

    epoch: int
    """The running one, from 1."""
    epochs: int
    step: int
    """Batches done, over all epochs."""
    steps: int
    loss: float
    """Mean over the running epoch, as the optimiser sees it (varied pairs, dropout on)."""
    elapsed_s: float
    remaining_s: float
    validations: dict[str, Measure] | None
    """Once at the end of an epoch that is measured."""


@dataclass(frozen=True, kw_only=True)
class TrainReport:
    """What came of a training; nothing in it that JSON does not know."""

    folder: str
    edge_samples: int
    learned_parameters: int
    epochs: int
    pairs: int
    """Pairs in an epoch."""
    elapsed_s: float
    validations: dict[str, Measure]
    """By name: as in `model.validation`."""
    ranking: dict[str, dict[str, float]]
    """AUC of the true next chunk: by name of the songs, against chunks of `all`, `cross` and `same` song."""
    export_difference: float
    """Largest difference between Keras and onnxruntime on real edges."""
    notes: tuple[str, ...]
    files: tuple[str, ...]


def train_binary(
    train: EdgeSet,
    unseen: EdgeSet | None,
    out: Path,
    settings: TrainSettings,
    *,
    resume: bool = False,
    progress: Callable[[TrainProgress], None] | None = None,
) -> TrainReport:
    """Train on `train`, measure on `unseen` too (songs that are in neither), export into `out`.

    A `KeyboardInterrupt` at any moment leaves a checkpoint in `out` and becomes `TrainingStoppedError`; the
    same call with `resume` goes on from there and ends where the uninterrupted one ends.
    Raises `ModelError` when data, settings and checkpoint do not fit together.
    """
    run = _Run(train, unseen, settings)
    out.mkdir(parents=True, exist_ok=True)
    run.begin(out, resume)
    try:
        run.learn(out, progress)
        return run.finish(out)
    except KeyboardInterrupt:
        run.save(out)
        raise TrainingStoppedError(
            f"training stopped in epoch {min(run.epoch + 1, run.epochs)} of {run.epochs}; "
            f"its checkpoint is in {out}; the same command with --resume goes on from there"
        ) from None


def build_optimizer(settings: TrainSettings) -> Any:
    """Return the Keras optimiser that the settings ask for."""
    rate = settings.chosen_learning_rate
    options = {} if rate is None else {"learning_rate": rate}
    optimizers = {
        "rmsprop": keras.optimizers.RMSprop,
        "adam": keras.optimizers.Adam,
        "sgd": keras.optimizers.SGD,
    }
    return optimizers[settings.chosen_optimizer](**options)


class _Run:
    """One training: what is fixed, and how far it is (the optimiser's own count of steps)."""

    def __init__(self, train: EdgeSet, unseen: EdgeSet | None, settings: TrainSettings) -> None:
        self.train, self.unseen, self.settings = train, unseen, settings
        self.edge_samples, note = choose_edge_samples(train, settings)
        self.notes = [note] if note else []
        if unseen is not None:
            unseen.check_edge(self.edge_samples)
        self.epochs = settings.chosen_epochs
        self.batch_size = settings.chosen_batch_size
        self.drawn_once = (
            binary_pairs(train.chunk_song, np.random.default_rng([settings.seed, 1]))
            if settings.defaults.report_pairs
            else None
        )
        self.pairs = len(self.epoch_pairs(0))
        self.batches = math.ceil(self.pairs / self.batch_size)
        keras.utils.set_random_seed(settings.seed)
        self.network = build_network(settings.preset, self.edge_samples)
        optimizer = build_optimizer(settings)
        # Compiled kernels take longer to make than a small network takes to train.
        self.network.compile(optimizer, "binary_crossentropy", jit_compile=False)
        optimizer.build(self.network.trainable_variables)
        self.start_rate = float(optimizer.learning_rate)
        self.history: list[dict[str, Any]] = []
        self.loss_sum = 0.0
        self.before_s = 0.0
        self.started_s = self.saved_s = time.monotonic()

    @property
    def step(self) -> int:
        """Batches done; the optimiser counts them in the same instant as it learns."""
        return int(self.network.optimizer.iterations)

    @property
    def epoch(self) -> int:
        """Finished epochs, measured and written down."""
        return len(self.history)

    def elapsed_s(self) -> float:
        return self.before_s + time.monotonic() - self.started_s

    def identity(self) -> dict[str, Any]:
        """What must be the same again for a checkpoint to be gone on from."""
        asked: dict[str, Any] = json.loads(json.dumps(asdict(self.settings)))
        return {"settings": asked, "edge_samples": self.edge_samples, "train": self.train.source}

    def epoch_pairs(self, epoch: int) -> Pairs:
        """Return the pairs of an epoch in their order, a function of seed and epoch alone."""
        rng = np.random.default_rng([self.settings.seed, 2, epoch])
        pairs = self.drawn_once or contrast_pairs(self.train.chunk_song, rng, repeats=2)
        return pairs.take(rng.permutation(len(pairs)))

    def begin(self, out: Path, resume: bool) -> None:
        """Take up a checkpoint when asked to; refuse to overwrite one when not."""
        checkpoint = load_checkpoint(out)
        if checkpoint is None:
            if resume and (out / CONTRACT_FILE).is_file():
                raise ModelError(f"the training in {out} is finished; leave out --resume to train anew")
            if resume:
                self.notes.append("nothing to resume: training began at its first epoch")
            return
        if not resume:
            raise ModelError(
                f"{out} holds a training that was interrupted after {len(checkpoint.history)} epochs; "
                "add --resume to go on with it, or delete its checkpoint.npz to begin anew"
            )
        if checkpoint.identity != self.identity():
            raise ModelError(
                f"the training in {out} was begun with other settings or another pool; "
                "give the same again, or delete its checkpoint.npz to begin anew"
            )
        restore_variables(self.network, checkpoint.variables)
        self.history = checkpoint.history
        self.loss_sum = checkpoint.loss_sum
        self.before_s = checkpoint.elapsed_s
        self.notes.append(f"resumed after {self.epoch} epochs")

    def save(self, out: Path) -> None:
        save_checkpoint(
            Checkpoint(
                identity=self.identity(),
                step=self.step,
                loss_sum=self.loss_sum,
                elapsed_s=self.elapsed_s(),
                history=self.history,
                variables=[keras.ops.convert_to_numpy(value) for value in training_variables(self.network)],
            ),
            out,
        )
        self.saved_s = time.monotonic()

    def learn(self, out: Path, progress: Callable[[TrainProgress], None] | None) -> None:
        for epoch in range(self.epoch, self.epochs):
            pairs = self.epoch_pairs(epoch)
            if self.settings.defaults.falling_rate:
                along = 0.5 + 0.5 * math.cos(math.pi * epoch / self.epochs)
                self.network.optimizer.learning_rate = self.start_rate * (0.01 + 0.99 * along)
            for batch in range(self.step - epoch * self.batches, self.batches):
                self.learn_batch(epoch, batch, pairs)
                self.tell(progress, epoch, None)
            last = epoch + 1 == self.epochs
            measured = last or (epoch + 1) % self.settings.evaluate_every == 0
            validations = self.validate(max(EVALUATED_AT_LEAST, self.pairs // 12)) if measured else None
            self.history.append(
                {
                    "epoch": epoch + 1,
                    "optimizer_loss": self.loss_sum / self.pairs,
                    "elapsed_s": round(self.elapsed_s(), 1),
                    "validations": {name: asdict(value) for name, value in (validations or {}).items()},
                }
            )
            if time.monotonic() - self.saved_s > CHECKPOINT_PERIOD_S:
                self.save(out)
            self.tell(progress, epoch, validations)

    def learn_batch(self, epoch: int, batch: int, pairs: Pairs) -> None:
        """Learn from one batch."""
        if batch == 0:
            self.loss_sum = 0.0
        size = self.batch_size
        chosen = pairs.take(np.arange(batch * size, min(len(pairs), (batch + 1) * size)))
        if self.settings.defaults.report_pairs:
            seen = plain_batch(self.train, chosen, self.edge_samples)
        else:
            rng = np.random.default_rng([self.settings.seed, 3, epoch, batch])
            seen = varied_batch(self.train, chosen, self.edge_samples, rng)
        loss = float(np.asarray(self.network.train_on_batch(seen, chosen.labels[:, np.newaxis])))
        if not math.isfinite(loss):
            raise ModelError(
                f"the loss became {loss} in epoch {epoch + 1}; train again with a lower --learning-rate"
            )
        self.loss_sum += loss * len(chosen)

    def tell(
        self,
        progress: Callable[[TrainProgress], None] | None,
        epoch: int,
        validations: dict[str, Measure] | None,
    ) -> None:
        if progress is None:
            return
        step, steps = self.step, self.epochs * self.batches
        elapsed_s = self.elapsed_s()
        progress(
            TrainProgress(
                epoch=epoch + 1,
                epochs=self.epochs,
                step=step,
                steps=steps,
                loss=self.loss_sum / min(self.pairs, (step - epoch * self.batches) * self.batch_size),
                elapsed_s=elapsed_s,
                remaining_s=elapsed_s / max(1, step) * (steps - step),
                validations=validations,
            )
        )

    def validate(self, most: int) -> dict[str, Measure]:
        """Measure on the three sets, always on the same pairs, so that epochs can be told from each other."""
        return validate(
            self.network,
            self.train,
            self.unseen,
            self.epoch_pairs(0),
            self.edge_samples,
            most=most,
            report_pairs=self.settings.defaults.report_pairs,
            rng=np.random.default_rng([self.settings.seed, 4]),
        )

    def rank(self, edges: EdgeSet) -> dict[str, float]:
        rng = np.random.default_rng([self.settings.seed, 5])
        return rank_successors(self.network, edges, self.edge_samples, rng)

    def finish(self, out: Path) -> TrainReport:
        """Export, write the history and its picture, drop the checkpoint."""
        final = self.validate(EVALUATED_AT_END)
        ranking = {TRAINING: self.rank(self.train)}
        if self.unseen is not None:
            ranking[UNSEEN] = self.rank(self.unseen)
        examples = self.epoch_pairs(0).sample(64, np.random.default_rng(self.settings.seed))
        metrics = {
            "validations": {name: asdict(value) for name, value in final.items()},
            "ranking_auc": ranking,
        }
        training = {
            "settings": asdict(self.settings),
            "epochs": self.epochs,
            "batch_size": self.batch_size,
            "optimizer": self.settings.chosen_optimizer,
            "learning_rate": self.start_rate,
            "pairs_per_epoch": self.pairs,
            "learned_parameters": learned_parameters(self.network),
            "train": self.train.source,
            "unseen": None if self.unseen is None else self.unseen.source,
            "elapsed_s": round(self.elapsed_s(), 1),
            "versions": {name: version(name) for name in ("keras", "tensorflow", "tf2onnx", "numpy")},
        }
        write_json(out / HISTORY_FILE, {"training": training, "metrics": metrics, "epochs": self.history})
        draw_curves(self.history, out / CURVES_FILE, title=f"binary {self.settings.preset}")
        exported = export_binary(
            self.network,
            out,
            preset=self.settings.preset,
            edge_samples=self.edge_samples,
            examples=plain_batch(self.train, examples, self.edge_samples),
            training=training,
            metrics=metrics,
        )
        (out / CHECKPOINT_FILE).unlink(missing_ok=True)
        return TrainReport(
            folder=str(out),
            edge_samples=self.edge_samples,
            learned_parameters=learned_parameters(self.network),
            epochs=self.epochs,
            pairs=self.pairs,
            elapsed_s=self.elapsed_s(),
            validations=final,
            ranking=ranking,
            export_difference=exported.difference,
            notes=tuple(self.notes),
            files=tuple(str(path) for path in (*exported.files, out / HISTORY_FILE, out / CURVES_FILE)),
        )


def write_json(path: Path, value: object) -> None:
    """Write `value` as JSON into `path`, beside and renamed."""
    beside = path.with_name(path.name + ".part")
    beside.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")
    beside.replace(path)
