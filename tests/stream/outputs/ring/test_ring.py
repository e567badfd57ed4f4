"""The ring does what a ring in plain Python does, between threads and for the compiled callback too."""

import ctypes
import math
import threading
import time

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.base.arrays import FloatArray, IntArray
from stream.outputs.ring import kernels as ring_kernels
from stream.outputs.ring.kernels import HEADER_SLOTS, UNITY, portaudio_callback
from stream.outputs.ring.ring import Ring
from tests.support.waiting import PATIENCE_S


class ModelRing:
    """The ring in plain Python: a list of frames for each generation, one frame at a time."""

    def __init__(self, capacity: int, fade: int, ramp: int, from_silence: bool) -> None:
        self.capacity, self.fade = capacity, fade
        self.step = math.ceil(UNITY / ramp)
        self.gain = 0 if from_silence else UNITY
        self.volume, self.paused = UNITY, False
        self.heard: list[list[float]] = []
        self.old: list[list[float]] = []
        self.prepared: list[list[float]] | None = None
        self.prefill = 0
        self.waiting: list[list[float]] | None = None
        self.fading = 0
        self.frames_out = self.underruns = 0

    def written_to(self) -> list[list[float]]:
        if self.prepared is not None:
            return self.prepared
        return self.heard if self.waiting is None else self.waiting

    def write(self, block: FloatArray) -> int:
        target = self.written_to()
        frames = min(len(block), self.capacity - len(target))
        target.extend(block[:frames].tolist())
        if self.prepared is not None and len(self.prepared) >= self.prefill:
            self.waiting, self.prepared = self.prepared, None
        return frames

    def switch(self, prefill: int) -> bool:
        self.prefill = min(max(prefill, 1), self.capacity)
        if self.prepared is None and (self.waiting is not None or self.fading):
            return False
        self.prepared = []
        return True

    def read(self, frames: int) -> FloatArray:
        if self.waiting is not None:
            self.old, self.heard, self.waiting = self.heard, self.waiting, None
            self.fading = self.fade
        if self.gain == 0:
            self.fading = 0
        out = np.zeros((frames, 2))
        target = 0 if self.paused else self.volume
        for i in range(frames):
            if self.paused and self.gain == 0:
                break
            frame = [0.0, 0.0]
            if self.heard:
                frame = self.heard.pop(0)
                self.frames_out += 1
            else:
                self.underruns += 1
            if self.fading:
                new = 0.5 - 0.5 * math.cos(math.pi * (self.fade - self.fading + 0.5) / self.fade)
                before = self.old.pop(0) if self.old else [0.0, 0.0]
                frame = [b * (1 - new) + f * new for b, f in zip(before, frame, strict=True)]
                self.fading -= 1
            self.gain += max(-self.step, min(self.step, target - self.gain))
            out[i] = np.array(frame) * self.gain / UNITY
        return out.astype(np.float32)


sizes = st.integers(0, 40)
actions = st.one_of(
    st.tuples(st.just("write"), sizes),
    st.tuples(st.just("read"), sizes),
    st.tuples(st.just("switch"), st.integers(0, 30)),
    st.tuples(st.just("pause"), st.booleans()),
    st.tuples(st.just("gain"), st.sampled_from([0.0, 0.25, 0.7, 1.0])),
    st.tuples(st.just("discard"), st.none()),
)


