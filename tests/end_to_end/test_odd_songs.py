"""Odd songs give chunks that tile them, are told about, and get joins."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

import stream.audio.samples
from model.base.arrays import DoubleArray, FloatArray
from model.saved.carried import carried_model
from stream.joins.levels import CEILING
from stream.pool.pool import Pool, open_pool
from tests.support.commands import run_apart, run_here
from tests.support.odd_songs import (
    FIVE_BEATS_S,
    ODD_SONGS,
    ORDINARY_SONGS,
    RATE_HZ,
    TEMPO_BEATS_S,
    silence,
    write_long,
)
from tools.pools.build import build_pool
from tools.pools.settings import BuildSettings
from tools.songs.cut import CutSettings
from tools.songs.cut_beat import BEFORE_ONSET_S

CUTS = {
    "noise": "silent: cut at -2",
    "ten": "on the beat; 104",
    "tempo": "on the beat; 100.0 to 130.",
    "five": "on the beat; 126.",
    "pad": "no clear beat (confidence 0.0",
}
"""What the pool says of each song, or part of it."""
METRES = {"ten": 4, "tempo": 4, "five": 5}
GAP_FRAMES = RATE_HZ // 10
"""No music here is silent for so long."""


@pytest.fixture(scope="module")
def music(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("odd") / "music"
    folder.mkdir()
    for name, make in {**ODD_SONGS, **ORDINARY_SONGS, "silence": lambda: silence(20.0)}.items():
        soundfile.write(folder / f"{name}.flac", make(), RATE_HZ)
    return folder


@pytest.fixture(scope="module")
def built(music: Path) -> tuple[Path, str]:
    """A pool of all songs, as the command builds it, and what that printed on standard error."""
    folder = music.parent / "pool"
    done = run_apart("pool", "build", music, "--out", folder, "--jobs", "1")
    assert done.returncode == 0, done.stderr
    return folder, done.stderr


@pytest.fixture(scope="module")
def pool(built: tuple[Path, str]) -> Pool:
    return open_pool(built[0])


def chunks_of(pool: Pool, name: str) -> list[tuple[int, int]]:
    """Return start and end of a song's chunks, in samples."""
    song = next(number for number, song in enumerate(pool.songs) if song.path.stem == name)
    rows = np.flatnonzero(pool.chunk_song == song)
    return list(zip(pool.start_sample[rows].tolist(), pool.end_sample[rows].tolist(), strict=True))


def some(built: tuple[Path, str], music: Path, tmp_path: Path, *names: str) -> Path:
    """Return a pool of some of the songs; nothing is analysed again."""
    folder = tmp_path / "pool"
    shutil.copytree(built[0], folder)
    songs = [music / f"{name}.flac" for name in names]
    report = build_pool(songs, folder, BuildSettings(jobs=1, model=carried_model()))
    assert (report.songs, report.analysed) == (len(names), 0)
    return folder


def test_only_silence_is_left_out_and_no_library_has_anything_to_say(
    built: tuple[Path, str], music: Path
) -> None:
    assert built[1] == f"skipped: {music / 'silence.flac'}: silent\n"


