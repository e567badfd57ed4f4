"""Spectra of a chunk's ends show pitch, time and level where they belong, counted from the cut."""

import numpy as np
import pytest
import soxr

from model.base.arrays import DoubleArray, FloatArray
from model.features import spectra
from model.features.spectra import (
    BAND_GROUPS,
    BROAD,
    HOP_SAMPLES,
    MEL,
    QUARTERS,
    SEMITONES,
    SPECTRUM_BINS,
    SPECTRUM_FLOOR_DB,
    SPECTRUM_FRAMES,
    SPECTRUM_HOP_S,
    SPECTRUM_RATE_HZ,
    bin_hz,
    chunk_spectra,
)

RATE_HZ = 44_100
TONES = slice(MEL.bands, MEL.bands + SEMITONES)
BROADS = slice(SPECTRUM_BINS - BROAD.bands * QUARTERS, SPECTRUM_BINS)


def stereo(mono: DoubleArray) -> FloatArray:
    return np.stack([mono, mono], axis=1).astype(np.float32)


def sine(pitch_hz: float, seconds: float, rate_hz: int = RATE_HZ, level: float = 0.5) -> FloatArray:
    return stereo(level * np.sin(2 * np.pi * pitch_hz * np.arange(int(seconds * rate_hz)) / rate_hz))


def test_shapes_and_range_fit_half_precision() -> None:
    noise = stereo(np.random.default_rng(0).uniform(-1, 1, 4 * RATE_HZ))
    for side in (*chunk_spectra(noise, RATE_HZ), *chunk_spectra(np.zeros_like(noise), RATE_HZ)):
        assert side.shape == (SPECTRUM_FRAMES, SPECTRUM_BINS)
        assert side.dtype == np.float32
        assert side.min() >= SPECTRUM_FLOOR_DB - 1e-3
        assert np.abs(side - side.astype(np.float16)).max() < 0.05
    assert bin_hz().shape == (SPECTRUM_BINS,)


@pytest.mark.parametrize("midi", [33, 45, 57, 69, 81, 93])
def test_a_tone_is_loudest_in_its_semitone_at_its_level(midi: int) -> None:
    pitch_hz = 440 * 2 ** ((midi - 69) / 12)
    for side in chunk_spectra(sine(pitch_hz, 3.5), RATE_HZ):
        tones = side[:, TONES]
        near = bin_hz()[TONES][tones.argmax(axis=1)]
        np.testing.assert_allclose(near, pitch_hz, rtol=1e-3)
        # Power of a Hann window spreads over neighbouring lines: 1.76 dB at most, of a tone at -6 dB.
        assert np.all(np.abs(tones.max(axis=1) + 6.0) < 2.0)


@pytest.mark.parametrize("rate_hz", [22_050, 44_100, 48_000])
def test_a_click_is_as_far_from_the_cut_as_in_the_chunk(rate_hz: int) -> None:
    distance_s = 0.4037
    quarter_s = SPECTRUM_HOP_S / QUARTERS
    mono = np.zeros(int(3.3 * rate_hz))
    mono[round(distance_s * rate_hz)] = 1.0
    mono[len(mono) - 1 - round(distance_s * rate_hz)] = 1.0
    head, tail = chunk_spectra(stereo(mono), rate_hz)
    for side, backwards in ((head, False), (tail, True)):
        broad = side[:, BROADS].reshape(SPECTRUM_FRAMES * QUARTERS, BROAD.bands)[:, 2]
        seen = broad[::-1] if backwards else broad
        # Two windows of twice the spacing hold the click; the louder one's middle is nearer.
        assert abs(int(seen[:200].argmax()) + 1 - distance_s / quarter_s) <= 1.0


def test_head_and_tail_of_a_chunk_played_backwards_change_places() -> None:
    rng = np.random.default_rng(1)
    chunk = stereo(rng.uniform(-0.5, 0.5, int(3.1 * RATE_HZ)) * np.linspace(0, 1, int(3.1 * RATE_HZ)))
    head, tail = chunk_spectra(chunk, RATE_HZ)
    back_head, back_tail = chunk_spectra(chunk[::-1], RATE_HZ)
    slow = slice(0, BROADS.start)
    np.testing.assert_allclose(head[:, slow], back_tail[::-1, slow], atol=1e-3)
    np.testing.assert_allclose(tail[:, slow], back_head[::-1, slow], atol=1e-3)


