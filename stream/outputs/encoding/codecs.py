"""This module lists the codecs, and what each is called where its bytes go."""

from dataclasses import dataclass
from typing import Literal, get_args

from model.base.errors import EndlosError

Codec = Literal["mp3", "opus", "vorbis", "aac", "flac"]
CODECS: tuple[Codec, ...] = get_args(Codec)
OPUS_RATE_HZ = 48_000


@dataclass(frozen=True, kw_only=True)
class _Kind:
    content_type: str
    extension: str
    ogg: bool


_KINDS: dict[Codec, _Kind] = {
    "mp3": _Kind(content_type="audio/mpeg", extension="mp3", ogg=False),
    "aac": _Kind(content_type="audio/aac", extension="aac", ogg=False),
    "opus": _Kind(content_type="audio/ogg", extension="opus", ogg=True),
    "vorbis": _Kind(content_type="audio/ogg", extension="ogg", ogg=True),
    "flac": _Kind(content_type="audio/ogg", extension="flac", ogg=True),
}


def content_type(codec: Codec) -> str:
    """Return the MIME type of the codec's byte stream."""
    return _KINDS[codec].content_type


def extension(codec: Codec) -> str:
    """Return the usual file extension of the codec's byte stream, without a dot."""
    return _KINDS[codec].extension


def is_ogg(codec: Codec) -> bool:
    """Return whether the codec's byte stream stands in Ogg pages."""
    return _KINDS[codec].ogg


def parse_codec(name: str) -> Codec:
    """Read the name of a codec; `EndlosError` when it is none."""
    for codec in CODECS:
        if codec == name:
            return codec
    raise EndlosError(f"there is no codec {name!r}; take one of {', '.join(CODECS)}")
