"""Training of approach `tower`: contrastive (InfoNCE), with interruption and resumption."""

import json
import math
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

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
from model.errors import ModelError
from model.kernels import FloatArray
from model.networks import learned_parameters
from model.spectral import BROAD, QUARTERS
from model.tower_data import (
    STEPS_PER_DB,
    GridArray,
    Seams,
    SongSet,
    Variation,
    add_judged,
    draw_seams,
    same_music,
)
from model.tower_export import export_towers, load_weights
from model.tower_measures import GAP_S, Scored, SuccessorRanks, calibrate, rank_successors, score_songs
from model.tower_networks import Towers, build_towers, set_scale
from model.tower_settings import TowerSettings
from model.training import CHECKPOINT_PERIOD_S, CURVES_FILE, HISTORY_FILE, TrainingStoppedError, write_json

TRAINING = "training songs"
UNSEEN = "unseen songs (song-disjoint)"
MEASURED_SONGS = 16
"""Of the training songs, those that are measured beside the unseen ones."""
JUDGED_IN_A_BATCH = 16
"""Judged joins that are learned from beside the seams of songs, at most."""
WEIGHT_DECAY = 1e-4
RISING_STEPS = 50
LAST_RATE = 0.02
"""Share of the learning rate that is left at the end of its cosine."""
TRUE, OTHER_SONG, SAME_SONG, NOT_ASKED = 1.0, 0.0, -1.0, -2.0
"""What the loss is told of each pair of a batch."""
_FAR = 1e4


@dataclass(frozen=True, kw_only=True)
class TowerProgress:
    """Where a training stands."""

    epoch: int
    """The running one, from 1."""
    epochs: int
    step: int
    steps: int
    loss: float
    """Mean over the running epoch, of varied seams with dropout on."""
    elapsed_s: float
    remaining_s: float
    ranks: dict[str, SuccessorRanks] | None
    """Once at the end of an epoch that is measured."""


@dataclass(frozen=True, kw_only=True)
class TowerReport:
    """What came of a training; nothing in it that JSON does not know."""

    folder: str
    learned_parameters: int
    epochs: int
    steps: int
    elapsed_s: float
    ranks: dict[str, SuccessorRanks]
    calibration: dict[str, float]
    calibrated_on: str
    export_difference: float
    """Largest difference between Keras and onnxruntime, relative to the embeddings' largest value."""
    notes: tuple[str, ...]
    files: tuple[str, ...]


def train_towers(
    train: SongSet,
    unseen: SongSet | None,
    out: Path,
    settings: TowerSettings,
    *,
    weights: Path | None = None,
    resume: bool = False,
    progress: Callable[[TowerProgress], None] | None = None,
) -> TowerReport:
    """Train on `train`, measure on `unseen` too (songs that are in neither), export into `out`.

    weights: where `settings.pretrained` begins. A `KeyboardInterrupt` leaves a checkpoint in `out` and
    becomes `TrainingStoppedError`; the same call with `resume` goes on from there.
    Raises `ModelError` when data, settings, weights and checkpoint do not fit together.
    """
    run = _Run(train, unseen, settings, weights)
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
    finally:
        run.maker.shutdown(cancel_futures=True)


def contrast(same_song_share: float) -> Callable[[Any, Any], Any]:
    """Return InfoNCE (van den Oord et al., 2018) over rows and columns, among all and in the song alone.

    Its truth is `(n, n)` of `TRUE`, `OTHER_SONG`, `SAME_SONG` and `NOT_ASKED`.
    """

    def loss(kind: Any, logits: Any) -> Any:
        right = ops.sum(ops.where(kind == TRUE, logits, 0.0), axis=1)
        among_all = ops.where(kind == NOT_ASKED, -_FAR, logits)
        in_song = ops.where(kind == OTHER_SONG, -_FAR, among_all)

        def missed(scores: Any) -> Any:
            return 0.5 * (ops.logsumexp(scores, axis=1) + ops.logsumexp(scores, axis=0)) - right

        return (1 - same_song_share) * missed(among_all) + same_song_share * missed(in_song)

    return loss


def pair_kinds(seams: Seams) -> FloatArray:
    """Return `(n, n)` what each head is to each tail; doubles of the true head are not asked for."""
    kinds = np.where(seams.song[:, None] == seams.song[None], SAME_SONG, OTHER_SONG).astype(np.float32)
    kinds[same_music(seams)] = NOT_ASKED
    np.fill_diagonal(kinds, TRUE)
    return kinds


