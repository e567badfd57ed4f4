"""The open connections of the web server: what ends one at once."""

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol


class Connections:
    """The open connections, so that one can be ended at once. Belongs to the server's event loop."""

    def __init__(self) -> None:
        self.closing = False
        """Set by any thread: endless answers end now."""
        self._transports: dict[object, asyncio.Transport] = {}

    def abort(self, client: object) -> None:
        """End the connection of `client`, a (host, port), without waiting for what is under way."""
        transport = self._transports.get(client)
        if transport is not None:
            transport.abort()

    def protocol(self) -> type[asyncio.Protocol]:
        """Return uvicorn's HTTP protocol, which notes its connections here."""
        transports = self._transports

        class Noted(H11Protocol):
            def connection_made(self, transport: Any) -> None:
                super().connection_made(transport)
                self._peer = tuple(transport.get_extra_info("peername")[:2])
                transports[self._peer] = transport

            def connection_lost(self, exc: Exception | None) -> None:
                transports.pop(self._peer, None)
                super().connection_lost(exc)

        return Noted
