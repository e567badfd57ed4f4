"""The web server runs uvicorn in its own thread on a socket that was bound beforehand."""

import socket
import threading
import time
from dataclasses import dataclass

import uvicorn
from starlette.applications import Starlette

from model.base.errors import OutputError
from stream.outputs.connections import Connections, NotedProtocol

DEFAULT_HOST = "127.0.0.1"
_DEFAULT_PORT = 8000

# Between the broadcast and a listener who has stopped reading; inherited by each connection.
_SEND_BUFFER_BYTES = 64 * 1024
_CLOSE_S = 0.6
_FORCED_S = 0.3


@dataclass(frozen=True, kw_only=True)
class HttpAddress:
    """Where to serve the page and the stream."""

    host: str = DEFAULT_HOST
    port: int = _DEFAULT_PORT
    fixed: bool = True
    """Whether no other port will do."""


class WebServer:
    """Serves one application; it has its port from the beginning."""

    def __init__(self, app: Starlette, host: str = "127.0.0.1", port: int = 8000) -> None:
        """Bind; `OutputError` when the port is in use. host: loopback, unless told otherwise; port 0: any."""
        self._socket = _bind(host, port)
        self.host: str = host
        self.port: int = self._socket.getsockname()[1]
        self._connections: Connections = app.state.connections
        self._server = uvicorn.Server(
            uvicorn.Config(
                app,
                http=NotedProtocol,
                ws="none",
                lifespan="off",
                # Its own configuration would close every log handler of the process, whoever's they are.
                log_config=None,
                log_level="error",
                access_log=False,
                server_header=False,
            )
        )
        self._thread = threading.Thread(target=self._run, name="web", daemon=True)

    @property
    def url(self) -> str:
        """The address of the page."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}/"

    def start(self) -> None:
        """Serve, and come back when the server answers."""
        self._thread.start()
        while not self._server.started:
            if not self._thread.is_alive():
                raise OutputError(f"the web server on {self.url} ended at once; run with --debug to see why")
            time.sleep(0.005)

    @property
    def alive(self) -> bool:
        """Whether it still serves."""
        return self._thread.is_alive()

    def close(self) -> None:
        """End, within a second, whoever is listening."""
        self._connections.closing = True
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join(_CLOSE_S)
            self._server.force_exit = True
            self._thread.join(_FORCED_S)
        self._socket.close()

    def _run(self) -> None:
        self._server.run(sockets=[self._socket])


def _bind(host: str, port: int) -> socket.socket:
    if not 0 <= port <= 65_535:
        raise OutputError(f"{port} is no port; expected 1 to 65535, or 0 for any that is free")
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        bound = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise OutputError(
            f"{host}:{port} is no address of this machine ({error}); expected one such as 127.0.0.1:8000"
        ) from error
    try:
        # Not on Windows, where it would let two programs have the same port.
        if hasattr(socket, "SO_REUSEPORT"):
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
        bound.bind(address)
        bound.listen(128)
    except OSError as error:
        bound.close()
        raise OutputError(
            f"{host}:{port} cannot be served ({error.strerror or error}); "
            "choose another address or port with --http"
        ) from error
    return bound
