"""The stream of a sound card is what PortAudio is asked for, and started anew for when it is lost."""

import ctypes
from typing import Any

from model.base.errors import OutputError
from stream.outputs.card_timing import CardTiming
from stream.outputs.devices import OutputDevice, load_sounddevice


def open_stream(
    device: OutputDevice, rate_hz: int, timing: CardTiming, callback_address: int, memory_address: int
) -> Any:
    """Return a stream of PortAudio's that stands still; `OutputError` where the device does not take it.

    callback_address: of a compiled `PaStreamCallback`. memory_address: of what it is given as user data.
    """
    sounddevice = load_sounddevice()
    ffi = sounddevice._ffi
    try:
        stream = sounddevice._StreamBase(
            kind="output",
            samplerate=rate_hz,
            blocksize=timing.block_frames,
            device=device.index,
            channels=2,
            dtype="float32",
            latency=timing.latency_s,
            callback=ffi.cast("PaStreamCallback *", callback_address),
            wrap_callback=None,
            userdata=ffi.cast("void *", memory_address),
        )
    except (sounddevice.PortAudioError, ValueError) as error:
        raise OutputError(
            f"the sound card {device.full_name!r} does not take stereo at {rate_hz} Hz ({error}); "
            "choose another with --device, or listen over HTTP"
        ) from error
    if device.host_api == "ALSA":
        _ask_for_realtime(sounddevice, stream)
    return stream


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
