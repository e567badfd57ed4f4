"""This helper listens to a mount of an Icecast server, and takes apart what it gets."""

import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

import av

from model.base.arrays import FloatArray
from tests.support.heard import decode
from tests.support.icecast_server import IcecastServer
from tests.support.ogg_links import ogg_links
from tests.support.waiting import PATIENCE_S

_TITLE = b"StreamTitle='"


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

    def parts(self) -> "list[HeardPart]":
        """Return what was heard, each stream of an Ogg chain by itself, once all is recorded."""
        return self._parts(self.finish())

    def seconds(self) -> float:
        """Return how much is recorded by now."""
        with suppress(av.FFmpegError, ValueError, IndexError, AssertionError):
            return sum(part.seconds for part in self._parts(bytes(self.data)))
        return 0.0

    def _parts(self, data: bytes) -> "list[HeardPart]":
        if data.startswith(b"OggS"):
            links = ogg_links(data)
            titles = [" - ".join(filter(None, (link.artist, link.title))) for link in links]
            told = [_part(link.data, {0.0: title}) for link, title in zip(links, titles, strict=True)]
            return [part for part in told if part is not None]
        sound, at_bytes = _without_titles(data, int(self.response.headers["icy-metaint"]))
        begins = {}
        for position, title in at_bytes.items():
            before = _part(sound[:position], {})
            begins[0.0 if before is None else before.seconds] = title
        whole = _part(sound, begins)
        assert whole is not None, f"{len(data)} bytes are no sound: {data[:64]!r}"
        return [whole]

    def _run(self) -> None:
        with suppress(OSError):  # its server was killed
            while more := self.response.read1(4096):
                self.data += more


@dataclass(frozen=True, kw_only=True)
class HeardPart:
    """What was heard, and which titles from which of its seconds on."""

    heard: FloatArray
    rate_hz: int
    titles: Mapping[float, str]

    @property
    def seconds(self) -> float:
        return len(self.heard) / self.rate_hz


def _part(sound: bytes, titles: Mapping[float, str]) -> HeardPart | None:
    with suppress(av.FFmpegError, ValueError):  # too short to be sound
        heard, rate_hz = decode(sound, torn=True)
        return HeardPart(heard=heard, rate_hz=rate_hz, titles=titles)
    return None


def _without_titles(data: bytes, interval: int) -> tuple[bytes, dict[int, str]]:
    """Return a stream without the ICY titles in it, and these by where they stood in what is left."""
    sound, titles, position = b"", {}, 0
    while position < len(data):
        sound += data[position : position + interval]
        position += interval
        size = 16 * data[position] if position < len(data) else 0
        told = data[position + 1 : position + 1 + size]
        if told.startswith(_TITLE):
            titles[len(sound)] = told[len(_TITLE) : told.index(b"';")].decode()
        position += 1 + size
    return sound, titles
