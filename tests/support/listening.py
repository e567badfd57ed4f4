"""This helper listens to a mount of an Icecast server."""

import threading

from tests.support.icecast_server import IcecastServer
from tests.support.waiting import PATIENCE_S


class Recording:
    """A listener that records until its server or the stream ends."""

    def __init__(self, server: IcecastServer, mount: str, *, titles: bool = False) -> None:
        self.response = server.listen(mount, titles=titles)
        self.data = b""
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def finish(self) -> bytes:
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive()
        return self.data

    def _run(self) -> None:
        while more := self.response.read1(4096):
            self.data += more
