"""Audio tags name what is in a file that is written, and mark it as one that endlos wrote."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from stream.outputs.titles import one_line

SOFTWARE_MARK = "made by endlos"
"""Stands in the header of every audio file that is written, as the software it was made with."""
MARK_WITHIN_BYTES = 1 << 16
"""It stands in the first bytes of a file."""
LONGEST_TAG = 8_000
"""Longer texts are cut off, so that headers stay small; in characters."""


@dataclass(frozen=True, kw_only=True)
class AudioTags:
    """What a file says about itself; nothing of what is empty."""

    title: str = ""
    artist: str = ""
    comment: str = ""

    def fields(self) -> Mapping[str, str]:
        """Return what is to be written, the mark first, by the names that Vorbis comments have."""
        told = {"title": self.title, "artist": self.artist, "comment": self.comment}
        lines = {name: one_line(text)[:LONGEST_TAG] for name, text in told.items()}
        return {"software": SOFTWARE_MARK} | {name: line for name, line in lines.items() if line}


def id3_tag(tags: AudioTags) -> bytes:
    """Return an ID3v2.3 tag, which stands before the first frame of an MP3 file (ID3v2.3.0, 3.1 and 3.3)."""
    frames = b""
    for name, text in tags.fields().items():
        if name == "comment":
            # Language, an empty description, the text.
            body = b"\x01eng" + "\ufeff\0".encode("utf-16-le") + _utf_16(text)
        elif name == "software":
            body = b"\x00" + text.encode("latin-1")
        else:
            body = b"\x01" + _utf_16(text)
        frames += _ID3_FRAMES[name] + len(body).to_bytes(4, "big") + b"\0\0" + body
    size = bytes(len(frames) >> shift & 0x7F for shift in (21, 14, 7, 0))
    return b"ID3\x03\0\0" + size + frames


_ID3_FRAMES = {"title": b"TIT2", "artist": b"TPE1", "comment": b"COMM", "software": b"TSSE"}


def _utf_16(text: str) -> bytes:
    return f"\ufeff{text}".encode("utf-16-le")


def is_marked(path: Path) -> bool:
    """Return whether a file says that endlos wrote it; `OSError` when it cannot be read."""
    with path.open("rb") as file:
        return SOFTWARE_MARK.encode() in file.read(MARK_WITHIN_BYTES)
