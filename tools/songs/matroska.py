"""Matroska says of each tag whether it is the track's or the album's, by a number that FFmpeg passes over.

Elements and their numbers: RFC 8794 and RFC 9559, section 5.1 (Info, Tags).
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

_EBML, _SEGMENT, _INFO, _TITLE, _TAGS = 0x1A45DFA3, 0x18538067, 0x1549A966, 0x7BA9, 0x1254C367
_TAG, _TARGETS, _TARGET_VALUE, _SIMPLE, _NAME, _STRING = 0x7373, 0x63C0, 0x68CA, 0x67C8, 0x45A3, 0x4487
_MOST_ELEMENTS = 100_000
_LONGEST_TEXT_BYTES = 1 << 16
OF_ALBUM, OF_TRACK = 50, 30
"""Whose a tag is."""


@dataclass(frozen=True, kw_only=True)
class _Element:
    identifier: int
    start: int
    """Where its content begins in the file."""
    stop: int


def matroska_tags(path: Path) -> dict[tuple[int, str], str]:
    """Return the tags of a Matroska or WebM file by whose they are and their name in capitals.

    Only what the file says for certain: tags with a number, and the title of the whole file as the track's.
    Empty for other files; `OSError` and `ValueError` where it cannot be read.
    """
    found: dict[tuple[int, str], str] = {}
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        head = next(_elements(file, 0, size), None)
        if head is None or head.identifier != _EBML:
            return {}
        for segment in _elements(file, head.stop, size):
            if segment.identifier != _SEGMENT:
                continue
            for element in _elements(file, segment.start, segment.stop):
                if element.identifier == _INFO:
                    for part in _elements(file, element.start, element.stop):
                        if part.identifier == _TITLE:
                            found.setdefault((OF_TRACK, "TITLE"), _text(file, part))
                elif element.identifier == _TAGS:
                    for tag in _elements(file, element.start, element.stop):
                        if tag.identifier == _TAG:
                            found |= _tag(file, tag)
            break
    return found


def _tag(file: BinaryIO, tag: _Element) -> dict[tuple[int, str], str]:
    whose: int | None = None
    texts: dict[str, str] = {}
    for element in _elements(file, tag.start, tag.stop):
        if element.identifier == _TARGETS:
            for target in _elements(file, element.start, element.stop):
                if target.identifier == _TARGET_VALUE:
                    file.seek(target.start)
                    whose = int.from_bytes(file.read(min(8, target.stop - target.start)), "big")
        elif element.identifier == _SIMPLE:
            parts = {
                part.identifier: _text(file, part)
                for part in _elements(file, element.start, element.stop)
                if part.identifier in (_NAME, _STRING)
            }
            texts[parts.get(_NAME, "").upper()] = parts.get(_STRING, "")
    return {} if whose is None else {(whose, name): text for name, text in texts.items() if text}


def _text(file: BinaryIO, element: _Element) -> str:
    file.seek(element.start)
    data = file.read(min(element.stop - element.start, _LONGEST_TEXT_BYTES))
    return data.rstrip(b"\0").decode("utf-8", "replace")


def _elements(file: BinaryIO, start: int, stop: int) -> Iterator[_Element]:
    """Yield the elements between two places; one of unknown length reaches to the end of what holds it."""
    for _ in range(_MOST_ELEMENTS):
        if start >= stop:
            return
        file.seek(start)
        identifier, width = _number(file.read(8), keep_mark=True)
        file.seek(start + width)
        length, length_width = _number(file.read(8), keep_mark=False)
        content = start + width + length_width
        unknown = length == (1 << 7 * length_width) - 1
        start = stop if unknown else min(content + length, stop)
        yield _Element(identifier=identifier, start=content, stop=start)


def _number(data: bytes, *, keep_mark: bool) -> tuple[int, int]:
    """Return a number of variable width, and its width in bytes; `ValueError` when there is none."""
    width = 9 - data[0].bit_length() if data and data[0] else 9
    if width > len(data):
        raise ValueError("no Matroska element")
    value = int.from_bytes(data[:width], "big")
    return (value if keep_mark else value & ((1 << 7 * width) - 1)), width
