"""A sound card plays through PortAudio, fed by a compiled callback that never waits for Python."""

import logging
import math
import threading
import time
from typing import Any

from model.base.arrays import FloatArray
from model.base.errors import OutputError
from model.base.quiet import quiet_c_stderr
from stream.outputs.card_timing import CardTiming
from stream.outputs.devices import find_device, load_sounddevice
from stream.outputs.output import Leader, OutputStatus, State, ago_s, audible
from stream.outputs.portaudio.card_feed import CardFeed
from stream.outputs.portaudio.card_stream import CallbackAddress, open_stream, restart_portaudio
from stream.outputs.ring.kernels import portaudio_callback
from stream.outputs.standstill import Standstill

_log = logging.getLogger(__name__)

MIN_RING_S = 0.1
_POLL_S = 0.05
PREFILL_POLL_S = 0.005
# A sink that nobody listens to may take two seconds at once and then be silent as long.
HEARTBEAT_TIMEOUT_S = 3.0
_FIRST_RETRY_S = 0.1
MAX_RETRY_S = 1.0
FADE_OUT_TIMEOUT_S = 0.1
# A sound server keeps a little more than PortAudio knows of.
SERVER_LATENCY_S = 0.05
MAX_DRAIN_S = 0.4
OPEN_TIMEOUT_S = 15.0
CLOSE_TIMEOUT_S = 1.0


