"""This module writes the boxes of fragmented MP4, an init section and then a fragment for each segment.

They are written here because FFmpeg's muxer, through PyAV, cannot be told where a fragment ends: it counts
each one's length for itself, so that two codecs never share a border, and hands one out only when the next
begins. By ISO/IEC 14496-12 (the boxes), 14496-1 (7.2.6: the descriptors of AAC), and what the makers of FLAC
and of Opus say of their own in it.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from stream.outputs.hls.variant import HlsCodec

_TRACK = 1
_CHANNELS = 2
_MATRIX = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
_UNDETERMINED = 0x55C4
"""The language, three letters of 5 bits."""
_ON_ITS_OWN = 0x02000000
"""A sample that depends on no other."""
_BASE_IS_MOOF = 0x020000
_HAS_OFFSET, _HAS_DURATIONS, _HAS_SIZES = 0x1, 0x100, 0x200
_HIGHEST_SAID_HZ = 0xFFFF


@dataclass(frozen=True, kw_only=True)
class AudioPacket:
    """What an encoder makes of one frame of its own."""

    data: bytes
    frames: int


def init_section(codec: HlsCodec, rate_hz: int, bitrate_kbps: int, extradata: bytes) -> bytes:
    """Return what a player needs before any fragment; it says the rate, which is the unit of all times.

    extradata: what the encoder says of its packets: AudioSpecificConfig, STREAMINFO, or OpusHead.
    """
    entry = _sample_entry(codec, rate_hz, bitrate_kbps, extradata)
    table = _box(
        b"stbl",
        _full(b"stsd", 0, 0, struct.pack(">I", 1), entry),
        _full(b"stts", 0, 0, bytes(4)),
        _full(b"stsc", 0, 0, bytes(4)),
        _full(b"stsz", 0, 0, bytes(8)),
        _full(b"stco", 0, 0, bytes(4)),
    )
    here = _box(b"dinf", _full(b"dref", 0, 0, struct.pack(">I", 1), _full(b"url ", 0, 1)))
    media = _box(
        b"mdia",
        _full(b"mdhd", 0, 0, struct.pack(">4I2H", 0, 0, rate_hz, 0, _UNDETERMINED, 0)),
        _full(b"hdlr", 0, 0, bytes(4), b"soun", bytes(12), b"sound\0"),
        _box(b"minf", _full(b"smhd", 0, 0, bytes(4)), here, table),
    )
    header = struct.pack(">5I8x2H2H", 0, 0, _TRACK, 0, 0, 0, 0, 0x100, 0)
    track = _box(b"trak", _full(b"tkhd", 0, 3, header, _MATRIX, bytes(8)), media)
    extends = _box(b"mvex", _full(b"trex", 0, 0, struct.pack(">5I", _TRACK, 1, 0, 0, _ON_ITS_OWN)))
    movie = struct.pack(">4I", 0, 0, rate_hz, 0) + struct.pack(">IH10x", 0x10000, 0x100)
    movie += _MATRIX + bytes(24) + struct.pack(">I", _TRACK + 1)
    return _box(b"ftyp", b"iso6", bytes(4), b"iso6cmfcmp41") + _box(
        b"moov", _full(b"mvhd", 0, 0, movie), track, extends
    )


def fragment(number: int, begin_frames: int, packets: Sequence[AudioPacket]) -> bytes:
    """Return packets as one fragment, which begins `begin_frames` after the first one's begin."""
    flags = _HAS_OFFSET | _HAS_DURATIONS | _HAS_SIZES
    samples = b"".join(struct.pack(">2I", packet.frames, len(packet.data)) for packet in packets)

    def head(offset: int) -> bytes:
        return _box(
            b"moof",
            _full(b"mfhd", 0, 0, struct.pack(">I", number & 0xFFFFFFFF)),
            _box(
                b"traf",
                _full(b"tfhd", 0, _BASE_IS_MOOF, struct.pack(">I", _TRACK)),
                _full(b"tfdt", 1, 0, struct.pack(">Q", begin_frames)),
                _full(b"trun", 0, flags, struct.pack(">2I", len(packets), offset), samples),
            ),
        )

    # The data begins behind the head of its own box.
    return head(len(head(0)) + 8) + _box(b"mdat", *(packet.data for packet in packets))


def _sample_entry(codec: HlsCodec, rate_hz: int, bitrate_kbps: int, extradata: bytes) -> bytes:
    said_hz = rate_hz if rate_hz <= _HIGHEST_SAID_HZ else 0
    entry = bytes(6) + struct.pack(">H8x2H4xI", 1, _CHANNELS, 16, said_hz << 16)
    if codec == "aac":
        return _box(b"mp4a", entry, _full(b"esds", 0, 0, _aac_descriptor(bitrate_kbps, extradata)))
    if codec == "flac":
        # The last of the blocks, of type 0.
        block = struct.pack(">I", 0x80 << 24 | len(extradata)) + extradata
        return _box(b"fLaC", entry, _full(b"dfLa", 0, 0, block))
    # What OpusHead says in little-endian numbers, behind its mark and its version.
    channels, skip, input_hz, gain = struct.unpack_from("<BHIh", extradata, 9)
    return _box(b"Opus", entry, _box(b"dOps", struct.pack(">BBHIhB", 0, channels, skip, input_hz, gain, 0)))


def _aac_descriptor(bitrate_kbps: int, extradata: bytes) -> bytes:
    config = _descriptor(5, extradata)
    # MPEG-4 audio, an audio stream, a buffer of unknown size, the highest and the mean bit rate.
    head = struct.pack(">BBBH2I", 0x40, 0x15, 0, 0, 0, 1000 * bitrate_kbps)
    return _descriptor(
        3, struct.pack(">HB", _TRACK, 0) + _descriptor(4, head + config) + _descriptor(6, b"\2")
    )


def _descriptor(tag: int, body: bytes) -> bytes:
    return bytes([tag, len(body)]) + body


def _box(name: bytes, *parts: bytes) -> bytes:
    return struct.pack(">I4s", 8 + sum(map(len, parts)), name) + b"".join(parts)


def _full(name: bytes, version: int, flags: int, *parts: bytes) -> bytes:
    return _box(name, struct.pack(">I", version << 24 | flags), *parts)