@settings(max_examples=150)
@given(
    capacity=st.integers(1, 50),
    fade=st.integers(1, 12),
    ramp=st.integers(1, 25),
    from_silence=st.booleans(),
    script=st.lists(actions, max_size=60),
)
def test_any_script_gives_what_the_model_gives(
    capacity: int, fade: int, ramp: int, from_silence: bool, script: list[tuple[str, object]]
) -> None:
    ring = Ring(capacity, fade_frames=fade, ramp_frames=ramp, from_silence=from_silence)
    model = ModelRing(capacity, fade, ramp, from_silence)
    noise = np.random.default_rng(0).uniform(-1, 1, (60 * 40, 2)).astype(np.float32)
    written = 0
    for action, value in script:
        if action == "write":
            block = noise[written : written + int(value)]  # type: ignore[call-overload]
            taken = ring.write(block)
            assert taken == model.write(block)
            written += taken
        elif action == "read":
            heard = ring.read(int(value))  # type: ignore[call-overload]
            np.testing.assert_allclose(heard, model.read(len(heard)), atol=1e-6)
        elif action == "switch":
            assert ring.switch(int(value)) == model.switch(int(value))  # type: ignore[call-overload]
        elif action == "pause":
            model.paused = bool(value)
            ring.pause(model.paused)
        elif action == "gain":
            model.volume = round(float(value) * UNITY)  # type: ignore[arg-type]
            ring.set_gain(float(value))  # type: ignore[arg-type]
        else:
            ring.discard()
            if model.waiting is not None:
                model.waiting = None
            model.heard, model.old, model.fading, model.gain = [], [], 0, 0
        assert ring.buffered_frames() == len(model.written_to())
        assert ring.space_frames() == capacity - len(model.written_to())
        assert ring.readable_frames() == len(model.heard if model.waiting is None else model.waiting)
        assert ring.preparing == (model.prepared is not None)
        assert ring.switching == (model.prepared is not None or model.waiting is not None or model.fading > 0)
        assert ring.silent == (model.gain == 0)
        assert (ring.frames_out, ring.underrun_frames) == (model.frames_out, model.underruns)


def test_what_is_written_is_read_bit_for_bit() -> None:
    ring = Ring(1000)
    noise = np.random.default_rng(1).uniform(-1, 1, (10_000, 2)).astype(np.float32)
    heard = []
    for start in range(0, len(noise), 400):
        assert ring.write(noise[start : start + 400]) == 400
        heard.append(ring.read(400))
    assert np.array_equal(np.concatenate(heard), noise)
    assert ring.underrun_frames == 0


def test_a_long_pause_reads_nothing_and_is_no_underrun() -> None:
    ring = Ring(1000, ramp_frames=10)
    ring.write(np.ones((100, 2), dtype=np.float32))
    ring.pause(True)
    falling = ring.read(500)[:, 0]
    assert np.all(np.diff(falling[:10]) < 0)
    assert not falling[10:].any()
    assert ring.silent
    assert (ring.frames_out, ring.underrun_frames, ring.buffered_frames()) == (10, 0, 90)
    ring.pause(False)
    rising = ring.read(90)[:, 0]
    assert np.all(np.diff(rising[:10]) > 0)
    assert np.all(rising[10:] == 1)


def test_a_switch_fades_over_without_a_step() -> None:
    ring = Ring(1000, fade_frames=100)
    ring.write(np.full((1000, 2), 0.5, dtype=np.float32))
    ring.read(10)
    assert ring.switch(50)
    ring.write(np.full((49, 2), -0.5, dtype=np.float32))
    assert np.all(ring.read(20) == 0.5)
    ring.write(np.full((151, 2), -0.5, dtype=np.float32))
    assert not ring.switch(50)
    heard = ring.read(150)[:, 0]
    assert np.all(heard[100:] == -0.5)
    assert np.abs(np.diff(heard)).max() < np.pi / 2 / 100 + 1e-6
    assert not ring.switching
    assert ring.switch(50)


def test_two_threads_lose_repeat_and_tear_nothing() -> None:
    # Frame i of generation g is (v, -v) with v = 4096 g + i; float32 holds it exactly.
    generations, frames = 40, 4000
    ring = Ring(512, fade_frames=1)
    heard: list[FloatArray] = []
    done = threading.Event()

    def read() -> None:
        sizes = np.random.default_rng(2).integers(2, 300, 1000)
        count = 0
        while not done.is_set() or ring.readable_frames() or ring.switching:
            finished = done.is_set()
            ready = min(ring.readable_frames(), int(sizes[count % len(sizes)]))
            # A read of one frame may be a crossfade and nothing else, and the next could follow at once.
            ready = 0 if ready == 1 and not finished else ready
            if ready or ring.switching:
                heard.append(ring.read(ready))
            else:
                time.sleep(0)
            count += 1

    def write(block: FloatArray) -> None:
        while len(block):
            block = block[ring.write(block) :]

    reader = threading.Thread(target=read)
    reader.start()
    values = np.arange(1, frames + 1, dtype=np.float32)
    # More than a ring holds: what is published is full, and no read that was begun before finds too little.
    lengths = np.random.default_rng(3).integers(600, frames, generations)
    for generation in range(generations):
        content = 4096 * generation + values[: lengths[generation]]
        if generation:
            while not ring.switch(5):
                pass
        write(np.stack([content, -content], axis=1))
    done.set()
    reader.join(PATIENCE_S)
    assert not reader.is_alive()
    assert ring.underrun_frames == 0

    out = np.concatenate(heard)
    assert np.array_equal(out[:, 0], -out[:, 1])
    value = out[:, 0].astype(np.float64)
    steps = np.diff(value)
    expected = np.zeros(len(value), dtype=bool)
    expected[0] = value[0] == 1
    expected[1:] = steps == 1
    # Only where a generation begins: one frame half old, half new, and then the new one's second frame.
    odd = np.flatnonzero(~expected)
    blended = odd[::2]
    assert np.array_equal(odd[1::2], blended + 1)
    assert len(blended) == generations - 1
    for number, at in enumerate(blended, start=1):
        assert value[at + 1] == 4096 * number + 2
        first = 4096 * number + 1
        before = value[at - 1]
        ran_dry = before == 4096 * (number - 1) + lengths[number - 1]
        assert value[at] == (first + (0 if ran_dry else before + 1)) / 2


