"""This module computes the spectra of a chunk's two ends, for training, pool and evaluation alike.

Each side is a row of frames `SPECTRUM_HOP_S` apart, counted from the cut, each with four groups of bands in
dB: mel bands over a short window (timbre, level), semitones over two long windows (harmony), and the four
quarters of the frame in four broad bands (onsets to 6 ms, thus the phase of the beat). A window lies wholly
inside the chunk: that of head frame `i` begins `i` hops after the start, that of the frame `i` before a
tail's last one ends `i` hops before the end.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
import soxr

from model.base.arrays import DoubleArray, FloatArray, IntArray
from model.features.phase import middle, out_of_phase
from model.features.power_spectra import BandWeights, band_powers, band_weights, window_powers

SPECTRAL_VERSION = 1
"""Changes with the values that `chunk_spectra` returns; a pool or model of another version does not fit."""
SPECTRUM_FRAMES = 120
SPECTRUM_RATE_HZ = 22_050
HOP_SAMPLES = 512
SPECTRUM_HOP_S = HOP_SAMPLES / SPECTRUM_RATE_HZ
SPECTRUM_S = SPECTRUM_FRAMES * SPECTRUM_HOP_S
"""How far from the cut a side sees: 2.79 s."""
SPECTRUM_FLOOR_DB = -100.0
"""Silence, and the frames that a short chunk does not have. A full-scale sine is at 0 dB."""
SLOW_FACTOR = 4
"""Semitones are read at a quarter of `SPECTRUM_RATE_HZ`: they end at 2.3 kHz."""
QUARTERS = 4
"""Windows of the broad bands in each hop; their spacing is also the grid of whole songs."""
MEL_BANDS = 40
SEMITONES = 72
LOWEST_SEMITONE_MIDI = 26
"""D1, 36.7 Hz."""
BROAD_EDGES_HZ = (0.0, 180.0, 1_000.0, 4_000.0, 11_025.0)


@dataclass(frozen=True, kw_only=True)
class BandGroup:
    """Bands that are read from the same windows."""

    name: str
    slow: bool
    """Whether it is read at the quarter rate."""
    window_samples: int
    """At the group's own rate; the length of its FFT, too."""
    bands: int

    @property
    def rate_hz(self) -> float:
        """The group's own rate."""
        return SPECTRUM_RATE_HZ / (SLOW_FACTOR if self.slow else 1)

    @property
    def grid_samples(self) -> int:
        """A quarter of a hop, at the group's own rate."""
        return HOP_SAMPLES // QUARTERS // (SLOW_FACTOR if self.slow else 1)

    @property
    def window_grid(self) -> int:
        """Length of the window in quarters of a hop."""
        return self.window_samples // self.grid_samples