def test_what_is_farther_than_a_side_reaches_is_not_seen() -> None:
    rng = np.random.default_rng(2)
    chunk = stereo(rng.uniform(-0.5, 0.5, 9 * RATE_HZ))
    other = chunk.copy()
    other[4 * RATE_HZ : 5 * RATE_HZ] = 0
    for side, same in zip(chunk_spectra(chunk, RATE_HZ), chunk_spectra(other, RATE_HZ), strict=True):
        np.testing.assert_array_equal(side, same)


def test_a_short_chunk_ends_at_the_floor_on_its_far_side() -> None:
    chunk = sine(440.0, 1.0)
    head, tail = chunk_spectra(chunk, RATE_HZ)
    frames = int(1.0 / SPECTRUM_HOP_S)
    assert np.all(head[frames:] == SPECTRUM_FLOOR_DB)
    assert np.all(tail[:-frames] == SPECTRUM_FLOOR_DB)
    for own in (head[:frames], tail[-frames:]):
        assert own[:, TONES].max(axis=1).min() > -10.0


@pytest.mark.parametrize("samples", [0, 1, 700])
def test_next_to_nothing_is_silence_or_finite(samples: int) -> None:
    for side in chunk_spectra(np.full((samples, 2), 0.3, dtype=np.float32), RATE_HZ):
        assert np.isfinite(side).all()


def test_twice_as_loud_is_six_decibels_more() -> None:
    noise = stereo(np.random.default_rng(3).uniform(-0.4, 0.4, 3 * RATE_HZ))
    for quiet, loud in zip(chunk_spectra(noise, RATE_HZ), chunk_spectra(2 * noise, RATE_HZ), strict=True):
        np.testing.assert_allclose(loud - quiet, 20 * np.log10(2), atol=0.01)


def plain_head(mono: FloatArray, rate_hz: int) -> DoubleArray:
    """The spectra of a long head, window by window, in double precision and with every weight."""
    found = np.empty((SPECTRUM_FRAMES, 0))
    for group in BAND_GROUPS:
        audio = soxr.resample(mono, rate_hz, group.rate_hz, quality="HQ").astype(np.float64)
        size, steps = group.window_samples, QUARTERS if group is BROAD else 1
        hop = HOP_SAMPLES / SPECTRUM_RATE_HZ * group.rate_hz / steps
        starts = [round(frame * hop) for frame in range(SPECTRUM_FRAMES * steps)]
        window = np.hanning(size + 1)[:-1] * 2 / np.hanning(size + 1)[:-1].sum()
        powers = np.array(
            [np.abs(np.fft.rfft(audio[start : start + size] * window)) ** 2 for start in starts]
        )
        levels = 10 * np.log10(powers @ spectra._filters(group).astype(np.float64) + 1e-10)
        found = np.concatenate([found, levels.reshape(SPECTRUM_FRAMES, -1)], axis=1)
    return found


@pytest.mark.parametrize("rate_hz", [44_100, 48_000])
def test_the_fast_way_is_the_plain_one(rate_hz: int) -> None:
    rng = np.random.default_rng(0)
    times_s = np.arange(round(3.6 * rate_hz)) / rate_hz
    # Tones, noise that swells and attacks, between -100 and 0 dB.
    mono = 0.3 * np.sin(2 * np.pi * 220 * times_s) * (times_s < 1.5) + rng.normal(0, 0.1, len(times_s)) * (
        np.sin(3 * times_s) ** 2 * (times_s % 0.5 < 0.2)
    )
    chunk = np.stack([mono, 0.7 * mono], axis=1).astype(np.float32)
    head, tail = chunk_spectra(chunk, rate_hz)
    middle = chunk.mean(axis=1, dtype=np.float32)
    forwards, backwards = plain_head(middle, rate_hz), plain_head(middle[::-1].copy(), rate_hz)[::-1]
    tones = slice(0, BROADS.start)
    for found, plain in ((head, forwards), (tail[:, tones], backwards[:, tones])):
        # 1e-5 of their range of 100 dB; next to the floor single precision makes itself felt.
        heard = plain > -90
        np.testing.assert_allclose(found[heard], plain[heard], atol=1e-3)
        np.testing.assert_allclose(found, plain, atol=1e-2)
