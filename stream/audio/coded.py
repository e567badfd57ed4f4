"""The coded audio of a file, which no tag, cover or container changes, names its song."""

import hashlib
from collections.abc import Generator
from contextlib import closing
from pathlib import Path

import av

from model.base.errors import DecodeError

HASH_BYTES = 20
TRAILER_BYTES = 1 << 16
"""Tags that taggers hang on the end of a file are looked for in so much of it."""
_ID3V1_BYTES = 128
_APE_FOOTER_BYTES = 32


def hash_coded_audio(path: Path) -> str:
    """Return the BLAKE2b hash of a file's coded audio, 40 hexadecimal digits; the same whatever its tags are.

    Hashed are codec, rate, channels, the time of the first sample, and every packet: nothing is decoded, so
    that no version of a decoder gives another. `DecodeError` when no container can be read that holds audio.
    """
    digest = hashlib.blake2b(digest_size=HASH_BYTES)
    try:
        with closing(_parts(path)) as parts:
            for part in parts:
                digest.update(part)
    except (av.FFmpegError, OSError, ValueError) as error:
        raise DecodeError(f"{path} has no coded audio that can be told apart from its tags") from error
    return digest.hexdigest()


def _parts(path: Path) -> Generator[bytes]:
    trailer = _trailing_tags(path)
    # Only this file: a playlist in disguise must not make FFmpeg open other addresses.
    with av.open(
        str(path.absolute()), metadata_errors="replace", options={"protocol_whitelist": "file"}
    ) as container:
        if not container.streams.audio:
            raise DecodeError(f"{path} holds no audio; remove it from the music folder")
        stream = container.streams.audio[0]
        context = stream.codec_context
        yield f"{context.name} {context.sample_rate} {context.channels} {stream.start_time}".encode()
        last = b""
        for packet in container.demux(stream):
            if packet.size:
                yield last
                last = bytes(packet)
        # Some demuxers take what follows the last frame for a part of it.
        yield last.removesuffix(trailer) if trailer else last


def _trailing_tags(path: Path) -> bytes:
    """Return the ID3v1 and APEv2 tags that end a file; nothing where it has none."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - TRAILER_BYTES))
        end = file.read()
    start = len(end)
    while True:
        if end[:start][-_ID3V1_BYTES:].startswith(b"TAG"):
            start -= _ID3V1_BYTES
            continue
        footer = end[:start][-_APE_FOOTER_BYTES:]
        if not footer.startswith(b"APETAGEX"):
            return end[start:]
        length, flags = (int.from_bytes(footer[at : at + 4], "little") for at in (12, 20))
        # The length that it states leaves out its header, where it has one.
        start -= length + (_APE_FOOTER_BYTES if flags >> 31 else 0)
        if start < 0:
            return end