MEL = BandGroup(name="mel", slow=False, window_samples=1024, bands=MEL_BANDS)
LOW = BandGroup(name="low semitones", slow=True, window_samples=2048, bands=SEMITONES // 2)
HIGH = BandGroup(name="high semitones", slow=True, window_samples=1024, bands=SEMITONES // 2)
BROAD = BandGroup(name="broad", slow=False, window_samples=256, bands=len(BROAD_EDGES_HZ) - 1)
BAND_GROUPS = (MEL, LOW, HIGH, BROAD)
SPECTRUM_BINS = MEL.bands + LOW.bands + HIGH.bands + BROAD.bands * QUARTERS
"""In this order; the broad bands quarter by quarter."""

_FAST_SAMPLES = (SPECTRUM_FRAMES - 1) * HOP_SAMPLES + MEL.window_samples
_SIDE_SAMPLES = (SPECTRUM_FRAMES - 1) * HOP_SAMPLES + LOW.window_samples * SLOW_FACTOR
"""What is read of a side, at `SPECTRUM_RATE_HZ`: by windows at that rate, and by all."""


def chunk_spectra(chunk: FloatArray, sample_rate_hz: int) -> tuple[FloatArray, FloatArray]:
    """Return the spectra of a chunk's head and tail, from its own samples only.

    chunk: `(frames, 2)` float32. Returns `(head, tail)`, each `(SPECTRUM_FRAMES, SPECTRUM_BINS)` float32 in
    dB of full scale, not below `SPECTRUM_FLOOR_DB`, in time order: `head[0]` begins at the chunk's start,
    `tail[-1]` ends at its end. Frames that a short chunk does not have are at the floor, on the far side; a
    window that would leave the chunk is moved inside.
    """
    mono = middle(chunk, side=out_of_phase([chunk]))
    reach = _reach(_SIDE_SAMPLES, sample_rate_hz)
    head = _side(mono[:reach], sample_rate_hz)
    # A tail is the head of the chunk played backwards: resampled from the cut, framed from the cut.
    tail = _side(mono[::-1][:reach], sample_rate_hz)[::-1].copy()
    broad = tail[:, -BROAD.bands * QUARTERS :].reshape(SPECTRUM_FRAMES, QUARTERS, BROAD.bands)
    tail[:, -BROAD.bands * QUARTERS :] = broad[:, ::-1].reshape(SPECTRUM_FRAMES, -1)
    return head, tail


def group_levels(audio: FloatArray, starts: IntArray, group: BandGroup) -> FloatArray:
    """Return `(len(starts), group.bands)` float32 levels in dB of the group's windows.

    audio: `(samples,)` at the group's own rate; starts: the first sample of each window. What lies past the
    end of the audio counts as silence.
    """
    levels = band_powers(window_powers(audio, starts, _window(group.window_samples)), _bands(group))
    levels += np.float32(10 ** (SPECTRUM_FLOOR_DB / 10))
    np.log10(levels, out=levels)
    levels *= np.float32(10)
    return levels


@cache
def bin_hz() -> FloatArray:
    """Return `(SPECTRUM_BINS,)` middle frequencies of the bins."""
    edges = np.asarray(BROAD_EDGES_HZ)
    broad = np.sqrt(np.maximum(edges[:-1], 40.0) * edges[1:])
    return np.concatenate([_mel_hz()[1:-1], _semitone_hz(), np.tile(broad, QUARTERS)]).astype(np.float32)


def resampled(mono: FloatArray, sample_rate_hz: int, group: BandGroup) -> FloatArray:
    """Return `(samples,)` audio at the group's own rate."""
    audio: FloatArray = soxr.resample(mono, sample_rate_hz, group.rate_hz, quality="HQ")
    return audio


def _side(mono: FloatArray, sample_rate_hz: int) -> FloatArray:
    """Return the head of `mono`, which begins at the cut: `(SPECTRUM_FRAMES, SPECTRUM_BINS)`."""
    fast = resampled(mono[: _reach(_FAST_SAMPLES, sample_rate_hz)], sample_rate_hz, MEL)
    slow = resampled(mono, sample_rate_hz, LOW)
    frames = min(SPECTRUM_FRAMES, len(fast) // HOP_SAMPLES)
    side = np.full((SPECTRUM_FRAMES, SPECTRUM_BINS), SPECTRUM_FLOOR_DB, dtype=np.float32)
    if frames == 0:
        return side
    first = 0
    for group in BAND_GROUPS:
        audio = slow if group.slow else fast
        steps = QUARTERS if group is BROAD else 1
        starts = np.arange(frames * steps) * (group.grid_samples * QUARTERS // steps)
        starts = np.minimum(starts, max(0, len(audio) - group.window_samples))
        width = group.bands * steps
        side[:frames, first : first + width] = group_levels(audio, starts, group).reshape(frames, width)
        first += width
    return side


def _reach(samples: int, sample_rate_hz: int) -> int:
    """Return how many samples of a song make so many at `SPECTRUM_RATE_HZ`.

    With a margin, so that the resampler's own end lies outside of what is read.
    """
    return -(-samples * sample_rate_hz // SPECTRUM_RATE_HZ) + sample_rate_hz // 50


@cache
def _window(samples: int) -> FloatArray:
    """Return a Hann window of sum 2, under which a full-scale sine has a peak of 1."""
    window = np.hanning(samples + 1)[:-1]
    scaled: FloatArray = (window * 2 / window.sum()).astype(np.float32)
    return scaled


@cache
def _bands(group: BandGroup) -> BandWeights:
    return band_weights(_filters(group))


def _filters(group: BandGroup) -> FloatArray:
    """Return the group's `(window_samples // 2 + 1, bands)` float32 weights of power."""
    grid_hz = np.arange(group.window_samples // 2 + 1) * group.rate_hz / group.window_samples
    if group is BROAD:
        low, high = np.asarray(BROAD_EDGES_HZ[:-1]), np.asarray(BROAD_EDGES_HZ[1:])
        # A window of 12 ms does not tell 0 Hz from 86 Hz: its two lowest lines are the bass.
        return ((grid_hz[:, None] >= low) & (grid_hz[:, None] < high)).astype(np.float32)
    if group is MEL:
        corners = _mel_hz()
    else:
        half = SEMITONES // 2
        tones = _semitone_hz()[half:] if group is HIGH else _semitone_hz()[:half]
        corners = np.concatenate([[tones[0] / 2 ** (1 / 12)], tones, [tones[-1] * 2 ** (1 / 12)]])
    # A triangle narrower than a line of the FFT would miss them all.
    line_hz = group.rate_hz / group.window_samples
    below = np.maximum(corners[1:-1] - corners[:-2], line_hz)
    above = np.maximum(corners[2:] - corners[1:-1], line_hz)
    distance = grid_hz[:, None] - corners[1:-1]
    weights = np.maximum(0, 1 - np.where(distance < 0, -distance / below, distance / above))
    triangles: FloatArray = weights.astype(np.float32)
    return triangles


@cache
def _mel_hz() -> DoubleArray:
    """Return the `MEL_BANDS + 2` corners of the mel bands (HTK's scale), 30 Hz to the upper end."""
    low, high = (2595 * np.log10(1 + hz / 700) for hz in (30.0, SPECTRUM_RATE_HZ / 2))
    corners: DoubleArray = 700 * (10 ** (np.linspace(low, high, MEL_BANDS + 2) / 2595) - 1)
    return corners


@cache
def _semitone_hz() -> DoubleArray:
    """Return the `SEMITONES` pitches, tempered, A4 at 440 Hz."""
    tones: DoubleArray = 440.0 * 2.0 ** ((LOWEST_SEMITONE_MIDI + np.arange(SEMITONES) - 69) / 12)
    return tones
