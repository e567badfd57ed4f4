"""The ring's kernels are what its writer and its reader do to the memory that they share.

They stand in one module with PortAudio's callback, because numba's cache looks at one source file each: a
callback compiled against another layout would be a wild pointer.
"""

import ctypes
import functools
import math
from typing import Any

import numpy as np
from numba import carray, cfunc, types  # type: ignore[attr-defined]

from model.base.arrays import FloatArray, IntArray
from model.base.kernel_cache import caching
from model.base.kernels import kernel
from stream.outputs.ring.atomics import load_acquire, store_release

# Gains are whole multiples of 2^-24, so that ramps are exact and a gain fits a float32.
UNITY = 1 << 24

# Slots of the header, a cache line (8 slots) for each of: constants, the writer, any thread, the reader.
CAPACITY, FADE_FRAMES, GAIN_STEP = 0, 1, 2
WRITTEN, WRITING, PUBLISHED = 8, 10, 11
PAUSED, VOLUME = 16, 17
READ, CURRENT, ACKNOWLEDGED, FADE_LEFT, GAIN = 24, 26, 27, 28, 29
FRAMES_OUT, UNDERRUN_FRAMES, FILLS, STATUS_FLAGS, DEVICE_UNDERRUNS = 32, 33, 34, 35, 36
HEADER_SLOTS = 40
# WRITTEN and READ are cursors of two buffers each; generation g stands in buffer g & 1.

_OUTPUT_UNDERFLOW = 4  # paOutputUnderflow
_CONTINUE = 0  # paContinue


@kernel
def load(header: IntArray, slot: int) -> int:
    """Return a slot of the header."""
    return load_acquire(header, slot)


@kernel
def store(header: IntArray, slot: int, value: int) -> None:
    """Set a slot of the header."""
    store_release(header, slot, value)


@kernel
def space_frames(header: IntArray) -> int:
    """Return how many frames `write` takes now."""
    buffer = load_acquire(header, WRITING) & 1
    # In this order, so that another thread than the writer never sees more read than written.
    read = load_acquire(header, READ + buffer)
    written = load_acquire(header, WRITTEN + buffer)
    space: int = max(header[CAPACITY] - (written - read), 0)
    return space


@kernel
def readable_frames(header: IntArray) -> int:
    """Return how many frames the reader can have without an underrun."""
    buffer = load_acquire(header, PUBLISHED) & 1
    return load_acquire(header, WRITTEN + buffer) - load_acquire(header, READ + buffer)


