"""Servers that drip, read too slowly, are gone or send the stream away again hold nothing up for ever."""

import random
import socket
import threading
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from stream.outputs.encoded import BROKEN_RETRY_S, LAST_RETRY_S, UNANSWERED_RETRY_S
from stream.outputs.icecast import admin_titles, source
from stream.outputs.kinds.icecast import IcecastOutput
from tests.support.heard import RATE_HZ, Feeder, music, wait_until
from tests.support.icecast_server import icecast_settings
from tests.support.peer import Peer
from tools.bench.free_port import free_port

OK = b"HTTP/1.1 100 Continue\r\n\r\n"


@pytest.fixture
def peer_of() -> Iterator[Callable[..., Peer]]:
    peers: list[Peer] = []

    def make(serve: Callable[[Peer, socket.socket, bytes], None]) -> Peer:
        peers.append(Peer(serve))
        return peers[-1]

    yield make
    for peer in peers:
        peer.close()


def output_to(port: int, mount: str = "/a.mp3") -> IcecastOutput:
    return IcecastOutput(icecast_settings(f"icecast://127.0.0.1:{port}{mount}", "p"), RATE_HZ)


def test_a_server_that_drips_its_answer_is_given_up_and_called_again(
    peer_of: Callable[..., Peer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "ANSWER_TIMEOUT_S", 0.5)
    peer = peer_of(lambda peer, connection, request: peer.drip(connection))
    output = output_to(peer.port)
    output.start()
    wait_until(lambda: output.status().state == "reconnecting", "it is given up")
    assert output.status().detail == "no answer in time"
    wait_until(lambda: peer.calls > 2, "it is called again")
    output.close()


def test_a_title_that_is_answered_by_drips_does_not_stop_the_music(
    peer_of: Callable[..., Peer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admin_titles, "TITLE_TIMEOUT_S", 0.5)

    def serve(peer: Peer, connection: socket.socket, request: bytes) -> None:
        if request.startswith(b"GET"):
            peer.drip(connection)
        connection.sendall(OK)
        while connection.recv(65_536):
            pass

    output = output_to(peer_of(serve).port)
    output.entitle("Artist - Title", 0)
    output.start()
    with Feeder(output, music(5), loop=True):
        wait_until(
            lambda: "the title was not taken (no answer in time)" in output.status().detail, "the fault"
        )
        before = output.status().frames_out
        wait_until(lambda: output.status().frames_out > before + 3 * RATE_HZ, "the music goes on")
    output.close()


def test_a_server_that_reads_too_slowly_is_told_and_told_no_more_when_it_reads(
    peer_of: Callable[..., Peer],
) -> None:
    hurry = threading.Event()

    def serve(peer: Peer, connection: socket.socket, request: bytes) -> None:
        if request.startswith(b"GET"):
            connection.sendall(b"HTTP/1.0 200 OK\r\n\r\n")
            return
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.sendall(OK)
        while connection.recv(4000):
            hurry.wait(0.2)

    output = output_to(peer_of(serve).port, "/a.flac")
    output.start()
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, (2 * RATE_HZ, 2)).astype(np.float32)
    with Feeder(output, noise, speed=1, loop=True):
        wait_until(lambda: output.status().state == "behind", "it is behind")
        assert output.status().detail.startswith("behind by ")
        wait_until(lambda: "1 s left out" in output.status().detail, "what is lost is told")
        hurry.set()
        wait_until(lambda: output.status().state == "playing", "it has caught up")
    output.close()


def waits_of(output: IcecastOutput, number: int, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return how long an output waits after each of so many faults, without the jitter."""
    waits: list[float] = []
    monkeypatch.setattr(random, "uniform", lambda low, high: high)

    def wait(wait_s: float) -> None:
        waits.append(wait_s)
        if len(waits) >= number:
            output._stop.set()

    monkeypatch.setattr(output, "_rest", wait)
    output.start()
    wait_until(lambda: len(waits) >= number, "all faults")
    output.close()
    return waits


def test_a_server_that_is_gone_is_called_every_second(monkeypatch: pytest.MonkeyPatch) -> None:
    waits = waits_of(output_to(free_port()), 8, monkeypatch)
    assert waits == [0.5, *[UNANSWERED_RETRY_S] * 7]
    assert UNANSWERED_RETRY_S <= 1.0


def test_a_server_that_refuses_is_called_less_often(
    peer_of: Callable[..., Peer], monkeypatch: pytest.MonkeyPatch
) -> None:
    peer = peer_of(lambda peer, connection, request: connection.sendall(b"HTTP/1.1 403 Mount in use\r\n\r\n"))
    assert waits_of(output_to(peer.port), 6, monkeypatch) == [0.5, 1.0, 2.0, 4.0, LAST_RETRY_S, LAST_RETRY_S]


def test_a_mount_that_another_takes_again_and_again_is_taken_ever_more_seldom(
    peer_of: Callable[..., Peer], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Whoever comes last has the mount, and the other is cut off.
    peer = peer_of(lambda peer, connection, request: connection.sendall(OK))
    waits = waits_of(output_to(peer.port), 9, monkeypatch)
    assert waits == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, BROKEN_RETRY_S, BROKEN_RETRY_S]
