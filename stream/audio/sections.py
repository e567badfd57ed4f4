"""This module finds the files that a file consists of, such as the links of a chained Ogg.

A reader stops where its first header says that the file ends. What follows is often music all the same:
radio recorders chain one Ogg for each title, and a recorder that was killed has written a size that was
true some time before. Each section is opened as a file of its own, so that every one may have another
codec, rate and number of channels.
"""

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

_SEARCHED_BYTES = 1 << 16
_TAIL_BYTES = 1 << 20
"""So far before the end of a WAV chunks are looked for that end exactly there."""
_TAIL_CHUNKS = (b"LIST", b"id3 ", b"ID3 ", b"bext", b"cue ", b"iXML", b"_PMX", b"NAME", b"AUTH", b"info")
LEAST_UNREAD_BYTES = 1 << 16
"""Less at a file's end is no music that anybody would miss: padding, an unknown tag."""


@dataclass(frozen=True, kw_only=True)
class FileSection:
    """A part of a file, as if it were a file of its own."""

    path: Path
    start: int
    stop: int
    whole: bool
    """Whether it is all of the file as it stands."""
    patches: tuple[tuple[int, bytes], ...] = ()
    """Bytes that are read instead of others, from an offset of the section on."""

    def source(self) -> "str | SectionFile":
        """Return what a library opens: the file's name where that is enough."""
        return str(self.path.absolute()) if self.whole else SectionFile(self)


@dataclass(frozen=True, kw_only=True)
class Sections:
    """What a file consists of; at least one section."""

    sections: tuple[FileSection, ...]
    unread_bytes: int = 0
    """How many bytes are in none of them."""


class SectionFile(io.RawIOBase):
    """A section as a file that is open for reading."""

    def __init__(self, section: FileSection) -> None:
        super().__init__()
        self._section = section
        self._length = section.stop - section.start
        self._file = section.path.open("rb")
        self._at = 0

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def tell(self) -> int:
        """Return the place of the next byte."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._length}[whence]
        self._at = max(0, base + offset)
        return self._at

    def read(self, size: int = -1) -> bytes:
        """Return up to so many bytes; all the rest for a negative number."""
        left = max(0, self._length - self._at)
        size = left if size < 0 else min(size, left)
        self._file.seek(self._section.start + self._at)
        data = bytearray(self._file.read(size))
        for offset, patch in self._section.patches:
            for place, value in enumerate(patch, offset - self._at):
                if 0 <= place < len(data):
                    data[place] = value
        self._at += len(data)
        return bytes(data)

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Fill a buffer."""
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        super().close()


def find_sections(path: Path) -> Sections:
    """Return what the file consists of; `OSError` when it cannot be read."""
    length = path.stat().st_size
    with path.open("rb") as file:
        magic = file.read(12)
        if magic[:4] == b"OggS":
            return _ogg(path, file, length)
        kind = _chunks_of(magic)
        if kind is not None:
            return _chunked(path, file, length, kind)
        if magic[:4] == b".snd" and len(magic) == 12:
            return _au(path, magic, length)
    return Sections(sections=(_whole(path, length),))


def unread_bytes(file: BinaryIO, place: int, stop: int) -> int:
    """Return how many bytes from `place` to `stop` are no tags and no padding; 0 for a few."""
    while place < stop:
        file.seek(place)
        head = file.read(32).ljust(32, b"\0")
        if head[:3] == b"TAG":
            place += 128
        elif head[:3] == b"ID3":
            size = sum(byte << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=True))
            place += 10 + size
        elif head[:8] == b"APETAGEX":
            (size, _, flags) = struct.unpack("<III", head[12:24])
            # Its size is without the header, of which the highest bit but two tells; a footer may come first.
            place += 32 + (size if flags & 1 << 29 else 0)
        elif head[:4] in _TAIL_CHUNKS:
            place += 8 + int(struct.unpack("<I", head[4:8])[0])
        elif not head.strip(b"\0"):
            place += 32
        else:
            break
    left = stop - place
    return left if left >= LEAST_UNREAD_BYTES else 0


def _whole(path: Path, length: int) -> FileSection:
    return FileSection(path=path, start=0, stop=length, whole=True)


def _ogg(path: Path, file: BinaryIO, length: int) -> Sections:
    """Split where a page begins a stream after one that did not: there a link ends (RFC 3533, section 4)."""
    starts = []
    before_began = False
    for place, flags in _ogg_pages(file):
        begins = bool(flags & 2)
        if begins and not before_began:
            starts.append(place)
        before_began = begins
    if len(starts) < 2:
        return Sections(sections=(_whole(path, length),))
    stops = [*starts[1:], length]
    return Sections(
        sections=tuple(
            FileSection(path=path, start=start, stop=stop, whole=False)
            for start, stop in zip(starts, stops, strict=True)
        )
    )


def _ogg_pages(file: BinaryIO) -> Iterator[tuple[int, int]]:
    """Yield place and flags of every page; what is none is skipped."""
    place = 0
    while True:
        file.seek(place)
        head = file.read(27 + 255)
        if len(head) < 27:
            return
        if head[:4] != b"OggS":
            found = _next_page(file, place)
            if found is None:
                return
            place = found
            continue
        yield place, head[5]
        place += 27 + head[26] + sum(head[27 : 27 + head[26]])


def _next_page(file: BinaryIO, place: int) -> int | None:
    file.seek(place)
    kept = b""
    while block := file.read(_SEARCHED_BYTES):
        found = (kept + block).find(b"OggS")
        if found >= 0:
            return place - len(kept) + found
        place += len(block)
        kept = block[-3:]
    return None


