"""Figures are averaged over songs or trainings, and a verdict follows the interval of the difference."""

from typing import Any

import numpy as np
import pytest

from model.approaches.binary.validation import TRAINING_PAIRS
from tools.quality.study.findings import averaged, chance_mrr, difference_of, judge_question
from tools.quality.study.questions import QuestionValue, StudyQuestion

SONGS = [f"song{number}" for number in range(12)]


def run(level: float, seed: int = 0, training: float = 0.9, noisy: int = 0) -> dict[str, Any]:
    """Figures of a run whose songs have about this AUC: each song deviates alike in every run.

    noisy: what else deviates a little.
    """
    own = np.random.default_rng(5).normal(0.0, 0.05, len(SONGS))
    noise = np.random.default_rng([6, noisy, seed]).normal(0.0, 0.002, len(SONGS))
    auc = (level + own + noise).tolist()
    gap = {"songs": SONGS, "candidates": 99, "all/auc": [auc, [1.0] * len(SONGS)]}
    return {
        "ranking": {"0": gap, "50": gap},
        "validations": {TRAINING_PAIRS: {"accuracy": training}},
        "train_cpu_s": 10.0 + seed,
        "seed": seed,
    }


QUESTION = StudyQuestion(
    name="letters",
    title="Which letter?",
    finding="A.",
    axis="letter",
    values=tuple(QuestionValue(label=label) for label in "ABC"),
    favourite="A",
)


def test_ranks_are_averaged_over_songs_and_accuracies_over_trainings() -> None:
    runs = [run(0.6, 0, 0.8), run(0.7, 1, 0.9)]
    ranked = averaged(runs, "auc")
    accuracy = averaged(runs, "training")
    assert ranked is not None and accuracy is not None
    both = [one["ranking"]["50"]["all/auc"][0] for one in runs]
    assert ranked.estimate.value == pytest.approx(np.mean(both))
    assert (ranked.n, accuracy.n) == ("12 × 2", "2")
    assert ranked.estimate.low < ranked.estimate.value < ranked.estimate.high
    assert accuracy.estimate.value == pytest.approx(0.85)
    assert averaged(runs, "stream") is None and averaged([], "auc") is None


def test_an_interval_comes_of_songs_and_of_trainings() -> None:
    single = averaged([run(0.6)], "auc")
    assert single is not None
    values = run(0.6)["ranking"]["50"]["all/auc"][0]
    over_songs = 2 * 1.96 * np.std(values) / np.sqrt(len(SONGS))
    assert single.estimate.high - single.estimate.low == pytest.approx(over_songs, rel=0.15)
    # Two trainings that differ much: a draw has either twice, or both.
    both = averaged([run(0.4, 0), run(0.8, 1)], "auc")
    assert both is not None
    assert both.estimate.low < 0.42 and both.estimate.high > 0.78


def test_a_difference_is_narrower_than_its_two_sides_as_songs_are_drawn_alike() -> None:
    better, worse = [run(0.7)], [run(0.68, noisy=1)]
    gain, side = difference_of(better, worse, "auc"), averaged(better, "auc")
    assert gain is not None and side is not None
    assert 0 < gain.low < 0.02 < gain.high
    assert gain.high - gain.low < (side.estimate.high - side.estimate.low) / 3
    assert difference_of(better, [run(0.7, seed=1)], "auc") is None


@pytest.mark.parametrize(
    ("levels", "stand", "word"),
    [
        ((0.8, 0.7, 0.6), "agrees", "Agreeing"),
        ((0.6, 0.7, 0.5), "differs", "B (0."),
        ((0.7, 0.7, 0.6), "open", "cannot be told from B"),
    ],
)
def test_a_verdict_says_what_is_beyond_the_interval(levels: tuple[float, ...], stand: str, word: str) -> None:
    answers = {
        label: [run(level, seed, noisy=place) for seed in range(3)]
        for place, (label, level) in enumerate(zip("ABC", levels, strict=True))
    }
    verdict = judge_question(QUESTION, answers)
    assert verdict.stand == stand and word in verdict.words


def test_nothing_is_said_of_a_question_whose_runs_are_missing() -> None:
    three = {level: [run(level, seed) for seed in range(3)] for level in (0.6, 0.8)}
    assert judge_question(QUESTION, {"A": three[0.8], "B": [], "C": []}).stand == "open"
    assert judge_question(QUESTION, {"A": [], "B": three[0.8], "C": three[0.6]}).stand == "open"
    assert judge_question(QUESTION, {"A": three[0.8], "B": [], "C": three[0.6]}).stand == "agrees"
    few = judge_question(QUESTION, {"A": three[0.8][:2], "B": [], "C": three[0.6]})
    assert few.stand == "open" and "and there are 2" in few.words


def test_guessing_is_said_for_as_many_candidates() -> None:
    assert chance_mrr([run(0.5)]) == pytest.approx(sum(1 / rank for rank in range(1, 100)) / 99)
