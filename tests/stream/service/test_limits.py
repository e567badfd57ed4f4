"""The gate turns away what is too much, too large, or from somebody who may not, before anything is done."""

import http.client
import json
import socket
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from stream.outputs.address import HttpAddress
from stream.outputs.listeners.connections import Connections
from stream.service import limits
from stream.service.access import PageAccess
from stream.service.limits import Gate, RateLimit
from stream.service.server import WebServer
from tests.support.waiting import PATIENCE_S

HOME = {"X-Endlos": "1"}


class Behind:
    """What stands behind the gate."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []

    async def answer(self, request: Request) -> Response:
        self.bodies.append(await request.body())
        return JSONResponse({"read": len(self.bodies[-1])})


@contextmanager
def served(behind: Behind, address: HttpAddress | None = None) -> Iterator[WebServer]:
    address = address or HttpAddress(port=0)
    methods: Sequence[str] = ("GET", "POST", "PUT", "DELETE")
    inner = Starlette(routes=[Route("/{name}", behind.answer, methods=list(methods))])
    gate = Gate(inner, PageAccess(address), RateLimit(), {"/api/large": 100_000})
    app = Starlette(routes=[Mount("/api", app=gate)])
    app.state.connections = Connections()
    server = WebServer(app, address)
    server.start()
    with closing(server):
        yield server


def asked(
    server: WebServer,
    method: str,
    path: str = "/api/x",
    body: bytes | Iterator[bytes] = b"",
    headers: dict[str, str] | None = None,
) -> tuple[int, dict[str, object], http.client.HTTPMessage]:
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE_S)) as connection:
        connection.request(method, path, body, HOME if headers is None else headers)
        answer = connection.getresponse()
        return answer.status, json.load(answer), answer.headers


def test_a_change_gets_through_with_its_body_and_reading_is_free() -> None:
    behind = Behind()
    with served(behind) as server:
        assert asked(server, "PUT", body=b"a" * 1000)[:2] == (200, {"read": 1000})
        assert asked(server, "PUT", body=iter([b"a" * 1000, b"b" * 9]))[:2] == (200, {"read": 1009})
        for _ in range(limits.CHANGES + 5):
            assert asked(server, "GET", headers={})[0] == 200


def test_a_body_that_is_too_large_is_refused_whether_its_length_is_said_or_not() -> None:
    behind = Behind()
    most = limits.MOST_BODY_BYTES
    with served(behind) as server:
        for body in (b"a" * (most + 1), iter([b"a" * most, b"a"])):
            status, told, _ = asked(server, "PUT", body=body)
            assert (status, told) == (
                413,
                {"detail": f"the body is too large; expected at most {most} bytes"},
            )
        assert behind.bodies == []
        assert asked(server, "PUT", body=b"a" * most)[0] == 200
        assert asked(server, "POST", "/api/large", b"a" * 100_000)[0] == 200
        assert asked(server, "POST", "/api/large", b"a" * 100_001)[0] == 413
        # What is said and never sent is not waited for.
        with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_S) as raw:
            raw.sendall(
                b"PUT /api/x HTTP/1.1\r\nHost: localhost\r\nX-Endlos: 1\r\nContent-Length: 99999\r\n\r\n"
            )
            assert b" 413 " in raw.recv(100)


def test_so_many_changes_and_no_more_from_one_address(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (limits.CHANGES, limits.PER_S) == (20, 10.0)
    # Long enough for any machine to ask so often.
    monkeypatch.setattr(limits, "PER_S", 3600.0)
    behind = Behind()
    with served(behind) as server:
        for _ in range(limits.CHANGES):
            assert asked(server, "PUT")[0] == 200
        status, told, headers = asked(server, "PUT")
        assert status == 429
        assert 1 <= int(headers["retry-after"]) <= limits.PER_S
        assert str(told["detail"]).startswith("too many changes; try again in ")
        assert asked(server, "GET")[0] == 200, "reading is free"
        # A guess at a token counts, too; who comes by a proxy is somebody else.
        elsewhere = {"X-Forwarded-For": "203.0.113.1"}
        assert [asked(server, "PUT", headers=elsewhere)[0] for _ in range(limits.CHANGES + 1)] == [
            *[403] * limits.CHANGES,
            429,
        ]
    assert len(behind.bodies) == limits.CHANGES + 1


def test_after_a_while_there_may_be_changes_again() -> None:
    now_s = 0.0
    limit = RateLimit(lambda: now_s)
    assert [limit.wait_s("a") for _ in range(limits.CHANGES)] == [0.0] * limits.CHANGES
    now_s = 4.0
    assert limit.wait_s("a") == pytest.approx(limits.PER_S - 4.0)
    assert limit.wait_s("b") == 0.0
    now_s = limits.PER_S
    assert limit.wait_s("a") == 0.0


def test_the_addresses_that_are_remembered_are_bounded() -> None:
    limit = RateLimit()
    for number in range(3000):
        limit.wait_s(str(number))
    assert len(limit._asked_s) <= 1024


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_whatever_changes_something_needs_to_be_allowed(method: str) -> None:
    behind = Behind()
    with served(behind) as server:
        assert asked(server, method, headers={})[0] == 403
        assert asked(server, method, headers={**HOME, "Origin": "http://evil.example"})[0] == 403
    with served(behind, HttpAddress(host="0.0.0.0", port=0, token="s3cret")) as server:
        assert asked(server, method)[0] == 403
        assert asked(server, method, headers={"Authorization": "Bearer wrong"})[0] == 403
        allowed = (
            asked(server, method, headers={"Authorization": "Bearer s3cret"}) if method == "PUT" else None
        )
        assert allowed is None or allowed[0] == 200
    assert len(behind.bodies) == (method == "PUT")


@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_a_foreign_name_is_answered_by_nothing(method: str) -> None:
    behind = Behind()
    with served(behind) as server:
        status, told, _ = asked(server, method, headers={**HOME, "Host": "evil.example"})
        assert status == 421
        assert "?name=NAME" in str(told["detail"])
    assert behind.bodies == []
