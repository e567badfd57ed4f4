"""The pitched instruments of the demo songs are additive, FM and spectral, and so band-limited."""

import numpy as np

from model.base.arrays import DoubleArray, FloatArray
from tools.demo.effects import DEMO_RATE_HZ

PAD_FRAMES = 1 << 18
_HIGHEST_HZ = 12_000.0


def pitch_hz(pitch: float) -> float:
    """Return the frequency of a MIDI pitch, A4 = 440 Hz."""
    return float(440.0 * 2 ** ((pitch - 69) / 12))


def _cycles(frequency_hz: float, frames: int) -> DoubleArray:
    """Phase in cycles, float64: float32 would drift audibly in long notes."""
    return np.arange(frames, dtype=np.float64) * (frequency_hz / DEMO_RATE_HZ)


def _sine(cycles: DoubleArray) -> FloatArray:
    sine: FloatArray = np.sin(_radians(cycles))
    return sine


def _radians(cycles: DoubleArray) -> FloatArray:
    return np.float32(2 * np.pi) * (cycles - np.floor(cycles)).astype(np.float32)


def _fall(times_s: FloatArray, fall_s: float) -> FloatArray:
    """An exponential decay: 1 / e after `fall_s`."""
    fall: FloatArray = np.exp(times_s * np.float32(-1 / fall_s))
    return fall


def _times_s(frames: int) -> FloatArray:
    return np.arange(frames, dtype=np.float32) / np.float32(DEMO_RATE_HZ)


