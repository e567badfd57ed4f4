"""The coded audio of a file, which no tag, cover or container changes, names its song."""

import hashlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import av

from model.base.errors import DecodeError
from model.base.quiet import quiet_c_stderr

HASH_BYTES = 20
TRAILER_BYTES = 1 << 16
"""Tags that taggers hang on the end of a file are looked for in so much of it."""
_ID3V1_BYTES = 128
_APE_FOOTER_BYTES = 32


@dataclass(frozen=True, kw_only=True)
class CodedAudio:
    """What the packets of a file say, none of them decoded."""

    audio_hash: str | None
    """BLAKE2b of codec, rate, channels, the time of the first sample, and every packet, 40 hexadecimal
    digits; the same whatever the tags are. None where they cannot all be told apart from the rest."""
    frames: float
    """How long the packets last that can be read, in frames; 0 where there are none."""


def read_coded_audio(path: Path) -> CodedAudio:
    """Read all packets of the first audio stream of a file.

    Nothing is decoded, so that no version of a decoder gives another hash.
    """
    digest = hashlib.blake2b(digest_size=HASH_BYTES)
    seconds, rate_hz, whole = 0.0, 0, False
    # Damage leads to many an error, and C libraries print their own words.
    with suppress(av.FFmpegError, OSError, ValueError), quiet_c_stderr():
        trailer = _trailing_tags(path)
        # Only this file: a playlist in disguise must not make FFmpeg open other addresses.
        with av.open(
            str(path.absolute()), metadata_errors="replace", options={"protocol_whitelist": "file"}
        ) as container:
            if container.streams.audio:
                stream = container.streams.audio[0]
                context = stream.codec_context
                rate_hz, time_base = context.sample_rate or 0, stream.time_base or 0
                digest.update(
                    f"{context.name} {context.sample_rate} {context.channels} {stream.start_time}".encode()
                )
                before, duration = None, 0
                try:
                    for packet in container.demux(stream):
                        duration += packet.duration or 0
                        if packet.size:
                            if before is not None:
                                digest.update(before)
                            before = packet
                finally:
                    seconds = float(duration * time_base)
                last = b"" if before is None else bytes(before)
                # Some demuxers take what follows the last frame for a part of it.
                digest.update(last.removesuffix(trailer) if trailer else last)
                whole = True
    return CodedAudio(audio_hash=digest.hexdigest() if whole else None, frames=seconds * rate_hz)


def hash_coded_audio(path: Path) -> str:
    """Return the hash of a file's coded audio; `DecodeError` when there is none that can be told apart."""
    audio_hash = read_coded_audio(path).audio_hash
    if audio_hash is None:
        raise DecodeError(f"{path} has no coded audio that can be told apart from its tags")
    return audio_hash


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
