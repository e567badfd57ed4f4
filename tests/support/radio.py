"""This helper serves music over HTTP in its own process, which can be killed and started on its port again.

The process takes a port and codecs: `python -m tests.support.radio 8000 mp3 opus`.
"""

import os
import signal
import subprocess
import sys
from contextlib import ExitStack
from types import TracebackType

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from stream.outputs.address import HttpAddress
from stream.outputs.encoding.codecs import parse_codec
from stream.outputs.kinds.http import HttpStream
from stream.outputs.pacer import START_LEAD_S
from stream.service.app import create_app
from stream.service.server import WebServer
from tests.support.heard import RATE_HZ, Feeder, music
from tests.support.moments import a_moment
from tools.bench.free_port import free_port

TITLE = "Künstler – Titel"


class Radio:
    """Plays an endless sound for as long as a `with` block lasts, but for when it was killed."""

    def __init__(self, *codecs: str) -> None:
        self.port = free_port()
        self._codecs = codecs
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "Radio":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    @property
    def url(self) -> str:
        """The address, with a slash at its end."""
        return f"http://127.0.0.1:{self.port}/"

    def start(self) -> None:
        """Start it on its port, and come back when it answers."""
        command = [sys.executable, "-m", __spec__.name, str(self.port), *self._codecs]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"ready\n"

    def kill(self) -> None:
        """End it as nothing can be ended harder; nothing where it is not there."""
        if self._process is not None:
            os.kill(self._process.pid, signal.SIGKILL)
            self._process.communicate()
            self._process = None

    def end(self) -> None:
        """End it in good order."""
        assert self._process is not None
        self._process.communicate(b"")
        self._process = None


def main(port: int, codecs: list[str]) -> None:
    """Serve until standard input ends."""
    address = HttpAddress(port=port)
    streams = [HttpStream(RATE_HZ, parse_codec(codec), 128) for codec in codecs]
    routes = [route for stream in streams for route in stream.routes()]
    app = create_app(lambda: a_moment(streams), routes, address=address)
    app.router.routes.append(Route("/blank", _blank))
    web = WebServer(app, address)
    sound = music(10)
    with ExitStack() as opened:
        for stream in streams:
            stream.entitle(TITLE, 0)
            stream.start()
            # As the pacer does it.
            stream.offer(music(START_LEAD_S, seed=1))
            opened.enter_context(Feeder(stream, sound, speed=1, loop=True))
        web.start()
        print("ready", flush=True)
        sys.stdin.read()
        for stream in streams:
            stream.close()
        web.close()


def _blank(request: Request) -> Response:
    """An empty page, whose scripts a test brings along."""
    return HTMLResponse("<!doctype html><title>blank</title>")


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
