"""The encoder turns float audio into a byte stream that a player can join, in each of the codecs."""

from collections.abc import Mapping
from typing import cast

import numpy as np
import soundfile
import soxr

from model.base.arrays import FloatArray
from model.base.errors import OutputError
from stream.outputs.encoding.codecs import CODECS, OPUS_RATE_HZ, Codec, content_type, is_ogg
from stream.outputs.encoding.coder import NO_TAGS, BinaryFile, Coder
from stream.outputs.encoding.lame import LameCoder, system_lame
from stream.outputs.encoding.ogg import OggPages
from stream.outputs.encoding.vorbis import VorbisCoder


class StreamEncoder:
    """An endless encoder: blocks in, whole frames (MP3, AAC) or whole Ogg pages out; memory is bounded.

    Every return value of `encode` starts where a listener may join. An Ogg listener needs `header` first;
    it is complete once `encode` has returned any byte, and is not part of what `encode` returns.
    LAME lowers what it is given by 5 %, so that MP3 does not clip.
    Belongs to one thread.
    """

    def __init__(
        self, codec: Codec, sample_rate_hz: int, bitrate_kbps: int, tags: Mapping[str, str] = NO_TAGS
    ) -> None:
        """codec: one of `CODECS`; bitrate_kbps: ignored for FLAC, a quality near it for Vorbis.

        tags: by name, of what stands in Ogg.
        """
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
        self._bitrate_kbps = bitrate_kbps
        self._sink = _Sink()
        self._begin(tags)

    def _begin(self, tags: Mapping[str, str]) -> None:
        codec, bitrate_kbps = self.codec, self._bitrate_kbps
        self._pages = OggPages() if is_ogg(codec) else None
        try:
            self._coder = open_coder(
                self._sink, codec, self.sample_rate_hz, bitrate_kbps, live=True, tags=tags
            )
        except (soundfile.LibsndfileError, ValueError) as error:
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

    def end_link(self) -> bytes:
        """End an Ogg stream that another is going to be chained to; return its last bytes."""
        self._coder.close()
        return self._ready()

    def begin_link(self, tags: Mapping[str, str]) -> None:
        """Begin the stream that follows; no frame is lost between the two, and `header` is the new one's."""
        self._begin(tags)

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


def open_coder(
    file: BinaryFile,
    codec: Codec,
    rate_hz: int,
    bitrate_kbps: int,
    *,
    live: bool,
    tags: Mapping[str, str] = NO_TAGS,
) -> Coder:
    """Return what encodes into `file`; live: an endless stream, which cannot seek.

    tags: by name, of what stands in Ogg; an MP3 file has them before all that is encoded.
    Raises `ValueError`, or an exception of libsndfile's, when there is no such encoding.
    """
    if codec == "vorbis":
        return VorbisCoder(file, rate_hz, bitrate_kbps, tags)
    lame = system_lame() if codec == "mp3" else None
    if lame is not None:
        return LameCoder(lame, file, rate_hz, bitrate_kbps, live=live)
    from stream.outputs.encoding.libav import LibavCoder  # with FFmpeg: 10 MB, which LAME can do without

    return LibavCoder(file, codec, rate_hz, bitrate_kbps, live=live, tags=tags)