def _gate(frames: int, attack_s: float, release_s: float) -> FloatArray:
    """Smooth on and off; the release is the end of `frames`."""
    gate = np.ones(frames, np.float32)
    attack, release = (
        max(1, min(frames // 2, int(time_s * DEMO_RATE_HZ))) for time_s in (attack_s, release_s)
    )
    gate[:attack] *= 0.5 - 0.5 * np.cos(np.linspace(0, np.pi, attack, dtype=np.float32))
    gate[-release:] *= 0.5 + 0.5 * np.cos(np.linspace(0, np.pi, release, dtype=np.float32))
    return gate


def _filtered_saw(frequency_hz: float, frames: int, cutoff_hz: FloatArray, harmonics: int) -> FloatArray:
    """A sawtooth through a moving 12 dB low-pass: the sum of its harmonics, each with the filter's gain."""
    cycles = _cycles(frequency_hz, frames)
    sound = np.zeros(frames, np.float32)
    for number in range(1, harmonics + 1):
        if number * frequency_hz > _HIGHEST_HZ:
            break
        ratio = np.float32(number * frequency_hz) / cutoff_hz
        sound += _sine(number * cycles) / (number * np.sqrt(1 + ratio**4))
    return sound


def bass(sound: str, pitch: int, length_s: float) -> FloatArray:
    """Return `(frames,)` of a bass note: `saw` bright and plucked, `round` mellow, `sub` nearly a sine."""
    frames = int((length_s + 0.05) * DEMO_RATE_HZ)
    frequency_hz, times_s = pitch_hz(pitch), _times_s(frames)
    base_hz, sweep_hz, fall_s, harmonics = {
        "saw": (260.0, 1500.0, 0.09, 30),
        "round": (220.0, 550.0, 0.12, 16),
        "sub": (120.0, 260.0, 0.10, 8),
    }[sound]
    cutoff_hz = base_hz + sweep_hz * _fall(times_s, fall_s)
    body = _filtered_saw(frequency_hz, frames, cutoff_hz, harmonics)
    body += np.float32(0.5) * _sine(_cycles(frequency_hz, frames))
    return body * _gate(frames, 0.005, 0.05) * _fall(times_s, 1.8)


def rhodes(pitch: int, length_s: float, velocity: float) -> FloatArray:
    """Return `(frames,)` of an electric piano: two-operator FM and a tine, brighter when struck harder."""
    frames = int((length_s + 0.22) * DEMO_RATE_HZ)
    frequency_hz, times_s = pitch_hz(pitch), _times_s(frames)
    cycles = _cycles(frequency_hz, frames)
    bark = np.float32(0.25 + 1.1 * velocity) * _fall(times_s, 0.55)
    body: FloatArray = np.sin(_radians(cycles) + bark * _sine(cycles))
    tine = np.float32(0.10 * velocity) * _fall(times_s, 0.07)
    if 7 * frequency_hz < _HIGHEST_HZ:
        body += tine * _sine(7 * cycles)
    fall_s = 1.9 * (262 / frequency_hz) ** 0.5
    return body * _fall(times_s, fall_s) * _gate(frames, 0.004, 0.2)


def organ(pitch: int, length_s: float, velocity: float) -> FloatArray:
    """Return `(2, frames)` of a drawbar organ, its sides a little out of tune, with percussion."""
    frames = int((length_s + 0.07) * DEMO_RATE_HZ)
    times_s = _times_s(frames)
    strike = _fall(times_s, 0.12)
    sides = []
    for cents in (-2.5, 2.5):
        cycles = _cycles(pitch_hz(pitch + cents / 100), frames)
        side = _sine(cycles) + np.float32(0.35) * _sine(3 * cycles) * strike
        side += (np.float32(0.45) + np.float32(0.6 * velocity) * strike) * _sine(2 * cycles)
        sides.append((side + np.float32(0.12) * _sine(4 * cycles)) * _gate(frames, 0.006, 0.06))
    return np.stack(sides) * _fall(times_s, 0.9)


def stab(pitch: int, length_s: float, velocity: float) -> FloatArray:
    """Return `(2, frames)` of detuned sawtooths with a filter that closes."""
    frames = int((length_s + 0.12) * DEMO_RATE_HZ)
    times_s = _times_s(frames)
    cutoff_hz = 500 + np.float32(2600 * velocity) * _fall(times_s, 0.16)
    low, mid, high = (
        _filtered_saw(pitch_hz(pitch + cents / 100), frames, cutoff_hz, 24) for cents in (-8, 0.7, 8)
    )
    sides = np.stack([low + 0.8 * mid + 0.25 * high, high + 0.8 * mid + 0.25 * low])
    return sides * _gate(frames, 0.006, 0.1) * _fall(times_s, 0.7)


def pluck(pitch: int, length_s: float, velocity: float) -> FloatArray:
    """Return `(frames,)` of a soft synthetic pluck."""
    frames = int((max(length_s, 0.25) + 0.15) * DEMO_RATE_HZ)
    frequency_hz, times_s = pitch_hz(pitch), _times_s(frames)
    cutoff_hz = frequency_hz * (1.2 + np.float32(4.5 * velocity) * _fall(times_s, 0.09))
    body = _filtered_saw(frequency_hz, frames, cutoff_hz, 14)
    return body * _fall(times_s, 0.35) * _gate(frames, 0.004, 0.12)


def bell(pitch: int, length_s: float, velocity: float) -> FloatArray:
    """Return `(frames,)` of a small FM bell, mild."""
    frames = int((max(length_s, 0.4) + 0.4) * DEMO_RATE_HZ)
    times_s = _times_s(frames)
    cycles = _cycles(pitch_hz(pitch), frames)
    index = np.float32(0.9 * velocity) * _fall(times_s, 0.25)
    body: FloatArray = np.sin(_radians(cycles) + index * _sine(3 * cycles))
    return body * _fall(times_s, 0.5) * _gate(frames, 0.003, 0.3)


def vibes(pitch: int, length_s: float, velocity: float) -> FloatArray:
    """Return `(frames,)` of a vibraphone: bar modes at 1, 4 and 10 times, with a slow tremolo."""
    frames = int((max(length_s, 0.5) + 0.5) * DEMO_RATE_HZ)
    frequency_hz, times_s = pitch_hz(pitch), _times_s(frames)
    cycles = _cycles(frequency_hz, frames)
    body = _sine(cycles) * _fall(times_s, 0.9)
    body += np.float32(0.22 * velocity) * _sine(4 * cycles) * _fall(times_s, 0.18)
    if 10 * frequency_hz < _HIGHEST_HZ:
        body += np.float32(0.07 * velocity) * _sine(10 * cycles) * _fall(times_s, 0.04)
    tremolo: FloatArray = 1 - np.float32(0.18) * (1 - np.cos(np.float32(2 * np.pi * 4.6) * times_s))
    return body * tremolo * _gate(frames, 0.003, 0.4)


def flute(pitch: int, length_s: float, velocity: float) -> FloatArray:
    """Return `(frames,)` of a soft flute whose vibrato comes late."""
    frames = int((max(length_s, 0.15) + 0.1) * DEMO_RATE_HZ)
    frequency_hz, times_s = pitch_hz(pitch), _times_s(frames)
    vibrato_hz, deviation_hz = 5.1, 0.005 * frequency_hz
    onset = np.clip((times_s - 0.18) / 0.25, 0, 1)
    wobble = deviation_hz / (2 * np.pi * vibrato_hz) * onset * np.sin(2 * np.pi * vibrato_hz * times_s)
    cycles = _cycles(frequency_hz, frames) + wobble
    body = _sine(cycles) + np.float32(0.3) * _sine(2 * cycles)
    body += np.float32(0.14 * velocity) * _sine(3 * cycles) + np.float32(0.04) * _sine(4 * cycles)
    return body * _gate(frames, 0.045, 0.09)


def pad(rng: np.random.Generator, pitch: int) -> FloatArray:
    """Return `(2, PAD_FRAMES)`, a seamless loop: each harmonic a narrow band of random phases.

    The method is PADsynth (P. Nasca, 2006): an ensemble without a beat of its own, wide by nature.
    """
    frequency_hz = pitch_hz(pitch)
    bin_hz = DEMO_RATE_HZ / PAD_FRAMES
    magnitudes = np.zeros(PAD_FRAMES // 2 + 1, np.float32)
    for number in range(1, 25):
        centre_hz = number * frequency_hz
        if centre_hz > 6000:
            break
        width_hz = 0.009 * centre_hz**0.95 + 0.4
        first = max(1, int((centre_hz - 4 * width_hz) / bin_hz))
        bins = np.arange(first, int((centre_hz + 4 * width_hz) / bin_hz) + 1)
        shape = np.exp(-0.5 * ((bins * bin_hz - centre_hz) / width_hz) ** 2) / width_hz**0.5
        magnitudes[bins] += (shape / (number**1.1 * (1 + (centre_hz / 1100) ** 2) ** 0.5)).astype(np.float32)
    angles = np.float32(2 * np.pi) * rng.random((2, len(magnitudes)), np.float32)
    middle, side = np.fft.irfft(magnitudes * (np.cos(angles) + 1j * np.sin(angles)))
    loop = np.stack([middle + 0.65 * side, middle - 0.65 * side]).astype(np.float32)
    loop /= np.sqrt(np.mean(loop**2))
    return loop


def held_pad(loop: FloatArray, length_s: float) -> FloatArray:
    """Return `(2, frames)` of a pad's loop, faded in and out over its neighbours."""
    frames = int((length_s + 0.5) * DEMO_RATE_HZ)
    repeated = np.tile(loop, -(-frames // loop.shape[1]))[:, :frames]
    return repeated * _gate(frames, 0.45, 0.5)
