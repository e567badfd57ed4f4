"""The web server's connections are counted and timed, so that nobody can hold the places of all others.

A whole request has a deadline, and so has an answer that nobody reads. Where there are too many connections,
in all or of one address, the one that has waited longest for its request makes room for a new one, so that
half-open requests lock nobody out. A reverse proxy on this machine stands for as many addresses as it names
in `X-Forwarded-For`; one that names none, or stands on another machine, counts as one.
"""

import asyncio
import ipaddress
import logging
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from starlette.types import Scope
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from stream.outputs.address import ConnectionLimits

_log = logging.getLogger(__name__)

REQUEST_S = 10.0
"""What a whole request, head and body, may take, counted from the connection or from the answer before."""
STALL_S = 15.0
"""A client that takes nothing of an answer for so long is cut off."""
_DESCRIPTOR_SHARE = 0.5
"""Of the files that this process may open, for connections at most."""
_WARN_INTERVAL_S = 60.0

_CONNECTION = "endlos.connection"
_FORWARDED = b"x-forwarded-for"
_FULL = (
    b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\nretry-after: 10\r\n"
    b"content-type: text/plain\r\ncontent-length: 21\r\n\r\ntoo many connections\n"
)


class Connections:
    """What all connections of one server have in common; belongs to its loop."""

    def __init__(self, limits: ConnectionLimits | None = None) -> None:
        self.refused = 0
        """Connections for which there was no room, or that had to make room."""
        # By age: the one that waits longest for its request comes first.
        self._waiting: dict[NotedProtocol, None] = {}
        self._all: set[NotedProtocol] = set()
        self._of_address: Counter[str] = Counter()
        limits = limits or ConnectionLimits()
        self._most = _openable(limits.connections)
        self._most_of_address = limits.of_address
        self._warned_s = -_WARN_INTERVAL_S

    def enter(self, connection: "NotedProtocol", address: str) -> bool:
        """Take a connection in, or move it to another address; False when there is no room."""
        known = connection in self._all
        if self._of_address[address] >= self._most_of_address and not self._make_room(address):
            return False
        if not known and len(self._all) >= self._most and not self._make_room(None):
            return False
        if known:
            self._count_down(connection.address)
        self._all.add(connection)
        self._of_address[address] += 1
        connection.address = address
        return True

    def leave(self, connection: "NotedProtocol") -> None:
        """Forget a connection that has ended, or was never taken in."""
        self._waiting.pop(connection, None)
        if connection in self._all:
            self._all.remove(connection)
            self._count_down(connection.address)

    def note_waiting(self, connection: "NotedProtocol", *, waiting: bool) -> None:
        """Note that a connection begins to wait for a request, or that it has one."""
        self._waiting.pop(connection, None)
        if waiting and connection in self._all:
            self._waiting[connection] = None

    def abort_all(self) -> None:
        """End every connection without waiting for what is under way."""
        for connection in list(self._all):
            connection.transport.abort()

    def warn(self, what: str) -> None:
        """Log what would be logged again and again, once a minute."""
        now_s = time.monotonic()
        if now_s - self._warned_s >= _WARN_INTERVAL_S:
            self._warned_s = now_s
            _log.warning("web server: %s; %d connections are open, %d had to go", what, *self._figures())

    def _figures(self) -> tuple[int, int]:
        return len(self._all), self.refused

    def _make_room(self, address: str | None) -> bool:
        """End the connection that waits longest for its request, of an address or of all."""
        self.refused += 1
        self.warn(f"too many connections {'in all' if address is None else f'from {address}'}")
        for connection in self._waiting:
            if address in (None, connection.address):
                self.leave(connection)
                connection.transport.abort()
                return True
        return False

    def _count_down(self, address: str) -> None:
        self._of_address[address] -= 1
        if not self._of_address[address]:
            del self._of_address[address]