@kernel
def write(header: IntArray, audio: FloatArray, samples: FloatArray, prefill_frames: int) -> int:
    """Copy what fits of `samples`, `(2 * frames,)` float32, and return how many frames that was.

    A generation in preparation is published when it holds `prefill_frames`.
    """
    capacity = header[CAPACITY]
    generation = header[WRITING]
    buffer = generation & 1
    written = header[WRITTEN + buffer]
    space = capacity - (written - load_acquire(header, READ + buffer))
    frames: int = min(len(samples) // 2, space)
    base = 2 * capacity * buffer
    at = written % capacity
    before_end = min(frames, capacity - at)
    for i in range(2 * before_end):
        audio[base + 2 * at + i] = samples[i]
    for i in range(2 * before_end, 2 * frames):
        audio[base + i - 2 * before_end] = samples[i]
    written += frames
    store_release(header, WRITTEN + buffer, written)
    if generation != header[PUBLISHED] and written - header[READ + buffer] >= prefill_frames:
        store_release(header, PUBLISHED, generation)
    return frames


@kernel
def switch(header: IntArray) -> bool:
    """Begin a new generation, or begin it anew; False while the reader has not gone over to the last."""
    generation = header[WRITING]
    if generation == header[PUBLISHED]:
        if load_acquire(header, ACKNOWLEDGED) != generation:
            return False
        generation += 1
    # Neither heard nor published: until it is, this buffer's read cursor is the writer's, too.
    buffer = generation & 1
    store_release(header, READ + buffer, header[WRITTEN + buffer])
    store_release(header, WRITING, generation)
    return True


@kernel
def discard(header: IntArray) -> None:
    """Drop all that is readable, as the reader."""
    generation = load_acquire(header, PUBLISHED)
    buffer = generation & 1
    store_release(header, READ + buffer, load_acquire(header, WRITTEN + buffer))
    header[CURRENT] = generation
    header[FADE_LEFT] = 0
    store_release(header, GAIN, 0)
    store_release(header, ACKNOWLEDGED, generation)


@kernel
def fill(header: IntArray, audio: FloatArray, out: FloatArray) -> None:
    """Fill `out` from the ring: the reader, compiled; allocates nothing, takes no lock and cannot raise.

    header, audio: the two parts of a ring's memory. out: `(2 * frames,)` float32, interleaved.
    """
    frames = len(out) // 2
    gain = header[GAIN]
    step = header[GAIN_STEP]
    target = load_acquire(header, VOLUME)
    wanted = frames
    if load_acquire(header, PAUSED) != 0:
        # Frames are consumed only while they can be heard.
        target = 0
        wanted = min(frames, (gain + step - 1) // step)

    generation = load_acquire(header, PUBLISHED)
    if generation != header[CURRENT]:
        header[CURRENT] = generation
        header[FADE_LEFT] = header[FADE_FRAMES]
    if header[FADE_LEFT] > 0 and gain == 0:
        # Nothing is heard of the old generation, and in a pause this is as far as it would ever get.
        header[FADE_LEFT] = 0
        store_release(header, ACKNOWLEDGED, generation)

    buffer = generation & 1
    taken = _copy(header, audio, buffer, wanted, out)
    fade_left = header[FADE_LEFT]
    if fade_left > 0:
        _fade_from(header, audio, 1 - buffer, min(fade_left, wanted), out)
        if header[FADE_LEFT] == 0:
            store_release(header, ACKNOWLEDGED, generation)
    for i in range(2 * wanted, 2 * frames):
        out[i] = 0.0
    gain = _apply_gain(gain, target, step, wanted, out)

    store_release(header, GAIN, gain)
    store_release(header, FRAMES_OUT, header[FRAMES_OUT] + taken)
    store_release(header, UNDERRUN_FRAMES, header[UNDERRUN_FRAMES] + wanted - taken)
    store_release(header, FILLS, header[FILLS] + 1)


@kernel
def _copy(header: IntArray, audio: FloatArray, buffer: int, wanted: int, out: FloatArray) -> int:
    capacity = header[CAPACITY]
    read = header[READ + buffer]
    frames: int = min(wanted, load_acquire(header, WRITTEN + buffer) - read)
    base = 2 * capacity * buffer
    at = read % capacity
    before_end = min(frames, capacity - at)
    for i in range(2 * before_end):
        out[i] = audio[base + 2 * at + i]
    for i in range(2 * before_end, 2 * frames):
        out[i] = audio[base + i - 2 * before_end]
    for i in range(2 * frames, 2 * wanted):
        out[i] = 0.0
    store_release(header, READ + buffer, read + frames)
    return frames


@kernel
def _fade_from(header: IntArray, audio: FloatArray, buffer: int, frames: int, out: FloatArray) -> None:
    """Blend the old generation into the first frames of `out`; it is short of frames only if it ran dry."""
    capacity = header[CAPACITY]
    length = header[FADE_FRAMES]
    done = length - header[FADE_LEFT]
    read = header[READ + buffer]
    ready = min(frames, load_acquire(header, WRITTEN + buffer) - read)
    base = 2 * capacity * buffer
    for i in range(frames):
        new = 0.5 - 0.5 * math.cos(math.pi * (done + i + 0.5) / length)
        at = base + 2 * ((read + i) % capacity)
        for channel in range(2):
            old = audio[at + channel] if i < ready else np.float32(0.0)
            out[2 * i + channel] = np.float32(old * (1.0 - new) + out[2 * i + channel] * new)
    store_release(header, READ + buffer, read + ready)
    header[FADE_LEFT] -= frames


@kernel
def _apply_gain(gain: int, target: int, step: int, frames: int, out: FloatArray) -> int:
    for i in range(frames):
        if gain == target:
            if gain == UNITY:
                break
        elif gain < target:
            gain = min(gain + step, target)
        else:
            gain = max(gain - step, target)
        factor = np.float32(gain) * np.float32(1.0 / UNITY)
        out[2 * i] *= factor
        out[2 * i + 1] *= factor
    return gain


@functools.cache
def portaudio_callback() -> Any:
    """Return the compiled `PaStreamCallback`, which plays the ring whose address is its user data.

    It copies, fills with zeros and counts, and never takes Python's global lock.
    """
    # `unsigned long` is 32 bits wide on Windows.
    unsigned_long = types.Integer.from_bitwidth(8 * ctypes.sizeof(ctypes.c_ulong), signed=False)
    pointer = types.voidptr
    signature = types.intc(pointer, pointer, unsigned_long, pointer, unsigned_long, pointer)
    with caching(_callback) as kept:
        return cfunc(signature, cache=kept)(_callback)


def _callback(_input: Any, output: Any, frames: int, _time: Any, flags: int, memory: Any) -> int:
    header = carray(memory, (HEADER_SLOTS,), np.int64)
    whole = carray(memory, (2 * HEADER_SLOTS + 4 * header[CAPACITY],), np.float32)
    if flags != 0:
        store_release(header, STATUS_FLAGS, header[STATUS_FLAGS] | np.int64(flags))
        if flags & _OUTPUT_UNDERFLOW:
            store_release(header, DEVICE_UNDERRUNS, header[DEVICE_UNDERRUNS] + 1)
    fill(header, whole[2 * HEADER_SLOTS :], carray(output, (2 * np.int64(frames),), np.float32))
    return _CONTINUE
