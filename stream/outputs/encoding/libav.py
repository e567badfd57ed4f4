"""This coder makes Opus, AAC and FLAC by FFmpeg (PyAV), and MP3 where the system has no LAME."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from fractions import Fraction
from typing import ClassVar, cast

import av
import numpy as np
from av.audio.stream import AudioStream

from model.base.arrays import FloatArray
from stream.outputs.encoding.codecs import Codec
from stream.outputs.encoding.coder import NO_TAGS, BinaryFile, CoderError, Cutter, tame

# Short Ogg pages: a listener joins at a page, and what stands in an unfinished one is late.
_PAGE_US = 200_000


class LibavCoder:
    """FFmpeg's encoders and muxers, through PyAV."""

    # Encoder, container, sample format.
    _ENCODERS: ClassVar[dict[Codec, tuple[str, str, str]]] = {
        "mp3": ("libmp3lame", "mp3", "fltp"),
        "opus": ("libopus", "ogg", "flt"),
        "aac": ("aac", "adts", "fltp"),
        "flac": ("flac", "ogg", "s16"),
    }

    def __init__(
        self,
        file: BinaryFile,
        codec: Codec,
        rate_hz: int,
        bitrate_kbps: int,
        *,
        live: bool,
        tags: Mapping[str, str] = NO_TAGS,
    ) -> None:
        """live: the file is an endless stream, and cannot seek. tags: by name, of what stands in Ogg.

        `CoderError`, as from all its methods, for what FFmpeg refuses.
        """
        with _ffmpeg():
            self._open(file, codec, rate_hz, bitrate_kbps, live=live, tags=tags)

    def _open(
        self,
        file: BinaryFile,
        codec: Codec,
        rate_hz: int,
        bitrate_kbps: int,
        *,
        live: bool,
        tags: Mapping[str, str],
    ) -> None:
        encoder, container, self._format = self._ENCODERS[codec]
        options: dict[str, str] = {}
        if container == "mp3":
            # A file's tag is written before what this writes.
            options["id3v2_version"] = "0"
        if live:
            options |= {"flush_packets": "1"}
            if container == "mp3":
                options["write_xing"] = "0"
            if container == "ogg":
                options["page_duration"] = str(_PAGE_US)
        self._container = av.open(file, "w", format=container, options=options)
        self._stream = cast(
            AudioStream,
            self._container.add_stream(encoder, rate=rate_hz, layout="stereo", format=self._format),
        )
        if codec != "flac":
            self._stream.bit_rate = bitrate_kbps * 1000
        if container == "ogg":
            self._stream.metadata.update(tags)
        self._container.start_encoding()
        self._rate_hz = rate_hz
        self._frames = 0
        self._cutter = Cutter(self._stream.codec_context.frame_size)
        self._closed = False

    def encode(self, block: FloatArray) -> None:
        """Take `(frames, 2)` float32, any number of frames."""
        with _ffmpeg():
            for packet in self._cutter.push(tame(block)):
                self._encode_frame(packet)

    def close(self) -> None:
        """Write what is left; nothing the second time."""
        if self._closed:
            return
        self._closed = True
        with _ffmpeg():
            if len(self._cutter.rest()):
                self._encode_frame(self._cutter.rest())
            for packet in self._stream.encode(None):
                self._container.mux(packet)
            self._container.close()

    def _encode_frame(self, block: FloatArray) -> None:
        if self._format == "s16":
            samples = np.clip(np.rint(block * 32768.0), -32768, 32767).astype(np.int16).reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="stereo")
        elif self._format == "fltp":
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(block.T), format="fltp", layout="stereo")
        else:
            frame = av.AudioFrame.from_ndarray(
                np.ascontiguousarray(block).reshape(1, -1), format="flt", layout="stereo"
            )
        frame.sample_rate = self._rate_hz
        frame.pts = self._frames
        frame.time_base = Fraction(1, self._rate_hz)
        self._frames += len(block)
        for packet in self._stream.encode(frame):
            self._container.mux(packet)


@contextmanager
def _ffmpeg() -> Iterator[None]:
    """Have whoever uses a coder know nothing of FFmpeg's exceptions, which are loaded with it."""
    try:
        yield
    except av.FFmpegError as error:
        raise CoderError(str(error)) from error
