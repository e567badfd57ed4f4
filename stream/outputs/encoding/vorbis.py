"""This coder makes Vorbis through libsndfile, because PyAV's FFmpeg does not carry libvorbis."""

from collections.abc import Mapping

import numpy as np
import soundfile

from model.base.arrays import FloatArray
from stream.outputs.encoding.coder import BinaryFile, Cutter, tame

# Small: libsndfile's Vorbis encoder keeps a whole write on the stack.
_WRITE_FRAMES = 1024


class VorbisCoder:
    """libvorbis, which PyAV's FFmpeg does not carry, through libsndfile."""

    # Nominal bit rates of libvorbis's qualities 0, 1, .. 10 for stereo at 44.1 kHz, in kbit/s.
    _QUALITY_KBPS = (64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 500)

    def __init__(self, file: BinaryFile, rate_hz: int, bitrate_kbps: int, tags: Mapping[str, str]) -> None:
        """bitrate_kbps: libvorbis is asked for the quality that comes near it on average. tags: by name."""
        quality = float(np.interp(bitrate_kbps, self._QUALITY_KBPS, np.arange(11) / 10))
        self._file = soundfile.SoundFile(
            file, "w", rate_hz, 2, format="OGG", subtype="VORBIS", compression_level=1.0 - quality
        )
        for name, text in tags.items():
            setattr(self._file, name, text)
        self._cutter = Cutter(_WRITE_FRAMES)

    def encode(self, block: FloatArray) -> None:
        """Take `(frames, 2)` float32, any number of frames."""
        for part in self._cutter.push(tame(block)):
            self._file.write(part)

    def close(self) -> None:
        """Write what is left; nothing the second time."""
        if not self._file.closed:
            self._file.write(self._cutter.rest())
            self._file.close()
