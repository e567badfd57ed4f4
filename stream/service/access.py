"""The access to a page is decided by the names it is asked by, where who asks is, and what token he has.

A browser takes any site's script to whatever address the site's name resolves to. So the page answers only
to numbers, to this machine's own names and to those that it was given; a script from elsewhere is told apart
by its `Origin`, and whoever may sit on another machine, or behind a proxy, changes nothing without a token.
"""

import hmac
import ipaddress
import socket
from urllib.parse import urlsplit

from starlette.requests import Request

from stream.outputs.address import HttpAddress, is_loopback

_FORWARDED = ("x-forwarded-for", "x-forwarded-host", "x-real-ip", "forwarded", "via")


class PageAccess:
    """Who may see and change what at one address; any thread."""

    def __init__(self, address: HttpAddress) -> None:
        self._address = address
        own = socket.gethostname().lower()
        self._names = {"localhost", own, f"{own}.local", address.host.lower(), *map(str.lower, address.names)}

    @property
    def with_token(self) -> bool:
        """Whether there is a token with which others than this machine may change something."""
        return bool(self._address.token)

    def knows(self, request: Request) -> bool:
        """Return whether a request asks for this page by a name of its own, or by a number."""
        host = request.headers.get("host")
        if host is None:
            # No browser: it always says whom it asks.
            return True
        return self.knows_name(host)

    def knows_name(self, host: str) -> bool:
        """Return whether a `Host` is a name of this page, or a number."""
        name = _name_of(host)
        return name is not None and (name in self._names or _is_number(name))

    def is_at_home(self, request: Request) -> bool:
        """Return whether who asks is on this machine, and no proxy that may ask for anybody."""
        host = _name_of(request.headers.get("host", "localhost"))
        forwarded = any(name in request.headers for name in _FORWARDED)
        return not self._address.is_public and not forwarded and host is not None and is_loopback(host)

    def refusal(self, request: Request) -> str | None:
        """Return why a request may not change anything, in one sentence; None where it may."""
        origin = request.headers.get("origin")
        own = origin is not None and urlsplit(origin).netloc == request.headers.get("host")
        if origin is not None and not own:
            return "a page from elsewhere may not change anything"
        if self._has_token(request):
            return None
        if not self.is_at_home(request):
            if self.with_token:
                return "send the header Authorization: Bearer TOKEN"
            return "nothing can be changed from here; set ENDLOS_HTTP_TOKEN where endlos is started"
        if not own and "x-endlos" not in request.headers:
            return "send the header X-Endlos, or use the page"
        return None

    def _has_token(self, request: Request) -> bool:
        token = self._address.token
        scheme, _, said = request.headers.get("authorization", "").partition(" ")
        return bool(token) and scheme.lower() == "bearer" and _same(said.strip(), token or "")


def _same(said: str, token: str) -> bool:
    return hmac.compare_digest(said.encode(), token.encode())


def _name_of(host: str) -> str | None:
    """Return the name in a `Host`, in small letters and without its port; None where it is none."""
    try:
        asked = urlsplit(f"//{host}")
        name, _ = asked.hostname, asked.port  # which raises where it is none
        return (name or "").rstrip(".") or None
    except ValueError:
        return None


def _is_number(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
