"""The option `--latency` says how much a sound card holds in advance; `auto` has it measured."""

import json
import logging
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from model.base.errors import OutputError
from model.base.files import write_whole
from stream.outputs.card_timing import CardTiming, MeasureCard
from stream.outputs.devices import find_device
from stream.outputs.pacer import Pacer
from tools.running.home import cache_folder
from tools.running.timed_card import TimedCard

_log = logging.getLogger("endlos")

# Largest first: what is heard of a trial that fails is silence, so none is spared.
LATENCIES_S = (0.2, 0.1, 0.06, 0.04, 0.025, 0.015, 0.01)
TRIAL_S = 1.0
_SETTLE_S = 0.3
_START_TIMEOUT_S = 10.0
_BLOCKS_FRAMES = (512, 256, 128, 64)


@dataclass(frozen=True, kw_only=True)
class Trial:
    """How a second of silence went."""

    latency_s: float
    """What the device really held."""
    longest_gap_s: float
    """Between two callbacks: one as long as the latency has run the device dry, whether it says so or not."""
    underruns: int
    """Counted by the device, and frames that fell short in the ring."""

    @property
    def clean(self) -> bool:
        """Whether nothing could be heard."""
        return self.underruns == 0 and self.longest_gap_s < self.latency_s


def measuring_card(
    rate_hz: int, notice: Callable[[str], None], check: Callable[[], object] = bool
) -> MeasureCard:
    """Return what measures a sound card, or remembers what was measured.

    notice: told, before some seconds of silence, what is going on. check: called now and then, to end them
    by what it raises.
    """

    def measure(device: str | int | None, *, anew: bool) -> CardTiming:
        name = find_device(device).full_name
        timing = None if anew else remembered(name)
        if timing is None:
            notice(f"measuring {name} for some seconds")

            def trial(latency_s: float, block: int) -> Trial:
                check()
                return play_silence(device, rate_hz, latency_s, block, TRIAL_S)

            timing = choose(trial)
            _remember(name, timing)
            notice(f"{name} gets {1e3 * float(timing.latency_s):.0f} ms; remembered")
        return timing

    return measure


def choose(trial: Callable[[float, int], Trial]) -> CardTiming:
    """Return the smallest latency without underruns, with a margin: the next larger one than that.

    trial: plays with a latency in seconds and a block in frames. The largest is taken where none is clean.
    """
    clean = 0
    for latency_s in LATENCIES_S:
        if not trial(latency_s, _block_frames(latency_s)).clean:
            break
        clean += 1
    latency_s = LATENCIES_S[max(clean - 2, 0)]
    return CardTiming(latency_s=latency_s, block_frames=_block_frames(latency_s))


def play_silence(
    device: str | int | None, rate_hz: int, latency_s: float, block_frames: int, seconds: float
) -> Trial:
    """Play silence through the real callback and say how it went; `OutputError` when that cannot be."""
    card = TimedCard(device, rate_hz, CardTiming(latency_s=latency_s, block_frames=block_frames))
    silence = np.zeros((1024, 2), dtype=np.float32)
    pacer = Pacer(lambda frames: silence[:frames], [], rate_hz, leader=card, block_frames=len(silence))
    pacer.start()
    try:
        until_s = time.monotonic() + _START_TIMEOUT_S
        while card.status().frames_out < _SETTLE_S * rate_hz:
            if time.monotonic() > until_s:
                raise OutputError(
                    f"{card.status().detail} takes nothing at a latency of {latency_s} s; "
                    "give --latency a number, or choose another with --device"
                )
            time.sleep(0.02)
        before, first = card.status(), card.calls()
        time.sleep(seconds)
        after, called_s = card.status(), card.called_s(first)
    finally:
        pacer.stop()
    lost = after.state != "playing" or after.reconnects > before.reconnects or len(called_s) < 2
    return Trial(
        latency_s=after.latency_s,
        longest_gap_s=seconds if lost else float(np.diff(called_s).max()),
        underruns=after.device_underruns
        - before.device_underruns
        + after.underrun_frames
        - before.underrun_frames,
    )


def remembered(device_name: str) -> CardTiming | None:
    """Return what was measured for a device, by its full name."""
    return _read().get(device_name)


def _remember(device_name: str, timing: CardTiming) -> None:
    """Keep what was measured; a disk that is full is no reason not to play."""
    kept = {**_read(), device_name: timing}
    place = _place()
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        write_whole(place, json.dumps({name: asdict(timing) for name, timing in kept.items()}, indent=1))
    except OSError as error:
        _log.warning("the latency cannot be remembered in %s (%s)", place, error.strerror)


def _block_frames(latency_s: float) -> int:
    """Return a block that goes about eight times into a latency at 44.1 kHz."""
    return next((frames for frames in _BLOCKS_FRAMES if frames <= latency_s * 44_100 / 8), _BLOCKS_FRAMES[-1])


def _place() -> Path:
    return cache_folder() / "latency.json"


def _read() -> dict[str, CardTiming]:
    """Return what is remembered; nothing where that cannot be read, because it can be measured again."""
    try:
        told = json.loads(_place().read_text(encoding="utf-8"))
        return {
            str(name): CardTiming(
                latency_s=float(timing["latency_s"]), block_frames=int(timing["block_frames"])
            )
            for name, timing in told.items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OutputError):
        return {}
