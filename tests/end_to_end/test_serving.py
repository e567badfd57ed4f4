"""The command `endlos serve` feeds a real Icecast server and HTTP listeners until a signal ends it."""

import http.client
import json
import re
import signal
import socket
import time
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path

import numpy as np

from stream.choosing.settings import PlannerSettings
from stream.engine.settings import EngineSettings
from stream.outputs.pacer import START_LEAD_S
from tests.support.commands import Running, wait_until
from tests.support.heard import decode, residual_db
from tests.support.icecast_server import SOURCE_PASSWORD, IcecastServer, icecast_program, icecast_server
from tests.support.replayed import stream_of
from tests.support.waiting import PATIENCE_S

MOUNT = "/endlos.mp3"
RATE_HZ = 44_100


def address(running: Running) -> str:
    found = re.search(r"serving (http://\S+)", running.wait_for("INFO serving http://"))
    assert found
    return found[1]


def heard(server: IcecastServer, seconds: float) -> bytes:
    """Return what a listener gets; waits until the mount is there."""
    answers: list[http.client.HTTPResponse] = []

    def mounted() -> bool:
        try:
            answers.append(server.listen(MOUNT))
        except OSError:
            return False
        return answers[-1].status == http.client.OK

    wait_until(mounted, "the mount")
    return answers[-1].read(round(seconds * 128_000 / 8))


def test_icecast_hears_what_render_gives_and_hears_it_again_after_a_restart(
    tiny_pool: Path, tiny_model: Path, tmp_path: Path, require_real: Callable[[str, bool], None]
) -> None:
    require_real("no Icecast server: install it (Debian: icecast2)", icecast_program() is not None)
    log = tmp_path / "log.jsonl"
    password = tmp_path / "password"
    password.write_text(SOURCE_PASSWORD + "\n")
    with icecast_server() as server:
        words = (
            *("serve", tiny_pool, "--model", tiny_model, "--seed", "3", "--log", log),
            *("--icecast", f"icecast://source@127.0.0.1:{server.port}{MOUNT}"),
            *("--icecast-password-file", password),
        )
        began_s = time.monotonic()
        with Running(*words) as running:
            sound, rate_hz = decode(heard(server, 5.0))
            heard_s = time.monotonic() - began_s + START_LEAD_S
            command_line = Path(f"/proc/{running.pid}/cmdline").read_bytes().decode()
            assert SOURCE_PASSWORD not in command_line
            server.kill()
            running.wait_for("reconnecting")
            server.start()
            again, _ = decode(heard(server, 1.0))
            assert np.abs(again).max() > 0.01
            running.send(signal.SIGTERM)
            assert running.end() == 0
            printed = running.printed()
    settings = EngineSettings(planner=PlannerSettings(seed=3), model=tiny_model)
    expected = stream_of(tiny_pool, log, settings, heard_s)
    assert residual_db(expected, sound, rate_hz) < -20
    assert SOURCE_PASSWORD not in printed
    assert "Traceback" not in printed
    # Whether the first look comes before it plays is chance.
    states = re.findall(rf"{MOUNT}: (\w+)", printed)
    assert states[states[0] == "starting" :] == ["playing", "reconnecting", "playing"]


def test_http_serves_every_codec_and_its_status(tiny_pool: Path) -> None:
    words = (
        "serve",
        tiny_pool,
        "--strategy",
        "random",
        "--http",
        "127.0.0.1:0",
        "--codec",
        "mp3",
        "--codec",
        "opus",
    )
    with Running(*words) as running:
        base = address(running)
        for name in ("mp3", "opus"):
            with urllib.request.urlopen(f"{base}stream.{name}", timeout=PATIENCE_S) as stream:
                sound, _ = decode(stream.read(24_000))
            assert np.abs(sound).max() > 0.01
        with urllib.request.urlopen(f"{base}status.json", timeout=PATIENCE_S) as answer:
            status = json.load(answer)
        assert status["now"]["songs"] == 3
        assert [output["state"] for output in status["outputs"]] == ["playing", "playing"]
        with urllib.request.urlopen(base, timeout=PATIENCE_S) as page:
            assert b"<audio" in page.read()
        running.send(signal.SIGINT)
        assert running.end() == 130
        assert "Traceback" not in running.printed()
        assert running.printed().rstrip().endswith("INFO ended")


