"""The stream of a sound card is what PortAudio is asked for, and started anew for when it is lost."""

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from model.base.errors import OutputError
from stream.outputs.card_timing import CardTiming
from stream.outputs.devices import OutputDevice, load_sounddevice
from stream.outputs.portaudio.card_rate import CardRate, no_rate, rates_to_try_hz, refuses_rate


@dataclass(frozen=True, kw_only=True)
class CallbackAddress:
    """What PortAudio calls, and what it hands over."""

    code: int
    """Of a compiled `PaStreamCallback`."""
    memory: int
    """Of what that is given as user data."""


@dataclass(frozen=True, kw_only=True, eq=False)
class OpenedStream:
    """A stream of PortAudio's that stands still, and its rate."""

    stream: Any
    rate: CardRate


def open_stream(
    device: OutputDevice, rate_hz: int, timing: CardTiming, address_at: Callable[[int], CallbackAddress]
) -> OpenedStream:
    """Open a device at `rate_hz`, or else at a rate that it takes; `OutputError` where it takes no stream.

    address_at: returns what plays at a rate, of the last rate that it was called with when this returns.
    """
    sounddevice = load_sounddevice()
    refused: Exception | None = None
    for card_rate_hz in rates_to_try_hz(device, rate_hz):
        try:
            stream = _open_at(sounddevice, device, card_rate_hz, timing, address_at(card_rate_hz))
        except (sounddevice.PortAudioError, ValueError) as error:
            refused = refused or error
            if refuses_rate(error):
                continue
            raise OutputError(
                f"the sound card {device.full_name!r} does not take stereo at {card_rate_hz} Hz ({error}); "
                "choose another with --device, or listen over HTTP"
            ) from error
        if device.host_api == "ALSA":
            _ask_for_realtime(sounddevice, stream)
        return OpenedStream(stream=stream, rate=CardRate(rate_hz=card_rate_hz, stream_rate_hz=rate_hz))
    raise no_rate(device, refused) from refused


def _open_at(
    sounddevice: Any, device: OutputDevice, rate_hz: int, timing: CardTiming, address: CallbackAddress
) -> Any:
    ffi = sounddevice._ffi
    return sounddevice._StreamBase(
        kind="output",
        samplerate=rate_hz,
        blocksize=timing.block_frames,
        device=device.index,
        channels=2,
        dtype="float32",
        latency=timing.latency_s,
        callback=ffi.cast("PaStreamCallback *", address.code),
        wrap_callback=None,
        userdata=ffi.cast("void *", address.memory),
    )


def restart_portaudio() -> None:
    """Start PortAudio anew, which looks for devices only then; `OutputError` when it does not start."""
    sounddevice = load_sounddevice()
    try:
        while sounddevice._initialized:
            sounddevice._terminate()
        sounddevice._initialize()
    except sounddevice.PortAudioError as error:
        raise OutputError(f"PortAudio does not start again ({error}); check the sound system") from error


def _ask_for_realtime(sounddevice: Any, stream: Any) -> None:
    """Let the callback's thread go before all others, where the system allows it; it never waits for Python.

    The other host APIs do so unasked.
    """
    library = ctypes.CDLL(sounddevice._libname)
    enable = getattr(library, "PaAlsa_EnableRealtimeScheduling", None)
    if enable is not None:
        address = int(sounddevice._ffi.cast("uintptr_t", stream._ptr))
        enable(ctypes.c_void_p(address), ctypes.c_int(1))