class SoundCard(Leader):
    """Plays through a sound card, and comes back by itself when the card was gone.

    A thread of its own makes every call to PortAudio; the callback reads the ring without Python. There can
    be one in a process, because coming back means to start PortAudio anew. For a card that does not take the
    engine's rate the stream is resampled, by the pacer's thread.

    A changed default device is followed at once where a sound server moves the stream (PulseAudio, PipeWire).
    Elsewhere PortAudio, which looks for devices only when it starts, cannot be asked without ending the
    sound; there the new default is taken when the device is opened again.
    """

    name = "sound card"
    kind = "device"

    def __init__(
        self,
        device: str | int | None,
        engine_rate_hz: int,
        timing: CardTiming | None = None,
        *,
        ring_s: float = 0.75,
    ) -> None:
        """Make one that is still closed.

        device: part of a name, an index, or None for the default. timing: None is a safe default.
        ring_s: how long a stall of Python it outlasts, beside what the card holds.
        """
        if ring_s < MIN_RING_S:
            raise OutputError(
                f"a ring of {ring_s} s is too short; give the sound card at least {MIN_RING_S} s"
            )
        self._wanted_device = device
        self._rate_hz = engine_rate_hz
        self._timing = timing or CardTiming()
        self._ring_s = ring_s
        self._feed = CardFeed(engine_rate_hz, engine_rate_hz, ring_s)
        self._volume_db = 0.0
        self._paused = False
        self._pause_lock = threading.Lock()

        # Written by the thread of this output, read by any.
        self._state: State = "stopped"
        self._detail = ""
        self._latency_s = 0.0
        self._reconnects = 0
        self._missed_frames = 0
        self._delivered_at_s: float | None = None
        # Written by the pacer's thread.
        self._dropped_frames = 0
        self._audible_at_s: float | None = None
        self._skip_pending = False

        self._stream: Any = None
        self._wake = threading.Event()
        self._closing = False
        self._opened = threading.Event()
        self._open_error: OutputError | None = None
        self._thread: threading.Thread | None = None

    # The thread that owns this output.

    def start(self) -> None:
        """Open the device; it sounds once some audio has been offered. `OutputError` when it cannot."""
        if self._thread is not None:
            raise OutputError("the sound card has been started already; make a new one")
        self._thread = threading.Thread(target=self._run, name="sound card", daemon=True)
        self._thread.start()
        if not self._opened.wait(OPEN_TIMEOUT_S):
            self._closing = True
            raise OutputError(
                f"the sound card has not answered for {OPEN_TIMEOUT_S:.0f} s; check the sound system, "
                "choose another with --device, or listen over HTTP"
            )
        if self._open_error is not None:
            raise self._open_error

    def close(self) -> None:
        """Fade out and release the device."""
        self._closing = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join(CLOSE_TIMEOUT_S)
            if self._thread.is_alive():
                _log.warning("the sound card does not answer; leaving it as it is")

    # The pacer's thread.

    def space_frames(self) -> int:
        """Return how many frames `offer` takes now without dropping any."""
        self._settle()
        if not self._accepts() or self._skip_pending:
            return 0
        return self._feed.space_frames()

    def offer(self, block: FloatArray) -> None:
        """Take a block `(frames, 2)` float32; what does not fit, or finds no card, is dropped."""
        self._settle()
        taken = 0
        if self._accepts() and not self._skip_pending:
            taken = self._feed.write(block)
        if audible(block[:taken]):
            self._audible_at_s = time.monotonic()
        self._dropped_frames += len(block) - taken
        self._settle()

    def entitle(self, title: str, after_frames: int) -> None:
        """Do nothing: a sound card shows no titles."""

    def skip(self) -> None:
        """Play what is offered from now on as soon as a little of it is there, faded, and drop the rest."""
        self._skip_pending = True
        self._settle()

    # Any thread.

    def pause(self, paused: bool) -> None:
        """Fall silent, faded, and keep what is buffered; or go on from there."""
        self._paused = paused
        self._settle_pause()

    def as_leader(self) -> Leader:
        """Return this: its clock may pace the stream."""
        return self

    @property
    def volume_db(self) -> float:
        """Volume in dB, at most 0; a change is faded."""
        return self._volume_db

    @volume_db.setter
    def volume_db(self, volume_db: float) -> None:
        if math.isnan(volume_db):
            raise OutputError("the volume is not a number; give decibels, 0 or less")
        self._volume_db = min(volume_db, 0.0)
        self._feed.set_gain(self._gain)

    @property
    def _gain(self) -> float:
        return float(10 ** (self._volume_db / 20))

    def status(self) -> OutputStatus:
        """Return a snapshot."""
        feed = self._feed
        state = self._state
        delivered_ago_s, offered_ago_s = ago_s(self._delivered_at_s), ago_s(self._audible_at_s)
        audible_ago_s = None
        if delivered_ago_s is not None and offered_ago_s is not None:
            # What was offered has been played where the callback has asked for frames since.
            audible_ago_s = max(delivered_ago_s, offered_ago_s)
        return OutputStatus(
            name=self.name,
            state="paused" if self._paused and state in ("starting", "playing") else state,
            detail=self._detail,
            frames_out=feed.frames_out,
            underrun_frames=feed.underrun_frames + self._missed_frames,
            dropped_frames=self._dropped_frames,
            buffered_s=feed.buffered_s(),
            latency_s=self._latency_s,
            device_underruns=feed.device_underruns,
            reconnects=self._reconnects,
            volume_db=self._volume_db,
            delivered_ago_s=delivered_ago_s,
            audible_ago_s=audible_ago_s,
        )

    def _accepts(self) -> bool:
        return self._state in ("starting", "playing")

    def _settle(self) -> None:
        """Do, on the pacer's thread, what had to wait for the callback."""
        if self._skip_pending and (not self._accepts() or self._feed.switch()):
            self._skip_pending = False
        self._settle_pause()

    def _settle_pause(self) -> None:
        with self._pause_lock:
            # After a skip in a pause, the old content must not be heard again before the new is there.
            if self._paused or not (self._skip_pending or self._feed.preparing):
                self._feed.pause(self._paused)

    # The thread of this output.

    def _run(self) -> None:
        # PortAudio and ALSA print what goes wrong, each in threads of their own; `detail` says it in words.
        with quiet_c_stderr():
            self._live()

    def _live(self) -> None:
        try:
            self._open()
        except OutputError as error:
            self._open_error = error
            return
        finally:
            self._opened.set()
        while not self._closing:
            self._play()
            if not self._closing:
                self._reopen()
        self._fade_out()
        self._release()
        self._state = "stopped"

    def _open(self) -> None:
        """Open the device; `OutputError` when there is none or it does not take the stream."""
        device = find_device(self._wanted_device)
        # Indices change when devices come and go; names do not.
        if isinstance(self._wanted_device, int):
            self._wanted_device = device.full_name
        held_s = self._timing.held_s(device)
        opened = open_stream(
            device, self._rate_hz, self._timing, lambda rate_hz: self._address_at(rate_hz, held_s)
        )
        self._stream = opened.stream
        self._latency_s = float(self._stream.latency)
        self._detail = device.full_name
        if opened.rate.resampled:
            self._detail += f" at {opened.rate.rate_hz} Hz, resampled from {self._rate_hz} Hz"
            _log.info("the sound card plays on %s", self._detail)
        self._state = "starting"

    def _address_at(self, card_rate_hz: int, held_s: float) -> CallbackAddress:
        """Return what a stream of this rate is played by; nothing is offered yet or any more."""
        before = self._feed
        if (card_rate_hz, held_s) != (before.card_rate_hz, before.held_s):
            with self._pause_lock:
                self._feed = CardFeed(self._rate_hz, card_rate_hz, self._ring_s, held_s=held_s, before=before)
                self._feed.pause(self._paused)
            self._feed.set_gain(self._gain)
        return CallbackAddress(code=self._callback_address(), memory=self._feed.address)

    def _callback_address(self) -> int:
        """Return what PortAudio calls: a `PaStreamCallback` whose user data is the ring."""
        return int(portaudio_callback().address)

    def _play(self) -> None:
        """Start the stream when enough is there, and return when it is lost or to be closed."""
        sounddevice = load_sounddevice()
        while not (self._closing or self._feed.ready):
            self._wait(PREFILL_POLL_S)
            # Until the callback runs this thread is the ring's reader, which has to go along with a skip.
            self._feed.go_along()
        if self._closing:
            return
        try:
            self._stream.start()
            self._state = "playing"
            fills, seen_s = self._feed.fills, time.monotonic()
            standstill = Standstill(self._rate_hz, _POLL_S, time.monotonic)
            while not self._closing:
                self._wait(_POLL_S)
                now_s = time.monotonic()
                missed = standstill.look(self._feed.frames_out, self._latency_s)
                if missed:
                    # The device has not had a chance yet to go on.
                    self._missed_frames += missed
                    seen_s = now_s
                if self._feed.fills != fills:
                    fills, seen_s = self._feed.fills, now_s
                    self._delivered_at_s = now_s
                elif not self._stream.active:
                    self._detail = "the sound card is gone"
                    return
                elif now_s - seen_s > HEARTBEAT_TIMEOUT_S:
                    self._detail = f"the sound card has stood still for {HEARTBEAT_TIMEOUT_S:.0f} s"
                    return
        except sounddevice.PortAudioError as error:
            self._detail = f"the sound card has failed: {error}"

    def _reopen(self) -> None:
        """Try to open the device until it is back; nothing is offered to the ring meanwhile."""
        self._state = "reconnecting"
        _log.warning("%s; trying to open it again", self._detail)
        self._release()
        retry_s = _FIRST_RETRY_S
        while not self._closing:
            try:
                restart_portaudio()
                # The callback is gone, so this thread is the ring's reader: what stands there is past.
                self._feed.discard()
                self._open()
                self._reconnects += 1
                _log.warning("the sound card is back: %s", self._detail)
                return
            except OutputError as error:
                self._detail = str(error)
            self._wait(retry_s)
            retry_s = min(2 * retry_s, MAX_RETRY_S)

    def _fade_out(self) -> None:
        """Let the last frames fall silent and be heard before the stream is cut."""
        if self._state != "playing" or self._feed.silent:
            return
        self._paused = True
        self._feed.pause(True)
        deadline_s = time.monotonic() + FADE_OUT_TIMEOUT_S
        while not self._feed.silent and time.monotonic() < deadline_s:
            time.sleep(PREFILL_POLL_S)
        time.sleep(min(self._latency_s + SERVER_LATENCY_S, MAX_DRAIN_S))

    def _release(self) -> None:
        # Neither raises: the device may be gone, and then there is nothing to release.
        if self._stream is not None:
            self._stream.abort()
            self._stream.close()
            self._stream = None

    def _wait(self, timeout_s: float) -> None:
        self._wake.wait(timeout_s)
        self._wake.clear()
