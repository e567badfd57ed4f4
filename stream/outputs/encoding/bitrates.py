"""The bit rates of a codec are those that its encoder has, so that none is silently taken for another."""

from collections.abc import Mapping

from model.base.errors import OutputError
from stream.outputs.encoding.codecs import Codec

_MP3_KBPS = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
"""Of MPEG-1 Layer III (ISO/IEC 11172-3, 2.4.2.3), which all streams of 44.1 and 48 kHz are."""
_SPANS_KBPS: Mapping[Codec, tuple[int, int]] = {
    # Of two channels: what libopus, libvorbis by its qualities, and FFmpeg's AAC come near to.
    "opus": (6, 510),
    "vorbis": (64, 500),
    "aac": (24, 384),
}


def require_bitrate(codec: Codec, bitrate_kbps: int, where: str) -> None:
    """Raise `OutputError` for a bit rate that a codec cannot have, with those that it can.

    where: what it is asked for with, for the message.
    """
    if codec == "mp3" and bitrate_kbps not in _MP3_KBPS:
        wanted = f"{', '.join(map(str, _MP3_KBPS[:-1]))} or {_MP3_KBPS[-1]}, which are all that MP3 has"
    elif codec in _SPANS_KBPS and not _SPANS_KBPS[codec][0] <= bitrate_kbps <= _SPANS_KBPS[codec][1]:
        least, most = _SPANS_KBPS[codec]
        wanted = f"{least} to {most}"
    elif codec == "flac":
        raise OutputError(
            f"{where} is asked for with {bitrate_kbps} kbit/s; "
            "FLAC takes what it needs, leave the bit rate out"
        )
    else:
        return
    raise OutputError(f"{where} is asked for with {bitrate_kbps} kbit/s; expected {wanted}")