def _chunked(path: Path, file: BinaryIO, length: int, kind: "_Chunks") -> Sections:
    """Split files of chunks that stand one after the other; read on where a size says less than there is."""
    sections: list[FileSection] = []
    start = 0
    while True:
        section = _one_chunked(path, file, start, length, kind)
        sections.append(section)
        file.seek(section.stop)
        following = file.read(len(_FIRST_BYTES))
        if _chunks_of(following) is not kind:
            break
        start = section.stop
    unread = unread_bytes(file, sections[-1].stop, length)
    if len(sections) == 1 and not sections[0].patches:
        sections = [_whole(path, length)]
    return Sections(sections=tuple(sections), unread_bytes=unread)


def _one_chunked(path: Path, file: BinaryIO, start: int, length: int, kind: "_Chunks") -> FileSection:
    stop = length
    if kind.outer_size is not None:
        file.seek(start + 4)
        (stated,) = struct.unpack(kind.outer_size, file.read(4))
        # Programs that cannot go back write 0 or the largest number: to the end.
        if 4 <= stated < length - start - 8:
            stop = start + 8 + stated
    place = start + kind.first
    while place + kind.head_bytes <= stop:
        name, size = kind.read_head(file, place)
        end = place + kind.head_bytes + size
        if name == kind.audio:
            if size > 0 and end < stop and not kind.fill(file, kind.aligned(end), stop):
                audio_stop = _before_tail(file, place + kind.head_bytes, stop, kind)
                patch = (place + 4 - start, kind.packed(audio_stop - place - kind.head_bytes))
                return FileSection(path=path, start=start, stop=stop, whole=False, patches=(patch,))
            break
        if size < 0:
            break
        place = kind.aligned(end)
    return FileSection(path=path, start=start, stop=stop, whole=False)


def _before_tail(file: BinaryIO, first: int, stop: int, kind: "_Chunks") -> int:
    """Return where the audio ends if known chunks follow it exactly up to `stop`, else `stop`."""
    base = max(first, stop - _TAIL_BYTES)
    file.seek(base)
    data = file.read(stop - base)
    for name in _TAIL_CHUNKS:
        place = data.find(name)
        while place >= 0:
            if kind.fill(file, base + place, stop, exactly=True):
                return base + place
            place = data.find(name, place + 1)
    return stop


@dataclass(frozen=True, kw_only=True)
class _Chunks:
    """How a container of chunks is laid out."""

    outer_size: str | None
    """`struct`'s format of the size of all, four bytes after its beginning; None: there is none."""
    first: int
    """Where the first chunk begins."""
    size: str
    """`struct`'s format of a chunk's size, after its name of four letters."""
    audio: bytes
    """Name of the chunk that holds the samples."""
    padded: bool
    """Whether chunks begin at even places."""

    @property
    def head_bytes(self) -> int:
        """Length of name and size."""
        return 4 + struct.calcsize(self.size)

    def read_head(self, file: BinaryIO, place: int) -> tuple[bytes, int]:
        """Return name and size of the chunk at a place; an empty name at the end of the file."""
        file.seek(place)
        data = file.read(self.head_bytes)
        if len(data) < self.head_bytes:
            return b"", -1
        return data[:4], struct.unpack(self.size, data[4:])[0]

    def packed(self, size: int) -> bytes:
        """Return a size as it stands in the file."""
        return struct.pack(self.size, size)

    def aligned(self, place: int) -> int:
        """Return where a chunk begins after one that ends at `place`."""
        return place + place % 2 if self.padded else place

    def fill(self, file: BinaryIO, place: int, stop: int, *, exactly: bool = False) -> bool:
        """Whether chunks with plausible names fill a file up to `stop`; unless `exactly`, or beyond it."""
        while place + self.head_bytes <= stop:
            name, size = self.read_head(file, place)
            if not all(32 <= letter < 127 for letter in name) or size < 0:
                # A few bytes at the end are padding.
                return not exactly and stop - place < 16
            place = self.aligned(place + self.head_bytes + size)
        return abs(place - stop) <= 1 if exactly else True


_WAV = _Chunks(outer_size="<I", first=12, size="<I", audio=b"data", padded=True)
_AIFF = _Chunks(outer_size=">I", first=12, size=">I", audio=b"SSND", padded=True)
_CAF = _Chunks(outer_size=None, first=8, size=">q", audio=b"data", padded=False)
_FIRST_BYTES = b"RIFF....WAVE"


def _chunks_of(magic: bytes) -> _Chunks | None:
    """Return how a file with these first bytes is laid out, None for any other."""
    if magic[:4] == b"RIFF" and magic[8:12] == b"WAVE":
        return _WAV
    if magic[:4] == b"FORM" and magic[8:12] in (b"AIFF", b"AIFC"):
        return _AIFF
    return _CAF if magic[:4] == b"caff" else None


def _au(path: Path, magic: bytes, length: int) -> Sections:
    """Read on to the end of an AU file whose size says less: nothing can follow the samples."""
    header, size = struct.unpack(">II", magic[4:12])
    if size == 0xFFFFFFFF or header + size >= length - 16:
        return Sections(sections=(_whole(path, length),))
    patch = ((8, b"\xff" * 4),)
    return Sections(sections=(FileSection(path=path, start=0, stop=length, whole=False, patches=patch),))