@numba.njit(nogil=True)
def _produce(header: IntArray, audio: FloatArray, total: int) -> None:
    block = np.empty(2 * 50, dtype=np.float32)
    for begin in range(0, total, 50):
        for i in range(50):
            block[2 * i] = (begin + i) % 65_536
            block[2 * i + 1] = -block[2 * i]
        done = 0
        while done < 50:
            done += ring_kernels.write(header, audio, block[2 * done :], 0)


@numba.njit(nogil=True)
def _consume(header: IntArray, audio: FloatArray, total: int) -> int:
    out = np.empty(2 * 64, dtype=np.float32)
    read = wrong = 0
    while read < total:
        frames = min(ring_kernels.readable_frames(header), 64)
        ring_kernels.fill(header, audio, out[: 2 * frames])
        for i in range(frames):
            value = (read + i) % 65_536
            if out[2 * i] != value or out[2 * i + 1] != -value:
                wrong += 1
        read += frames
    return wrong


def test_two_compiled_threads_agree_on_every_frame() -> None:
    # Neither takes the global lock, so that they really meet.
    ring = Ring(777)
    total = 2_000_000
    header, audio = ring._header, ring._audio
    _produce(header, audio, 0)
    assert _consume(header, audio, 0) == 0
    writer = threading.Thread(target=_produce, args=(header, audio, total))
    writer.start()
    assert _consume(header, audio, total) == 0
    writer.join()
    assert (ring.frames_out, ring.underrun_frames) == (total, 0)


@pytest.mark.parametrize("frames", [1, 256, 700])
def test_the_callback_plays_the_ring_at_its_address(frames: int) -> None:
    ring = Ring(600)
    noise = np.random.default_rng(4).uniform(-1, 1, (500, 2)).astype(np.float32)
    ring.write(noise)
    out = np.full((frames, 2), 9, dtype=np.float32)
    flags = 4 | 16
    pointer = ctypes.c_void_p
    function = ctypes.CFUNCTYPE(
        ctypes.c_int, pointer, pointer, ctypes.c_ulong, pointer, ctypes.c_ulong, pointer
    )(portaudio_callback().address)
    assert function(None, out.ctypes.data, frames, None, flags, ring.address) == 0
    assert np.array_equal(out[:500], noise[:frames])
    assert not out[500:].any()
    assert ring.frames_out == min(frames, 500)
    assert ring.underrun_frames == max(frames - 500, 0)
    assert (ring.status_flags, ring.device_underruns, ring.fills) == (flags, 1, 1)


def test_its_memory_begins_on_a_cache_line() -> None:
    assert all(Ring(size).address % 64 == 0 for size in (1, 7, 4410))
    assert HEADER_SLOTS % 8 == 0


@pytest.mark.parametrize("gain", [-0.1, 1.1, math.nan])
def test_a_gain_out_of_range_is_refused(gain: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        Ring(10).set_gain(gain)


@pytest.mark.parametrize("shape", [(4,), (4, 1), (4, 2, 1)])
def test_a_block_of_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="frames, 2"):
        Ring(10).write(np.zeros(shape, dtype=np.float32))
    with pytest.raises(ValueError, match="frames, 2"):
        Ring(10).read_into(np.zeros(shape, dtype=np.float32))
