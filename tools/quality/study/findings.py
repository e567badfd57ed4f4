"""The findings are figures of a question's runs, with intervals, held against what the report found."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from model.approaches.binary.validation import SECOND_CHANNEL, TRAINING_PAIRS
from model.base.arrays import DoubleArray
from model.learning.measures import UNSEEN
from tools.quality.ranking.averages import RESAMPLES, Estimate, drawn_estimate, ratio, song_weights
from tools.quality.study.ledger import RunFigures
from tools.quality.study.questions import Judged, StudyQuestion

Answers = Mapping[str, Sequence[RunFigures]]
"""By label of a value, the figures of its runs that were done, each with the `seed` of its run."""
LEAST_TRAININGS = 3
"""Two that happen to differ alike would pass for a difference every second time."""
Stand = Literal["agrees", "differs", "open"]


@dataclass(frozen=True, kw_only=True)
class StudyFigure:
    """One figure of a question's table."""

    name: str
    label: str
    told: str
    """What it is, in a sentence."""
    over: Literal["songs", "trainings"]
    """What is drawn anew for its interval, and counted as n."""
    digits: int = 3
    chance: float | None = None
    """What guessing gives; None where that depends."""
    drawn: bool = False


STUDY_FIGURES = (
    StudyFigure(
        name="training",
        label="training accuracy (training set)",
        told="Share of the pairs told right that were learned from: a training-set figure.",
        over="trainings",
        chance=0.5,
        drawn=True,
    ),
    StudyFigure(
        name="loss",
        label="training loss (training set)",
        told="Cross-entropy of the pairs that were learned from: a training-set figure.",
        over="trainings",
    ),
    StudyFigure(
        name="second",
        label="second channel (training set)",
        told="Accuracy on the other channel of the pairs learned from, the report's validation: the same "
        "music again, and no new songs.",
        over="trainings",
        chance=0.5,
        drawn=True,
    ),
    StudyFigure(
        name="unseen",
        label="accuracy, songs never seen",
        told="Share of pairs told right, of songs that nothing was learned from.",
        over="trainings",
        chance=0.5,
        drawn=True,
    ),
    StudyFigure(
        name="auc",
        label="AUC, gap 50 ms",
        told="Chance that what follows scores above any other chunk, on songs never seen, with 50 ms "
        "missing on either side of each cut.",
        over="songs",
        chance=0.5,
        drawn=True,
    ),
    StudyFigure(
        name="mrr",
        label="MRR, gap 50 ms",
        told="Mean of one over the rank of what follows among all chunks, likewise.",
        over="songs",
    ),
    StudyFigure(name="auc_0", label="AUC, no gap", told="The same where nothing is missing.", over="songs"),
    StudyFigure(name="mrr_0", label="MRR, no gap", told="The same where nothing is missing.", over="songs"),
    StudyFigure(
        name="stream",
        label="detector's AUC",
        told="How well boosted trees tell the joins of a stream made with it from places where nothing was "
        "joined: .5 not at all, 1 always.",
        over="trainings",
        chance=0.5,
        drawn=True,
    ),
    StudyFigure(
        name="cost",
        label="training, CPU s",
        told="Processor seconds of one training.",
        over="trainings",
        digits=1,
    ),
)
_VALIDATED = {
    "training": (TRAINING_PAIRS, "accuracy"),
    "loss": (TRAINING_PAIRS, "loss"),
    "second": (SECOND_CHANNEL, "accuracy"),
    "unseen": (UNSEEN, "accuracy"),
}
RANKED = {
    "auc": ("50", "all/auc"),
    "mrr": ("50", "all/mrr"),
    "auc_0": ("0", "all/auc"),
    "mrr_0": ("0", "all/mrr"),
    "same": ("50", "same/auc"),
    "cross": ("50", "cross/auc"),
}


@dataclass(frozen=True, kw_only=True)
class Averaged:
    """A figure, its interval, and what it is of."""

    estimate: Estimate
    trainings: int
    songs: int | None
    """None: it is one figure for each training."""

    @property
    def n(self) -> str:
        """Return how many were drawn anew for the interval: songs, if any, times trainings."""
        return str(self.trainings) if self.songs is None else f"{self.songs} × {self.trainings}"


@dataclass(frozen=True, kw_only=True, eq=False)
class Sums:
    """What a figure averages over: `(trainings, songs)` sums and counts; one song where it knows none."""

    seeds: list[int]
    songs: list[str]
    totals: DoubleArray
    counts: DoubleArray

    def of(self, seeds: Sequence[int], songs: Sequence[str]) -> "Sums":
        """Return some trainings and songs, in that order."""
        rows = [self.seeds.index(seed) for seed in seeds]
        columns = [self.songs.index(song) for song in songs]
        return Sums(
            seeds=list(seeds),
            songs=list(songs),
            totals=self.totals[np.ix_(rows, columns)],
            counts=self.counts[np.ix_(rows, columns)],
        )

    def drawn(self) -> DoubleArray:
        """Return `(1 + RESAMPLES,)` averages: the figure itself, and with trainings and songs drawn anew."""
        trainings, songs = _weights(len(self.seeds), 0), _weights(len(self.songs), 1)
        total = np.einsum("dr,rs,ds->d", trainings, self.totals, songs)
        count = np.einsum("dr,rs,ds->d", trainings, self.counts, songs)
        return ratio(np.stack([total, count]), np.eye(len(total)))


@dataclass(frozen=True, kw_only=True)
class StudyVerdict:
    """How what was found stands beside the report's finding."""

    stand: Stand
    words: str


