"""The stated length of a file is what its header says it holds, true or not."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import soundfile

from stream.audio.reading import reading
from stream.audio.sections import FileSection

_UNKNOWN_FRAMES = 1 << 60
"""libsndfile's number of frames is beyond this where the file states none."""
_UNKNOWN_BYTES = (0x7F00_0000, 0xFFFF_FFFF)
"""Who writes to a pipe cannot know the length, and states about the largest that 32 bits hold."""
_MISSING_S = 1.0
"""A file that holds so much less than it states is said to."""
_MOST_CHUNKS = 1_000
_SEARCHED_BYTES = 1 << 16
_WAVE_64 = b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\x00\x00"
_ID3_BYTES = 10


def stated_frames(file: soundfile.SoundFile) -> int | None:
    """Return how many frames a file is to be read for; None where it does not say."""
    frames: int = file.frames
    return frames if frames < _UNKNOWN_FRAMES else None


def lacking_told(section: FileSection, frames: int, stated: int, rate_hz: int) -> list[str]:
    """Return in words that a section holds clearly fewer frames than it states; empty where it does not.

    stated: how many its decoder takes from it; 0: none. `DecodeError` when the file cannot be read.
    """
    if section.whole:
        with reading(section.path):
            stated = max(stated, frames_before_the_cut(section.path, frames))
    missing_s = (stated - frames) / rate_hz
    if missing_s <= _MISSING_S:
        return []
    return [f"{missing_s:.0f} of the {stated / rate_hz:.0f} s that it states: they are not there"]


def frames_before_the_cut(path: Path, frames: int) -> int:
    """Return how many frames a file held of which `frames` are left; 0 where it was not cut off.

    Known of WAV, RF64, Wave64, AIFF, CAF and AU, and of MP3 whose first frame states its bytes (Xing, LAME).
    Decoders count what is there alone. `OSError` when it cannot be read.
    """
    length = path.stat().st_size
    with path.open("rb") as file:
        stated = _stated(file, length)
    if stated is None or stated.start + stated.size_bytes <= length or length <= stated.start:
        return 0
    return frames * stated.size_bytes // (length - stated.start)


@dataclass(frozen=True, kw_only=True)
class _StatedAudio:
    """Where the audio of a file begins, and how long it is said to be."""

    start: int
    size_bytes: int


def _stated(file: BinaryIO, length: int) -> _StatedAudio | None:
    head = file.read(16)
    if len(head) < 16:
        return None
    if head == _WAVE_64:
        return _found(file, 40, b"data", "<16sQ", counts_itself=True, pad=8)
    if head[:4] == b"RF64":
        found = _found(file, 12, b"data", "<4sI")
        file.seek(12)
        sizes = file.read(24)
        if found is None or sizes[:4] != b"ds64":
            return None
        return _StatedAudio(start=found.start, size_bytes=int.from_bytes(sizes[16:24], "little"))
    if head[:4] in (b"RIFF", b"RIFX"):
        return _known(_found(file, 12, b"data", "<4sI" if head[:4] == b"RIFF" else ">4sI"))
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return _known(_found(file, 12, b"SSND", ">4sI"))
    if head[:4] == b"caff":
        found = _found(file, 8, b"data", ">4sQ", pad=1)
        # -1 where whoever wrote it did not know.
        return found if found is not None and found.size_bytes < 1 << 62 else None
    if head[:4] == b".snd":
        start, size_bytes = struct.unpack(">II", head[4:12])
        return _known(_StatedAudio(start=start, size_bytes=size_bytes))
    return _of_mp3(file, head)


def _known(found: _StatedAudio | None) -> _StatedAudio | None:
    """Return it where its length, of 32 bits, is no stand-in."""
    least, most = _UNKNOWN_BYTES
    return None if found is None or least <= found.size_bytes <= most else found


def _found(
    file: BinaryIO, place: int, name: bytes, layout: str, *, counts_itself: bool = False, pad: int = 2
) -> _StatedAudio | None:
    """Return the chunk that begins with a name; layout: of the head of a chunk, name and size."""
    head_bytes = struct.calcsize(layout)
    for _ in range(_MOST_CHUNKS):
        file.seek(place)
        head = file.read(head_bytes)
        if len(head) < head_bytes:
            return None
        called, size_bytes = struct.unpack(layout, head)
        if counts_itself:
            size_bytes = max(0, size_bytes - head_bytes)
        place += head_bytes
        if called.startswith(name):
            return _StatedAudio(start=place, size_bytes=size_bytes)
        place += -(-size_bytes // pad) * pad
    return None


def _of_mp3(file: BinaryIO, head: bytes) -> _StatedAudio | None:
    """Return what the first frame of an MP3 says of all of them, where it does."""
    start = 0
    if head[:3] == b"ID3":
        # Seven bits of each byte.
        start = _ID3_BYTES + sum(
            (byte & 0x7F) << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=True)
        )
    file.seek(start)
    frame = file.read(_SEARCHED_BYTES)
    first = next(_frame_starts(frame), None)
    if first is None:
        return None
    for name in (b"Xing", b"Info"):
        # Behind the head of the frame and its side information, of 9 to 32 bytes.
        at = frame.find(name, first + 4, first + 4 + 40)
        if at >= 0 and len(frame) >= at + 16:
            flags, *fields = struct.unpack(">3I", frame[at + 4 : at + 16])
            # Behind the number of frames, where that is there.
            size_bytes = fields[flags & 1]
            return _StatedAudio(start=start + first, size_bytes=size_bytes) if flags & 2 else None
    return None


def _frame_starts(data: bytes) -> Iterator[int]:
    """Yield where a frame of layer III may begin."""
    at = data.find(b"\xff")
    while 0 <= at < len(data) - 1:
        if data[at + 1] & 0xE6 == 0xE2:
            yield at
        at = data.find(b"\xff", at + 1)
