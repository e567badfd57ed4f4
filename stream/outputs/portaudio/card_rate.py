"""The rate of a sound card is the stream's where it takes that, else one of its own."""

from dataclasses import dataclass
from typing import Any

from model.base.errors import OutputError
from stream.outputs.devices import OutputDevice, load_sounddevice

_USUAL_RATES_HZ = (48_000, 96_000, 192_000, 88_200, 176_400, 44_100, 32_000, 384_000)
"""Tried where a card names a rate of its own that it does not take either; cards of old names lie."""

_INVALID_RATE = -9997  # paInvalidSampleRate


@dataclass(frozen=True, kw_only=True)
class CardRate:
    """At what rate a card would play a stream."""

    rate_hz: int
    stream_rate_hz: int

    @property
    def resampled(self) -> bool:
        """Whether the stream is brought to another rate for it."""
        return self.rate_hz != self.stream_rate_hz


def rates_to_try_hz(device: OutputDevice, stream_rate_hz: int) -> tuple[int, ...]:
    """Return the rates at which to open a card, best first: the stream's, its own, and what there is."""
    return tuple(dict.fromkeys((stream_rate_hz, round(device.default_rate_hz), *_USUAL_RATES_HZ)))


def refuses_rate(error: Exception) -> bool:
    """Whether an error of PortAudio's means that another rate may do."""
    return _INVALID_RATE in error.args


def foretell_rate(device: OutputDevice, stream_rate_hz: int) -> CardRate:
    """Return the rate at which a card would play, as PortAudio says without playing.

    A card that cannot be asked now, because another program has it, is taken at its word: its own rate.
    `OutputError` when it takes none.
    """
    for rate_hz in rates_to_try_hz(device, stream_rate_hz):
        answer = _ask(device, rate_hz)
        if answer == _INVALID_RATE:
            continue
        taken_hz = rate_hz if answer == 0 else round(device.default_rate_hz)
        return CardRate(rate_hz=taken_hz, stream_rate_hz=stream_rate_hz)
    raise no_rate(device, "it takes none of the usual ones")


def _ask(device: OutputDevice, rate_hz: int) -> int:
    """Return 0 where a device takes stereo at a rate, else PortAudio's error."""
    sounddevice = load_sounddevice()
    wanted = sounddevice._ffi.new(
        "PaStreamParameters*",
        {
            "device": device.index,
            "channelCount": 2,
            "sampleFormat": sounddevice._sampleformats["float32"],
            "suggestedLatency": device.high_latency_s,
            "hostApiSpecificStreamInfo": sounddevice._ffi.NULL,
        },
    )
    return int(sounddevice._lib.Pa_IsFormatSupported(sounddevice._ffi.NULL, wanted, rate_hz))


def no_rate(device: OutputDevice, reason: Any) -> OutputError:
    """Return what is said of a card that takes no stream."""
    return OutputError(
        f"the sound card {device.full_name!r} does not take stereo at any rate ({reason}); "
        "choose another with --device, or listen over HTTP"
    )
