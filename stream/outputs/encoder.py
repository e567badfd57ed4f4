"""Encode float audio into a byte stream that a player can join: MP3, AAC (ADTS), Opus, Vorbis, FLAC (Ogg)."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar, Literal, cast, get_args

import av
import numpy as np
import soundfile
import soxr
from av.audio.stream import AudioStream

from model.arrays import FloatArray
from model.errors import OutputError
from stream.outputs.coder import BinaryFile, Coder, tame
from stream.outputs.lame import LameCoder, system_lame

Codec = Literal["mp3", "opus", "vorbis", "aac", "flac"]
CODECS: tuple[Codec, ...] = get_args(Codec)
OPUS_RATE_HZ = 48_000

# Small: libsndfile's Vorbis encoder keeps a whole write on the stack.
_VORBIS_WRITE_FRAMES = 1024
# Short Ogg pages: a listener joins at a page, and what stands in an unfinished one is late.
_PAGE_US = 200_000


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


class StreamEncoder:
    """An endless encoder: blocks in, whole frames (MP3, AAC) or whole Ogg pages out; memory is bounded.

    Every return value of `encode` starts where a listener may join. An Ogg listener needs `header` first;
    it is complete once `encode` has returned any byte, and is not part of what `encode` returns.
    LAME lowers what it is given by 5 %, so that MP3 does not clip.
    Belongs to one thread.
    """

    def __init__(self, codec: Codec, sample_rate_hz: int, bitrate_kbps: int) -> None:
        """codec: one of `CODECS`; bitrate_kbps: ignored for FLAC, a quality near it for Vorbis."""
        if codec not in CODECS:
            raise OutputError(f"{codec} is no codec of endlos; use one of {', '.join(CODECS)}")
        self.codec: Codec = codec
        self.content_type = content_type(codec)
        self.sample_rate_hz = OPUS_RATE_HZ if codec == "opus" else sample_rate_hz
        self._resampler = (
            soxr.ResampleStream(sample_rate_hz, self.sample_rate_hz, 2, dtype="float32")
            if self.sample_rate_hz != sample_rate_hz
            else None
        )
        self._sink = _Sink()
        self._pages = _OggPages() if _KINDS[codec].ogg else None
        try:
            self._coder = open_coder(self._sink, codec, self.sample_rate_hz, bitrate_kbps, live=True)
        except (av.FFmpegError, soundfile.LibsndfileError, ValueError) as error:
            raise OutputError(
                f"{codec} at {self.sample_rate_hz} Hz and {bitrate_kbps} kbit/s cannot be encoded ({error}); "
                "choose another codec, rate or bit rate"
            ) from error

    @property
    def header(self) -> bytes:
        """The Ogg header pages (empty for MP3 and AAC)."""
        return b"" if self._pages is None else bytes(self._pages.header)

    def encode(self, block: FloatArray) -> bytes:
        """Take `(frames, 2)` float32, any number of frames; return the bytes that are ready, maybe none."""
        if self._resampler is not None:
            block = cast(FloatArray, self._resampler.resample_chunk(np.ascontiguousarray(block)))
        self._coder.encode(block)
        return self._ready()

    def flush(self) -> bytes:
        """End the stream and return its last bytes; nothing can be encoded afterwards."""
        if self._resampler is not None:
            nothing = np.zeros((0, 2), dtype=np.float32)
            self._coder.encode(cast(FloatArray, self._resampler.resample_chunk(nothing, last=True)))
        self._coder.close()
        return self._ready()

    def _ready(self) -> bytes:
        data = self._sink.take()
        return data if self._pages is None else self._pages.split(data)


class _Sink:
    """Where the encoders write to: a file that cannot seek back, emptied after each block."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._position = 0

    def write(self, data: bytes) -> int:
        self._bytes += data
        self._position += len(data)
        return len(data)

    # libsndfile asks for the length of a file, even of one that it only ever appends to.
    def seek(self, offset: int, whence: int = 0) -> int:
        return self._position

    def tell(self) -> int:
        return self._position

    def take(self) -> bytes:
        data = bytes(self._bytes)
        self._bytes.clear()
        return data


class _OggPages:
    """Cuts a byte stream at Ogg page borders (RFC 3533) and sets the header pages aside."""

    def __init__(self) -> None:
        self.header = bytearray()
        self._in_header = True
        self._rest = b""

    def split(self, data: bytes) -> bytes:
        """Return the whole pages that are complete now, without the header's."""
        data = self._rest + data
        position = 0
        audio_from: int | None = None if self._in_header else 0
        while True:
            size = _page_size(data, position)
            if size is None or position + size > len(data):
                break
            if self._in_header:
                # Granule position 0 marks the pages that carry no audio yet.
                if data[position + 6 : position + 14] == bytes(8):
                    self.header += data[position : position + size]
                else:
                    self._in_header = False
                    audio_from = position
            position += size
        self._rest = data[position:]
        return b"" if audio_from is None else data[audio_from:position]


