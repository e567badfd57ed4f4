"""This helper serves a page with one stream, and asks it."""

import http.client

from starlette.applications import Starlette

from stream.outputs.address import HttpAddress
from stream.outputs.encoding.codecs import Codec
from stream.outputs.kinds.http import HttpStream
from stream.outputs.listeners.broadcast import ListenerLimits
from stream.service.app import create_app
from stream.service.moment import Moment
from stream.service.server import WebServer
from tests.support.heard import RATE_HZ
from tests.support.moments import a_moment, a_song
from tests.support.waiting import PATIENCE_S

SONG = a_song("<i>Tea</i> & “Sympathy”", "The <script>alert(1)</script>s", 125.0)
FOLLOWING = a_song("Coffee", "The Others", 60.0)


class Site:
    """A broadcast, its application and its server."""

    def __init__(
        self,
        address: HttpAddress | None = None,
        limits: ListenerLimits | None = None,
        codec: Codec = "mp3",
    ) -> None:
        address = address or HttpAddress(port=0)
        self.skips = 0
        self.broadcast = HttpStream(RATE_HZ, codec, 128, limits=limits)
        self.broadcast.entitle("Künstler – Titel", 0)
        self.app: Starlette = create_app(self._moment, self.broadcast.routes(), self._skip, address)
        self.server = WebServer(self.app, address)
        self.broadcast.start()
        self.server.start()

    def _moment(self) -> Moment:
        return a_moment([self.broadcast], SONG, FOLLOWING, 0.934, 30.0)

    def _skip(self) -> None:
        self.skips += 1

    def ask(self, method: str, path: str, headers: dict[str, str] | None = None) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=PATIENCE_S)
        connection.request(method, path, headers=headers or {})
        return connection.getresponse()

    def close(self) -> None:
        self.broadcast.close()
        self.server.close()
        assert not self.server.alive
