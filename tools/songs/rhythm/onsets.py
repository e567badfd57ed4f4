"""This module finds where sounds begin, as envelopes to track beats in and to the millisecond."""

from dataclasses import dataclass
from functools import cache

import numpy as np
import scipy.ndimage

from model.base.arrays import DoubleArray, FloatArray
from model.base.kernels import kernel
from model.features.power_spectra import BandWeights, band_powers, band_weights
from stream.audio.samples import SongSamples, in_parts
from tools.songs.power import window_power
from tools.songs.rhythm.spectrogram import power_spectrogram

RHYTHM_RATE_HZ = 22_050
"""Rate of the mono audio that beats are looked for in."""
ENVELOPE_HOP = 256
ENVELOPE_RATE_HZ = RHYTHM_RATE_HZ / ENVELOPE_HOP
ENVELOPE_WINDOW = 1_024
RHYTHM_MEL_BANDS = 96
LOW_MEL_BANDS = 8
"""The lowest bands, up to about 200 Hz: kick and bass. They count as much as all others together."""
_LINEAR_HZ, _LINEAR_MEL = 1_000.0, 15.0
"""Slaney's mel scale is linear up to there."""
_MEL_LOG_STEP = float(np.log(6.4)) / 27.0
"""Above, a mel is a step of so much in the logarithm."""
FLUX_LAG = 2
LOUD_LINE = 0.05
"""Part of a loud frame's energy that one strong band holds; 80 dB below it nothing is heard."""
ACCENT_MEL_EDGES = (0, 8, 36)
"""Accents are looked for up to about 200 Hz, 1.2 kHz, and above."""
LOUDNESS_POWER = 0.3
"""Loudness grows with this power of energy (Stevens)."""
_BLOCK_FRAMES = 1 << 12
_BLOCK_MARGIN = 8
LEVELLED_S = 8.0
"""Loudness of onsets is measured against this stretch, so that a quiet part counts like a loud one."""
ATTACK_STEP = 22
ATTACK_RATE_HZ = RHYTHM_RATE_HZ / ATTACK_STEP
"""About 1 ms."""
AFTER_STEPS = 10
BEFORE_STEPS = 20
"""An attack is where 10 ms are much louder than the 20 ms before them."""
PART_STEPS = 1 << 19
"""Attacks are looked for in so many steps at a time, 8.7 minutes."""
_FLOOR = 1e-4
"""Share of a loud moment's energy below which there is silence between sounds."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Onsets:
    """How strongly something begins in a song, every `ENVELOPE_HOP` samples, frame i centred on its time.

    Both are levelled over `LEVELLED_S`, so that a quiet part counts like a loud one.
    """

    flux: FloatArray
    """`(2, frames)` float32: that something begins, however quiet, in the low bands and in the rest."""
    accents: FloatArray
    """`(3, frames)` float32: by how much louder it gets, in lows, mids and highs; a hi-hat is little here."""

    def envelope(self) -> FloatArray:
        """Return `(frames,)` float32: both together, what beats are tracked in."""
        total = sum(
            bands.sum(axis=0) / (bands.sum(axis=0).std() + 1e-9) for bands in (self.flux, self.accents)
        )
        return np.asarray(total, dtype=np.float32)


def find_onsets(mono: SongSamples) -> Onsets:
    """Return the onsets of `mono` `(samples,)` at `RHYTHM_RATE_HZ`.

    flux: spectral flux of a log-mel spectrogram (Boeck and Widmer, 2013). accents: rise of the loudness of
    three bands.
    """
    frames = 1 + len(mono) // ENVELOPE_HOP
    flux = np.zeros((2, frames), dtype=np.float32)
    accents = np.zeros((len(ACCENT_MEL_EDGES), frames), dtype=np.float32)
    if len(mono) < ENVELOPE_WINDOW:
        return Onsets(flux=flux, accents=accents)
    energy = sum(float(window_power(part[:, None], len(part))[0]) * len(part) for part in in_parts(mono))
    reference = max(LOUD_LINE * energy / len(mono) * ENVELOPE_WINDOW, 1e-9)
    # In blocks: the spectrogram of a song of hours would not fit into memory.
    for start in range(0, frames, _BLOCK_FRAMES):
        first = max(0, start - _BLOCK_MARGIN)
        stop = min(frames, start + _BLOCK_FRAMES)
        part = mono[first * ENVELOPE_HOP : (stop + _BLOCK_MARGIN) * ENVELOPE_HOP]
        mel, here = mel_powers(part), slice(start - first, stop - first)
        flux[:, start:stop] = spectral_flux(mel, reference)[:, here]
        accents[:, start:stop] = _louder(mel, reference)[:, here]
    return Onsets(
        flux=np.stack([band / _level(band) for band in flux]), accents=accents / _level(accents.sum(axis=0))
    )


def mel_powers(mono: FloatArray) -> FloatArray:
    """Return `(frames, RHYTHM_MEL_BANDS)` powers, one row each `ENVELOPE_HOP` samples of `mono`."""
    return band_powers(power_spectrogram(mono, ENVELOPE_WINDOW, ENVELOPE_HOP), _mel_bands())


def spectral_flux(mel: FloatArray, reference: float) -> FloatArray:
    """Return `(2, frames)`: by how many dB the low bands and the rest rise over `FLUX_LAG` frames.

    mel: as `mel_powers` gives it. Against the loudest of three bands, so that vibrato is no onset; what
    is 80 dB below `reference` is not heard.
    """
    levels_db = 10.0 * np.log10(np.maximum(mel, 1e-8 * reference) / reference)
    before_db = levels_db[:-FLUX_LAG]
    loudest_db = before_db.copy()
    np.maximum(loudest_db[:, 1:], before_db[:, :-1], out=loudest_db[:, 1:])
    np.maximum(loudest_db[:, :-1], before_db[:, 1:], out=loudest_db[:, :-1])
    rises = np.zeros_like(levels_db)
    np.maximum(levels_db[FLUX_LAG:] - loudest_db, 0.0, out=rises[FLUX_LAG:])
    return np.stack([rises[:, :LOW_MEL_BANDS].mean(axis=1), rises[:, LOW_MEL_BANDS:].mean(axis=1)])


def _louder(mel: FloatArray, reference: float) -> FloatArray:
    """Return `(3, frames)`: by how much the loudness of three bands rises over `FLUX_LAG` frames."""
    energies = np.add.reduceat(mel, ACCENT_MEL_EDGES, axis=1).T
    loudness = np.power(np.maximum(energies, 1e-8 * reference) / reference, np.float32(LOUDNESS_POWER))
    rises = np.zeros_like(loudness)
    np.maximum(loudness[:, FLUX_LAG:] - loudness[:, :-FLUX_LAG], 0.0, out=rises[:, FLUX_LAG:])
    return rises


@cache
def _mel_bands() -> BandWeights:
    """Return triangles of equal width in mel and of one area (Slaney, Auditory Toolbox, 1998).

    Those of `librosa.filters.mel`, which imports all that SciPy knows of signals: 40 MB of memory.
    """
    corners_hz = _mel_hz(np.linspace(0.0, _mel(RHYTHM_RATE_HZ / 2), RHYTHM_MEL_BANDS + 2))
    left, top, right = corners_hz[:-2], corners_hz[1:-1], corners_hz[2:]
    lines_hz = np.fft.rfftfreq(ENVELOPE_WINDOW, 1.0 / RHYTHM_RATE_HZ)[:, None]
    triangles = np.minimum((lines_hz - left) / (top - left), (right - lines_hz) / (right - top))
    filters = np.maximum(triangles, 0.0).astype(np.float32) * (2.0 / (right - left))
    return band_weights(filters.astype(np.float32))


def _mel(frequency_hz: float) -> float:
    """Return the mel of a frequency above `_LINEAR_HZ`."""
    return _LINEAR_MEL + float(np.log(frequency_hz / _LINEAR_HZ)) / _MEL_LOG_STEP


def _mel_hz(mel: DoubleArray) -> DoubleArray:
    """Return the frequencies of mels."""
    logarithmic = _LINEAR_HZ * np.exp(_MEL_LOG_STEP * (mel - _LINEAR_MEL))
    return np.where(mel < _LINEAR_MEL, mel * (_LINEAR_HZ / _LINEAR_MEL), logarithmic)


def _level(band: FloatArray) -> FloatArray:
    """Return `(frames,)`: what is usual around each frame, as the root of a mean square."""
    size = round(LEVELLED_S * ENVELOPE_RATE_HZ)
    power = scipy.ndimage.uniform_filter1d(np.square(band, dtype=np.float64), size, mode="nearest")
    # A stretch with next to no onsets must not be blown up into many.
    level = np.sqrt(np.maximum(power, 0.01 * float(np.mean(power)) + 1e-9))
    single: FloatArray = level.astype(np.float32)
    return single


@dataclass(frozen=True, kw_only=True, eq=False)
class Attacks:
    """How sharply each millisecond of a song begins something new.

    rise: `(steps,)` float32 at `ATTACK_RATE_HZ`, in decades of energy, three bands in sum; step i is the
    start of sample `i * ATTACK_STEP`.
    """

    rise: FloatArray

    def between(self, starts_s: DoubleArray, stops_s: DoubleArray) -> DoubleArray:
        """Return `(n, 2)`, time and rise of the sharpest attack in each stretch of the song.

        starts_s, stops_s: `(n,)`. Behind the end of the song there is none: 0, where the stretch starts.
        """
        sharpest = np.empty((len(starts_s), 2))
        _fill_sharpest(self.rise, starts_s, stops_s, sharpest)
        return sharpest


@kernel
def _fill_sharpest(
    rise: FloatArray, starts_s: DoubleArray, stops_s: DoubleArray, sharpest: DoubleArray
) -> None:
    for row in range(len(starts_s)):
        first = max(0, int(np.rint(starts_s[row] * ATTACK_RATE_HZ)))
        last = min(len(rise), max(first + 1, int(np.rint(stops_s[row] * ATTACK_RATE_HZ))))
        if first >= last:
            sharpest[row, 0], sharpest[row, 1] = starts_s[row], 0.0
            continue
        peak = first
        for step in range(first + 1, last):
            if rise[step] > rise[peak]:
                peak = step
        sharpest[row, 0], sharpest[row, 1] = peak / ATTACK_RATE_HZ, rise[peak]


def find_attacks(mono: SongSamples) -> Attacks:
    """Return the attacks of `mono` `(samples,)` at `RHYTHM_RATE_HZ`.

    The energy after an instant over that before it, in the audio and its first two differences: these lift
    high notes without the delay of a filter, so that the peak stands where the attack begins.
    """
    energy = _step_energy(mono)
    count = energy.shape[1]
    rise = np.empty(count, dtype=np.float32)
    if not count:
        return Attacks(rise=rise)
    floors = [_FLOOR * float(np.percentile(band.astype(np.float64), 95)) + 1e-9 for band in energy]
    for start in range(0, count, PART_STEPS):
        stop = min(count, start + PART_STEPS)
        outside = (max(0, BEFORE_STEPS - start), max(0, stop + AFTER_STEPS - count))
        here = np.arange(stop - start) + BEFORE_STEPS
        sharpest: DoubleArray = np.zeros(stop - start)
        for band, floor in zip(energy, floors, strict=True):
            steps = np.pad(
                band[max(0, start - BEFORE_STEPS) : stop + AFTER_STEPS].astype(np.float64), outside
            )
            total = np.concatenate([[0.0], np.cumsum(steps)])
            after = (total[here + AFTER_STEPS] - total[here]) / AFTER_STEPS
            before = (total[here] - total[here - BEFORE_STEPS]) / BEFORE_STEPS
            sharpest += np.maximum(0.0, np.log10((after + floor) / (before + floor)))
        rise[start:stop] = sharpest
    return Attacks(rise=rise)


def _step_energy(mono: SongSamples) -> FloatArray:
    """Return `(3, steps)`: the energy of each step, in the audio and in its first two differences."""
    count = len(mono) // ATTACK_STEP
    energy = np.empty((3, count), dtype=np.float32)
    for start in range(0, count, PART_STEPS):
        stop = min(count, start + PART_STEPS)
        # Two samples before it, for the differences.
        first = max(0, start * ATTACK_STEP - 2)
        band = mono[first : stop * ATTACK_STEP]
        plain = np.require(band, np.float32, ("C", "W"))
        _fill_steps(plain, start * ATTACK_STEP - first, energy, start, stop)
    return energy


@kernel
def _fill_steps(band: FloatArray, first: int, energy: FloatArray, start: int, stop: int) -> None:
    """Fill in the energy of steps `start` to `stop`, which begin at sample `first` of `band`."""
    before = slope_before = np.float32(0.0)
    if first:
        before, slope_before = band[first - 1], band[first - 1] - band[first - 2]
    elif len(band):
        before = band[0]
    at = first
    for step in range(start, stop):
        levels = slopes = bends = np.float32(0.0)
        for sample in range(at, at + ATTACK_STEP):
            level = band[sample]
            slope = level - before
            bend = slope - slope_before
            levels, slopes, bends = levels + level * level, slopes + slope * slope, bends + bend * bend
            before, slope_before = level, slope
        at += ATTACK_STEP
        energy[0, step], energy[1, step], energy[2, step] = levels, slopes, bends
