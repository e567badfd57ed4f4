"""The training of approach `tower` is contrastive (InfoNCE) and exports the model."""

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import keras
import numpy as np

from model.approaches.tower.data import add_judged
from model.approaches.tower.export import WEIGHTS_FILE, export_towers, load_weights
from model.approaches.tower.networks import TowerNetworks, build_towers, set_scale
from model.approaches.tower.settings import TowerSettings
from model.base.arrays import FloatArray
from model.learning.calibration import ScoredSongs, calibrate
from model.learning.contrast import contrast, pair_kinds
from model.learning.curves import Curves
from model.learning.drawn_seams import Variation, draw_seams
from model.learning.lesson import Lesson, ReportTable, TrainProgress, TrainReport
from model.learning.loop import Task, Training, run_training
from model.learning.measures import KEPT_BACK, TRAINING_SONGS, UNSEEN
from model.learning.song_set import SongSet
from model.learning.song_sides import level_statistics
from model.learning.successors import (
    MEASURED_GAP_S,
    RANK_COLUMNS,
    SuccessorRanks,
    score_songs,
    successor_ranks,
)

MEASURED_SONGS = 16
"""So many training songs are measured beside the unseen ones."""
JUDGED_IN_A_BATCH = 16
"""Judged joins that are learned from beside the seams of songs, at most."""
WEIGHT_DECAY = 1e-4
RISING_STEPS = 50
_LAST_RATE = 0.02
"""Share of the learning rate that is left at the end of its cosine."""
_PANELS = (
    ("top_10", "among the first ten", 0.0),
    ("mrr", "MRR", 0.0),
    ("auc_same", "AUC same", 0.5),
)
_STYLES = {
    TRAINING_SONGS: {"color": "#1f77b4"},
    UNSEEN: {"color": "#d62728"},
    KEPT_BACK: {"color": "#d62728"},
}


@dataclass(frozen=True, kw_only=True)
class TowerReport(TrainReport):
    """What came of a training: where the successor stands, and what probabilities were calibrated on."""

    steps: int
    ranks: dict[str, SuccessorRanks]
    calibration: dict[str, float]
    calibrated_on: str

    def amount(self) -> str:
        """Return what was learned from, in a few words."""
        return f"{self.epochs} epochs, {self.steps} batches"

    def tables(self) -> Sequence[ReportTable]:
        """Return the figures as a person reads them."""
        rows = [(name, *figures.cells()) for name, figures in self.ranks.items()]
        return (ReportTable(head=("measured on", *RANK_COLUMNS), rows=rows),)

    def remarks(self) -> Sequence[str]:
        """Return what is to be said below the figures."""
        return (f"Probabilities are calibrated on {self.calibrated_on}",)


def train_towers(
    lesson: Lesson[SongSet, TowerSettings],
    progress: Callable[[TrainProgress[SuccessorRanks]], None] | None = None,
) -> TowerReport:
    """Train, measure on the unseen songs too, export; stops and goes on as `run_training` says.

    Raises `ModelError` when music, settings, weights and checkpoint do not fit together.
    """
    towers = _Towers(lesson)
    return run_training(towers.task, towers.finish, progress)


class _Towers:
    """What approach `tower` gives to be trained, and makes of it."""

    def __init__(self, lesson: Lesson[SongSet, TowerSettings]) -> None:
        train, settings = lesson.train, lesson.settings
        self.train, self.unseen, self.settings = train, lesson.unseen, settings
        self.unseen_name = lesson.unseen_name
        self.variation = Variation()
        keras.utils.set_random_seed(settings.seed)
        self.towers: TowerNetworks = build_towers()
        if settings.pretrained and lesson.start is not None:
            load_weights(self.towers, lesson.start / WEIGHTS_FILE)
        else:
            set_scale(self.towers, *level_statistics(train.grids, np.random.default_rng([settings.seed, 1])))
        network = self.towers.both
        optimizer = keras.optimizers.AdamW(
            settings.chosen_learning_rate, weight_decay=WEIGHT_DECAY, clipnorm=1.0
        )
        # Compiled kernels take longer to make than the towers take to train.
        network.compile(optimizer, contrast(settings.defaults.same_song_share), jit_compile=False)
        self.task = Task[SuccessorRanks](
            approach="tower",
            lesson=lesson,
            network=network,
            epochs=settings.chosen_epochs,
            # The loss is a mean over a batch, however many seams it has.
            epoch_examples=settings.defaults.steps_per_epoch,
            batch_examples=1,
            rate=self.rate,
            batch=self.batch,
            measure=lambda: successor_ranks(self.score()),
        )

    def rate(self, step: int) -> float:
        along = 0.5 + 0.5 * math.cos(math.pi * step / self.task.steps)
        rising = min(1.0, (step + 1) / RISING_STEPS)
        return self.settings.chosen_learning_rate * rising * (_LAST_RATE + (1 - _LAST_RATE) * along)

    def batch(self, step: int) -> tuple[list[FloatArray], FloatArray]:
        """Return tails and heads, and what each of these is to each of those."""
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
        return [seams.tails, seams.heads], pair_kinds(seams)

    def score(self) -> dict[str, ScoredSongs]:
        """Return the scores of training songs and unseen ones."""
        sets = {TRAINING_SONGS: self.train.grids[:MEASURED_SONGS]}
        if self.unseen is not None:
            sets[self.unseen_name] = self.unseen.grids
        return {
            name: score_songs(self.towers.ends, self.towers.starts, grids) for name, grids in sets.items()
        }

    def finish(self, training: Training[SuccessorRanks]) -> TowerReport:
        """Measure once more, calibrate, write the history and its picture, export."""
        task, out = self.task, training.out
        scored = self.score()
        ranks = successor_ranks(scored)
        calibrated_on = self.unseen_name if self.unseen_name in ranks else TRAINING_SONGS
        calibration = calibrate([scored[calibrated_on]])
        rng = np.random.default_rng([self.settings.seed, 3])
        examples = draw_seams(self.train.grids, rng, self.variation, songs=4, seams_per_song=8)
        metrics = {
            "successors": {name: asdict(value) for name, value in ranks.items()},
            "gap_s": MEASURED_GAP_S,
            "calibrated_on": calibrated_on,
        }
        details = {
            "preset": asdict(self.settings.defaults),
            "variation": asdict(self.variation),
            "steps": task.steps,
        }
        title = f"tower {self.settings.preset}: the successor among chunks of {MEASURED_SONGS} songs"
        recorded = training.record(details, metrics, Curves(title=title, panels=_PANELS, styles=_STYLES))
        exported = export_towers(
            self.towers,
            out,
            preset=self.settings.preset,
            tails=examples.tails,
            heads=examples.heads,
            calibration=calibration,
            training=recorded,
            metrics=metrics,
        )
        return training.report(
            exported,
            TowerReport,
            steps=task.steps,
            ranks=ranks,
            calibration=calibration,
            calibrated_on=calibrated_on,
        )