def _page_size(data: bytes, start: int) -> int | None:
    """Return the length of the page at `start`, or None while its header is incomplete."""
    if len(data) < start + 27:
        return None
    segments = data[start + 26]
    if len(data) < start + 27 + segments:
        return None
    return 27 + segments + sum(data[start + 27 : start + 27 + segments])


def open_coder(file: BinaryFile, codec: Codec, rate_hz: int, bitrate_kbps: int, *, live: bool) -> Coder:
    """Return what encodes into `file`; live: an endless stream, which cannot seek.

    Raises `ValueError`, or an exception of FFmpeg's or libsndfile's, when there is no such encoding.
    """
    if codec == "vorbis":
        return VorbisCoder(file, rate_hz, bitrate_kbps)
    lame = system_lame() if codec == "mp3" else None
    if lame is not None:
        return LameCoder(lame, file, rate_hz, bitrate_kbps, live=live)
    return LibavCoder(file, codec, rate_hz, bitrate_kbps, live=live)


class Cutter:
    """Cuts a stream into blocks of one length, so that an encoder's bytes do not depend on the caller's."""

    def __init__(self, block_frames: int) -> None:
        self._block_frames = block_frames
        self._rest = np.zeros((0, 2), dtype=np.float32)

    def push(self, block: FloatArray) -> Iterator[FloatArray]:
        """Yield the whole blocks that are there now; to be used up before the next call."""
        joined = np.concatenate([self._rest, block])
        whole = len(joined) // self._block_frames * self._block_frames
        self._rest = joined[whole:].copy()
        for start in range(0, whole, self._block_frames):
            yield joined[start : start + self._block_frames]

    def rest(self) -> FloatArray:
        """Return what is left, shorter than a block, maybe empty."""
        return self._rest


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
        self, file: BinaryFile, codec: Codec, rate_hz: int, bitrate_kbps: int, *, live: bool
    ) -> None:
        """live: the file is an endless stream, and cannot seek."""
        encoder, container, self._format = self._ENCODERS[codec]
        options: dict[str, str] = {}
        if live:
            options = {"flush_packets": "1"}
            if container == "mp3":
                options |= {"write_xing": "0", "id3v2_version": "0"}
            if container == "ogg":
                options["page_duration"] = str(_PAGE_US)
        self._container = av.open(file, "w", format=container, options=options)
        self._stream = cast(
            AudioStream,
            self._container.add_stream(encoder, rate=rate_hz, layout="stereo", format=self._format),
        )
        if codec != "flac":
            self._stream.bit_rate = bitrate_kbps * 1000
        self._container.start_encoding()
        self._rate_hz = rate_hz
        self._frames = 0
        self._cutter = Cutter(self._stream.codec_context.frame_size)
        self._closed = False

    def encode(self, block: FloatArray) -> None:
        """Take `(frames, 2)` float32, any number of frames."""
        for packet in self._cutter.push(tame(block)):
            self._encode_frame(packet)

    def close(self) -> None:
        """Write what is left; nothing the second time."""
        if self._closed:
            return
        self._closed = True
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


class VorbisCoder:
    """libvorbis, which PyAV's FFmpeg does not carry, through libsndfile."""

    # Nominal bit rates of libvorbis's qualities 0, 1, .. 10 for stereo at 44.1 kHz, in kbit/s.
    _QUALITY_KBPS = (64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 500)

    def __init__(self, file: BinaryFile, rate_hz: int, bitrate_kbps: int) -> None:
        """bitrate_kbps: libvorbis is asked for the quality that comes near it on average."""
        quality = float(np.interp(bitrate_kbps, self._QUALITY_KBPS, np.arange(11) / 10))
        self._file = soundfile.SoundFile(
            file, "w", rate_hz, 2, format="OGG", subtype="VORBIS", compression_level=1.0 - quality
        )
        self._cutter = Cutter(_VORBIS_WRITE_FRAMES)

    def encode(self, block: FloatArray) -> None:
        """Take `(frames, 2)` float32, any number of frames."""
        for part in self._cutter.push(tame(block)):
            self._file.write(part)

    def close(self) -> None:
        """Write what is left; nothing the second time."""
        if not self._file.closed:
            self._file.write(self._cutter.rest())
            self._file.close()
