"""This helper reads server-sent events from a plain connection, as a browser takes them."""

import http.client
import json
from dataclasses import dataclass
from typing import Any

from tests.support.waiting import PATIENCE_S


@dataclass(frozen=True, kw_only=True)
class ReadEvent:
    """One event; a comment has only a name, `:`."""

    id: str
    name: str
    data: Any


class EventReader:
    """An open answer of `/api/events`."""

    def __init__(
        self, port: int, last_id: str | None = None, path: str = "/api/events", **headers: str
    ) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
        resumed = {} if last_id is None else {"Last-Event-ID": last_id}
        self._connection.request("GET", path, headers={**resumed, **headers})
        self.answer = self._connection.getresponse()

    def next(self) -> ReadEvent:
        """Return the next event or comment; `EOFError` at the end."""
        fields: dict[str, str] = {}
        while line := self.answer.readline():
            text = line.decode().rstrip("\n")
            if text.startswith(":"):
                return ReadEvent(id="", name=":", data=None)
            if not text and "event" in fields:
                return ReadEvent(id=fields["id"], name=fields["event"], data=json.loads(fields["data"]))
            name, _, value = text.partition(": ")
            fields[name] = value
        raise EOFError

    def until(self, name: str) -> ReadEvent:
        """Return the next event of a name."""
        while (event := self.next()).name != name:
            pass
        return event

    def close(self) -> None:
        self.answer.close()
        self._connection.close()
