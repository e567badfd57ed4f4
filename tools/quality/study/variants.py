"""This module writes the music once more as a question has it, as WAV, as MP3, or declared to be faster."""

from pathlib import Path

import numpy as np
import soundfile

from model.base.arrays import FloatArray
from model.base.errors import EndlosError
from model.base.files import beside
from stream.audio.decode import decode
from tools.quality.study.runs import StudyRun

ORIGINAL = "original"
WAV, MP3 = "wav", "mp3"
_MP3_RATES_HZ = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
_MP3_LEVEL = 0.6
"""Of `soundfile`, 0 the best and 1 the smallest: about 128 kbit/s at 44.1 kHz."""


def song_file(run: StudyRun, audio_hash: str, original: Path, folder: Path) -> Path:
    """Return where the song stands that a run reads: the file of the user, or one below `folder`."""
    if run.variant == ORIGINAL and run.speed == 1.0:
        return original
    suffix = MP3 if run.variant == MP3 else WAV if run.variant == WAV else "flac"
    return folder / f"{run.variant}-{run.factor:g}" / f"{audio_hash}.{suffix}"


def write_variant(run: StudyRun, original: Path, path: Path) -> None:
    """Write what a run reads of a song, unless it is there; 16 bit, two channels.

    Nothing is resampled for another factor: the samples are the same and the rate that the file declares is
    another one, so that the pool, which keeps edges at one rate, keeps every so manieth of them.
    `DecodeError` when the song cannot be read, `EndlosError` when nothing can be written.
    """
    if path == original or path.is_file():
        return
    audio, rate_hz = decode(original)
    declared_hz = round(rate_hz * run.speed)
    if run.variant == MP3 and declared_hz not in _MP3_RATES_HZ:
        raise EndlosError(f"{original} has a rate of {declared_hz} Hz, at which there is no MP3")
    path.parent.mkdir(parents=True, exist_ok=True)
    kind = {".mp3": "MP3", ".wav": "WAV", ".flac": "FLAC"}[path.suffix]
    try:
        with beside(path) as part:
            _write(part, np.clip(audio, -1.0, 1.0), declared_hz, kind)
    except (OSError, soundfile.SoundFileError) as error:
        raise EndlosError(
            f"{path} cannot be written ({error}); free some space, or name another --out"
        ) from error


def _write(part: Path, audio: FloatArray, rate_hz: int, kind: str) -> None:
    if kind == "MP3":
        soundfile.write(
            part, audio, rate_hz, format=kind, bitrate_mode="CONSTANT", compression_level=_MP3_LEVEL
        )
    else:
        soundfile.write(part, audio, rate_hz, format=kind, subtype="PCM_16")
