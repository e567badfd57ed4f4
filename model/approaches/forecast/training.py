"""The training of approach `forecast` measures against trivial predictors, draws forecasts, and exports."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from model.approaches.forecast.measures import ForecastFigures, Foretold, forecast_figures
from model.approaches.forecast.samples import SampleForecast
from model.approaches.forecast.settings import ForecastSettings
from model.approaches.forecast.spectra import SpectrumForecast
from model.learning.calibration import ScoredSongs, calibrate
from model.learning.curves import Curves
from model.learning.export import export_graph, export_model
from model.learning.forecast_picture import drawn_forecasts
from model.learning.lesson import Lesson, ReportTable, TrainProgress, TrainReport
from model.learning.loop import Task, Training, run_training
from model.learning.measures import KEPT_BACK, TRAINING_SONGS, UNSEEN
from model.learning.successors import RANK_COLUMNS

PICTURE_FILE = "forecast.png"
_PANELS = (
    ("error", "error (share of the power)", 1.0),
    ("mrr", "MRR", 0.0),
    ("auc_same", "AUC same", 0.5),
)
_STYLES = {
    TRAINING_SONGS: {"color": "#1f77b4"},
    UNSEEN: {"color": "#d62728"},
    KEPT_BACK: {"color": "#d62728"},
}
_KINDS = {"seed": SampleForecast, "fast": SpectrumForecast}


@dataclass(frozen=True, kw_only=True)
class ForecastReport(TrainReport):
    """What came of a training: errors beside those of trivial predictors, and where the successor stands."""

    figures: dict[str, ForecastFigures]
    calibration: dict[str, float]
    calibrated_on: str

    def tables(self) -> Sequence[ReportTable]:
        """Return the figures as a person reads them."""
        head = ("measured on", "error", "last value", "linear", *RANK_COLUMNS)
        rows = [
            (
                name,
                f"{found.error:.3f}",
                f"{found.last_value:.3f}",
                f"{found.linear:.3f}",
                *found.cells(),
            )
            for name, found in self.figures.items()
        ]
        return (ReportTable(head=head, rows=rows),)

    def remarks(self) -> Sequence[str]:
        """Return what is to be said below the figures."""
        return (
            "Errors are shares of the power of what followed: who foretells nothing has 1",
            f"Probabilities are calibrated on {self.calibrated_on}",
        )


def train_forecast(
    lesson: Lesson[Any, ForecastSettings],
    progress: Callable[[TrainProgress[ForecastFigures]], None] | None = None,
) -> ForecastReport:
    """Train, measure on the unseen songs too, export; stops and goes on as `run_training` says.

    Raises `ModelError` when music, settings and checkpoint do not fit together.
    """
    forecast = _Forecast(lesson)
    return run_training(forecast.task, forecast.finish, progress)


class _Forecast:
    """What approach `forecast` gives to be trained, and makes of it."""

    def __init__(self, lesson: Lesson[Any, ForecastSettings]) -> None:
        self.settings = lesson.settings
        self.kind: Any = _KINDS[self.settings.preset](lesson)
        self.music = {TRAINING_SONGS: lesson.train}
        if lesson.unseen is not None:
            self.music[lesson.unseen_name] = lesson.unseen
        self.task = Task[ForecastFigures](
            approach="forecast",
            lesson=lesson,
            network=self.kind.networks.learned,
            epochs=self.settings.chosen_epochs,
            epoch_examples=self.kind.epoch_examples,
            batch_examples=self.kind.batch_examples,
            rate=lambda step: self.kind.rate(step, self.task.steps),
            batch=self.kind.batch,
            measure=self.measure,
        )

    def tried(self) -> dict[str, tuple[Foretold, ScoredSongs]]:
        """Return forecasts and scores of training songs and unseen ones, where they are long enough."""
        found = {}
        for name, music in self.music.items():
            foretold = self.kind.foretell(music)
            if foretold is not None:
                found[name] = foretold, self.kind.score(music)
        return found

    def measure(self) -> dict[str, ForecastFigures]:
        """Return the figures of each set that is tried."""
        return {name: forecast_figures(*found) for name, found in self.tried().items()}

    def finish(self, training: Training[ForecastFigures]) -> ForecastReport:
        """Measure once more, calibrate, write the history and its picture, draw forecasts, export."""
        preset, kind = self.settings.preset, self.kind
        tried = self.tried()
        figures = {name: forecast_figures(*found) for name, found in tried.items()}
        shown = next(reversed(tried))
        foretold, scored = tried[shown]
        calibration = calibrate([scored])
        metrics = {"forecasts": {name: asdict(value) for name, value in figures.items()}}
        details = {"preset": asdict(self.settings.defaults), "steps": self.task.steps}
        title = f"forecast {preset}"
        recorded = training.record(details, metrics, Curves(title=title, panels=_PANELS, styles=_STYLES))
        picture = drawn_forecasts(
            {
                "truth": foretold.truth,
                "forecast": foretold.forecast,
                "last value": foretold.last_value,
                "linear prediction": foretold.linear,
            },
            foretold.known,
            f"forecast {preset}, {shown}: {kind.unit}",
        )
        tails, heads = kind.examples()
        exported = export_model(
            training.out,
            {
                "ends": export_graph(kind.networks.ends, "ends.onnx", kind.seen, "embedding", tails),
                "starts": export_graph(kind.networks.starts, "starts.onnx", kind.seen, "embedding", heads),
            },
            contents={PICTURE_FILE: picture},
            approach="forecast",
            scoring="vectors",
            metric=kind.metric,
            preset=preset,
            edge_samples=kind.edge_samples,
            training=recorded,
            metrics=metrics,
            calibration=calibration,
            **kind.promises,
        )
        return training.report(
            exported, ForecastReport, figures=figures, calibration=calibration, calibrated_on=shown
        )
