"""The effects of the demo songs filter, echo, reverberate, duck, limit, and set the loudness.

Stereo is `(2, frames)` float32 here: each side contiguous, which is what every filter wants.
"""

import itertools

import numpy as np
import pyloudnorm
import soxr

from model.base.arrays import FloatArray

DEMO_RATE_HZ = 44_100
LIMITER_BLOCK_FRAMES = 32
LIMITER_REACH_BLOCKS = 24


def noise(rng: np.random.Generator, frames: int, low_hz: float, high_hz: float) -> FloatArray:
    """Return `(frames,)` noise between two frequencies, with an RMS of 1."""
    # A power of two: an FFT of a length with great prime factors takes many times as long.
    size = 1 << max(0, frames - 1).bit_length()
    spectrum = rng.standard_normal((2, size // 2 + 1), np.float32) * band_gain(size, low_hz, high_hz)
    sound = np.fft.irfft(spectrum[0] + np.complex64(1j) * spectrum[1], size)[:frames].astype(np.float32)
    sound /= np.sqrt(np.mean(sound**2))
    return sound


def mid(audio: FloatArray) -> FloatArray:
    """Return the `(frames,)` mean of the two sides."""
    middle: FloatArray = np.float32(0.5) * (audio[0] + audio[1])
    return middle


def band_gain(size: int, low_hz: float, high_hz: float) -> FloatArray:
    """Return the gains of a band-pass with soft shoulders (12 dB per octave) for an FFT of `size`.

    0 Hz leaves a side open.
    """
    frequencies_hz = np.fft.rfftfreq(size, 1 / DEMO_RATE_HZ)
    gain = np.ones(len(frequencies_hz))
    if low_hz > 0:
        ratio = (frequencies_hz / low_hz) ** 2
        gain *= ratio / np.sqrt(1 + ratio**2)
    if high_hz > 0:
        gain /= np.sqrt(1 + (frequencies_hz / high_hz) ** 4)
    return gain.astype(np.float32)


def band_pass(audio: FloatArray, low_hz: float, high_hz: float) -> FloatArray:
    """Return `(channels, frames)` audio through a linear-phase band-pass; 0 Hz leaves a side open."""
    taps = 1024
    while low_hz > 0 and taps * low_hz < 4 * DEMO_RATE_HZ:
        taps *= 2
    return _through(audio, band_gain(taps, low_hz, high_hz))


def toned(audio: FloatArray, low_hz: float, presence_hz: float, presence_db: float) -> FloatArray:
    """Return audio without what is under `low_hz`, with a bell of three octaves round `presence_hz`."""
    taps = 8192
    octaves = np.log2(np.maximum(np.fft.rfftfreq(taps, 1 / DEMO_RATE_HZ), 1.0) / presence_hz)
    bell = 10 ** (presence_db / 20 * np.exp(-0.5 * (octaves / 1.2) ** 2))
    return _through(audio, band_gain(taps, low_hz, 0) * bell.astype(np.float32))


def _through(audio: FloatArray, gain: FloatArray) -> FloatArray:
    """Filter with a windowed FIR of linear phase, its delay taken out; `gain` is that of an FFT's bins."""
    taps = 2 * (len(gain) - 1)
    impulse = np.roll(np.fft.irfft(gain), taps // 2)
    kernel = (impulse * np.hanning(taps + 1)[:taps]).astype(np.float32)
    result = np.empty_like(audio)
    for source, target in zip(audio, result, strict=True):
        target[:] = convolve(source, kernel)[taps // 2 : taps // 2 + len(source)]
    return result


def convolve(sound: FloatArray, kernel: FloatArray) -> FloatArray:
    """Return the linear convolution of two one-dimensional float32 arrays, by overlap-add."""
    size = 1 << max(16, (2 * len(kernel)).bit_length())
    hop = size - len(kernel) + 1
    response = np.fft.rfft(kernel, size)
    result = np.zeros(len(sound) + len(kernel) - 1, np.float32)
    for start in range(0, len(sound), hop):
        block = np.fft.irfft(np.fft.rfft(sound[start : start + hop], size) * response, size)
        stop = min(start + size, len(result))
        result[start:stop] += block[: stop - start]
    return result


def reverb_kernel(rng: np.random.Generator, seconds: float) -> FloatArray:
    """Return `(2, frames)`: decaying noise, the highs dying first, after a short pre-delay.

    seconds: time to fall by 60 dB in the mid band.
    """
    frames, delay = int(seconds * DEMO_RATE_HZ), int(0.018 * DEMO_RATE_HZ)
    times_s = np.arange(frames) / DEMO_RATE_HZ
    tail = np.zeros((2, frames + delay), np.float32)
    for low_hz, high_hz, part, level in (
        (220, 900, 0.9, 1.0),
        (900, 3500, 0.8, 0.8),
        (3500, 9000, 0.45, 0.4),
    ):
        decay = 10 ** (-3 * times_s / (seconds * part)) * np.minimum(1, times_s / 0.012)
        for side in tail:
            side[delay:] += (level * noise(rng, frames, low_hz, high_hz) * decay).astype(np.float32)
    tail /= np.sqrt(np.sum(tail**2, axis=1, keepdims=True))
    return tail


def reverberated(send: FloatArray, kernel: FloatArray) -> FloatArray:
    """Return the `(2, frames)` answer of the room to a `(frames,)` send."""
    return np.stack([convolve(send, side)[: len(send)] for side in kernel])


def ping_pong(audio: FloatArray, delay_s: float, feedback: float, repeats: int = 5) -> FloatArray:
    """Return only the echoes of `(2, frames)`: each later, softer, darker, on the other side."""
    source = band_pass(mid(audio)[None], 250, 3500)[0]
    echoes = np.zeros_like(audio)
    for repeat in range(1, repeats + 1):
        delay = round(repeat * delay_s * DEMO_RATE_HZ)
        if delay >= len(source):
            break
        echo = np.float32(feedback**repeat) * source[: len(source) - delay]
        echoes[repeat % 2, delay:] += echo
        echoes[1 - repeat % 2, delay:] += np.float32(0.25) * echo
    return echoes


def duck_curve(frames: int, starts: list[int], depth: float, release_s: float) -> FloatArray:
    """Return `(frames,)` gains that dip by `depth` at each start and come back within `release_s`."""
    attack, release = int(0.005 * DEMO_RATE_HZ), int(release_s * DEMO_RATE_HZ)
    fall = 0.5 + 0.5 * np.cos(np.linspace(0, np.pi, attack))
    rise = 0.5 - 0.5 * np.cos(np.pi * np.linspace(0, 1, release) ** 0.8)
    dip = (1 - depth * (1 - np.concatenate([fall, rise]))).astype(np.float32)
    gains = np.ones(frames, np.float32)
    for start in starts:
        # The fall ends where the kick starts, so that there is room for its first sample.
        first = max(0, start - attack)
        offset = first - (start - attack)
        span = gains[first : first + len(dip) - offset]
        np.minimum(span, dip[offset : offset + len(span)], out=span)
    return gains


def limited(audio: FloatArray, ceiling: float) -> FloatArray:
    """Return `(2, frames)` audio with no sample over `ceiling`; the gain moves smoothly, both sides alike."""
    frames = audio.shape[1]
    blocks = -(-frames // LIMITER_BLOCK_FRAMES)
    peaks = np.abs(audio).max(axis=0)
    peaks = np.pad(peaks, (0, blocks * LIMITER_BLOCK_FRAMES - frames)).reshape(blocks, -1).max(axis=1)
    needed = np.minimum(1.0, ceiling / np.maximum(peaks, 1e-9))
    # The least gain within reach, then averaged over one block less: never more than is needed, neither in
    # a block nor on the way to the next.
    reach = LIMITER_REACH_BLOCKS
    padded = np.pad(needed, reach + 1, constant_values=1.0)
    least = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 3).min(axis=1)
    window = np.hanning(2 * reach + 3)[1:-1]
    padded = np.pad(least, (reach, reach + 1), mode="edge")
    smooth = np.convolve(padded, window / window.sum(), mode="valid").astype(np.float32)
    way = np.arange(LIMITER_BLOCK_FRAMES, dtype=np.float32) / LIMITER_BLOCK_FRAMES
    gains = (smooth[:-1, None] + np.diff(smooth)[:, None] * way).ravel()[:frames]
    return audio * gains.astype(np.float32)


def level_db(audio: FloatArray) -> float:
    """Return the level of a part where it plays: the 90th percentile of its 400 ms RMS levels, dBFS."""
    block = min(int(0.4 * DEMO_RATE_HZ), audio.shape[1])
    rows = audio[:, : audio.shape[1] // block * block].reshape(len(audio), -1, block)
    powers = np.einsum("cij,cij->i", rows, rows) / (len(audio) * block)
    sounding = powers[powers > 1e-9]
    return float(10 * np.log10(np.percentile(sounding, 90))) if len(sounding) else -120.0


def mix_loudness_lufs(audio: FloatArray) -> float:
    """Return the integrated loudness of `(2, frames)` audio (ITU-R BS.1770)."""
    return float(pyloudnorm.Meter(DEMO_RATE_HZ).integrated_loudness(audio.T))


def mix_true_peak(audio: FloatArray) -> float:
    """Return the greatest magnitude of the waveform, four times oversampled (ITU-R BS.1770, annex 2)."""
    peaks = []
    block, margin = 1 << 18, 256
    for start, side in itertools.product(range(0, audio.shape[1], block), audio):
        span = side[max(0, start - margin) : start + block + margin]
        peaks.append(float(np.abs(soxr.resample(span, DEMO_RATE_HZ, 4 * DEMO_RATE_HZ, quality="HQ")).max()))
    return max(peaks)