def test_an_icecast_server_that_is_not_there_stops_nothing(tiny_pool: Path) -> None:
    words = (
        *("serve", tiny_pool, "--strategy", "random", "--http", "127.0.0.1:0"),
        *("--icecast", "icecast://127.0.0.1:9/nowhere.mp3"),
    )
    with Running(*words, ENDLOS_ICECAST_PASSWORD="secret") as running:
        base = address(running)
        running.wait_for("nowhere.mp3: reconnecting")
        with urllib.request.urlopen(f"{base}stream.mp3", timeout=PATIENCE_S) as stream:
            sound, _ = decode(stream.read(24_000))
        assert np.abs(sound).max() > 0.01
        running.send(signal.SIGTERM)
        assert running.end() == 0
        assert "secret" not in running.printed()


def test_signals_on_top_of_each_other_end_it_as_one_does(tiny_pool: Path) -> None:
    with Running("serve", tiny_pool, "--strategy", "random", "--http", "127.0.0.1:0") as running:
        address(running)
        for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGTERM):
            running.send(number)
        assert running.end() == 0
        assert "Traceback" not in running.printed()
        assert running.printed().rstrip().endswith("INFO ended")


def test_no_process_that_it_starts_gets_a_secret(tiny_music: Path, tmp_path: Path) -> None:
    secrets = {"ENDLOS_ICECAST_PASSWORD": "hidden-0815", "ENDLOS_HTTP_TOKEN": "hidden-4711"}
    words = ("serve", tiny_music, "--strategy", "random", "--http", "127.0.0.1:0")
    seen: dict[int, bytes] = {}
    with Running(*words, **secrets, ENDLOS_HOME=str(tmp_path)) as running:

        def children() -> bool:
            for folder in Path("/proc").glob("[0-9]*"):
                with suppress(OSError):
                    group = (folder / "stat").read_text().rpartition(")")[2].split()
                    parent = int(group[1])
                    if parent == running.pid or parent in seen:
                        seen[int(folder.name)] = (folder / "environ").read_bytes()
            return len(seen) > 1 and "INFO serving http://" in running.printed()

        wait_until(children, "it serves, and had a builder with its workers")
        running.send(signal.SIGTERM)
        assert running.end() == 0
        # The pool is made while it begins.
        assert "resume" not in running.printed()
    for environment in seen.values():
        assert b"hidden" not in environment
    assert any(b"ENDLOS_HOME" in environment for environment in seen.values())


def test_it_ends_with_listeners_that_do_not_read_and_says_nothing_of_it(tiny_pool: Path) -> None:
    words = ("serve", tiny_pool, "--strategy", "random", "--http", "127.0.0.1:0", "--codec", "flac")
    with Running(*words) as running, ExitStack() as opened:
        port = int(address(running).rstrip("/").rpartition(":")[2])
        for _ in range(10):
            listener = opened.enter_context(socket.socket())
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            listener.connect(("127.0.0.1", port))
            listener.sendall(b"GET /stream.flac HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        base = address(running)

        def stuck() -> bool:
            with urllib.request.urlopen(f"{base}status.json", timeout=PATIENCE_S) as answer:
                (output,) = json.load(answer)["outputs"]
            # More than lies in the buffers between here and there.
            return bool(output["listeners"] == 10 and output["frames_out"] > 6 * RATE_HZ)

        wait_until(stuck, "all are stuck")
        running.send(signal.SIGTERM)
        assert running.end() == 0
        printed = running.printed()
    assert "Traceback" not in printed
    assert len(printed.splitlines()) < 15
