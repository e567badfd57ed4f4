"""This helper is a server of one's own, which does to each connection what a test wants."""

import socket
import threading
from collections.abc import Callable
from contextlib import suppress

from tests.support.waiting import PATIENCE_S


class Peer:
    """A server of one's own: each connection's request is given to `serve`, which does as it likes."""

    def __init__(self, serve: Callable[["Peer", socket.socket, bytes], None]) -> None:
        self.over = threading.Event()
        self.calls = 0
        self.asked: list[bytes] = []
        self._serve = serve
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listening.accept()
                self.calls += 1
                threading.Thread(target=self._attend, args=(connection,), daemon=True).start()

    def _attend(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.settimeout(PATIENCE_S)
            request = connection.recv(65_536)
            self.asked.append(request)
            self._serve(self, connection, request)

    def drip(self, connection: socket.socket) -> None:
        while not self.over.wait(0.1):
            connection.sendall(b"x")

    def close(self) -> None:
        self.over.set()
        self._listening.close()
