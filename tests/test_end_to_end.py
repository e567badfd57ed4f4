"""The whole way, by the commands of the README: music, pool, stream, and what is heard at the other end."""

import http.client
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import soundfile

from model.kernels import FloatArray
from stream.crossfade import CEILING
from stream.decode import decode
from stream.devices import has_sound_card
from tests.heard import decode as decode_bytes
from tests.heard import residual_db, wait_until
from tests.icecast_server import SOURCE_PASSWORD, icecast_program, icecast_server
from tests.models import write_tiny_model
from tests.pulse import MISSING, pulse_available, pulse_null_sink
from tests.real import require_real
from tools.demo_songs import write_demo_songs

RATE_HZ = 44_100
PLAYED_S = 60
MP3_RESIDUAL_DB = -12
"""At 128 kbit/s -24 dB for lo-fi, -16 dB for a chiptune; a frame lost or repeated gives about 0 dB."""
SONGS = (
    "similar/holizna-a_theta-frequency.mp3",
    "various/chiptune_eric-skiff_chibi-ninja.ogg",
    "various/lofi_tad_cue.mp3",
    "different/jazz_macleod_vibe-ace.ogg",
)


def endlos(*words: object, **options: object) -> "subprocess.CompletedProcess[str]":
    """Run the command line to its end."""
    command = [sys.executable, "-m", "tools.cli", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300, **options)  # type: ignore[call-overload, no-any-return]


def must(*words: object) -> str:
    """Run the command line, which must succeed, and return what it printed."""
    ended = endlos(*words)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@contextmanager
def running(*words: object, environment: dict[str, str] | None = None) -> Iterator["subprocess.Popen[str]"]:
    """Run the command line beside the test; SIGTERM must end it by itself."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tools.cli", *map(str, words)],
        env={**os.environ, **(environment or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=15)
        assert process.returncode == 0, output
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def music(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four real songs, mp3 and Ogg, where they are at hand; else demo songs."""
    folder = tmp_path_factory.mktemp("music")
    library = Path(__file__).resolve().parents[2] / "shared" / "music" / "library"
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


@pytest.fixture(scope="module")
def rendered(pool: Path, model: Path, tmp_path_factory: pytest.TempPathFactory) -> FloatArray:
    """What `render` gives for seed 1, longer than any test plays."""
    out = tmp_path_factory.mktemp("rendered") / "out.wav"
    must("render", pool, out, "--seconds", PLAYED_S + 30, "--seed", 1, "--model", model)
    audio: FloatArray = soundfile.read(out, dtype="float32")[0]
    return audio


@pytest.mark.parametrize("suffix", [".wav", ".flac"])
def test_the_same_seed_renders_the_same_bytes(pool: Path, model: Path, tmp_path: Path, suffix: str) -> None:
    outs = [tmp_path / f"{name}{suffix}" for name in "abc"]
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
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    joins = [line for line in lines if not line["natural"]] + [{"t_out_frames": len(audio), "fade_s": 0}]
    songs = {path.name: decode(path) for path in music.iterdir()}
    compared = 0
    for join, following in itertools.pairwise(joins):
        decoded, song_rate_hz = songs[join["to"]["song"]]
        if song_rate_hz != RATE_HZ:
            continue
        reach = round((join["fade_s"] / 2 + 0.01) * RATE_HZ)
        start = join["t_out_frames"] + reach
        stop = following["t_out_frames"] - round((following["fade_s"] / 2 + 0.01) * RATE_HZ)
        place = round(join["to"]["start_s"] * RATE_HZ) + start - join["t_out_frames"]
        expected = decoded[place : place + stop - start] * 10 ** (join["gain_db"] / 20)
        np.testing.assert_allclose(audio[start:stop], expected, atol=2e-5)
        compared += 1
    assert compared >= 5


def test_natural_over_one_song_is_the_song(music: Path, tmp_path: Path) -> None:
    song = min(music.iterdir(), key=lambda path: path.stat().st_size)
    pool, out, log = tmp_path / "pool", tmp_path / "out.wav", tmp_path / "log.jsonl"
    must("pool", "build", song, "--out", pool, "--quiet")
    must("render", pool, out, "--seconds", 30, "--strategy", "natural", "--log", log)
    first = json.loads(log.read_text().splitlines()[0])
    decoded, rate_hz = decode(song)
    start = round(first["to"]["start_s"] * rate_hz)
    gain = np.float32(10 ** (first["gain_db"] / 20))
    audio = soundfile.read(out, dtype="float32")[0]
    expected = decoded[start : start + len(audio)] * gain
    # 24 bits: half a step of the file's own rounding.
    np.testing.assert_allclose(audio, expected, rtol=0, atol=0.51 / 2**23 + 1e-7)


