"""The web server runs uvicorn in its own thread on a socket that was bound beforehand."""

import asyncio
import socket
import threading
import time
from dataclasses import replace
from functools import partial
from typing import Any, cast

import uvicorn
from starlette.applications import Starlette

from model.base.errors import OutputError
from stream.outputs.address import HttpAddress
from stream.outputs.listeners.connections import Connections, NotedProtocol

_FURTHER_PORTS = 20
_CLOSE_S = 0.6
_FORCED_S = 0.3
_BACKLOG = 128
"""Connections that wait to be taken in, and how many are at once."""


class WebServer:
    """Serves one application; it has its port from the beginning."""

    def __init__(self, app: Starlette, address: HttpAddress) -> None:
        """Bind; `OutputError` when that cannot be: the port is in use, and no other will do."""
        self._socket = _bind(address)
        self.port: int = self._socket.getsockname()[1]
        self.url = replace(address, port=self.port).url
        self._connections: Connections = app.state.connections
        self._server = uvicorn.Server(
            uvicorn.Config(
                app,
                http=cast(type[asyncio.Protocol], partial(NotedProtocol, self._connections)),
                # Who asks behind a proxy is told apart by `connections` alone.
                proxy_headers=False,
                backlog=_BACKLOG,
                ws="none",
                lifespan="off",
                # Its own configuration would close every log handler of the process, whoever's they are.
                log_config=None,
                log_level="error",
                access_log=False,
                server_header=False,
            )
        )
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, name="web", daemon=True)

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
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join(_CLOSE_S)
            if self._loop is not None and self._thread.is_alive():
                # Who does not read holds an answer up for ever.
                self._loop.call_soon_threadsafe(self._connections.abort_all)
            self._server.force_exit = True
            self._thread.join(_FORCED_S)
        self._socket.close()

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._loop.set_exception_handler(self._note_error)
        await self._server.serve(sockets=[self._socket])

    def _note_error(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Log what went wrong outside of a request, such as no descriptor left, without a flood."""
        error = context.get("exception")
        self._connections.warn(f"{context['message']}{f' ({error})' if error else ''}")


def _bind(address: HttpAddress) -> socket.socket:
    further = 0 if address.fixed else _FURTHER_PORTS
    for port in range(address.port, address.port + further):
        try:
            return replace(address, port=port).bind()
        except OutputError:
            # In use: the next one is as good.
            continue
    return replace(address, port=address.port + further).bind()
