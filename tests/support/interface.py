"""This helper has a session play a pool and asks its interface as programs do."""

import http.client
import json
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stream.choosing.settings import PlannerSettings
from stream.engine.engine import Engine
from stream.engine.settings import EngineSettings
from stream.outputs.address import HttpAddress
from stream.outputs.kinds.http import HttpSettings
from stream.outputs.settings import OutputSettings
from stream.service.session import Session
from tests.support.waiting import PATIENCE_S


@dataclass(frozen=True, kw_only=True)
class Answered:
    """What came back."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def told(self) -> Any:
        return json.loads(self.body)


def asked_at(
    port: int, method: str, path: str, body: object = None, headers: dict[str, str] | None = None
) -> Answered:
    """Ask once; headers: None for those of somebody on this machine who means it."""
    sent = {"X-Endlos": "1"} if headers is None else headers
    data = None if body is None else json.dumps(body).encode()
    if data is not None:
        sent = {"Content-Type": "application/json", **sent}
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)) as connection:
        connection.request(method, path, data, sent)
        answer = connection.getresponse()
        return Answered(status=answer.status, headers=answer.headers, body=answer.read())


class PlayedPool:
    """A session over HTTP; to be closed."""

    def __init__(self, pool: Path, address: HttpAddress | None = None, seed: int = 2) -> None:
        settings = EngineSettings(planner=PlannerSettings(strategy="random", seed=seed), fade_s=0.1)
        self.engine = Engine.open(pool, settings, live=True)
        place = HttpSettings(at=address or HttpAddress(port=0))
        self.session = Session(self.engine, OutputSettings(places=[place]))
        self.session.start()
        self.port = self.session.webs[0].port

    def ask(
        self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None
    ) -> Answered:
        return asked_at(self.port, method, path, body, headers)

    def close(self) -> None:
        self.session.close()
