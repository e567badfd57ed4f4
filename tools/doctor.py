"""Looks at this machine: what endlos needs and would like to find, and what to do where it is missing."""

import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from model.errors import EndlosError

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
    good = sys.version_info >= (3, 11)
    return Check(
        name="Python",
        good=good,
        essential=True,
        found=".".join(map(str, sys.version_info[:3])),
        advice="" if good else "install Python 3.11 or newer",
    )


def check_scorer() -> Check:
    """The library that runs models."""
    try:
        import onnxruntime
    except ImportError as error:
        return Check(
            name="onnxruntime",
            good=False,
            essential=True,
            found=f"cannot be imported ({error})",
            advice="install endlos again: pip install -r requirements.lock",
        )
    return Check(name="onnxruntime", good=True, essential=True, found=str(onnxruntime.__version__))


def check_model() -> Check:
    """The model that comes with endlos: its contract is read and its graphs are loaded."""
    from model.contract import carried_model

    try:
        folder = carried_model()
        _load_graphs(folder)
    except (EndlosError, ImportError) as error:
        return Check(
            name="carried model",
            good=False,
            essential=True,
            found=str(error),
            advice="install endlos again, or give another model with --model",
        )
    return Check(name="carried model", good=True, essential=True, found=folder.name)


def _load_graphs(folder: Path) -> None:
    import onnxruntime

    from model.contract import load_contract
    from model.errors import ModelError

    for graph in load_contract(folder).graphs.values():
        try:
            onnxruntime.InferenceSession(str(folder / graph.file), providers=["CPUExecutionProvider"])
        except Exception as error:
            # onnxruntime's exceptions share no base class of their own.
            raise ModelError(f"{folder / graph.file} cannot be loaded: {error}") from error


def check_kernel_cache() -> Check:
    """Whether compiled kernels can be kept; else each start compiles them anew."""
    import model.kernels

    place = Path(os.environ.get("NUMBA_CACHE_DIR") or Path(model.kernels.__file__).parent / "__pycache__")
    good = _writable(place)
    return Check(
        name="kernel cache",
        good=good,
        essential=False,
        found=f"{place} {'is writable' if good else 'is not writable'}",
        advice=""
        if good
        else "set NUMBA_CACHE_DIR to a folder of yours, else the first sound takes 20 s longer each time",
    )


def _writable(place: Path) -> bool:
    try:
        place.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=place):
            return True
    except OSError:
        return False


def check_portaudio() -> Check:
    """The library that reaches the sound card."""
    try:
        import sounddevice
    except (OSError, ImportError) as error:
        return Check(
            name="PortAudio",
            good=False,
            essential=False,
            found=str(error),
            advice="type `sudo apt-get install libportaudio2` (macOS, Windows: install sounddevice again); "
            "until then endlos plays over HTTP",
        )
    return Check(name="PortAudio", good=True, essential=False, found=sounddevice.get_portaudio_version()[1])


def check_devices() -> Check:
    """A sound card that can play."""
    from stream.devices import list_devices

    try:
        names = [device.name for device in list_devices()]
    except EndlosError as error:
        names, found = [], str(error)
    else:
        found = ", ".join(names) or "none"
    return Check(
        name="sound card",
        good=bool(names),
        essential=False,
        found=found,
        advice="" if names else "plug one in or start the sound server; until then endlos plays over HTTP",
    )


def check_cores() -> Check:
    """Two processor cores: one for sound, one for all the rest."""
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return Check(
        name="cores",
        good=cores >= 2,
        essential=False,
        found=str(cores),
        advice=""
        if cores >= 2
        else "two are better: scoring may be late and chunks be chosen with less care",
    )


def check_memory() -> Check:
    """Memory in all."""
    if sys.platform == "win32":
        return Check(name="memory", good=True, essential=False, found="not looked at on Windows")
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    good = memory_gib >= _MEMORY_GIB
    return Check(
        name="memory",
        good=good,
        essential=False,
        found=f"{memory_gib:.1f} GiB",
        advice="" if good else f"{_MEMORY_GIB:.0f} GiB or more are better; build pools with --jobs 1",
    )


def check_real_time() -> Check:
    """The right to real-time priority, which sound servers use against dropouts."""
    if sys.platform != "linux":
        return Check(name="real-time rights", good=True, essential=False, found="the system's own")
    import resource

    limit = resource.getrlimit(resource.RLIMIT_RTPRIO)[1]
    good = limit != 0 or os.geteuid() == 0
    return Check(
        name="real-time rights",
        good=good,
        essential=False,
        found="unlimited" if limit == resource.RLIM_INFINITY else f"priority up to {limit}",
        advice=""
        if good
        else "if the sound ever drops out: join the group `audio` and give it `rtprio 95` in "
        "/etc/security/limits.d",
    )


def check_disk() -> Check:
    """Room where pools of `endlos play` are kept."""
    from tools.home import cache_folder

    place = cache_folder()
    while not place.exists() and place != place.parent:
        place = place.parent
    free_gib = shutil.disk_usage(place).free / 2**30
    good = free_gib >= _FREE_DISK_GIB
    return Check(
        name="free disk",
        good=good,
        essential=False,
        found=f"{free_gib:.1f} GiB at {place}",
        advice="" if good else "free some, or set ENDLOS_HOME to a folder on another disk",
    )
