"""The commands make a rendered stream of real music, the same again, and its log tells the truth."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from stream.audio.decode import decode
from stream.joins.levels import CEILING
from tests.support.commands import run_here
from tests.support.models import write_tiny_model
from tools.demo.songs import write_demo_songs

RATE_HZ = 44_100
SONGS = (
    "similar/holizna-a_theta-frequency.mp3",
    "various/chiptune_eric-skiff_chibi-ninja.ogg",
    "various/lofi_tad_cue.mp3",
    "different/jazz_macleod_vibe-ace.ogg",
)


def must(*words: object) -> None:
    """Run the command line to its end; it must succeed."""
    assert run_here(*map(str, words)) == 0


@pytest.fixture(scope="module")
def music(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four real songs, mp3 and Ogg, where they are at hand; else demo songs."""
    folder = tmp_path_factory.mktemp("music")
    library = Path(__file__).resolve().parents[3] / "shared" / "music" / "library"
    if library.is_dir():
        for name in SONGS:
            shutil.copy(library / name, folder)
    else:
        write_demo_songs(folder, songs=3, seconds=60)
    return folder


@pytest.fixture(scope="module")
def pool(music: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pools") / "pool"
    must("pool", "build", music, "--out", folder, "--quiet")
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose scores vary, so that choices do; which one plays makes no difference here."""
    return write_tiny_model(tmp_path_factory.mktemp("models") / "tiny", 440)


def test_the_same_seed_renders_the_same_bytes(pool: Path, model: Path, tmp_path: Path) -> None:
    outs = [tmp_path / f"{name}.flac" for name in "abc"]
    for out, seed in zip(outs, (1, 1, 2), strict=True):
        must("render", pool, out, "--seconds", 20, "--seed", seed, "--model", model)
    first, second, other = (out.read_bytes() for out in outs)
    assert first == second != other


def test_the_stream_is_what_its_log_says(pool: Path, model: Path, music: Path, tmp_path: Path) -> None:
    """Rebuild every stretch between joins from the song and the position that the log names."""
    out, log = tmp_path / "out.wav", tmp_path / "log.jsonl"
    must("render", pool, out, "--seconds", 120, "--seed", 1, "--model", model, "--log", log)
    audio, rate_hz = soundfile.read(out, dtype="float32")
    assert (len(audio), rate_hz) == (120 * RATE_HZ, RATE_HZ)
    assert np.isfinite(audio).all() and np.abs(audio).max() <= CEILING * 1.001
    # No gap: music is never digital silence for 100 ms here.
    loudest = np.abs(audio[: len(audio) // 4410 * 4410]).max(axis=1).reshape(-1, 4410).max(axis=1)
    assert loudest.min() > 0.0
    *lines, _ = [json.loads(line) for line in log.read_text().splitlines()]  # the last is the stop
    joins = [line for line in lines if not line["natural"]]
    begins = [line["t_out_frames"] - line["join"]["before_frames"] for line in joins[1:]] + [len(audio)]
    songs = {path.name: decode(path) for path in music.iterdir()}
    compared = 0
    for line, stop in zip(joins, begins, strict=True):
        decoded, song_rate_hz = songs[line["to"]["song"]]
        if song_rate_hz != RATE_HZ:
            continue
        after = line["join"]["after_frames"] if line["join"] else 0
        start = line["t_out_frames"] + after
        place = round(line["to"]["start_s"] * RATE_HZ) + after
        expected = decoded[place : place + stop - start] * 10 ** (line["gain_db"] / 20)
        # What the join added to the song's gain is let go evenly, in dB.
        released = round(line["release_s"] * RATE_HZ)
        left = np.clip(1.0 - np.arange(stop - start) / max(1, released), 0.0, 1.0)
        expected *= 10 ** (line["match_db"] * left / 20)[:, None]
        found = audio[start:stop]
        # The limiter may hold down the surroundings of joins, and what is louder than its song.
        guard = round(0.01 * RATE_HZ)
        held = released + guard if line["match_db"] > 0 else guard
        assert np.all(np.abs(found) <= np.abs(expected) + 2e-5)
        np.testing.assert_allclose(found[held:-guard], expected[held:-guard], atol=2e-5)
        compared += len(found) > held + guard
    assert compared >= 5


def test_natural_over_one_song_is_the_song(pool: Path, music: Path, tmp_path: Path) -> None:
    song = min(music.iterdir(), key=lambda path: path.stat().st_size)
    one, out, log = tmp_path / "pool", tmp_path / "out.wav", tmp_path / "log.jsonl"
    # Of a copy nothing is analysed again.
    shutil.copytree(pool, one)
    must("pool", "build", song, "--out", one, "--quiet")
    must("render", one, out, "--seconds", 30, "--strategy", "natural", "--log", log)
    first = json.loads(log.read_text().splitlines()[0])
    decoded, rate_hz = decode(song)
    start = round(first["to"]["start_s"] * rate_hz)
    gain = np.float32(10 ** (first["gain_db"] / 20))
    audio = soundfile.read(out, dtype="float32")[0]
    expected = decoded[start : start + len(audio)] * gain
    # 24 bits: half a step of the file's own rounding.
    np.testing.assert_allclose(audio, expected, rtol=0, atol=0.51 / 2**23 + 1e-7)
