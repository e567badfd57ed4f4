"""This helper offers at a pace, decodes what was heard, and compares it, for tests of outputs."""

import io
import threading
import time
from typing import Protocol

import av
import numpy as np
import soxr

from model.base.arrays import FloatArray
from tests.support.waiting import wait_until as wait_until

RATE_HZ = 44_100
_LONGEST_FRAME_BYTES = 1 << 13


class Offered(Protocol):
    def space_frames(self) -> int: ...

    def offer(self, block: FloatArray) -> None: ...


def music(seconds: float, seed: int = 0, rate_hz: int = RATE_HZ) -> FloatArray:
    """Return `(frames, 2)` of a sound that never repeats: gliding chords with a beat, in true stereo."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(round(seconds * rate_hz)) / rate_hz
    sides = np.zeros((len(time_s), 2))
    for side in range(2):
        for _ in range(6):
            start_hz, glide_hz, wobble_hz = rng.uniform([110, -20, 0.05], [1500, 20, 0.4])
            phase = start_hz * time_s + glide_hz * np.sin(2 * np.pi * wobble_hz * time_s) / wobble_hz
            sides[:, side] += 0.06 * np.sin(2 * np.pi * phase + rng.uniform(0, 6))
    beat = 0.7 + 0.3 * np.cos(2 * np.pi * 2.1 * time_s)
    return (sides * beat[:, np.newaxis]).astype(np.float32)


class Feeder:
    """Offers `sound` once in a thread, `speed` times as fast as it would play, in blocks of 50 ms.

    What is to be heard whole waits for room, however slow the machine is. An endless one (loop) does not.
    """

    def __init__(self, output: Offered, sound: FloatArray, speed: float = 4.0, *, loop: bool = False) -> None:
        self.offers = 0
        self._output, self._sound, self._speed, self._loop = output, sound, speed, loop
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "Feeder":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    @property
    def done(self) -> bool:
        return not self._thread.is_alive()

    def _run(self) -> None:
        frames = RATE_HZ // 20
        due_s = time.monotonic()
        while True:
            for start in range(0, len(self._sound), frames):
                while not self._loop and self._output.space_frames() < frames and not self._stop.wait(0.01):
                    pass
                if self._stop.is_set():
                    return
                self._output.offer(self._sound[start : start + frames])
                self.offers += 1
                due_s += frames / RATE_HZ / self._speed
                self._stop.wait(max(0.0, due_s - time.monotonic()))
            if not self._loop:
                return


def decode(data: bytes, *, torn: bool = False) -> tuple[FloatArray, int]:
    """Return what a player would hear, `(frames, 2)`, and its rate in Hz, by FFmpeg.

    torn: it may begin and end within a frame, which a player forgives.
    """
    if torn:
        data = _whole_frames(data)
    with av.open(io.BytesIO(data)) as container:
        resampler = av.AudioResampler(format="flt", layout="stereo")
        blocks = []
        rate_hz = container.streams.audio[0].rate
        refused = 0
        for packet in container.demux(audio=0):
            try:
                frames = packet.decode()
            except av.FFmpegError:
                refused += 1
                assert torn and refused <= 8
                continue
            for frame in frames:
                blocks += [part.to_ndarray().reshape(-1, 2) for part in resampler.resample(frame)]
    return np.concatenate(blocks), rate_hz


def _whole_frames(data: bytes) -> bytes:
    """Return the whole frames of AAC (ADTS, ISO 13818-7) that follow each other, or all where it is none.

    What is before the first can look like the head of a frame, by which FFmpeg 8.1 then reads what follows:
    a second was lost, or all packets refused, of a stream that was whole. What is behind the last it refuses.
    """
    for begin in range(min(len(data), _LONGEST_FRAME_BYTES)):
        frames, end = 0, begin
        while size := _frame_bytes(data[end : end + 7]):
            if end + size > len(data):
                break
            frames, end = frames + 1, end + size
        if frames >= 3:
            return data[begin:end]
    return data


def _frame_bytes(head: bytes) -> int:
    """Return how long a frame is by its head, 0 where this is the head of none."""
    if len(head) < 7 or head[0] != 0xFF or head[1] & 0xF6 != 0xF0:
        return 0
    return (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5


def residual_db(offered: FloatArray, heard: FloatArray, heard_rate_hz: int, skip_s: float = 0.3) -> float:
    """Return the level of (heard - offered) over that of offered, in dB, where the two overlap, aligned.

    LAME lowers its input by 5 % against clipping: a gain of 0.94 to 1.01 is no error.
    skip_s: left out at both ends of what was heard (fades, a codec's first and last frames).
    """
    if heard_rate_hz != RATE_HZ:
        offered = soxr.resample(offered, RATE_HZ, heard_rate_hz)
    skip = round(skip_s * heard_rate_hz)
    heard = heard[skip : len(heard) - skip]
    lag = _lag_frames(offered, heard)
    assert lag >= 0, "something was heard before it was offered"
    reference = offered[lag : lag + len(heard)]
    assert len(reference) == len(heard), "more was heard than was offered"
    gain = np.vdot(heard, reference) / np.vdot(reference, reference)
    assert 0.94 < gain < 1.01, f"what was heard is {gain:.3f} times as loud as what was offered"
    error = np.square(heard / gain - reference).mean() / np.square(reference).mean()
    print(f"residual {10 * np.log10(error + 1e-20):.1f} dB, gain {gain:.4f}; each quarter of a second:")
    print(*(f"{level:.0f}" for level in _levels_db(heard / gain - reference, reference, heard_rate_hz // 4)))
    return float(10 * np.log10(error + 1e-20))


def _levels_db(error: FloatArray, reference: FloatArray, step: int) -> list[float]:
    """Return the level of an error over that of the reference, in dB, of each step of so many frames."""
    return [
        10
        * float(
            np.log10(
                (np.square(error[at : at + step]).mean() + 1e-20)
                / (np.square(reference[at : at + step]).mean() + 1e-20)
            )
        )
        for at in range(0, len(error), step)
    ]


def begins_at_s(offered: FloatArray, heard: FloatArray, heard_rate_hz: int) -> float:
    """Return where in what was offered that begins which was heard, in seconds."""
    if heard_rate_hz != RATE_HZ:
        offered = soxr.resample(offered, RATE_HZ, heard_rate_hz)
    return _lag_frames(offered, heard) / heard_rate_hz


def _lag_frames(offered: FloatArray, heard: FloatArray) -> int:
    size = 1 << (len(offered) + len(heard)).bit_length()
    spectrum = np.fft.rfft(offered.mean(axis=1), size) * np.conj(np.fft.rfft(heard.mean(axis=1), size))
    lag = int(np.argmax(np.fft.irfft(spectrum, size)))
    # What was offered is longer than half of them may be.
    return lag - size if lag >= len(offered) else lag
