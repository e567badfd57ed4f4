"""The command `endlos serve` runs as an operator has it, by a file, watched, with a log for programs."""

import json
import os
import signal
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.commands import Running, run_apart
from tests.support.waiting import PATIENCE_S

PASSWORD = "hidden/4711"


@pytest.fixture
def notified() -> Iterator[socket.socket]:
    with (
        tempfile.TemporaryDirectory(prefix="endlos-") as folder,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening,
    ):
        listening.bind(str(Path(folder) / "notify"))
        listening.settimeout(PATIENCE_S)
        yield listening


def write_config(path: Path, pool: Path, *more: str) -> Path:
    lines = [
        "[serve]",
        f'source = "{pool}"',
        'strategy = "random"',
        'http = "127.0.0.1:0"',
        'log-format = "json"',
        *more,
    ]
    path.write_text("\n".join(lines) + "\n")
    path.chmod(0o600)
    return path


def test_a_file_is_all_it_needs_and_the_service_manager_hears_how_it_goes(
    tiny_pool: Path, tmp_path: Path, notified: socket.socket
) -> None:
    address = f'{{ uri = "icecast://source@127.0.0.1:9/x.mp3", password = "{PASSWORD}" }}'
    config = write_config(tmp_path / "endlos.toml", tiny_pool, f"output = [{address}]")
    said: list[str] = []

    def hear(message: str, times: int) -> None:
        while sum(one.startswith(message) for one in said) < times:
            said.append(notified.recv(4096).decode())

    with Running("serve", "--config", config, NOTIFY_SOCKET=notified.getsockname()) as running:
        hear("READY=1", 1)
        hear("WATCHDOG=1", 3)
        running.wait_for('"state": "reconnecting"')
        running.send(signal.SIGTERM)
        hear("STOPPING=1", 1)
        assert running.end() == 0
        printed = running.printed()
    # What is fed before it sounds, or after, would hide a hang.
    alive = [number for number, one in enumerate(said) if one == "WATCHDOG=1"]
    assert said.index("READY=1") < alive[0]
    assert any("of 2 outputs well" in one for one in said)
    lines = [json.loads(line) for line in printed.splitlines()]
    events = [line["event"] for line in lines if line["event"] != "output"]
    assert events == ["opening", "serving", "ending", "ended"]
    states = {(line["output"], line["state"]) for line in lines if line["event"] == "output"}
    assert states >= {("http mp3", "playing"), ("icecast://127.0.0.1:9/x.mp3", "reconnecting")}
    assert PASSWORD not in printed and "hidden" not in "".join(said)


def test_what_ends_it_is_a_line_for_programs_too(tiny_pool: Path, tmp_path: Path) -> None:
    config = write_config(tmp_path / "endlos.toml", tiny_pool, 'output = ["icecast://source@h/x.mp3"]')
    done = run_apart("serve", ENDLOS_CONFIG=str(config), ENDLOS_SERVE_HTTP="127.0.0.1:0")
    assert done.returncode == 1
    (line,) = map(json.loads, done.stderr.splitlines())
    assert line["event"] == "failed" and "needs the source password" in line["message"]


def test_variables_alone_do_as_well(tiny_pool: Path) -> None:
    variables = {
        "ENDLOS_SERVE_SOURCE": str(tiny_pool),
        "ENDLOS_SERVE_HTTP": "127.0.0.1:0",
        "ENDLOS_SERVE_STRATEGY": "random",
        "ENDLOS_SERVE_CODEC": "mp3 flac",
        "ENDLOS_CONFIG": os.devnull,
    }
    with Running("serve", **variables) as running:
        running.wait_for("http flac: playing")
        running.send(signal.SIGTERM)
        assert running.end() == 0


def test_play_logs_for_programs_as_well(tiny_pool: Path) -> None:
    words = ("play", tiny_pool, "--strategy", "random", "--http", "127.0.0.1:0", "--log-format", "json")
    with Running(*words) as running:
        running.wait_for("serving http://")
        running.send(signal.SIGTERM)
        assert running.end() == 0
        lines = [json.loads(line) for line in running.printed().splitlines()]
    assert any("open it in a browser" in line["message"] for line in lines)
