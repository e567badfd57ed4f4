"""The measures tell right beats from shifted ones, octaves from two thirds, and bars from half ones."""

import numpy as np
import pytest

from model.base.arrays import DoubleArray
from tools.quality.beats.measures import f_measure, judge_beats
from tools.quality.beats.truth import BeatTruth
from tools.songs.rhythm.bars import Bars
from tools.songs.rhythm.beats import Beats
from tools.songs.rhythm.onsets import Attacks
from tools.songs.rhythm.rhythm import Rhythm

BEATS_S = np.arange(0.5, 30.0, 0.5)


def _truth(times_s: DoubleArray = BEATS_S, bar_beats: int = 4) -> BeatTruth:
    return BeatTruth(
        times_s=times_s,
        positions=np.arange(len(times_s)) % bar_beats,
        stretches_s=((0.0, 30.0),),
        bar_beats=bar_beats,
    )


def _found(times_s: DoubleArray, bar_beats: int = 4, first: int = 0) -> Rhythm:
    count = len(times_s)
    beats = Beats(
        times_s=times_s,
        tempo_bpm=np.full(count, 120.0),
        confidence=np.full(count, 0.9),
        song_confidence=0.9,
    )
    bars = Bars(
        beats_per_bar=bar_beats,
        confidence=0.8,
        standing_out=6.0,
        position=(np.arange(count) - first) % bar_beats,
        evidence=np.zeros(count),
    )
    return Rhythm(
        beats=beats,
        bars=bars,
        attacks=Attacks(rise=np.empty(0, np.float32)),
        chroma=np.empty((12, 0), np.float32),
    )


def test_each_beat_is_matched_once() -> None:
    assert f_measure(np.array([1.0, 2.05, 3.2]), np.array([1.0, 2.0, 3.0])) == pytest.approx(2 / 3)
    # Two near one true beat are one hit.
    assert f_measure(np.array([0.98, 1.02]), np.array([1.0])) == pytest.approx(2 / 3)
    assert f_measure(np.empty(0), np.array([1.0])) == 0.0


def test_the_level_of_the_metre_is_told() -> None:
    levels = {
        "same": BEATS_S,
        "double": np.arange(0.5, 30.0, 0.25),
        "half": BEATS_S[1::2],
        "2:3": np.arange(0.5, 30.0, 0.75),
        "3:4": np.arange(0.5, 30.0, 2 / 3),
    }
    for level, found_s in levels.items():
        figures = judge_beats(_found(found_s), _truth())
        assert figures.level == level
        assert figures.wrong == (":" in level)
        if level != "same":
            assert figures.beat_f < 0.7
        if figures.wrong:
            assert figures.sure_wrong_share >= 0.5


def test_beats_between_the_true_ones_are_wrong() -> None:
    figures = judge_beats(_found(BEATS_S + 0.25), _truth())
    assert (figures.level, figures.level_f) == ("same", 0.0)
    assert figures.sure
    assert figures.wrong


def test_halves_of_bars_of_four_are_bars_but_no_downbeats() -> None:
    figures = judge_beats(_found(BEATS_S, first=2), _truth())
    assert (figures.beat_f, figures.downbeat_f) == (1.0, 0.0)
    halves = judge_beats(_found(BEATS_S, bar_beats=2), _truth())
    assert halves.bar_f == pytest.approx(1.0)
    assert halves.downbeat_f == pytest.approx(2 / 3, abs=0.05)


def test_only_stretches_that_are_known_are_asked_about() -> None:
    inside = BEATS_S[(BEATS_S >= 10.0) & (BEATS_S <= 20.0)]
    truth = BeatTruth(
        times_s=inside, positions=np.full(len(inside), -1), stretches_s=((10.0, 20.0),), bar_beats=0
    )
    astray = np.concatenate([BEATS_S[BEATS_S < 9.5] + 0.2, inside, BEATS_S[BEATS_S > 20.5] + 0.2])
    figures = judge_beats(_found(astray), truth)
    assert figures.beat_f == 1.0
    assert np.isnan(figures.downbeat_f)