def test_a_pool_of_silence_alone_is_refused(
    music: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_here("pool", "build", music / "silence.flac", "--out", tmp_path / "pool", "--jobs", "1") == 1
    assert capsys.readouterr().err == (
        "endlos: no file (of 1) yields a chunk; for example silence.flac: silent\n"
    )


@pytest.mark.parametrize("name", ODD_SONGS)
def test_chunks_tile_the_song(pool: Pool, music: Path, name: str) -> None:
    chunks = chunks_of(pool, name)
    assert len(chunks) >= 2
    assert [start for start, _ in chunks[1:]] == [end for _, end in chunks[:-1]]
    # Dead air alone belongs to no chunk: a pad begins softly.
    audio = soundfile.read(music / f"{name}.flac", dtype="float32")[0]
    audible = np.flatnonzero(np.abs(audio).max(axis=1) > 10 ** (-50 / 20))
    assert chunks[0][0] <= audible[0]
    assert chunks[-1][1] > audible[-1]
    lengths_s = np.diff(chunks, axis=1) / RATE_HZ
    assert CutSettings().min_chunk_s <= lengths_s.min()
    assert lengths_s.max() <= CutSettings().max_chunk_s


@pytest.mark.parametrize("name", ODD_SONGS)
def test_the_pool_says_how_each_song_was_cut(pool: Pool, name: str) -> None:
    song = next(song for song in pool.songs if song.path.stem == name)
    assert CUTS[name] in song.cut
    rows = np.flatnonzero(pool.chunk_song == pool.songs.index(song))
    traits = pool.traits.take(rows)
    if name in METRES:
        assert f"{METRES[name]} beats to a bar" in song.cut
        assert set(traits.beats_per_bar.tolist()) == {METRES[name]}
    else:
        assert "no clear beat" in song.cut
        assert not traits.tempo_bpm.any()


@pytest.mark.parametrize(("name", "beats_s"), [("tempo", TEMPO_BEATS_S), ("five", FIVE_BEATS_S)])
def test_every_cut_is_just_before_a_downbeat(pool: Pool, name: str, beats_s: DoubleArray) -> None:
    """Before, across and after a change of tempo, and in bars of five."""
    cuts_s = np.array([start for start, _ in chunks_of(pool, name)[1:]]) / RATE_HZ
    wanted_s = beats_s[:: METRES[name]] - BEFORE_ONSET_S
    away_s = np.abs(cuts_s[:, np.newaxis] - wanted_s).min(axis=1)
    assert away_s.max() < 0.02


def test_a_change_of_tempo_changes_the_tempo_of_chunks(pool: Pool) -> None:
    chunks = np.array(chunks_of(pool, "tempo"))
    song = next(number for number, song in enumerate(pool.songs) if song.path.stem == "tempo")
    tempo_bpm = pool.traits.tempo_bpm[pool.chunk_song == song]
    change = 29 * RATE_HZ
    assert tempo_bpm[chunks[:, 1] < change - 5 * RATE_HZ] == pytest.approx(100.0, rel=0.01)
    assert tempo_bpm[chunks[:, 0] > change + 5 * RATE_HZ] == pytest.approx(130.0, rel=0.01)


@pytest.mark.parametrize("name", ODD_SONGS)
def test_joins_lead_into_it_and_out_of_it(
    built: tuple[Path, str], music: Path, tmp_path: Path, name: str
) -> None:
    folder = some(built, music, tmp_path, name, *ORDINARY_SONGS)
    out, log = tmp_path / "out.wav", tmp_path / "log.jsonl"
    words = ("--seconds", "150", "--seed", "1", "--log", log, "--quiet")
    assert run_here("render", folder, out, *words) == 0
    check_stream(out, log, f"{name}.flac", seconds=150)


def check_stream(out: Path, log: Path, file: str, *, seconds: int) -> None:
    """It is whole, below the ceiling, without a gap, and has joins from other songs to `file` and back."""
    audio = soundfile.read(out, dtype="float32")[0]
    assert audio.shape == (seconds * RATE_HZ, 2)
    assert np.isfinite(audio).all()
    assert np.abs(audio).max() <= CEILING * 1.001
    peaks = np.abs(audio[: len(audio) // GAP_FRAMES * GAP_FRAMES]).max(axis=1).reshape(-1, GAP_FRAMES)
    assert peaks.max(axis=1).min() > 1e-3
    *lines, _ = [json.loads(line) for line in log.read_text().splitlines()]  # the last is the stop
    moves = [(line["from"]["song"], line["to"]["song"]) for line in lines if line["from"]]
    assert any(before != file and after == file for before, after in moves)
    assert any(before == file and after != file for before, after in moves)


def test_a_song_of_hours(
    built: tuple[Path, str], music: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of three minutes here, that count as many; benchmarks/bench_long_song.py has one of three hours."""
    monkeypatch.setattr(stream.audio.samples, "LONG_FRAMES", 60 * RATE_HZ)
    long = tmp_path / "long.mp3"
    frames = write_long(long, 3 / 60, bpm=126.0)
    folder, out, log = tmp_path / "pool", tmp_path / "out.wav", tmp_path / "log.jsonl"
    songs = [long, *(music / f"{name}.flac" for name in ORDINARY_SONGS)]
    shutil.copytree(built[0], folder)
    assert run_here("pool", "build", *songs, "--out", folder, "--jobs", "1", "--quiet") == 0
    pool = open_pool(folder)
    assert pool.songs[0].frames == pytest.approx(frames, abs=3_000)
    assert "on the beat; 126." in pool.songs[0].cut
    chunks = chunks_of(pool, "long")
    assert [start for start, _ in chunks[1:]] == [end for _, end in chunks[:-1]]
    assert (chunks[-1][1] - chunks[0][0]) / RATE_HZ == pytest.approx(180.0, abs=0.1)
    assert run_here("render", folder, out, "--seconds", "300", "--seed", "1", "--log", log, "--quiet") == 0
    check_stream(out, log, "long.mp3", seconds=300)


@pytest.mark.parametrize("name", ODD_SONGS)
def test_natural_is_the_song_bit_for_bit(
    built: tuple[Path, str], music: Path, tmp_path: Path, name: str
) -> None:
    folder = some(built, music, tmp_path, name)
    out, log = tmp_path / "out.wav", tmp_path / "log.jsonl"
    (start, _), *_, (_, end) = chunks_of(open_pool(folder), name)
    # Before its end the song is joined to its beginning.
    seconds = (end - start) / RATE_HZ - 2.0
    words = ("--seconds", seconds, "--strategy", "natural", "--log", log, "--quiet")
    assert run_here("render", folder, out, *map(str, words)) == 0
    first = json.loads(log.read_text().splitlines()[0])
    gain = np.float32(10 ** (first["gain_db"] / 20))
    song: FloatArray = soundfile.read(music / f"{name}.flac", dtype="float32")[0]
    audio = soundfile.read(out, dtype="float32")[0]
    # 24 bits: half a step of the file's own rounding.
    np.testing.assert_allclose(
        audio, song[start : start + len(audio)] * gain, rtol=0, atol=0.51 / 2**23 + 1e-7
    )