class NotedProtocol(H11Protocol):
    """uvicorn's HTTP protocol with deadlines, whose requests carry the connection that they came by."""

    def __init__(
        self,
        connections: Connections,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._connections = connections
        self._request_timer: asyncio.TimerHandle | None = None
        self._stall_timer: asyncio.TimerHandle | None = None
        self.address = ""
        """Whose it is, as far as is known."""

    def connection_made(self, transport: Any) -> None:
        """Take the connection in, and note it where uvicorn takes the state of each of its requests from."""
        super().connection_made(transport)
        self.app_state = {**self.app_state, _CONNECTION: self}
        self._await_request()
        if self._connections.enter(self, self._address_now()):
            self._connections.note_waiting(self, waiting=True)
        else:
            transport.write(_FULL)
            transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._end_timers()
        self._connections.leave(self)
        super().connection_lost(exc)

    def handle_events(self) -> None:
        """Begin what has come; whose it is may be plain only now."""
        super().handle_events()
        if self.transport.is_closing() or self.cycle is None or self.cycle.response_complete:
            return
        self._connections.note_waiting(self, waiting=False)
        if not self.cycle.more_body:
            _cancel(self._request_timer)
        address = self._address_now()
        if address != self.address and not self._connections.enter(self, address):
            self.transport.abort()

    def on_response_complete(self) -> None:
        """Give the next request its time, and what is left of this one's body."""
        self._await_request()
        self._connections.note_waiting(self, waiting=True)
        super().on_response_complete()

    def hand_over(self) -> asyncio.Transport:
        """Return where the body of an answer goes, whose head is sent; uvicorn has no more part in it."""
        if self.cycle is None or not self.cycle.response_started:
            raise RuntimeError("something stands between an endless answer and its connection")
        return self.transport

    def pause_writing(self) -> None:
        """Give the client, who does not read, a while."""
        super().pause_writing()
        _cancel(self._stall_timer)
        self._stall_timer = self.loop.call_later(STALL_S, self.transport.abort)

    def resume_writing(self) -> None:
        """Take note that the client reads again."""
        _cancel(self._stall_timer)
        super().resume_writing()

    def _await_request(self) -> None:
        _cancel(self._request_timer)
        # Not closed in good order: what is still to be sent may have nobody to read it.
        self._request_timer = self.loop.call_later(REQUEST_S, self.transport.abort)

    def _end_timers(self) -> None:
        _cancel(self._request_timer)
        _cancel(self._stall_timer)

    def _address_now(self) -> str:
        return client_address(self.client[0] if self.client else "", self.headers or ())


def client_address(peer: str, headers: Iterable[tuple[bytes, bytes]]) -> str:
    """Return who asks: the peer, or whom a reverse proxy on this machine names last in `X-Forwarded-For`.

    Of IPv6 it is the network (/64), of which one household has all addresses.
    """
    found = _parsed(peer)
    if found is None:
        return peer
    if found.is_loopback:
        said = [value for name, value in headers if name.lower() == _FORWARDED]
        last = said[-1].rpartition(b",")[2].decode("latin-1").strip() if said else ""
        found = _parsed(_without_port(last)) or found
    if isinstance(found, ipaddress.IPv6Address) and not found.is_loopback:
        return str(ipaddress.IPv6Network((found, 64), strict=False))
    return str(found)


def request_address(scope: Scope) -> str:
    """Return who sent a request."""
    client = scope.get("client")
    return client_address(client[0] if client else "", scope["headers"])


def connection_of(scope: Scope) -> NotedProtocol:
    """Return the connection that a request came by."""
    connection: NotedProtocol = scope["state"][_CONNECTION]
    return connection


def abort(scope: Scope) -> None:
    """End the connection that a request came by, without waiting for what is under way."""
    connection_of(scope).transport.abort()


def _without_port(text: str) -> str:
    """Return an address as some proxies name it, `203.0.113.7:4711` or `[2001:db8::1]:4711`, alone."""
    if text.startswith("["):
        return text[1:].partition("]")[0]
    # Of IPv6 without brackets there is no telling.
    return text.partition(":")[0] if text.count(":") == 1 else text


def _parsed(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found


def _cancel(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()


def _openable(connections: int) -> int:
    """Return how many of so many connections there can be, with the descriptors that the system grants."""
    try:
        import resource
    except ImportError:  # Windows
        return connections
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = round(connections / _DESCRIPTOR_SHARE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        # 1,024 on most systems, 256 on macOS, far below what every process may grant itself.
        most = wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return connections
    possible = max(1, int(soft * _DESCRIPTOR_SHARE))
    _log.warning(
        "web server: %d connections are asked for, and %d open files allow %d; raise the limit (ulimit -n)",
        connections,
        soft,
        possible,
    )
    return possible
