"""The gate lets through only who asks by a known name, and changes only from who may, seldom and small."""

import math
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stream.outputs.listeners.connections import request_address
from stream.service.access import PageAccess

CHANGES = 20
PER_S = 10.0
"""One address may ask for so many changes within so many seconds."""
MOST_BODY_BYTES = 16 * 1024
"""Of a request that is to change something, unless its path takes more."""
_MOST_ADDRESSES = 1024
_READS = ("GET", "HEAD")

UNKNOWN_NAME = "this page is not served by that name; add ?name=NAME to the address that endlos is to serve"


class RateLimit:
    """Counts the changes that each address asks for; any thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock_s = clock
        self._lock = threading.Lock()
        self._asked_s: OrderedDict[str, deque[float]] = OrderedDict()

    def wait_s(self, address: str) -> float:
        """Count a change; return 0 where it may be done, else for how long no other may be asked for."""
        with self._lock:
            now_s = self._clock_s()
            asked_s = self._asked_s.setdefault(address, deque())
            self._asked_s.move_to_end(address)
            while len(self._asked_s) > _MOST_ADDRESSES:
                self._asked_s.popitem(last=False)
            while asked_s and asked_s[0] <= now_s - PER_S:
                asked_s.popleft()
            if len(asked_s) >= CHANGES:
                return asked_s[0] + PER_S - now_s
            asked_s.append(now_s)
            return 0.0


class Gate:
    """Stands before an application, so that none of its answers can be forgotten."""

    def __init__(
        self,
        app: ASGIApp,
        access: PageAccess,
        limit: RateLimit,
        most_bytes: Mapping[str, int] | None = None,
    ) -> None:
        """most_bytes: of the body, for paths that take another number than `MOST_BODY_BYTES`."""
        self._app = app
        self._access = access
        self._limit = limit
        self._most_bytes = most_bytes or {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or let through."""
        if scope["type"] == "http":
            request = Request(scope)
            refusal = self._refusal(request)
            if refusal is None and request.method not in _READS:
                most_bytes = self._most_bytes.get(scope["path"], MOST_BODY_BYTES)
                body = await _body(request, receive, most_bytes)
                if body is None:
                    refusal = _refused(413, f"the body is too large; expected at most {most_bytes} bytes")
                else:
                    receive = _Replayed(body, receive)
            if refusal is not None:
                await refusal(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _refusal(self, request: Request) -> JSONResponse | None:
        if not self._access.knows(request):
            return _refused(421, UNKNOWN_NAME)
        if request.method in _READS:
            return None
        wait_s = self._limit.wait_s(request_address(request.scope))
        if wait_s > 0:
            seconds = math.ceil(wait_s)
            return _refused(429, f"too many changes; try again in {seconds} s", {"Retry-After": str(seconds)})
        why = self._access.refusal(request)
        return None if why is None else _refused(403, why)


def _refused(status: int, detail: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"detail": detail}, status, headers=dict(headers or {}))


async def _body(request: Request, receive: Receive, most_bytes: int) -> bytes | None:
    """Return the whole body; None where there is more of it. What is too long is not read to its end."""
    said = request.headers.get("content-length", "")
    if said.isascii() and said.isdigit() and int(said) > most_bytes:
        return None
    body = bytearray()
    more = True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            # Who asked has gone: nothing is to be done for him.
            return None
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > most_bytes:
            return None
    return bytes(body)


class _Replayed:
    """Gives a body that was read before, once, and then what comes after it."""

    def __init__(self, body: bytes, receive: Receive) -> None:
        self._body: bytes | None = body
        self._receive = receive

    async def __call__(self) -> Message:
        body, self._body = self._body, None
        if body is None:
            return await self._receive()
        return {"type": "http.request", "body": body, "more_body": False}
