"""The command `endlos compose` makes one song of a pool, with its sources named, in every format."""

import itertools
import json
import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from model.base.arrays import FloatArray
from stream.audio.decode import decode
from stream.engine.composition import JoinedComposition
from stream.outputs.encoding.disk_file import DiskFile
from stream.pool.pool import open_pool
from tests.support.commands import run_here
from tools.demo.songs import write_demo_songs
from tools.songs.cue import tracks_of
from tools.songs.tags import read_tags


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("compose")
    write_demo_songs(folder / "music", songs=3, seconds=20)
    words = ("--cut", "equal", "--chunk-s", "2", "--jobs", "1", "--quiet")
    assert run_here("pool", "build", folder / "music", "--out", folder / "pool", *words) == 0
    return folder / "pool"


def listing(out: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(out.with_suffix(".json").read_text(encoding="utf-8"))
    return found


def spans(pool_folder: Path, chunks: list[dict[str, Any]]) -> list[FloatArray]:
    """The chunks' samples, from the songs themselves."""
    songs = {song.name: song for song in open_pool(pool_folder).songs}
    decoded = {name: decode(song.path)[0] for name, song in songs.items()}
    cut = []
    for chunk in chunks:
        rate_hz = songs[chunk["song"]].sample_rate_hz
        cut.append(
            decoded[chunk["song"]][round(chunk["start_s"] * rate_hz) : round(chunk["end_s"] * rate_hz)]
        )
    return cut


def test_a_song_of_chunks_with_its_list_and_its_sheet(
    pool: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "my song.mp3"
    songs = {song.name: song for song in open_pool(pool).songs}
    first = f"{sorted(songs)[1]}#2"
    assert run_here("compose", pool, out, "--length", "12", "--start", first, "--json") == 0
    figures = json.loads(capsys.readouterr().out)
    told = listing(out)
    chunks = told["chunks"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["my song.cue", "my song.json", "my song.mp3"]
    assert figures["chunks"] == told["length"] == len(chunks) == 12
    assert told["start"] == chunks[0]["chunk"] == first and chunks[0]["at_s"] == 0.0
    assert len({chunk["chunk"] for chunk in chunks}) == 12, "each once"
    for before, chunk in itertools.pairwise(chunks):
        assert chunk["at_s"] > before["at_s"] and 0.0 <= chunk["score"] <= 1.0 and chunk["rank"] >= 1
        song = songs[chunk["song"]]
        assert (chunk["audio_hash"], chunk["title"]) == (song.audio_hash, song.title)
    pool_chunks = len(open_pool(pool))
    assert [chunk["considered"] for chunk in chunks] == [0, *range(pool_chunks - 1, pool_chunks - 12, -1)]
    heard, rate_hz = decode(out)
    assert len(heard) / rate_hz == pytest.approx(told["seconds"], abs=0.1)
    assert figures["seconds"] == told["seconds"]
    # Up to the first join it is the song.
    joined_s = next(chunk["at_s"] for chunk in chunks[1:] if not chunk["natural"])
    source = decode(songs[chunks[0]["song"]].path)[0]
    at = round(chunks[0]["start_s"] * rate_hz)
    frames = round((joined_s - 2.0) * rate_hz)
    assert frames > rate_hz
    assert np.corrcoef(source[at : at + frames, 0], heard[:frames, 0])[0, 1] > 0.99
    tags = read_tags(out)
    used = dict.fromkeys((chunk["artist"], chunk["title"]) for chunk in chunks)
    assert tags.title == "my song" and all(artist in tags.artist for artist, _ in used)
    tracks = tracks_of(out, rate_hz)
    begins = [
        chunk
        for before, chunk in zip([None, *chunks[:-1]], chunks, strict=True)
        if before is None or before["song"] != chunk["song"]
    ]
    assert len(begins) > 1
    assert [(track.artist, track.title) for track in tracks] == [
        (chunk["artist"], chunk["title"]) for chunk in begins
    ]
    starts_s = [track.start_sample / rate_hz for track in tracks]
    assert starts_s == pytest.approx([chunk["at_s"] for chunk in begins], abs=0.5 / 75 + 1e-4)


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".mp3", ".ogg", ".opus"])
def test_plain_is_the_chunks_one_after_the_other(pool: Path, tmp_path: Path, suffix: str) -> None:
    out = tmp_path / f"out{suffix}"
    assert run_here("compose", pool, out, "--length", "8", "--plain", "--quiet") == 0
    told = listing(out)
    pieces = spans(pool, told["chunks"])
    starts_s = np.cumsum([0, *map(len, pieces)]) / 44_100
    assert [chunk["at_s"] for chunk in told["chunks"]] == pytest.approx(starts_s[:-1])
    expected = np.concatenate(pieces)
    if suffix in (".wav", ".flac"):
        heard, rate_hz = soundfile.read(out, dtype="int32", always_2d=True)
        assert rate_hz == 44_100
        full = np.clip(np.rint(expected.astype(np.float64) * 2**23), -(2**23), 2**23 - 1)
        np.testing.assert_array_equal(heard >> 8, full.astype(np.int32))
        return
    lossy, rate_hz = decode(out)
    assert len(lossy) / rate_hz == pytest.approx(len(expected) / 44_100, abs=0.05)
    if rate_hz == 44_100:
        common = min(len(lossy), len(expected))
        error = lossy[:common] - expected[:common]
        assert np.sqrt(np.mean(error**2)) < 0.1 * np.sqrt(np.mean(expected**2))


def test_the_same_pool_model_and_start_give_the_same_bytes(pool: Path, tmp_path: Path) -> None:
    words = ("--length", "6", "--quiet", "--model", "tower")
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        assert run_here("compose", pool, tmp_path / name / "out.mp3", *words) == 0
    for suffix in (".mp3", ".json", ".cue"):
        one, two = (tmp_path / name / f"out{suffix}" for name in ("a", "b"))
        assert one.read_bytes() == two.read_bytes(), suffix
    # Its own files are replaced without a question.
    assert run_here("compose", pool, tmp_path / "a" / "out.mp3", *words[:-2], "--plain") == 0
    assert listing(tmp_path / "a" / "out.mp3")["plain"] is True


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--length", "1000"), "--length is 1000, expected 1 to"),
        (("--length", "2", "--start", "nowhere.mp3#2"), "the pool has no song 'nowhere.mp3'"),
        (("--length", "2", "--start", "{song}#900"), "its chunks are #1 to #"),
        (("--length", "2", "--start", "{song}@900"), "has no chunk at 900"),
        (("--length", "2", "--model", "no-such"), "no-such is not a model"),
        (("--length", "2", "--bits", "12"), "asked for with 12 bits; .mp3 files have a bit rate"),
        (("--length", "2", "--rate", "8000"), "44100 or 48000 Hz, not at 8000"),
    ],
)
def test_nonsense_is_one_sentence_and_writes_nothing(
    pool: Path, tmp_path: Path, words: tuple[str, ...], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    song = open_pool(pool).songs[0].name
    assert run_here("compose", pool, tmp_path / "o.mp3", *(word.format(song=song) for word in words)) == 1
    told = capsys.readouterr().err
    assert told.count("\n") == 1 and sentence in told
    assert list(tmp_path.iterdir()) == []
    assert run_here("compose", pool, tmp_path / "o.xyz", "--length", "2") == 1
    assert "no known audio extension" in capsys.readouterr().err


def test_a_name_that_is_no_text(pool: Path, tmp_path: Path) -> None:
    out = tmp_path / os.fsdecode(b'a\xff"b.flac')
    for _ in range(2):
        assert run_here("compose", pool, out, "--length", "1", "--quiet") == 0
    assert listing(out)["file"] == out.name
    assert read_tags(out).title == 'a "b'
    assert out.with_suffix(".cue").read_text(encoding="utf-8").count("INDEX 01 00:00:00") == 1


def test_what_is_somebody_elses_stays(pool: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "song.flac"
    words = ("compose", pool, out, "--length", "2", "--quiet")
    for name in ("song.cue", "song.json"):
        (tmp_path / name).write_text("mine")
        assert run_here(*words) == 1
        assert f"would overwrite {tmp_path / name}" in capsys.readouterr().err
        assert (tmp_path / name).read_text() == "mine" and not out.exists()
        (tmp_path / name).unlink()
    (tmp_path / "song.cue").write_text("mine")
    assert run_here(*words, "--force") == 0
    assert run_here("compose", pool, open_pool(pool).songs[0].path, "--length", "2", "--force") == 1


def test_what_was_written_before_a_failure_is_kept(
    pool: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "song.wav"
    real, kept = DiskFile.write, tmp_path / "song.incomplete.wav"

    def full(disk: DiskFile, data: bytes) -> int:
        if disk.tell() > 3_000_000:
            disk.fault = disk.fault or OSError(28, "No space left on device")
        return real(disk, data)

    monkeypatch.setattr(DiskFile, "write", full)
    assert run_here("compose", pool, out, "--length", "12", "--quiet") == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].endswith(f"that were rendered before it failed are in {kept}")
    assert lines[1].startswith(f"endlos: {out} cannot be written (No space left on device); free some space")
    assert list(tmp_path.iterdir()) == [kept]
    assert 8 < soundfile.info(kept).duration < 15


def test_a_song_that_is_lost_on_the_way(
    pool: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = shutil.copytree(pool.parent, tmp_path / "copy")
    moved = copy / "pool"
    with closing(sqlite3.connect(moved / "pool.db")) as database, database:
        database.execute("UPDATE songs SET root = ?", (str(copy / "music"),))
    real = JoinedComposition.blocks

    def blocks(stream: JoinedComposition) -> Any:
        found = real(stream)
        yield next(found)
        for song in (copy / "music").iterdir():
            song.unlink()
        yield from found

    monkeypatch.setattr(JoinedComposition, "blocks", blocks)
    assert run_here("compose", moved, tmp_path / "o.flac", "--length", "12", "--quiet") == 1
    told = capsys.readouterr().err
    assert "cannot be read as it was when its chunks were chosen; put it back" in told
    assert (tmp_path / "o.incomplete.flac").is_file() and not (tmp_path / "o.json").exists()
