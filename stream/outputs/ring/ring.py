"""The ring carries audio from one writer to one reader without a lock, and changes content at once.

The ring is deep, so that it outlasts a stall of the writer, and yet a jump must not wait until it has run
dry. So there are two buffers. Each content is a *generation*: the writer fills the buffer that is not heard,
publishes it as the next generation, and the reader crossfades from the old buffer into it and acknowledges.
Until then the writer cannot start another one. All that both sides share stands in one block of memory,
which `fill` uses alike from Python and from a compiled callback that knows only its address.
"""

import numpy as np

from model.base.arrays import FloatArray, IntArray
from stream.outputs.ring import kernels
from stream.outputs.ring.atomics import INT64_BYTES

_CACHE_LINE_BYTES = 64


class Ring:
    """Audio `(frames, 2)` float32 from one writer thread to one reader thread.

    Methods are grouped by the thread that may call them.
    """

    def __init__(
        self,
        capacity_frames: int,
        *,
        fade_frames: int = 441,
        ramp_frames: int = 882,
        from_silence: bool = False,
    ) -> None:
        """Make an empty ring.

        capacity_frames: what one generation holds. fade_frames: crossfade between generations.
        ramp_frames: how long the gain takes from nothing to full. from_silence: whether the first frames
        are faded in.
        """
        if capacity_frames < 1 or fade_frames < 1 or ramp_frames < 1:
            raise ValueError(
                f"a ring of {capacity_frames} frames with fades of {fade_frames} and {ramp_frames}: "
                "expected at least 1 frame each"
            )
        self.capacity_frames = capacity_frames
        # Two buffers; a frame of two float32 is as wide as a slot.
        slots = kernels.HEADER_SLOTS + 2 * capacity_frames
        memory = np.zeros(slots + _CACHE_LINE_BYTES // INT64_BYTES, dtype=np.int64)
        skip = -memory.ctypes.data % _CACHE_LINE_BYTES // INT64_BYTES
        self._memory = memory[skip : skip + slots]
        self._header: IntArray = self._memory[: kernels.HEADER_SLOTS]
        self._audio: FloatArray = self._memory[kernels.HEADER_SLOTS :].view(np.float32)
        self._header[kernels.CAPACITY] = capacity_frames
        self._header[kernels.FADE_FRAMES] = fade_frames
        self._header[kernels.GAIN_STEP] = -(-kernels.UNITY // ramp_frames)
        self._header[kernels.VOLUME] = kernels.UNITY
        self._header[kernels.GAIN] = 0 if from_silence else kernels.UNITY
        self._prefill_frames = 0
        self._warm_up()

    @property
    def address(self) -> int:
        """Where the shared memory starts; valid as long as this ring lives."""
        return int(self._memory.ctypes.data)

    # Writer thread.

    def space_frames(self) -> int:
        """Return how many frames `write` takes now."""
        return kernels.space_frames(self._header)

    def write(self, block: FloatArray) -> int:
        """Copy what fits of `block`, `(frames, 2)` float32, and return how many frames that was."""
        if block.ndim != 2 or block.shape[1] != 2:
            raise ValueError(f"a block has the shape {block.shape}, expected (frames, 2)")
        samples = np.ascontiguousarray(block, dtype=np.float32).reshape(-1)
        return kernels.write(self._header, self._audio, samples, self._prefill_frames)

    def switch(self, prefill_frames: int) -> bool:
        """Direct what is written from now on into a new generation; False when that is not possible yet.

        The reader goes over to it when `prefill_frames` of it have been written; what the old generation
        still holds then is dropped. Called again before that, it starts the new generation anew.
        Not possible is it while the reader has not yet gone over to the last one.
        """
        self._prefill_frames = min(max(prefill_frames, 1), self.capacity_frames)
        return kernels.switch(self._header)

    # Reader thread.

    def readable_frames(self) -> int:
        """Return how many frames the reader can have without an underrun."""
        return kernels.readable_frames(self._header)

    def read(self, frames: int) -> FloatArray:
        """Return the next `frames`, `(frames, 2)` float32; zeros, counted, where nothing is ready."""
        out = np.empty((frames, 2), dtype=np.float32)
        self.read_into(out)
        return out

    def read_into(self, out: FloatArray) -> None:
        """Fill `out`, contiguous `(frames, 2)` float32; zeros, counted, where nothing is ready."""
        if out.ndim != 2 or out.shape[1] != 2 or not out.flags.c_contiguous:
            raise ValueError(f"expected a contiguous (frames, 2) array to read into, not {out.shape}")
        kernels.fill(self._header, self._audio, out.reshape(-1))

    def discard(self) -> None:
        """Drop everything that is readable, and let what follows begin from silence."""
        kernels.discard(self._header)

    # Any thread.

    def pause(self, paused: bool) -> None:
        """Ramp down and then leave the rest unread, or go on and ramp up."""
        kernels.store(self._header, kernels.PAUSED, int(paused))

    def set_gain(self, gain: float) -> None:
        """Ramp to a gain of 0 to 1."""
        if not 0 <= gain <= 1:
            raise ValueError(f"a gain is between 0 and 1, not {gain}")
        kernels.store(self._header, kernels.VOLUME, round(gain * kernels.UNITY))

    def buffered_frames(self) -> int:
        """Return how many frames of what is being written are unread."""
        return self.capacity_frames - kernels.space_frames(self._header)

    @property
    def silent(self) -> bool:
        """Whether the reader's gain has reached 0."""
        return kernels.load(self._header, kernels.GAIN) == 0

    @property
    def preparing(self) -> bool:
        """Whether a new generation has been begun and does not yet hold its prefill."""
        return kernels.load(self._header, kernels.PUBLISHED) != kernels.load(self._header, kernels.WRITING)

    @property
    def switching(self) -> bool:
        """Whether a new generation has been begun and the reader has not yet gone over to it."""
        return kernels.load(self._header, kernels.ACKNOWLEDGED) != kernels.load(self._header, kernels.WRITING)

    @property
    def frames_out(self) -> int:
        """Frames that the reader has consumed."""
        return kernels.load(self._header, kernels.FRAMES_OUT)

    @property
    def underrun_frames(self) -> int:
        """Frames of zeros that the reader got because nothing was ready."""
        return kernels.load(self._header, kernels.UNDERRUN_FRAMES)

    @property
    def fills(self) -> int:
        """How often the reader has asked: a heartbeat."""
        return kernels.load(self._header, kernels.FILLS)

    @property
    def status_flags(self) -> int:
        """Every flag that the callback was ever given, OR-ed."""
        return kernels.load(self._header, kernels.STATUS_FLAGS)

    @property
    def device_underruns(self) -> int:
        """How often the callback was told that the device had run dry."""
        return kernels.load(self._header, kernels.DEVICE_UNDERRUNS)

    def _warm_up(self) -> None:
        # Compiled (or loaded) here, so that no thread waits for the compiler once audio runs.
        nothing = np.empty(0, dtype=np.float32)
        kernels.write(self._header, self._audio, nothing, self._prefill_frames)
        kernels.fill(self._header, self._audio, nothing)
        kernels.readable_frames(self._header)
        kernels.space_frames(self._header)
        kernels.load(self._header, kernels.FILLS)
        kernels.store(self._header, kernels.FILLS, 0)
        kernels.discard(self._header.copy())
        kernels.switch(self._header.copy())
