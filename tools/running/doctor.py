"""The doctor looks for what endlos needs or likes on this machine, and says what to do without it."""

import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from model.base.errors import EndlosError
from tools.work.workers import usable_cores

if TYPE_CHECKING:
    from stream.outputs.portaudio.card_rate import CardRate

_FREE_DISK_GIB = 2.0
_MEMORY_GIB = 2.0


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing that was looked at."""

    name: str
    good: bool
    essential: bool
    """Whether endlos cannot play at all without it."""
    found: str
    advice: str = ""
    """What to do; empty when good."""


def check_machine() -> list[Check]:
    """Run every check, the essential ones first."""
    checks: tuple[Callable[[], Check], ...] = (
        check_python,
        check_scorer,
        check_model,
        check_kernel_cache,
        check_portaudio,
        check_devices,
        check_cores,
        check_memory,
        check_real_time,
        check_disk,
    )
    return [check() for check in checks]


def check_python() -> Check:
    """Python 3.11 or newer."""
    found = ".".join(map(str, sys.version_info[:3]))
    good = sys.version_info >= (3, 11)
    return _looked_at("Python", good, found, "install Python 3.11 or newer", essential=True)


def check_scorer() -> Check:
    """The library that runs models."""
    try:
        from model.base.graph_runtime import onnxruntime

        good, found = True, str(onnxruntime.__version__)
    except ImportError as error:
        good, found = False, f"cannot be imported ({error})"
    advice = "install endlos again: pip install -r requirements.lock"
    return _looked_at("onnxruntime", good, found, advice, essential=True)


def check_model() -> Check:
    """The model that comes with endlos: its contract is read and its graphs are loaded."""
    from model.saved.carried import carried_model
    from model.saved.contract_file import load_contract

    try:
        from stream.index.graphs import open_session

        folder = carried_model()
        for graph in load_contract(folder).graphs.values():
            open_session(folder / graph.file, threads=1)
        good, found = True, folder.name
    except (EndlosError, ImportError) as error:
        good, found = False, str(error)
    advice = "install endlos again, or give another model with --model"
    return _looked_at("carried model", good, found, advice, essential=True)


def check_kernel_cache() -> Check:
    """Whether compiled kernels can be kept; else each start compiles them anew."""
    from model.base.kernel_cache import PLACE_VARIABLE, kernel_place

    place = kernel_place()
    return _looked_at(
        "kernel cache",
        place.lasting,
        str(place.folder) if place.lasting else "nothing is writable, neither a home nor a cache",
        f"set {PLACE_VARIABLE} to a folder of yours, else the first sound takes 20 s longer each time",
    )


def check_portaudio() -> Check:
    """The library that reaches the sound card."""
    try:
        import sounddevice

        good, found = True, str(sounddevice.get_portaudio_version()[1])
    except (OSError, ImportError) as error:
        good, found = False, str(error)
    return _looked_at(
        "PortAudio",
        good,
        found,
        "type `sudo apt-get install libportaudio2` (macOS, Windows: install sounddevice again); "
        "until then endlos plays over HTTP",
    )


def check_devices() -> Check:
    """A sound card that can play, at whatever rate."""
    from stream.outputs.devices import list_devices
    from tools.running.card_rates import rate_on

    try:
        rates = {device.name: rate_on(device) for device in list_devices()}
        found, good = ", ".join(map(_card, rates.items())) or "none", any(rates.values())
    except EndlosError as error:
        rates, found, good = {}, str(error), False
    advice = "plug one in or start the sound server; until then endlos plays over HTTP"
    if rates:
        advice = "set it to stereo and a usual rate in the sound system; until then endlos plays over HTTP"
    return _looked_at("sound card", good, found, advice)


def _card(device: "tuple[str, CardRate | None]") -> str:
    name, rate = device
    if rate is None:
        return f"{name} (takes no stereo at any usual rate)"
    if rate.resampled:
        return f"{name} (at {rate.rate_hz} Hz: the stream is resampled from {rate.stream_rate_hz} Hz)"
    return name


def check_cores() -> Check:
    """Two processor cores: one for sound, one for all the rest."""
    cores = usable_cores()
    advice = "two are better: scoring may be late and chunks be chosen with less care"
    return _looked_at("cores", cores >= 2, str(cores), advice)


def check_memory() -> Check:
    """Memory in all."""
    if sys.platform == "win32":
        return _looked_at("memory", True, "not looked at on Windows")
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    advice = f"{_MEMORY_GIB:.0f} GiB or more are better; build pools with --jobs 1"
    return _looked_at("memory", memory_gib >= _MEMORY_GIB, f"{memory_gib:.1f} GiB", advice)


def check_real_time() -> Check:
    """The right to real-time priority, which sound servers use against dropouts."""
    if sys.platform != "linux":
        return _looked_at("real-time rights", True, "the system's own")
    import resource

    limit = resource.getrlimit(resource.RLIMIT_RTPRIO)[1]
    return _looked_at(
        "real-time rights",
        limit != 0 or os.geteuid() == 0,
        "unlimited" if limit == resource.RLIM_INFINITY else f"priority up to {limit}",
        "if the sound ever drops out: join the group `audio` and give it `rtprio 95` in "
        "/etc/security/limits.d",
    )


def check_disk() -> Check:
    """Room where pools of `endlos play` are kept."""
    from tools.running.home import cache_folder

    place = cache_folder()
    while not place.exists() and place != place.parent:
        place = place.parent
    free_gib = shutil.disk_usage(place).free / 2**30
    advice = "free some, or set ENDLOS_HOME to a folder on another disk"
    return _looked_at("free disk", free_gib >= _FREE_DISK_GIB, f"{free_gib:.1f} GiB at {place}", advice)


def _looked_at(name: str, good: bool, found: str, advice: str = "", *, essential: bool = False) -> Check:
    return Check(name=name, good=good, essential=essential, found=found, advice="" if good else advice)
