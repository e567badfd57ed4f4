"""Bars have the known metre and downbeats."""

import numpy as np
import pytest

from tests.support.rhythms import RATE_HZ, song_of_beats
from tools.songs.rhythm.rhythm import find_rhythm


@pytest.mark.parametrize("metre", [3, 4, 5])
def test_metre_and_downbeats(metre: int) -> None:
    beats_s = np.arange(0.3, 60.0, 0.5)
    rhythm = find_rhythm(song_of_beats(beats_s.tolist(), 60.0, beats_per_bar=metre), RATE_HZ)
    assert rhythm.bars.beats_per_bar == metre
    assert rhythm.bars.confidence > 0.5
    downbeats_s = rhythm.downbeats_s()
    truth_s = beats_s[::metre]
    assert len(downbeats_s) == pytest.approx(len(truth_s), abs=1)
    assert np.median([np.abs(truth_s - downbeat_s).min() for downbeat_s in downbeats_s]) < 0.003


def test_beats_that_are_all_alike_have_no_sure_bars() -> None:
    rhythm = find_rhythm(song_of_beats(np.arange(0.3, 40.0, 0.5).tolist(), 40.0, beats_per_bar=1), RATE_HZ)
    assert rhythm.bars.confidence < 0.5
