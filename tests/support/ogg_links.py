"""This helper takes a chained Ogg stream apart, into streams with a title each."""

import re
from dataclasses import dataclass

_BEGIN = re.compile(rb"OggS\x00\x02")
_PAIR = re.compile(rb"(?i)(artist|title)=")


@dataclass(frozen=True, kw_only=True)
class Link:
    """One stream of a chain."""

    data: bytes
    artist: str
    title: str


def ogg_links(data: bytes) -> list[Link]:
    """Return the streams of a chain; of the first only what begins with its header."""
    begins = [found.start() for found in _BEGIN.finditer(data)]
    return [_link(data[begin:end]) for begin, end in zip(begins, [*begins[1:], len(data)], strict=True)]


def _link(data: bytes) -> Link:
    told = {"artist": "", "title": ""}
    for found in _PAIR.finditer(data[:4000]):
        # A comment is its length, then its text (Vorbis I, 5.2.1).
        size = int.from_bytes(data[found.start() - 4 : found.start()], "little")
        text = data[found.end() : found.start() + size]
        told[found[1].decode().lower()] = text.decode()
    return Link(data=data, **told)
