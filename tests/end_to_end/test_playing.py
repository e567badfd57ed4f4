"""The command `endlos play` works on a terminal, on a real sound card and over HTTP, and ends well."""

import re
import signal
import socket
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from stream.choosing.settings import PlannerSettings
from stream.engine.settings import EngineSettings
from tests.support.commands import COMMAND, Running, run_here, wait_until
from tests.support.heard import decode
from tests.support.music import write_music
from tests.support.pulse import FAVOURED, MISSING, locate, pulse_available, pulse_null_sink
from tests.support.replayed import stream_of
from tests.support.stalls import STALL_S, Stalls
from tests.support.waiting import PATIENCE_S
from tools.bench.free_port import free_port
from tools.running.playing import KEYS_HELP

SOUND_S = 9
RATE_HZ = 44_100


def url(running: Running) -> str:
    """Wait until it serves and return where."""
    found = re.search(r"serving (http://\S+)", running.wait_for(" - open it"))
    assert found
    return found[1]


def listen(address: str, seconds: float = 1.0) -> np.ndarray:  # type: ignore[type-arg]
    """Return what a listener hears, `(frames, 2)`."""
    with urllib.request.urlopen(f"{address}stream.mp3", timeout=PATIENCE_S) as stream:
        return decode(stream.read(round(seconds * 192_000 / 8)))[0]


def test_the_keys_and_the_status_line(tiny_pool: Path, tiny_model: Path, tmp_path: Path) -> None:
    words = ("play", tiny_pool, "--model", tiny_model, "--http", "127.0.0.1:0")
    with Running(*words, terminal=True, ENDLOS_HOME=str(tmp_path), COLUMNS="120") as running:
        url(running)
        assert "no sound card" not in running.printed(), "HTTP was asked for"
        shown = running.wait_for("0 listening")
        assert re.search(r"(one|two|three)  0:0\d \| ", shown)
        # Until a successor is scored, the song goes on.
        wait_until(
            lambda: re.search(r"next: .*\(\d\.\d\d\)", running.printed()) is not None, "a scored successor"
        )
        running.press(" ")
        running.wait_for("paused: ")
        running.press(" ")
        running.press("n+-x\x1b[A")
        running.press("q")
        assert running.end() == 0
        assert "Traceback" not in running.printed()


def test_an_interruption_ends_it(tiny_pool: Path, tiny_model: Path) -> None:
    with Running("play", tiny_pool, "--model", tiny_model, "--http", "127.0.0.1:0") as running:
        address = url(running)
        assert np.abs(listen(address)).max() > 0.01
        running.send(signal.SIGINT)
        assert running.end() == 130
        printed = running.printed()
        assert "Traceback" not in printed
        assert "next: " not in printed, "no status line where there is no terminal"


def test_it_ends_while_it_still_prepares(tmp_path: Path, tiny_model: Path) -> None:
    music = tmp_path / "music"
    write_music(music, [f"{name}.wav" for name in "abcdef"], seconds=240.0)
    home = str(tmp_path / "home")
    words = ("play", music, "--model", tiny_model, "--http", "127.0.0.1:0")
    with Running(*words, terminal=True, ENDLOS_HOME=home) as running:
        running.wait_for("preparing the first songs")
        running.send(signal.SIGTERM)
        assert running.end() == 0
        assert "Traceback" not in running.printed()


def test_music_plays_and_a_bad_file_is_named(tmp_path: Path, tiny_model: Path) -> None:
    music = tmp_path / "music"
    write_music(music, ["a.wav", "b.wav"], seconds=20.0)
    (music / "text.mp3").write_text("no music")
    words = ("play", music, "--model", tiny_model, "--http", "127.0.0.1:0")
    with Running(*words, ENDLOS_HOME=str(tmp_path / "home")) as running:
        assert np.abs(listen(url(running))).max() > 0.01
        running.wait_for("1 file could not be read")
        running.send(signal.SIGTERM)
        assert running.end() == 0


