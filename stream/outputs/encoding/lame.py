"""This coder makes MP3 by the system's LAME (libmp3lame, LGPL), which it looks for at run time.

The LAME inside the wheels of PyAV and soundfile is compiled without optimisation: the same encoder with the
same settings takes three times as long there as in a Linux distribution's package.
"""

import ctypes
import functools
import sys
import weakref

import numpy as np

from model.base.arrays import FloatArray
from stream.outputs.encoding.coder import BinaryFile, tame

_NAMES = {
    "linux": ("libmp3lame.so.0",),
    # Where Homebrew and MacPorts put it.
    "darwin": (
        "libmp3lame.dylib",
        "/opt/homebrew/lib/libmp3lame.dylib",
        "/usr/local/lib/libmp3lame.dylib",
        "/opt/local/lib/libmp3lame.dylib",
    ),
}
_JOINT_STEREO = 1
_HEADER_BYTES = 4
_TAG_BYTES = 2880
"""The longest MP3 frame there is."""
_PADDING_BIT = 0x02
# LAME's own bound for what one call can write.
_BYTES_PER_FRAME, _BYTES_MORE = 1.25, 7200


@functools.cache
def system_lame() -> ctypes.CDLL | None:
    """Return the system's libmp3lame, its functions typed, or None where there is none to be used."""
    for name in _NAMES.get(sys.platform, ()):
        try:
            return _typed(ctypes.CDLL(name))
        except (OSError, AttributeError):
            # AttributeError: LAME before 3.99, which takes no floats of full scale 1.
            continue
    return None


class LameCoder:
    """MP3 at a constant bit rate and LAME's own quality for it, as FFmpeg's encoder has it, too.

    Live, whole frames are written and nothing else; else the file begins with LAME's tag, which tells
    players where the sound begins and ends to the sample. Belongs to one thread.
    """

    def __init__(
        self, lame: ctypes.CDLL, file: BinaryFile, rate_hz: int, bitrate_kbps: int, *, live: bool
    ) -> None:
        """lame: from `system_lame`. live: the file is an endless stream, and cannot seek.

        Raises `ValueError` when MP3 has no such rate; of its bit rates the nearest is taken.
        """
        self._lame = lame
        self._file = file
        self._out = ctypes.create_string_buffer(0)
        handle = lame.lame_init()
        if not handle:
            raise MemoryError("LAME has found no memory")
        self._handle = ctypes.c_void_p(handle)
        # A stream that is left half-way, because its server is gone, ends here as well.
        self._free = weakref.finalize(self, lame.lame_close, self._handle)
        lame.lame_set_errorf(self._handle, None)
        lame.lame_set_in_samplerate(self._handle, rate_hz)
        lame.lame_set_out_samplerate(self._handle, rate_hz)
        lame.lame_set_num_channels(self._handle, 2)
        lame.lame_set_mode(self._handle, _JOINT_STEREO)
        lame.lame_set_brate(self._handle, bitrate_kbps)
        lame.lame_set_write_id3tag_automatic(self._handle, 0)
        lame.lame_set_bWriteVbrTag(self._handle, int(not live))
        failed = lame.lame_init_params(self._handle) < 0
        if failed or lame.lame_get_out_samplerate(self._handle) != rate_hz:
            raise ValueError("LAME has no such rate")
        self._frames = (
            WholeFrames(
                frame_samples=lame.lame_get_framesize(self._handle),
                bitrate_kbps=lame.lame_get_brate(self._handle),
                rate_hz=rate_hz,
            )
            if live
            else None
        )

    def encode(self, block: FloatArray) -> None:
        """Take `(frames, 2)` float32, any number of frames; the bytes do not depend on that number."""
        if not len(block):
            return
        samples = np.ascontiguousarray(tame(block), dtype=np.float32)
        most = int(len(samples) * _BYTES_PER_FRAME) + _BYTES_MORE
        if len(self._out) < most:
            self._out = ctypes.create_string_buffer(most)
        size = self._lame.lame_encode_buffer_interleaved_ieee_float(
            self._handle, samples.ctypes.data, len(samples), self._out, len(self._out)
        )
        self._write(self._out, size)

    def close(self) -> None:
        """Write what is left; nothing the second time."""
        if not self._free.alive:
            return
        out = ctypes.create_string_buffer(2 * _BYTES_MORE)
        self._write(out, self._lame.lame_encode_flush(self._handle, out, len(out)))
        if self._frames is None:
            tag = ctypes.create_string_buffer(_TAG_BYTES)
            size = self._lame.lame_get_lametag_frame(self._handle, tag, len(tag))
            # LAME has kept the first frame free for it.
            if 0 < size <= len(tag):
                end = self._file.tell()
                self._file.seek(0)
                self._file.write(tag.raw[:size])
                self._file.seek(end)
        self._free()

    def _write(self, out: "ctypes.Array[ctypes.c_char]", size: int) -> None:
        if size < 0:
            raise ValueError(f"LAME has failed with {size}")
        data = ctypes.string_at(out, size)
        if self._frames is not None:
            data = self._frames.split(data)
        if data:
            self._file.write(data)


class WholeFrames:
    """Cuts a byte stream of MP3 at a constant bit rate between its frames (ISO/IEC 11172-3, 2.4.3.1)."""

    def __init__(self, *, frame_samples: int, bitrate_kbps: int, rate_hz: int) -> None:
        self._frame_bytes = frame_samples // 8 * bitrate_kbps * 1000 // rate_hz
        self._rest = b""

    def split(self, data: bytes) -> bytes:
        """Return the whole frames that are complete now."""
        data = self._rest + data
        end = 0
        while end + _HEADER_BYTES <= len(data):
            # The one bit in which headers differ in length: a byte more, so that the mean rate is right.
            size = self._frame_bytes + bool(data[end + 2] & _PADDING_BIT)
            if end + size > len(data):
                break
            end += size
        self._rest = data[end:]
        return data[:end]


def _typed(lame: ctypes.CDLL) -> ctypes.CDLL:
    handle, integer = ctypes.c_void_p, ctypes.c_int
    lame.lame_init.restype = handle
    for name in ("in_samplerate", "out_samplerate", "num_channels", "mode", "brate", "bWriteVbrTag"):
        getattr(lame, f"lame_set_{name}").argtypes = [handle, integer]
    lame.lame_set_write_id3tag_automatic.argtypes = [handle, integer]
    lame.lame_set_write_id3tag_automatic.restype = None
    lame.lame_set_errorf.argtypes = [handle, ctypes.c_void_p]
    for name in ("init_params", "get_out_samplerate", "get_framesize", "get_brate", "close"):
        getattr(lame, f"lame_{name}").argtypes = [handle]
    lame.lame_encode_buffer_interleaved_ieee_float.argtypes = [
        handle,
        ctypes.c_void_p,
        integer,
        ctypes.c_char_p,
        integer,
    ]
    lame.lame_encode_flush.argtypes = [handle, ctypes.c_char_p, integer]
    lame.lame_get_lametag_frame.argtypes = [handle, ctypes.c_char_p, ctypes.c_size_t]
    lame.lame_get_lametag_frame.restype = ctypes.c_size_t
    return lame
