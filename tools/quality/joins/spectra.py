"""This module computes the log-mel spectrum and the chroma of a window, for detectors and measures."""

from dataclasses import dataclass
from functools import cache

import librosa.filters
import numpy as np
import scipy.fft

from model.base.arrays import FloatArray
from tools.songs.rhythm.spectrogram import power_spectrogram

_MEL_BANDS = 64
_FFT_FRAMES = 2048
SPECTRUM_HOP_FRAMES = 512
CHROMA_FFT_FRAMES = 8192
CHROMA_HOP_FRAMES = 2048
_LOWEST_HZ = 40.0
_HIGHEST_HZ = 11_000.0
"""Above it, codecs differ more than music does."""
ONSET_BANDS = 40
_FLOOR = 1e-4


@dataclass(frozen=True, kw_only=True, eq=False)
class Spectra:
    """The log-mel spectrum and the chroma of one window, symmetric about its middle.

    mel: `(frames, _MEL_BANDS)` float32, dB, every `SPECTRUM_HOP_FRAMES`. chroma: `(frames, 12)` float32,
    every `CHROMA_HOP_FRAMES`.
    """

    mel: FloatArray
    chroma: FloatArray


def spectra(mono: FloatArray, rate_hz: int) -> Spectra:
    """Return log-mel spectrum and chroma of `mono` `(samples,)`."""
    power = np.square(_magnitudes(mono, _FFT_FRAMES, SPECTRUM_HOP_FRAMES))
    mel = 10.0 * np.log10(power @ _filters(rate_hz)[0] + _FLOOR)
    return Spectra(mel=mel.astype(np.float32), chroma=chroma(mono, rate_hz))


def chroma(mono: FloatArray, rate_hz: int) -> FloatArray:
    """Return `(frames, 12)` float32: how strong each pitch class is, every `CHROMA_HOP_FRAMES`."""
    found: FloatArray = _magnitudes(mono, CHROMA_FFT_FRAMES, CHROMA_HOP_FRAMES) @ _filters(rate_hz)[1]
    return found


@cache
def _filters(rate_hz: int) -> tuple[FloatArray, FloatArray]:
    mel = librosa.filters.mel(
        sr=rate_hz, n_fft=_FFT_FRAMES, n_mels=_MEL_BANDS, fmin=_LOWEST_HZ, fmax=_HIGHEST_HZ
    )
    chroma = librosa.filters.chroma(sr=rate_hz, n_fft=CHROMA_FFT_FRAMES, n_chroma=12)
    return mel.T.astype(np.float32), chroma.T.astype(np.float32)


def boundary_mel_powers(mono: FloatArray, rate_hz: int, size: int, hop: int) -> FloatArray:
    """Return `(frames, ONSET_BANDS)` mel powers of frames of `size`, frame i centred on sample `i * hop`."""
    powers: FloatArray = power_spectrogram(mono, size, hop) @ _onset_filter(rate_hz, size)
    return powers


@cache
def _onset_filter(rate_hz: int, size: int) -> FloatArray:
    mel = librosa.filters.mel(sr=rate_hz, n_fft=size, n_mels=ONSET_BANDS, fmin=30.0, fmax=_HIGHEST_HZ)
    return mel.T.astype(np.float32)


def _magnitudes(mono: FloatArray, size: int, hop: int) -> FloatArray:
    """Return `(frames, size // 2 + 1)`; one frame is centred on the middle of the signal."""
    beside = len(mono) // 2 // hop
    first = len(mono) // 2 - beside * hop
    padded = np.pad(mono, (size // 2, size // 2 + hop), mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, size)[first::hop][: 2 * beside + 1]
    window = np.hanning(size + 1)[:-1].astype(np.float32)
    magnitudes: FloatArray = np.abs(scipy.fft.rfft(frames * window, axis=1)).astype(np.float32)
    return magnitudes
