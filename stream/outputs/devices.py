"""This module lists the sound cards of this machine as PortAudio sees them."""

from dataclasses import dataclass
from typing import Any

from model.base.errors import OutputError


@dataclass(frozen=True, kw_only=True)
class OutputDevice:
    """A device that can play stereo."""

    index: int
    """PortAudio's; may change whenever devices come and go."""
    name: str
    host_api: str
    max_channels: int
    default_rate_hz: float
    low_latency_s: float
    high_latency_s: float
    is_default: bool

    @property
    def full_name(self) -> str:
        """Name and host API: what to give for `--device` where the name alone is ambiguous."""
        return f"{self.name}, {self.host_api}"


def load_sounddevice() -> Any:
    """Import python-sounddevice, which initialises PortAudio; `OutputError` when PortAudio is missing."""
    try:
        import sounddevice
    except OSError as error:
        raise OutputError(
            f"the sound card needs PortAudio ({error}); install it (Debian, Ubuntu: "
            "`sudo apt install libportaudio2`, Fedora: `sudo dnf install portaudio`, "
            "macOS: `brew install portaudio`), or listen over HTTP"
        ) from error
    return sounddevice


def list_devices() -> list[OutputDevice]:
    """Return the devices that can play stereo; `OutputError` when PortAudio is missing or does not answer."""
    sounddevice = load_sounddevice()
    try:
        host_apis = sounddevice.query_hostapis()
        found = sounddevice.query_devices()
        default = _default_index(host_apis, found)
    except sounddevice.PortAudioError as error:
        raise OutputError(
            f"PortAudio cannot list the sound cards ({error}); check the sound system, or listen over HTTP"
        ) from error
    return [
        OutputDevice(
            index=index,
            name=device["name"],
            host_api=host_apis[device["hostapi"]]["name"],
            max_channels=device["max_output_channels"],
            default_rate_hz=device["default_samplerate"],
            low_latency_s=device["default_low_output_latency"],
            high_latency_s=device["default_high_output_latency"],
            is_default=index == default,
        )
        for index, device in enumerate(found)
        if device["max_output_channels"] >= 2
    ]


def has_sound_card() -> bool:
    """Return whether there is anything to play on; False also when PortAudio is missing."""
    try:
        return bool(list_devices())
    except OutputError:
        return False


def find_device(device: str | int | None) -> OutputDevice:
    """Return the device of an index or a name (case-insensitive, part of it will do); None is the default.

    `OutputError`, listing what there is, when there is none or more than one.
    """
    devices = list_devices()
    if not devices:
        raise OutputError("there is no sound card on this machine; connect one, or listen over HTTP")
    if device is None:
        return next((found for found in devices if found.is_default), devices[0])
    if isinstance(device, int):
        matches = [found for found in devices if found.index == device]
    else:
        wanted = device.casefold()
        names = [(found, {found.name.casefold(), found.full_name.casefold()}) for found in devices]
        matches = [found for found, own in names if wanted in own]
        matches = matches or [found for found, own in names if any(wanted in name for name in own)]
    if len(matches) == 1:
        return matches[0]
    there = "; ".join(f"{found.index}: {found.full_name}" for found in matches or devices)
    problem = "is not one sound card but several" if matches else "is not a sound card of this machine"
    raise OutputError(f"{device!r} {problem}; choose one of: {there}")


def parse_device(text: str | None) -> str | int | None:
    """Read what `--device` takes: a number, part of a name, or `default`."""
    if text is None or text == "default":
        return None
    return int(text) if text.isascii() and text.isdigit() else text


def _default_index(host_apis: Any, devices: Any) -> int:
    """PortAudio's default output device: that of the first host API which has one."""
    for host_api in host_apis:
        index = int(host_api["default_output_device"])
        if index >= 0 and devices[index]["max_output_channels"] >= 2:
            return index
    return -1
