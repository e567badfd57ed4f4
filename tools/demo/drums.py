"""The drum kit of the demo songs plays one-shots made of swept sines and shaped noise."""

import numpy as np

from model.base.arrays import FloatArray
from tools.demo.effects import DEMO_RATE_HZ, noise


def _times_s(seconds: float) -> FloatArray:
    return np.arange(int(seconds * DEMO_RATE_HZ), dtype=np.float32) / np.float32(DEMO_RATE_HZ)


def _closed(sound: FloatArray, fade_s: float = 0.012) -> FloatArray:
    """Fade the end, so that a one-shot never stops on a step."""
    fade = min(int(fade_s * DEMO_RATE_HZ), sound.shape[-1])
    sound[..., -fade:] *= 0.5 + 0.5 * np.cos(np.linspace(0, np.pi, fade, dtype=np.float32))
    return sound.astype(np.float32)


def _swept(times_s: FloatArray, start_hz: float, end_hz: float, fall_s: float) -> FloatArray:
    """A sine whose frequency falls exponentially; its phase is that frequency's integral."""
    cycles = end_hz * times_s + (start_hz - end_hz) * fall_s * (1 - np.exp(-times_s / fall_s))
    sine: FloatArray = np.sin(np.float32(2 * np.pi) * cycles)
    return sine


def kick(rng: np.random.Generator) -> FloatArray:
    """Return `(frames,)`: a sine that falls to about 50 Hz, a little driven, with a soft click."""
    times_s = _times_s(0.42)
    body = _swept(times_s, float(rng.uniform(170, 220)), float(rng.uniform(46, 53)), 0.032)
    body *= np.exp(-times_s / float(rng.uniform(0.13, 0.17))) * np.minimum(1, times_s / 0.0008)
    body = np.tanh(1.6 * body) / np.tanh(np.float32(1.6))
    click = noise(rng, len(times_s), 1500, 6000) * np.exp(-times_s / 0.004) * np.minimum(1, times_s / 0.0004)
    return _closed(body + np.float32(0.07) * click, 0.06)


def clap(rng: np.random.Generator) -> FloatArray:
    """Return `(2, frames)`: four bursts of band noise and a tail, a little different on each side."""
    times_s = _times_s(0.4)
    shape = np.zeros_like(times_s)
    for start_s, fall_s, level in (
        (0.0, 0.006, 0.8),
        (0.010, 0.006, 0.8),
        (0.021, 0.007, 0.9),
        (0.031, 0.075, 1),
    ):
        after_s = np.maximum(times_s - start_s, 0)
        shape += level * np.exp(-after_s / fall_s) * np.minimum(1, after_s / 0.0008)
    shape[0] = 0
    middle = noise(rng, len(times_s), 900, 4200)
    sides = [0.8 * middle + 0.6 * noise(rng, len(times_s), 1100, 5200) for _ in range(2)]
    return _closed(np.stack([side * shape for side in sides]) * np.float32(0.3))


def snare(rng: np.random.Generator) -> FloatArray:
    """Return `(2, frames)`: a short tone and brushed noise."""
    times_s = _times_s(0.35)
    tone = _swept(times_s, 260, 185, 0.02) * np.exp(-times_s / 0.07)
    rustle = [noise(rng, len(times_s), 700, 6000) * np.exp(-times_s / 0.085) for _ in range(2)]
    attack = np.minimum(1, times_s / 0.001)
    return _closed(np.stack([(0.5 * tone + 0.22 * side) * attack for side in rustle]))


def rim(rng: np.random.Generator) -> FloatArray:
    """Return `(frames,)`: a dry knock on the rim."""
    times_s = _times_s(0.18)
    ring = np.sin(2 * np.pi * 1680 * times_s) * 0.5 + np.sin(2 * np.pi * 530 * times_s)
    knock = ring * np.exp(-times_s / 0.018)
    knock += 0.35 * noise(rng, len(times_s), 1200, 5000) * np.exp(-times_s / 0.009)
    return _closed(np.float32(0.6) * knock * np.minimum(1, times_s / 0.0006))


def hat(rng: np.random.Generator, fall_s: float) -> FloatArray:
    """Return `(frames,)`: a hi-hat; closed falls within 30 ms, open within 150 ms."""
    times_s = _times_s(min(0.6, 6 * fall_s))
    sound = noise(rng, len(times_s), 6500, 11_000) * np.exp(-times_s / fall_s)
    return _closed(np.float32(0.25) * sound * np.minimum(1, times_s / 0.001))


def shaker(rng: np.random.Generator) -> FloatArray:
    """Return `(frames,)`: grains thrown forward, so its attack is soft."""
    times_s = _times_s(0.16)
    shape = np.minimum(1, times_s / 0.018) * np.exp(-np.maximum(times_s - 0.018, 0) / 0.03)
    return _closed(np.float32(0.25) * noise(rng, len(times_s), 3800, 8500) * shape)


def conga(rng: np.random.Generator, pitch_hz: float) -> FloatArray:
    """Return `(frames,)`: a hand on a skin."""
    times_s = _times_s(0.4)
    skin = _swept(times_s, 1.3 * pitch_hz, pitch_hz, 0.015) * np.exp(-times_s / 0.09)
    slap = 0.12 * noise(rng, len(times_s), 800, 4000) * np.exp(-times_s / 0.008)
    return _closed((skin + slap) * np.minimum(1, times_s / 0.001) * np.float32(0.6))


def crash(rng: np.random.Generator) -> FloatArray:
    """Return `(2, frames)`: a soft wash to open a section."""
    times_s = _times_s(3.2)
    shape = np.exp(-times_s / 0.75) * np.minimum(1, times_s / 0.004)
    sides = [noise(rng, len(times_s), 2800, 9000) * shape for _ in range(2)]
    return _closed(np.float32(0.2) * np.stack(sides), 0.4)


def riser(rng: np.random.Generator, seconds: float) -> FloatArray:
    """Return `(2, frames)`: noise that climbs from the low mids to the highs and swells."""
    times_s = _times_s(seconds)
    gone = times_s / np.float32(max(seconds, 1e-3))
    centres = np.geomspace(350, 7000, 8)
    sound = np.zeros((2, len(times_s)), np.float32)
    for band, centre_hz in enumerate(centres):
        weight = np.exp(-0.5 * ((gone * (len(centres) - 1) - band) / 0.9) ** 2) * gone**1.5
        for side in sound:
            side += weight * noise(rng, len(times_s), centre_hz / 1.2, centre_hz * 1.2)
    return _closed(np.float32(0.2) * sound, 0.03)
