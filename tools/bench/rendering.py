"""This measurement times rendering against real time, and the processor time of an hour of stream."""

import time
from dataclasses import dataclass
from statistics import median

from model.base.arrays import FloatArray
from model.saved.carried import carried_model
from stream.choosing.generation import Generation, open_generation
from stream.choosing.planner import Planner
from stream.choosing.ready.step_source import Immediate
from stream.choosing.settings import PlannerSettings, Strategy
from stream.engine.engine import Engine
from stream.engine.renderer import Renderer
from stream.engine.settings import EngineSettings
from stream.joins.join_planner import JoinPlanner
from stream.joins.settings import SoundSettings
from stream.outputs.encoding.encoder import StreamEncoder
from stream.scoring.settings import ScoringSettings
from tools.bench.figures import Figure
from tools.bench.settings import BenchSettings

_QUESTION = "render"
_RATE_HZ = 44_100
_BLOCK_FRAMES = 4096
_KBPS = 128
_WARM_UP_S = 15.0
"""Long enough for a join."""
_HOUR_S = 3600.0


def measure_rendering(settings: BenchSettings) -> list[Figure]:
    """Render offline with the model and at random, and encode as MP3 at 128 kbit/s."""
    return [*multiples(settings), *_processor_time(settings)]


def multiples(settings: BenchSettings) -> list[Figure]:
    """Render offline with the model and at random, several streams each."""
    budgets = settings.budgets
    return [
        _multiple(settings, "model", budgets.least_model_times_real),
        _multiple(settings, "random", budgets.least_random_times_real),
    ]


def _multiple(settings: BenchSettings, strategy: Strategy, at_least: float) -> Figure:
    seconds = settings.repeats(300, 20)
    repeats = settings.repeats(3, 1)
    settings.notice(f"render, strategy {strategy}")
    times = [times_real(settings, strategy, seconds, seed) for seed in range(repeats)]
    return Figure(
        question=_QUESTION,
        name=f"strategy {strategy}, multiple of real time, median",
        unit="x",
        value=median(times),
        at_least=at_least,
        note=f"{repeats} streams of {seconds} s, slowest {min(times):.0f}x; the start is not counted",
    )


def times_real(settings: BenchSettings, strategy: Strategy, seconds: float, seed: int) -> float:
    """Return how many times faster than real time `seconds` of stream are rendered, opening excluded."""
    planner = PlannerSettings(strategy=strategy, seed=seed)
    engine = Engine.open(settings.pool, EngineSettings(planner=planner, model=settings.model))
    try:
        # Compiles, or loads, what a join needs.
        engine.render(round(_WARM_UP_S * _RATE_HZ))
        frames = round(seconds * _RATE_HZ)
        began_s = time.perf_counter()
        for _ in range(0, frames, _BLOCK_FRAMES):
            engine.render(_BLOCK_FRAMES)
        return seconds / (time.perf_counter() - began_s)
    finally:
        engine.close()


@dataclass(frozen=True, kw_only=True)
class _Rendered:
    blocks: list[FloatArray]
    cpu_s: float


def _processor_time(settings: BenchSettings) -> list[Figure]:
    seconds = settings.repeats(240, 20)
    settings.notice("processor time of an hour")
    scoring = ScoringSettings(model=settings.model or carried_model())
    generation = open_generation(settings.pool, scoring, engine_rate_hz=_RATE_HZ)
    try:
        _render(generation, _WARM_UP_S)
        scored = _render(generation, seconds)
        # The same stream again: now every row is at hand, as if precomputed.
        known = _render(generation, seconds)
    finally:
        generation.close()
    encoder_cpu_s = _encode(known.blocks)
    hours = seconds / _HOUR_S
    beyond_cpu_s = known.cpu_s / hours
    note = f"{seconds} s of stream, scaled to an hour"

    def figure(name: str, value: float, at_most: float | None = None) -> Figure:
        return Figure(question=_QUESTION, name=name, unit="CPU s/h", value=value, at_most=at_most, note=note)

    return [
        figure(f"encoder alone, MP3 {_KBPS}k", encoder_cpu_s / hours),
        figure("beyond the encoder, rows precomputed", beyond_cpu_s, settings.budgets.beyond_encoder_cpu_s),
        figure("beyond the encoder, every reference scored", scored.cpu_s / hours),
        figure(
            f"render and encode, MP3 {_KBPS}k, every reference scored", (scored.cpu_s + encoder_cpu_s) / hours
        ),
    ]


def _render(generation: Generation, seconds: float) -> _Rendered:
    renderer = Renderer(
        Immediate(Planner(generation, PlannerSettings(seed=0))),
        JoinPlanner(SoundSettings(engine_rate_hz=_RATE_HZ)),
        on_decision=lambda decision: None,
    )
    began_s = time.process_time()
    blocks = [renderer.render(_BLOCK_FRAMES) for _ in range(0, round(seconds * _RATE_HZ), _BLOCK_FRAMES)]
    return _Rendered(blocks=blocks, cpu_s=time.process_time() - began_s)


def encoder_cpu_s(settings: BenchSettings, begin_s: float, seconds: float) -> float:
    """Return the processor time that the encoder alone takes for an hour, by `seconds` of stream.

    begin_s: where in the stream of seed 0 they begin. Music differs: some takes LAME a quarter longer.
    """
    scoring = ScoringSettings(model=settings.model or carried_model())
    generation = open_generation(settings.pool, scoring, engine_rate_hz=_RATE_HZ)
    try:
        blocks = _render(generation, begin_s + seconds).blocks[round(begin_s * _RATE_HZ / _BLOCK_FRAMES) :]
    finally:
        generation.close()
    return _encode(blocks) * _HOUR_S / seconds


def _encode(blocks: list[FloatArray]) -> float:
    encoder = StreamEncoder("mp3", _RATE_HZ, _KBPS)
    encoder.encode(blocks[0])
    began_s = time.process_time()
    for block in blocks:
        encoder.encode(block)
    encoder.flush()
    return time.process_time() - began_s