def test_the_sound_card_plays_what_render_gives(pool: Path, model: Path, rendered: FloatArray) -> None:
    """A minute in real time on a real sound server: every frame of it, none more, none less."""
    require_real(MISSING, pulse_available())
    with pulse_null_sink(RATE_HZ) as sink:
        before = sink.recorded_frames()
        with running("play", pool, "--seed", 1, "--model", model, environment=sink.environment) as process:
            wait_until(
                lambda: (
                    process.poll() is not None or len(_sounding(sink.recorded(before))) > PLAYED_S * RATE_HZ
                ),
                "a minute was heard",
                PLAYED_S + 40,
            )
            assert process.poll() is None, process.stdout and process.stdout.read()
        heard = _sounding(sink.recorded(before))
    # The start is faded in; from then on it is the stream, frame by frame.
    probe = heard[RATE_HZ : 2 * RATE_HZ]
    place = _locate(rendered[: 10 * RATE_HZ], probe)
    stop = PLAYED_S * RATE_HZ - RATE_HZ
    expected = rendered[place : place + stop - RATE_HZ]
    np.testing.assert_allclose(heard[RATE_HZ:stop], expected, rtol=0, atol=2e-6)


def test_icecast_listeners_hear_what_render_gives_and_again_after_a_restart(
    pool: Path, model: Path, rendered: FloatArray
) -> None:
    require_real("no icecast2: install it (Debian: icecast2)", icecast_program() is not None)
    with icecast_server() as server:
        url = f"icecast://source@{server.host}:{server.port}/stream.mp3"
        secret = {"ENDLOS_ICECAST_PASSWORD": SOURCE_PASSWORD}
        words = ("serve", pool, "--icecast", url, "--seed", 1, "--model", model)
        with running(*words, environment=secret) as process:
            assert SOURCE_PASSWORD not in Path(f"/proc/{process.pid}/cmdline").read_text()
            recorded = _listen(server.listen, "/stream.mp3", seconds=12)
            assert residual_db(rendered, *decode_bytes(recorded)) < MP3_RESIDUAL_DB
            server.kill()
            server.start()
            again = _listen(server.listen, "/stream.mp3", seconds=6)
            assert residual_db(rendered, *decode_bytes(again)) < MP3_RESIDUAL_DB


def test_without_a_sound_card_the_page_and_the_stream_are_served(pool: Path, model: Path) -> None:
    if has_sound_card():
        pytest.skip("this machine has a sound card")
    with running("play", pool, "--seed", 1, "--model", model) as process:
        assert process.stdout is not None
        told = process.stdout.readline()
        assert "no sound card" in told and "http://127.0.0.1:" in told
        address = told.split("http://")[1].split("/")[0]
        connection = http.client.HTTPConnection(address, timeout=10)
        connection.request("GET", "/")
        assert b"<audio" in connection.getresponse().read()
        connection = http.client.HTTPConnection(address, timeout=10)
        connection.request("GET", "/stream.mp3")
        response = connection.getresponse()
        assert response.getheader("Content-Type") == "audio/mpeg"
        audio, _ = decode_bytes(response.read(120_000))
        assert np.abs(audio).max() > 0.01
        # What it prints later must not fill the pipe.
        threading.Thread(target=process.stdout.read, daemon=True).start()


def _sounding(recording: FloatArray) -> FloatArray:
    """Return a recording from its first sound on."""
    sounding = np.flatnonzero(np.abs(recording).max(axis=1) > 1e-6)
    return recording[sounding[0] :] if len(sounding) else recording[:0]


def _locate(stream: FloatArray, probe: FloatArray) -> int:
    """Return where `probe` stands in `stream`."""
    size = 1 << (len(stream) + len(probe)).bit_length()
    spectrum = np.fft.rfft(stream[:, 0], size) * np.conj(np.fft.rfft(probe[:, 0], size))
    return int(np.argmax(np.fft.irfft(spectrum, size)[: len(stream)]))


def _listen(listen: object, mount: str, *, seconds: float) -> bytes:
    """Return what a listener on `mount` gets in a while, from as soon as the mount is there."""
    assert callable(listen)
    deadline = time.monotonic() + 30
    while True:
        response = listen(mount)
        if response.status == 200:
            break
        response.close()
        assert time.monotonic() < deadline, f"no mount {mount}"
        time.sleep(0.1)
    ends = time.monotonic() + seconds
    data = bytearray()
    while time.monotonic() < ends:
        data += response.read1(4096)
    response.close()
    return bytes(data)