def test_quiet_is_quiet(tiny_pool: Path, tiny_model: Path) -> None:
    port = free_port()
    words = ("play", tiny_pool, "--model", tiny_model, "--http", f"127.0.0.1:{port}", "--quiet")
    with Running(*words) as running:

        def answers() -> bool:
            with socket.socket() as client:
                return client.connect_ex(("127.0.0.1", port)) == 0

        wait_until(answers, "the server")
        running.send(signal.SIGTERM)
        assert running.end() == 0
        assert running.printed() == ""


def test_a_model_that_is_none_is_refused_before_anything_is_built(
    tmp_path: Path, tiny_music: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENDLOS_HOME", str(tmp_path))
    for command in ("play", "serve"):
        assert run_here(command, tiny_music, "--http", "127.0.0.1:0", "--model", tmp_path) == 1
        assert "is not a model" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_port_in_use_is_refused_before_anything_is_built(
    tmp_path: Path, tiny_music: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENDLOS_HOME", str(tmp_path))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        for command in ("play", "serve"):
            assert run_here(command, tiny_music, "--http", address) == 1
            shown = capsys.readouterr().err
            assert address in shown
            assert shown.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_without_a_sound_card_it_serves_and_says_so(tiny_pool: Path, tiny_model: Path) -> None:
    code = (
        "import tools.cli, tools.running.playing as playing; "
        "playing.has_sound_card = lambda: False; tools.cli.main()"
    )
    with Running("-c", code, "play", tiny_pool, "--model", tiny_model, command=(sys.executable,)) as running:
        assert "there is no sound card; serving http://127.0.0.1:80" in running.wait_for(" - open it")
        assert np.abs(listen(url(running))).max() > 0.01
        running.send(signal.SIGTERM)
        assert running.end() == 0


@pytest.mark.realtime
def test_the_sound_card_plays_what_render_gives_without_an_underrun(
    tiny_pool: Path, tiny_model: Path, tmp_path: Path, require_real: Callable[[str, bool], None]
) -> None:
    require_real(MISSING, pulse_available())
    # Where the whole machine stands still for longer than there is sound, a gap is no fault of ours.
    told = []
    for number in range(3):
        with Stalls() as machine:
            fault = _play(tiny_pool, tiny_model, tmp_path, number)
        if not fault:
            return
        told.append(f"{fault}, and the machine stood still for {machine.longest_s:.2f} s")
        assert machine.longest_s > STALL_S, told
    pytest.fail(f"it was not to be seen: {told}")


def _play(pool: Path, model: Path, folder: Path, number: int) -> str:
    """Play on a real sound server and hold what was heard against what was rendered; say what is wrong."""
    log = folder / f"{number}.jsonl"
    with pulse_null_sink() as sink:
        words = ("play", pool, "--model", model, "--seed", "7", "--log", log, "--latency", "0.25")
        favoured = (*FAVOURED, *COMMAND)
        with Running(*words, terminal=True, command=favoured, **sink.environment) as running:
            before = sink.recorded_frames()
            running.wait_for(KEYS_HELP)
            enough = sink.recorded_frames() + (SOUND_S + 3) * RATE_HZ
            wait_until(lambda: sink.recorded_frames() > enough, f"{SOUND_S} s of sound")
            running.press("q")
            assert running.end() == 0
            underrun_ms = re.findall(r"underruns (\d+) ms", running.printed())[-1]
        if underrun_ms != "0":
            return f"underruns of {underrun_ms} ms"
        recording = sink.recorded(before)
    settings = EngineSettings(planner=PlannerSettings(seed=7), model=model)
    expected = stream_of(pool, log, settings, SOUND_S)
    assert len(expected) == SOUND_S * RATE_HZ
    end = np.flatnonzero(np.abs(recording).max(axis=1))[-1]
    assert np.abs(recording[end - 40 : end + 1]).max() < 0.05, "faded out"
    # The first frames are faded in.
    start = locate(recording, expected[RATE_HZ : RATE_HZ + 4096])
    if start is None:
        return "it does not begin as it was rendered"
    whole = recording[start : start + (SOUND_S - 1) * RATE_HZ]
    wrong = np.flatnonzero(np.abs(whole - expected[RATE_HZ:]).max(axis=1) >= 1e-6)
    return f"{len(wrong)} frames differ" if len(wrong) else ""
