"""Silence that is part of a file is not analysed, belongs to no chunk, and is not played."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from model.base.arrays import FloatArray
from stream.pool.pool import Pool, open_pool
from tests.support.commands import run_here
from tests.support.odd_songs import RATE_HZ, band, beats, silence
from tools.pools.check import check_pool
from tools.songs.cut import CutSettings

SONG = band(beats((120.0, 30.0)), 4)
HIDDEN = band(beats((100.0, 20.0)), 4, seed=2)
GAP_S = 40.0


def chunks_of(pool: Pool) -> list[tuple[float, float]]:
    return list(zip(pool.start_s().tolist(), pool.end_s().tolist(), strict=True))


def built(folder: Path, audio: FloatArray) -> Pool:
    folder.mkdir(exist_ok=True)
    soundfile.write(folder / "song.flac", audio, RATE_HZ)
    assert run_here("pool", "build", folder, "--out", folder / "pool", "--jobs", "1", "--quiet") == 0
    return open_pool(folder / "pool")


@pytest.fixture(scope="module")
def hidden(tmp_path_factory: pytest.TempPathFactory) -> Pool:
    """A song, a silence, a hidden song."""
    return built(tmp_path_factory.mktemp("hidden"), np.concatenate([SONG, silence(GAP_S), HIDDEN]))


def test_a_hidden_song_and_the_one_before_it_are_two_runs(hidden: Pool) -> None:
    run, chunks = hidden.runs(), chunks_of(hidden)
    assert run[0] == 0 and run[-1] == 1
    (border,) = np.flatnonzero(np.diff(run))
    assert chunks[border][1] == pytest.approx(len(SONG) / RATE_HZ, abs=0.3)
    assert chunks[border + 1][0] == pytest.approx(len(SONG) / RATE_HZ + GAP_S, abs=0.3)
    following = hidden.successors()
    assert following[border] == following[-1] == -1
    assert (
        np.delete(following, [border, -1]) == np.delete(np.arange(1, len(chunks) + 1), [border, -1])
    ).all()
    lengths_s = np.diff(chunks, axis=1)
    assert CutSettings().min_chunk_s <= lengths_s.min() and lengths_s.max() <= CutSettings().max_chunk_s
    assert "without 40 s of silence" in hidden.songs[0].cut
    assert check_pool(hidden.folder, deep=True) == []


def test_each_of_both_has_its_own_beat(hidden: Pool) -> None:
    run = hidden.runs()
    assert hidden.traits.tempo_bpm[run == 0] == pytest.approx(120.0, rel=0.01)
    assert hidden.traits.tempo_bpm[run == 1] == pytest.approx(100.0, rel=0.01)


@pytest.mark.parametrize("strategy", ["natural", "random", "model"])
def test_no_dead_air_is_played(hidden: Pool, tmp_path: Path, strategy: str) -> None:
    out = tmp_path / "out.wav"
    words = ("--seconds", "180", "--seed", "3", "--strategy", strategy, "--quiet")
    assert run_here("render", hidden.folder, out, *words) == 0
    audio = soundfile.read(out, dtype="float32")[0]
    block = RATE_HZ // 10
    loud = np.abs(audio[: len(audio) // block * block]).reshape(-1, block, 2).max(axis=(1, 2)) > 10 ** (
        -50 / 20
    )
    quiet = np.diff(np.flatnonzero(np.concatenate([[True], loud, [True]]))) - 1
    assert 0.1 * quiet.max() <= 2.0


def test_a_minute_before_a_song_does_not_change_what_it_is(tmp_path: Path) -> None:
    plain = built(tmp_path / "plain", SONG)
    late = built(tmp_path / "late", np.concatenate([silence(60.0), SONG]))
    assert len(late) == len(plain) and late.songs[0].loudness_lufs == pytest.approx(
        plain.songs[0].loudness_lufs, abs=0.1
    )
    np.testing.assert_allclose(late.start_s() - 60.0, plain.start_s(), atol=0.02)
    np.testing.assert_array_equal(late.traits.tempo_bpm > 0, plain.traits.tempo_bpm > 0)
    np.testing.assert_allclose(late.traits.tempo_bpm, plain.traits.tempo_bpm, rtol=1e-3)
    np.testing.assert_allclose(late.traits.beat_confidence, plain.traits.beat_confidence, atol=0.05)


def test_channels_out_of_phase_are_a_song_with_a_beat(tmp_path: Path) -> None:
    left = SONG[:, :1]
    plain = built(tmp_path / "plain", np.concatenate([left, left], axis=1))
    wrong = built(tmp_path / "wrong", np.concatenate([left, -left], axis=1))
    assert wrong.songs[0].cut == plain.songs[0].cut
    np.testing.assert_array_equal(wrong.start_sample, plain.start_sample)
    assert wrong.spectra is not None and plain.spectra is not None
    np.testing.assert_allclose(
        np.asarray(wrong.spectra, np.float32), np.asarray(plain.spectra, np.float32), atol=0.1
    )
    assert check_pool(wrong.folder, deep=True) == []