class _Run:
    """One training: what is fixed, and how far it is (the optimiser's own count of steps)."""

    def __init__(
        self, train: SongSet, unseen: SongSet | None, settings: TowerSettings, weights: Path | None
    ) -> None:
        self.train, self.unseen, self.settings = train, unseen, settings
        self.epochs = settings.chosen_epochs
        self.epoch_steps = settings.defaults.steps_per_epoch
        self.steps = self.epochs * self.epoch_steps
        self.variation = Variation()
        keras.utils.set_random_seed(settings.seed)
        self.towers: Towers = build_towers()
        if settings.pretrained and weights is not None:
            load_weights(self.towers, weights)
        else:
            set_scale(self.towers, *_statistics(train.grids, np.random.default_rng([settings.seed, 1])))
        self.network = self.towers.both
        optimizer = keras.optimizers.AdamW(
            settings.chosen_learning_rate, weight_decay=WEIGHT_DECAY, clipnorm=1.0
        )
        # Compiled kernels take longer to make than the towers take to train.
        self.network.compile(optimizer, contrast(settings.defaults.same_song_share), jit_compile=False)
        optimizer.build(self.network.trainable_variables)
        self.history: list[dict[str, Any]] = []
        self.notes: list[str] = []
        self.maker = ThreadPoolExecutor(max_workers=1)
        self.ahead: tuple[int, Future[tuple[Seams, FloatArray]]] | None = None
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
        found: dict[str, Any] = json.loads(
            json.dumps({"settings": asdict(self.settings), "train": self.train.source, "approach": "tower"})
        )
        return found

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
                f"add --resume to go on with it, or delete its {CHECKPOINT_FILE} to begin anew"
            )
        if checkpoint.identity != self.identity():
            raise ModelError(
                f"the training in {out} was begun with other settings or another pool; "
                f"give the same again, or delete its {CHECKPOINT_FILE} to begin anew"
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
                variables=[ops.convert_to_numpy(value) for value in training_variables(self.network)],
            ),
            out,
        )
        self.saved_s = time.monotonic()

    def learn(self, out: Path, progress: Callable[[TowerProgress], None] | None) -> None:
        for epoch in range(self.epoch, self.epochs):
            for _ in range(self.step - epoch * self.epoch_steps, self.epoch_steps):
                self.learn_batch(epoch)
                self.tell(progress, epoch, None)
            last = epoch + 1 == self.epochs
            measured = last or (epoch + 1) % self.settings.evaluate_every == 0
            ranks = self.measure()[0] if measured else None
            self.history.append(
                {
                    "epoch": epoch + 1,
                    "optimizer_loss": self.loss_sum / self.epoch_steps,
                    "elapsed_s": round(self.elapsed_s(), 1),
                    "validations": {name: asdict(value) for name, value in (ranks or {}).items()},
                }
            )
            if time.monotonic() - self.saved_s > CHECKPOINT_PERIOD_S:
                self.save(out)
            self.tell(progress, epoch, ranks)

    def learn_batch(self, epoch: int) -> None:
        """Learn from one batch, a function of seed and step alone."""
        step = self.step
        if step == epoch * self.epoch_steps:
            self.loss_sum = 0.0
        along = 0.5 + 0.5 * math.cos(math.pi * step / self.steps)
        rising = min(1.0, (step + 1) / RISING_STEPS)
        self.network.optimizer.learning_rate = (
            self.settings.chosen_learning_rate * rising * (LAST_RATE + (1 - LAST_RATE) * along)
        )
        seams, kinds = self.batch(step)
        loss = float(np.asarray(self.network.train_on_batch([seams.tails, seams.heads], kinds)))
        if not math.isfinite(loss):
            raise ModelError(
                f"the loss became {loss} in epoch {epoch + 1}; train again with a lower --learning-rate"
            )
        self.loss_sum += loss

    def batch(self, step: int) -> tuple[Seams, FloatArray]:
        """Return the batch of a step, and have the next one made meanwhile."""
        if self.ahead is not None and self.ahead[0] == step:
            made = self.ahead[1].result()
        else:
            made = self.make_batch(step)
        self.ahead = (step + 1, self.maker.submit(self.make_batch, step + 1))
        return made

    def make_batch(self, step: int) -> tuple[Seams, FloatArray]:
        preset = self.settings.defaults
        seams = draw_seams(
            self.train.grids,
            np.random.default_rng([self.settings.seed, 2, step]),
            self.variation,
            songs=preset.songs,
            seams_per_song=preset.seams_per_song,
        )
        rng = np.random.default_rng([self.settings.seed, 4, step])
        seams = add_judged(seams, self.train, rng, JUDGED_IN_A_BATCH)
        return seams, pair_kinds(seams)

    def tell(
        self,
        progress: Callable[[TowerProgress], None] | None,
        epoch: int,
        ranks: dict[str, SuccessorRanks] | None,
    ) -> None:
        if progress is None:
            return
        step, elapsed_s = self.step, self.elapsed_s()
        progress(
            TowerProgress(
                epoch=epoch + 1,
                epochs=self.epochs,
                step=step,
                steps=self.steps,
                loss=self.loss_sum / max(1, step - epoch * self.epoch_steps),
                elapsed_s=elapsed_s,
                remaining_s=elapsed_s / max(1, step) * (self.steps - step),
                ranks=ranks,
            )
        )

    def measure(self) -> tuple[dict[str, SuccessorRanks], dict[str, Scored]]:
        """Return the figures of training songs and unseen ones, and the scores that they come from."""
        sets = {TRAINING: self.train.grids[:MEASURED_SONGS]}
        if self.unseen is not None:
            sets[UNSEEN] = self.unseen.grids
        scored = {name: score_songs(self.towers, grids) for name, grids in sets.items()}
        ranks = {name: rank_successors(value) for name, value in scored.items()}
        return {name: value for name, value in ranks.items() if value is not None}, scored

    def finish(self, out: Path) -> TowerReport:
        """Calibrate, export, write the history and its picture, drop the checkpoint."""
        ranks, scored = self.measure()
        calibrated_on = UNSEEN if UNSEEN in ranks else TRAINING
        calibration = calibrate(scored[calibrated_on])
        rng = np.random.default_rng([self.settings.seed, 3])
        examples = draw_seams(self.train.grids, rng, self.variation, songs=4, seams_per_song=8)
        metrics = {
            "successors": {name: asdict(value) for name, value in ranks.items()},
            "gap_s": GAP_S,
            "calibrated_on": calibrated_on,
        }
        training = {
            "settings": asdict(self.settings),
            "preset": asdict(self.settings.defaults),
            "variation": asdict(self.variation),
            "steps": self.steps,
            "learned_parameters": learned_parameters(self.network),
            "train": self.train.source,
            "unseen": None if self.unseen is None else self.unseen.source,
            "elapsed_s": round(self.elapsed_s(), 1),
            "versions": {name: version(name) for name in ("keras", "tensorflow", "tf2onnx", "numpy")},
        }
        write_json(out / HISTORY_FILE, {"training": training, "metrics": metrics, "epochs": self.history})
        draw_curves(
            self.history,
            out / CURVES_FILE,
            title=f"tower {self.settings.preset}: the successor among chunks of {MEASURED_SONGS} songs",
            panels=(
                ("top_10", "among the first ten", 0.0),
                ("mrr", "MRR", 0.0),
                ("auc_same", "AUC same", 0.5),
            ),
            styles={TRAINING: {"color": "#1f77b4"}, UNSEEN: {"color": "#d62728"}},
        )
        exported = export_towers(
            self.towers,
            out,
            preset=self.settings.preset,
            tails=examples.tails,
            heads=examples.heads,
            calibration=calibration,
            training=training,
            metrics=metrics,
        )
        (out / CHECKPOINT_FILE).unlink(missing_ok=True)
        return TowerReport(
            folder=str(out),
            learned_parameters=learned_parameters(self.network),
            epochs=self.epochs,
            steps=self.steps,
            elapsed_s=self.elapsed_s(),
            ranks=ranks,
            calibration=calibration,
            calibrated_on=calibrated_on,
            export_difference=exported.difference,
            notes=tuple(self.notes),
            files=tuple(str(path) for path in (*exported.files, out / HISTORY_FILE, out / CURVES_FILE)),
        )


def _statistics(grids: Sequence[GridArray], rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """Return mean and deviation of each bin of a spectrum, in dB, from random rows of the songs."""
    rows = [grid[rng.integers(0, len(grid), 400)] for grid in grids if len(grid)]
    levels = np.concatenate(rows).astype(np.float32) / STEPS_PER_DB

    def bins(values: FloatArray) -> FloatArray:
        return np.concatenate([values[: -BROAD.bands], np.tile(values[-BROAD.bands :], QUARTERS)])

    return bins(levels.mean(axis=0)), bins(levels.std(axis=0))
