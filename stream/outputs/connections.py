"""The web server's connections are known to their requests, so that each can be ended at once."""

import asyncio
from typing import Any, cast

from starlette.types import Scope
from uvicorn.protocols.http.h11_impl import H11Protocol

_TRANSPORT = "endlos.transport"


class Connections:
    """What all connections of one server have in common."""

    def __init__(self) -> None:
        self.closing = False
        """Set by any thread: endless answers end now."""


class NotedProtocol(H11Protocol):
    """uvicorn's HTTP protocol, whose requests carry the connection that they came by.

    No address can stand for it: behind a proxy the one in the scope is that of whoever was forwarded.
    """

    def connection_made(self, transport: Any) -> None:
        """Note the connection where uvicorn takes the state of each of its requests from."""
        super().connection_made(transport)
        self.app_state = {**self.app_state, _TRANSPORT: transport}


def abort(scope: Scope) -> None:
    """End the connection that a request came by, without waiting for what is under way."""
    cast(asyncio.Transport, scope["state"][_TRANSPORT]).abort()
