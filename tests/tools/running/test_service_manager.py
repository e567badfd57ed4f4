"""The service manager hears when the stream sounds, and nothing more when it does not."""

import itertools
import socket
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from stream.outputs.output import OutputStatus, State
from stream.service.moment import Moment
from tests.support.moments import a_moment
from tools.running.service_manager import SILENCE_S, ServiceManager, SoundWatch, service_status


class Listener:
    """A notify socket as systemd has one."""

    def __init__(self, address: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(f"\0{address[1:]}" if address.startswith("@") else address)
        self._socket.setblocking(False)
        self.environment = {"NOTIFY_SOCKET": address, "HOME": "/"}

    def heard(self) -> list[str]:
        said = []
        while True:
            try:
                said.append(self._socket.recv(4096).decode())
            except BlockingIOError:
                return said

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(params=["a path", "an abstract name"])
def listener(request: pytest.FixtureRequest) -> Iterator[Listener]:
    # The path of such a socket must be short.
    with tempfile.TemporaryDirectory(prefix="endlos-") as folder:
        path = str(Path(folder) / "notify")
        made = Listener(path if request.param == "a path" else f"@{path}")
        yield made
        made.close()


def test_each_message_is_one_datagram_and_the_address_is_for_nobody_else(listener: Listener) -> None:
    manager = ServiceManager(listener.environment)
    assert listener.environment == {"HOME": "/"}
    manager.preparing()
    manager.preparing()
    manager.ready()
    manager.status("a song")
    manager.status("a song")
    manager.alive()
    manager.stopping()
    assert listener.heard() == [
        "STATUS=preparing the first songs\nEXTEND_TIMEOUT_USEC=60000000",
        "READY=1",
        "STATUS=a song",
        "WATCHDOG=1",
        "STOPPING=1\nSTATUS=ending",
    ]
    manager.close()
    manager.alive()
    assert listener.heard() == []


def test_without_a_service_manager_nothing_is_said() -> None:
    for environment in ({}, {"NOTIFY_SOCKET": "/nowhere/at/all"}):
        manager = ServiceManager(environment)
        manager.ready()
        manager.close()


def moment(frames: int, states: dict[str, tuple[State, float | None]], *, paused: bool = False) -> Moment:
    made = a_moment()
    return replace(
        made,
        paused=paused,
        pacing=replace(made.pacing, frames=frames),
        outputs=[
            OutputStatus(name=name, state=state, audible_ago_s=ago_s)
            for name, (state, ago_s) in states.items()
        ],
    )


def lives(*moments: Moment, seconds: float = 0.0) -> list[bool]:
    """Look at each moment, `seconds` after the one before."""
    times_s = itertools.count(0.0, seconds)
    watch = SoundWatch(lambda: next(times_s))
    return [watch.lives(one) for one in moments]


def test_a_stream_lives_while_it_moves_and_is_heard() -> None:
    well: dict[str, tuple[State, float | None]] = {"a": ("playing", 0.1)}
    assert lives(moment(0, well), moment(10, well), moment(20, well)) == [True, True, True]
    # The engine is pulled no more.
    assert lives(moment(10, well), moment(10, well)) == [True, False]
    # Or what is pulled is silence.
    silent: dict[str, tuple[State, float | None]] = {"a": ("playing", SILENCE_S), "b": ("behind", 90.0)}
    never: dict[str, tuple[State, float | None]] = {"a": ("playing", None)}
    assert lives(moment(10, silent)) == [False]
    assert lives(moment(10, never), moment(20, never), seconds=0.7 * SILENCE_S) == [True, False]


def test_what_a_new_start_would_not_mend_is_no_reason_for_one() -> None:
    gone: dict[str, tuple[State, float | None]] = {"a": ("reconnecting", 900.0), "b": ("stopped", None)}
    assert lives(moment(10, gone), moment(20, gone)) == [True, True]
    mixed: dict[str, tuple[State, float | None]] = {"a": ("reconnecting", 900.0), "b": ("playing", 0.1)}
    assert lives(moment(10, mixed)) == [True]
    # Nor is a pause, however long.
    silent: dict[str, tuple[State, float | None]] = {"a": ("paused", 900.0)}
    assert lives(*[moment(10, silent, paused=True)] * 3) == [True, True, True]


def test_the_status_says_what_plays_and_how_many_outputs_are_well() -> None:
    assert service_status(a_moment()) == "an artist – a title; 0 of 0 outputs well"
    ended = OutputStatus(name="pipe:-", state="stopped", done=True)
    assert service_status(replace(a_moment(), outputs=[ended])).endswith("; 0 of 0 outputs well")
    assert service_status(replace(a_moment(), paused=True)).startswith("paused; ")
