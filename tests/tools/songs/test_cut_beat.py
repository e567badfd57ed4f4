"""The beat cutter cuts into whole bars, and songs without bars are cut otherwise."""

from dataclasses import replace

import numpy as np
import pytest

from model.base.arrays import FloatArray
from model.base.errors import EndlosError
from tests.support.rhythms import RATE_HZ, song_of_beats
from tools.songs.cut import CutResult, CutSettings, cut_song
from tools.songs.cut_beat import BEFORE_ONSET_S, QUIET_REACH_S, cut_on_beats, usual_bars
from tools.songs.rhythm.rhythm import find_rhythm
from tools.songs.voice.singing import VoiceCurve

BEATS_S = np.arange(0.3, 45.0, 0.5)


NO_VOICE = VoiceCurve(likely=np.zeros(0, dtype=np.float32))


def _cut(audio: FloatArray, settings: CutSettings, voice: VoiceCurve = NO_VOICE) -> CutResult:
    return cut_on_beats(audio, RATE_HZ, settings, find_rhythm(audio, RATE_HZ), voice)


@pytest.mark.parametrize(("bars", "chunk_s"), [(None, 4.0), (1, 2.0), (4, 8.0)])
def test_chunks_are_whole_bars_cut_just_before_the_downbeat(bars: int | None, chunk_s: float) -> None:
    audio = song_of_beats(BEATS_S.tolist(), 45.0, beats_per_bar=4)
    result = _cut(audio, CutSettings(bars=bars, min_chunk_s=1.0))
    assert result.note.startswith("on the beat; 120.0 bpm")
    assert (result.bounds[0], result.bounds[-1]) == (0, len(audio))
    inner_s = result.bounds[1:-1] / RATE_HZ
    assert np.median(np.diff(inner_s)) == pytest.approx(chunk_s, abs=0.02)
    downbeats_s = BEATS_S[::4]
    before_s = np.array([downbeats_s[np.abs(downbeats_s - cut_s).argmin()] - cut_s for cut_s in inner_s])
    assert before_s.min() > BEFORE_ONSET_S - QUIET_REACH_S - 0.004
    assert before_s.max() < BEFORE_ONSET_S + QUIET_REACH_S + 0.004


def test_every_chunk_is_between_floor_and_ceiling() -> None:
    # The beat pauses for 12 s.
    beats_s = np.concatenate([np.arange(0.3, 20.0, 0.5), np.arange(32.3, 52.0, 0.5)])
    result = _cut(song_of_beats(beats_s.tolist(), 52.0, beats_per_bar=4), CutSettings(max_chunk_s=8.0))
    lengths_s = np.diff(result.bounds) / RATE_HZ
    assert lengths_s.min() >= 2.0
    assert lengths_s.max() <= 8.0


@pytest.mark.parametrize("metre", [3, 4])
def test_a_song_that_begins_with_its_first_beat_is_cut_on_downbeats_too(metre: int) -> None:
    beats_s = np.arange(0.0, 30.0, 0.5)
    audio = song_of_beats(beats_s.tolist(), 30.0, beats_per_bar=metre)
    result = _cut(audio, CutSettings(bars=1, min_chunk_s=1.0))
    inner_s = result.bounds[1:-1] / RATE_HZ + BEFORE_ONSET_S
    bars = inner_s / (0.5 * metre)
    assert np.abs(bars - np.rint(bars)).max() * 0.5 * metre < 0.01
    assert np.rint(bars).tolist() == list(range(1, len(bars) + 1))


def test_each_tempo_of_a_song_has_chunks_of_its_own_length() -> None:
    beats_s = np.concatenate([0.2 + 0.75 * np.arange(52), np.arange(39.2, 64.0, 0.4)])
    result = _cut(song_of_beats(beats_s.tolist(), 64.0, beats_per_bar=4), CutSettings())
    assert result.note.startswith("on the beat; 80.0 to 150.")
    assert "2 or 4 bars to a chunk" in result.note
    starts_s, lengths_s = result.bounds[:-1] / RATE_HZ, np.diff(result.bounds) / RATE_HZ
    assert np.median(lengths_s[starts_s < 30.0]) == pytest.approx(6.0, abs=0.02)
    assert np.median(lengths_s[starts_s > 45.0]) == pytest.approx(6.4, abs=0.02)


@pytest.mark.parametrize("seconds", [3.0, 30.0])
def test_without_a_beat_it_is_cut_at_silences(seconds: float) -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, (round(RATE_HZ * seconds), 2)).astype(np.float32)
    result = _cut(noise, CutSettings())
    plain = cut_song(noise, RATE_HZ, replace(CutSettings(), cut="silence"))
    assert np.array_equal(result.bounds, plain.bounds)
    assert result.note == f"{plain.note}; no clear beat (confidence 0.00)"


def test_silence_gives_no_chunk() -> None:
    result = _cut(np.zeros((RATE_HZ * 20, 2), dtype=np.float32), CutSettings())
    assert (len(result.bounds), result.note) == (0, "silent")


@pytest.mark.parametrize(("bar_s", "bars"), [(2.0, 2), (1.4, 4), (3.0, 2), (8.0, 1), (40.0, 1)])
def test_the_usual_chunk_is_near_the_length_asked_for(bar_s: float, bars: int) -> None:
    assert usual_bars(bar_s, CutSettings()) == bars


def test_no_bars_are_refused() -> None:
    with pytest.raises(EndlosError, match="chunks of 0 bars make no sense"):
        CutSettings(bars=0)


def test_a_cut_stands_where_nobody_sings() -> None:
    audio = song_of_beats(BEATS_S.tolist(), 45.0, beats_per_bar=4)
    plain = _cut(audio, CutSettings(bars=2)).bounds
    cut_s = float(plain[3]) / RATE_HZ
    steps_s = 0.1 * np.arange(450)
    sung = VoiceCurve(likely=(np.abs(steps_s - cut_s) < 0.5).astype(np.float32))
    assert sung.at(plain / RATE_HZ).max() == 1
    moved = _cut(audio, CutSettings(bars=2), sung).bounds
    assert sung.at(moved / RATE_HZ).max() == 0