def sums_of(runs: Sequence[RunFigures], name: str) -> Sums | None:
    """Return what a figure averages over; None where it was not measured."""
    found: list[dict[str, tuple[float, float]]] = []
    seeds = []
    for run in runs:
        if name in RANKED:
            gap, metric = RANKED[name]
            ranked = run.get("ranking", {}).get(gap, {})
            pairs = zip(*ranked.get(metric, ((), ())), strict=True)
            own = {song: pair for song, pair in zip(ranked.get("songs", ()), pairs, strict=True) if pair[1]}
        else:
            value = _value(run, name)
            own = {} if value is None else {"": (value, 1.0)}
        if own:
            found.append(own)
            seeds.append(int(run["seed"]))
    if not found:
        return None
    songs = sorted({song for own in found for song in own})
    table = np.array([[own.get(song, (0.0, 0.0)) for song in songs] for own in found])
    return Sums(seeds=seeds, songs=songs, totals=table[..., 0], counts=table[..., 1])


def averaged(runs: Sequence[RunFigures], name: str) -> Averaged | None:
    """Return a figure over all runs; None where none was measured."""
    sums = sums_of(runs, name)
    if sums is None:
        return None
    songs = len(sums.songs) if name in RANKED else None
    estimate = drawn_estimate(sums.drawn())
    if name == "stream" and len(sums.seeds) == 1:
        # Of a single stream the interval is that over its songs.
        (only,) = (run["stream"] for run in runs if "auc" in run.get("stream", {}))
        estimate = Estimate(value=only["auc"], low=only["low"], high=only["high"])
    return Averaged(estimate=estimate, trainings=len(sums.seeds), songs=songs)


def difference_of(better: Sequence[RunFigures], worse: Sequence[RunFigures], name: str) -> Estimate | None:
    """Return one figure minus the other; trainings, by their seed, and songs are drawn alike for both.

    None where they have none in common.
    """
    one, other = sums_of(better, name), sums_of(worse, name)
    if one is None or other is None:
        return None
    seeds = sorted(set(one.seeds) & set(other.seeds))
    songs = sorted(set(one.songs) & set(other.songs))
    if not seeds or not songs:
        return None
    return drawn_estimate(one.of(seeds, songs).drawn() - other.of(seeds, songs).drawn())


def judge_question(question: StudyQuestion, answers: Answers) -> StudyVerdict:
    """Hold what was found against the report's choice, by paired differences with their intervals."""
    name = _JUDGED[question.judged]
    # More is better for ranks, less for costs.
    sign = 1.0 if question.judged == "unseen" else -1.0
    done = [value.label for value in question.values if averaged(answers.get(value.label, ()), name)]
    if question.favourite not in done or len(done) < 2:
        return StudyVerdict(stand="open", words="Too few runs were done to say anything.")
    trainings = min(found.trainings for label in done if (found := averaged(answers[label], name)))
    if trainings < LEAST_TRAININGS:
        return StudyVerdict(
            stand="open",
            words=f"Nothing is said of fewer than {LEAST_TRAININGS} trainings of each kind, and there are "
            f"{trainings}; give more --seeds.",
        )
    better: list[str] = []
    worse: list[str] = []
    level: list[str] = []
    for label in done:
        if label == question.favourite:
            continue
        gain = difference_of(answers[question.favourite], answers[label], name)
        if gain is None or gain.low <= 0 <= gain.high:
            level.append(label)
        else:
            (worse if sign * gain.value > 0 else better).append(label)
    what = "AUC on songs never seen" if question.judged == "unseen" else "processor time"
    values = {label: one.estimate.value for label in done if (one := averaged(answers[label], name))}
    digits = 3 if question.judged == "unseen" else 1

    def told(labels: Sequence[str]) -> str:
        return ", ".join(f"{label} ({values[label]:.{digits}f})" for label in labels)

    chosen = told([question.favourite])
    if better:
        return StudyVerdict(
            stand="differs",
            words=f"Not agreeing: by {what} {told(better)} did better than {chosen}, the report's choice, "
            "beyond the interval of the difference.",
        )
    if not level:
        return StudyVerdict(
            stand="agrees",
            words=f"Agreeing: by {what} {chosen} did better than {told(worse)}, each beyond the interval "
            "of the difference.",
        )
    beyond = f" It did better than {told(worse)}." if worse else ""
    return StudyVerdict(
        stand="open",
        words=f"Neither: by {what} {chosen}, the report's choice, cannot be told from {told(level)}; the "
        f"interval of the difference holds 0.{beyond}",
    )


_JUDGED: Mapping[Judged, str] = {"unseen": "auc", "cost": "cost"}


def chance_mrr(runs: Sequence[RunFigures], gap: str = "50") -> float | None:
    """Return the mean reciprocal rank that guessing gives among as many candidates."""
    counts = [run["ranking"][gap]["candidates"] for run in runs if gap in run.get("ranking", {})]
    if not counts:
        return None
    return float(np.mean([np.mean(1 / np.arange(1, count + 1)) for count in counts]))


def _weights(count: int, seed: int) -> DoubleArray:
    """Return `(1 + RESAMPLES, count)`: how often each is drawn; a single one always is."""
    weights = song_weights(count, RESAMPLES, seed)
    return weights if len(weights) > 1 else np.ones((1 + RESAMPLES, count))


def _value(run: RunFigures, name: str) -> float | None:
    found: Any
    if name in _VALIDATED:
        measured, figure = _VALIDATED[name]
        found = run.get("validations", {}).get(measured, {}).get(figure)
    elif name == "stream":
        found = run.get("stream", {}).get("auc")
    else:
        found = run.get("train_cpu_s")
    return None if found is None else float(found)
