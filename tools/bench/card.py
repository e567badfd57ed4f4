"""This measurement plays on the sound card and counts underruns, callbacks, and the delay of `next`.

It plays on the card of `--device`, or on a silent one in its own PulseAudio, whose monitor is recorded.
"""

import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from model.base.arrays import FloatArray
from stream.choosing.settings import PlannerSettings
from stream.engine.engine import Engine
from stream.engine.settings import EngineSettings
from stream.outputs.card import SoundCard
from stream.outputs.card_timing import CardTiming
from stream.outputs.devices import parse_device
from stream.outputs.pacer import Pacer
from tools.bench import load, null_sink
from tools.bench.figures import Figure, missing, quantile_figure
from tools.bench.isolated import run_isolated
from tools.bench.null_sink import NullSink
from tools.bench.settings import BenchSettings
from tools.running.timed_card import TimedCard

_QUESTION = "card"
BLOCKS_FRAMES = (64, 128, 256, 512)
BUDGETED_BLOCK_FRAMES = 256
"""With blocks of this size (the default) and larger, nothing may ever fall short."""
_RATE_HZ = 44_100
_MARK = np.float32(0.25)
_HEARD_ABOVE = 0.01
_SETTLE_S = 1.0
_BETWEEN_SKIPS_S = 1.5
_START_TIMEOUT_S = 20.0
_POLL_S = 0.02


def measure_card(settings: BenchSettings) -> list[Figure]:
    """Play the stream with several block sizes, idle and under load, and press `next`."""
    if settings.device is None and not null_sink.available():
        return [missing(_QUESTION, "sound card", null_sink.MISSING)]
    blocks = (BUDGETED_BLOCK_FRAMES,) if settings.quick else BLOCKS_FRAMES
    figures = []
    with ExitStack() as opened:
        sink = opened.enter_context(null_sink.null_sink()) if settings.device is None else None
        for block_frames in blocks:
            for loaded in (False, True):
                settings.notice(f"sound card, {block_frames} frames, {_condition(loaded)}")
                figures += _steadiness(settings, sink, block_frames, loaded)
        settings.notice("sound card, next")
        figures += _skips(settings, sink)
    return figures


def _condition(loaded: bool) -> str:
    return "cores busy and lock held" if loaded else "idle"


def _steadiness(
    settings: BenchSettings, sink: NullSink | None, block_frames: int, loaded: bool
) -> list[Figure]:
    told = _play(settings, sink, block_frames, settings.repeats(6, 2), loaded=loaded)
    name = f"{block_frames} frames, {_condition(loaded)}"
    at_most = settings.budgets.underruns if block_frames >= BUDGETED_BLOCK_FRAMES else None
    jitter_ms = np.abs(np.diff(told["called_s"]) - block_frames / _RATE_HZ) * 1e3
    return [
        Figure(
            question=_QUESTION,
            name=f"frames of underrun, {name}",
            unit="",
            value=told["underrun_frames"],
            at_most=at_most,
            note=f"{len(jitter_ms) + 1} calls",
        ),
        Figure(
            question=_QUESTION,
            name=f"device ran dry, {name}",
            unit="",
            value=told["device_underruns"],
            at_most=at_most,
        ),
        quantile_figure(_QUESTION, f"callback jitter, {name}", "ms", jitter_ms),
    ]


def _skips(settings: BenchSettings, sink: NullSink | None) -> list[Figure]:
    if sink is None:
        why = (
            "only a card whose monitor is recorded tells; run without --device where PulseAudio is installed"
        )
        return [missing(_QUESTION, "from next to sound", why)]
    count = settings.repeats(8, 2)
    told = _play(settings, sink, BUDGETED_BLOCK_FRAMES, 0, skips=count)
    heard_ms = []
    for number, pressed_s in enumerate(told["skipped_s"]):
        heard_s = sink.first_heard_s((number + 1) % 2, pressed_s, _HEARD_ABOVE)
        if heard_s is None:
            return [
                missing(_QUESTION, "from next to sound", "nothing was recorded at the sound card's monitor")
            ]
        heard_ms.append((heard_s - pressed_s) * 1e3)
    return [
        Figure(
            question=_QUESTION,
            name="from next to sound, slowest",
            unit="ms",
            value=max(heard_ms),
            at_most=settings.budgets.skip_ms,
            note=f"median {statistics.median(heard_ms):.0f} ms of {count}, as recorded at the monitor",
        )
    ]


def _play(
    settings: BenchSettings,
    sink: NullSink | None,
    block_frames: int,
    seconds: float,
    *,
    loaded: bool = False,
    skips: int = 0,
) -> Any:
    return run_isolated(
        "tools.bench.card:play_for",
        env=sink.environment if sink is not None else None,
        pool=settings.pool,
        model=settings.model,
        device=settings.device,
        block_frames=block_frames,
        seconds=seconds,
        loaded=loaded,
        skips=skips,
    )


class _Marked:
    """The engine at work, but heard as a steady level on one channel, which changes sides with `skip`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._channel = 0

    def render(self, frames: int) -> FloatArray:
        """Render, and mark."""
        block = np.zeros_like(self._engine.render(frames))
        block[:, self._channel] = _MARK
        return block

    def skip(self) -> None:
        """Skip, and change sides."""
        self._engine.skip()
        self._channel = 1 - self._channel


def play_for(
    pool: str,
    model: str | None,
    device: str | None,
    block_frames: int,
    seconds: float,
    loaded: bool,
    skips: int,
) -> dict[str, object]:
    """Play for a while and tell how it went; a process of its own, started in the sink's environment."""
    engine = Engine.open(
        Path(pool),
        EngineSettings(planner=PlannerSettings(seed=1), model=Path(model) if model else None),
        live=True,
    )
    marked = _Marked(engine)
    card = TimedCard(parse_device(device), _RATE_HZ, CardTiming(block_frames=block_frames))
    pacer = Pacer(marked.render, [card], _RATE_HZ, leader=card)
    pacer.start()
    try:
        _wait_until_playing(card)
        with _load() if loaded else ExitStack():
            time.sleep(_SETTLE_S)
            before, first = card.status(), card.calls()
            time.sleep(seconds)
            after, called_s = card.status(), card.called_s(first)
        skipped_s = []
        for _ in range(skips):
            skipped_s.append(time.monotonic())
            pacer.skip(marked.skip)
            time.sleep(_BETWEEN_SKIPS_S)
    finally:
        pacer.stop()
        engine.close()
    return {
        "underrun_frames": after.underrun_frames - before.underrun_frames,
        "device_underruns": after.device_underruns - before.device_underruns,
        "called_s": called_s.tolist(),
        "skipped_s": skipped_s,
    }


def _wait_until_playing(card: SoundCard) -> None:
    until_s = time.monotonic() + _START_TIMEOUT_S
    while card.status().state != "playing" or not card.status().frames_out:
        if time.monotonic() > until_s:
            raise RuntimeError(f"the sound card does not play: {card.status()}")
        time.sleep(_POLL_S)


@contextmanager
def _load() -> Iterator[None]:
    with load.busy_cores(), load.held_lock():
        yield
