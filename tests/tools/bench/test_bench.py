"""The benchmark computes the right figures, prints its table, and fails past a budget."""

import ctypes
import importlib
import itertools
import json
import math
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from model.base.errors import EndlosError
from stream.choosing.planner import Planner
from stream.choosing.ready.plan_ahead import PlanDepth
from stream.choosing.step import Step
from stream.outputs.ring.kernels import portaudio_callback
from stream.outputs.ring.ring import Ring
from stream.pool.pool import open_pool
from stream.pool.timeline import read_timeline
from tests.support.commands import run_here
from tests.support.pools import MadeUpScorer, make_generation, make_pool, noise_song
from tools.bench import deciding, null_sink, suite
from tools.bench.budgets import Budgets, with_changes
from tools.bench.deciding import decide_in_phrases_ms, decide_ms
from tools.bench.figures import Figure, missing, past_budget, quantile_figure
from tools.bench.isolated import run_isolated
from tools.bench.null_sink import NullSink
from tools.bench.plot import plot_figures, share
from tools.bench.questions import QUESTION_MODULES, QUESTIONS
from tools.bench.settings import BenchSettings
from tools.bench.simulation import FIRST_RUNG, Record, simulate
from tools.bench.table import number, print_figures
from tools.bench.virtual import Taken, VirtualCard, VirtualPlanner
from tools.pools.resized import resized
from tools.running.timed_callback import CallbackTimes


@dataclass(frozen=True)
class MadeUpChunk:
    """As much of a chunk as the virtual planner looks at."""

    end_s: float
    start_s: float = 0.0
    song: SimpleNamespace = field(default_factory=lambda: SimpleNamespace(audio_hash="one"))


@dataclass
class MadeUpPlanner:
    """Steps of given lengths whose decisions take given times, on a clock of its own."""

    lengths_s: list[float]
    costs_s: list[float]
    natural: list[bool]
    now_s: float = 0.0
    left_s: list[float | None] = field(default_factory=list)
    delivered: list[int] = field(default_factory=list)

    def plan(self, left_s: float | None) -> Step:
        number = len(self.left_s)
        self.left_s.append(left_s)
        self.now_s += self.costs_s[number]
        other = MadeUpChunk(1.0, song=SimpleNamespace(audio_hash="other"))
        return Step(
            after=None if self.natural[number] else other,  # type: ignore[arg-type]
            chunk=MadeUpChunk(self.lengths_s[number]),  # type: ignore[arg-type]
            natural=self.natural[number],
            rung="full",
            rank=number,
        )

    def deliver(self, step: Step) -> None:
        assert step.rank is not None
        self.delivered.append(step.rank)

    def virtual(self, depth: int) -> VirtualPlanner:
        return VirtualPlanner(self.plan, self.deliver, depth=PlanDepth(steps=depth), clock=lambda: self.now_s)


def test_margins_are_those_computed_by_hand() -> None:
    # Chunks of 4 s; the first is decided before the stream begins, the others take 1, 2, 3 and 1 s.
    made_up = MadeUpPlanner([4.0] * 5, [0.5, 1.0, 2.0, 3.0, 1.0], [False] * 5)
    planner = made_up.virtual(depth=2)
    taken = [planner.take(now_s) for now_s in (0.0, 4.0, 8.0, 12.0)]
    # Two are planned ahead: steps 1 and 2 from 0 on, ready at 1 and 3; step 3 begins when step 1 is taken
    # (at 4) and is ready at 7; step 4 begins when step 2 is taken (at 8), and is ready at 9.
    assert [step.ready_s for step in taken] == [0.0, 1.0, 3.0, 7.0]
    assert [step.margin_s for step in taken] == [0.0, 3.0, 5.0, 5.0]
    assert [step.took_s for step in taken] == [0.0, 1.0, 2.0, 3.0]
    # Time left: the end of what is heard and planned, less when the decision begins.
    assert made_up.left_s == [None, 4.0 - 0.0, 8.0 - 1.0, 12.0 - 4.0, 16.0 - 8.0]
    assert made_up.delivered == [0, 1, 2, 3]
    assert planner.spent_s == 1.0 + 2.0 + 3.0 + 1.0


def test_a_decision_that_takes_longer_than_the_music_is_late_by_the_difference() -> None:
    made_up = MadeUpPlanner([2.0] * 4, [0.0, 5.0, 0.5, 0.0], [False] * 4)
    planner = made_up.virtual(depth=1)
    margins_s = [planner.take(now_s).margin_s for now_s in (0.0, 2.0, 4.0)]
    # Ready at 5 and needed at 2. The next begins at 5 and is ready at 5.5, needed at 4.
    assert margins_s == [0.0, -3.0, -1.5]


def test_natural_steps_do_not_count_as_enough() -> None:
    made_up = MadeUpPlanner([1.0] * 6, [0.25] * 6, [False, True, True, True, False, False])
    planner = made_up.virtual(depth=2)
    planner.take(0.0)
    planner.take(1.0)
    # Steps 1 to 4: only the fourth leaves the song.
    assert len(made_up.left_s) == 5


def test_a_virtual_card_waits_for_room_and_counts_what_is_missing() -> None:
    virtual = VirtualCard(rate_hz=100, ring_frames=40, prefill_frames=20)
    for _ in range(2):
        virtual.wait_for_room(10)
        virtual.write(10, 0.5)
    # Prefilled at 1.0 s, and heard from then on: 20 frames last until 1.2 s.
    assert virtual.now_s == 1.0
    virtual.write(10, 0.1)
    virtual.write(10, 0.0)
    virtual.wait_for_room(10)
    # 40 frames written: another 10 fit when 10 have been heard, which they have at 1.1 s.
    assert virtual.now_s == pytest.approx(1.1)
    virtual.write(10, 0.0)
    virtual.wait_for_room(10)
    assert virtual.now_s == pytest.approx(1.2)
    # All 50 frames are over at 1.5 s; a block that takes until 1.7 s leaves 0.2 s of silence.
    virtual.write(10, 0.5)
    assert virtual.underrun_frames == 20
    # That block is heard from 1.7 to 1.8 s.
    virtual.write(10, 0.2)
    assert virtual.underrun_frames == 30


def test_what_is_recorded_of_steps() -> None:
    made_up = MadeUpPlanner([1.0], [0.0], [False])
    first = made_up.plan(None)
    record = Record()
    record.take(Taken(step=replace(first, after=None, rung="start"), ready_s=0.0, needed_s=0.0, took_s=0.0))
    for margin_s in (2.0, 1.0, -0.5):
        scored = replace(first, score=0.5, considered=9, rung="full" if margin_s > 0 else "nearest")
        record.take(Taken(step=scored, ready_s=10.0, needed_s=10.0 + margin_s, took_s=0.01))
    told = record.told()
    assert told["decisions"] == 4
    assert told["late"] == 1
    assert told["first_rung_percent"] == 75.0
    assert told["margin_min_ms"] == pytest.approx(-500.0)
    assert told["blend_margin_p1_s"] == pytest.approx(-0.5)
    assert told["scored_ms"]["p99"] == pytest.approx(10.0)  # type: ignore[index]


def test_quantiles_are_values_that_were_measured_and_the_budget_is_on_p99() -> None:
    figure = quantile_figure("decisions", "some", "ms", range(1, 101), p99_at_most=99.0)
    assert figure.spread == {"p50": 51.0, "p95": 96.0, "p99": 100.0, "max": 100.0}
    assert figure.value == 100.0
    assert figure.within is False
    assert past_budget([figure, replace(figure, at_most=100.0), missing("card", "sound card", "none")]) == [
        figure
    ]
    assert past_budget([missing("card", "failed", "broken", failed=True)])


def test_lower_bounds_hold_too() -> None:
    figure = Figure(question="render", name="multiple", unit="x", value=9.9, at_least=10.0)
    assert figure.within is False
    assert replace(figure, value=10.0).within is True
    assert share(figure) == pytest.approx(10.0 / 9.9)


def test_budgets_can_be_changed_one_by_one() -> None:
    changed = with_changes(Budgets(), ["first_sound_s=3", "underruns=7"])
    assert changed == replace(Budgets(), first_sound_s=3.0, underruns=7.0)
    for wrong in ("first_sound=3", "first_sound_s", "first_sound_s=soon"):
        with pytest.raises(EndlosError, match="is no budget"):
            with_changes(Budgets(), [wrong])


def test_parts_are_chosen_by_name() -> None:
    assert "peers" not in suite.chosen(None, peers=False)
    assert suite.chosen(None, peers=True) == suite.QUESTIONS
    assert suite.chosen("render, start", peers=False) == ("start", "render")
    for wrong in ("rendering", ","):
        with pytest.raises(EndlosError, match="names no part"):
            suite.chosen(wrong, peers=False)


def test_a_part_that_fails_is_a_row_and_the_others_go_on(
    tiny_pool: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(settings: BenchSettings) -> list[Figure]:
        raise EndlosError("no luck")

    monkeypatch.setattr("tools.bench.starting.measure_starts", fail)
    monkeypatch.setattr(null_sink, "available", lambda: False)
    figures = suite.measure_questions(("start", "card"), BenchSettings(pool=tiny_pool, model=tiny_model))
    assert [(figure.question, figure.within) for figure in figures] == [("start", False), ("card", None)]
    assert figures[0].note == "no luck"
    assert "no sound card" in figures[1].note


@pytest.mark.parametrize("chunks", [5, 40])
def test_a_resized_pool_has_so_many_chunks_of_different_songs(tmp_path: Path, chunks: int) -> None:
    pool = make_pool(tmp_path / "music", [noise_song(9.0, seed) for seed in range(3)])
    bigger = resized(pool, chunks, tmp_path, 100)
    assert len(bigger) == chunks
    keys = [
        (bigger.songs[song].audio_hash, start)
        for song, start in zip(bigger.chunk_song.tolist(), bigger.start_sample.tolist(), strict=True)
    ]
    assert len(set(keys)) == chunks
    row = chunks - 1
    assert np.array_equal(bigger.heads[row, 0], pool.heads[row % len(pool), 0, :100])
    assert np.array_equal(bigger.tails[row, 0], pool.tails[row % len(pool), 0, -100:])
    assert len(bigger.traits) == chunks and bigger.spectra is None
    assert np.array_equal(np.unique(bigger.chunk_song), np.arange(len(bigger.songs))), "none without a chunk"
    # A song that comes again is another song: its last chunk has no successor.
    assert np.count_nonzero(bigger.successors() == -1) == len(np.unique(bigger.chunk_song))


def test_a_resized_pool_knows_its_songs_over_time(tiny_pool: Path, tmp_path: Path) -> None:
    pool = open_pool(tiny_pool)
    part = resized(pool, len(pool) // 2, tmp_path, 100)
    assert len(part.songs) < len(pool.songs)
    for song in range(len(part.songs)):
        kept, read = read_timeline(pool, song), read_timeline(part, song)
        assert kept is not None and read is not None
        assert np.array_equal(read.bands_db, kept.bands_db)


def test_decisions_are_timed_on_the_rung_that_is_asked_for(tmp_path: Path) -> None:
    pool = make_pool(tmp_path, [noise_song(9.0, seed) for seed in range(3)])
    generation = make_generation(pool)
    took_ms = decide_ms(generation, np.arange(10), left_s=60.0, rung="full", limit_s=math.inf)
    assert len(took_ms) == 8
    assert min(took_ms) > 0
    assert len(decide_ms(generation, np.arange(10), left_s=0.0, rung="nearest", limit_s=math.inf)) == 8
    assert len(decide_ms(generation, np.arange(10), left_s=60.0, rung="full", limit_s=0.0)) == 3
    with pytest.raises(RuntimeError, match="expected 'kept'"):
        decide_ms(generation, np.arange(10), left_s=60.0, rung="kept")
    generation.close()


def test_of_a_stream_every_decision_is_timed_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = make_pool(tmp_path, [noise_song(9.0, seed) for seed in range(3)])
    generation = make_generation(pool)
    scorer = generation.scorer
    assert isinstance(scorer, MadeUpScorer)
    scored: list[float] = []

    class Noted(Planner):
        """Notes how long those steps took for which the scorer was asked, as it is for each decision here."""

        def next(self, *, leave: bool = False, deadline_s: float | None = None) -> Step:
            before = scorer.asked
            step = super().next(leave=leave, deadline_s=deadline_s)
            if scorer.asked > before or step.after is None:
                scored.append(step.decision_ms)
            return step

    monkeypatch.setattr(deciding, "Planner", Noted)
    for count in (1, 30):
        scored.clear()
        took_ms = decide_in_phrases_ms(generation, count)
        assert len(took_ms) == count
        assert took_ms == scored[-count:]
    generation.close()


def test_a_simulated_minute_of_a_small_pool(tiny_pool: Path, tiny_model: Path) -> None:
    for silent in (True, False):
        ticks = itertools.count()
        told = simulate(
            str(tiny_pool),
            str(tiny_model),
            hours=1 / 60,
            silent=silent,
            samples=2,
            # However slow this machine is: whatever is looked at takes a millisecond.
            clock=lambda ticks=ticks: next(ticks) / 1e3,  # type: ignore[misc]
        )
        assert told["decisions"] >= 20  # type: ignore[operator]
        rungs = told["rungs"]
        assert isinstance(rungs, dict)
        on_first = sum(count for rung, count in rungs.items() if rung in FIRST_RUNG)
        assert told["first_rung_percent"] == pytest.approx(100.0 * on_first / sum(rungs.values()))
        assert told["late"] == 0
        assert told["underrun_frames"] == 0
        assert told["scored_ms"]["max"] == pytest.approx(1.0)  # type: ignore[index]
        assert told["chunks"] == len(open_pool(tiny_pool))


def test_another_process_returns_plain_values_or_why_it_failed() -> None:
    assert run_isolated("tools.bench.table:number", value=2345.6) == "2,346"
    with pytest.raises(EndlosError, match="no_such_function"):
        run_isolated("tools.bench.virtual:no_such_function")


def test_callback_times_are_noted_and_the_ring_is_played() -> None:
    ring = Ring(64)
    ring.write(np.full((32, 2), 0.5, dtype=np.float32))
    times = CallbackTimes(portaudio_callback().address, capacity=3)
    long, pointer = ctypes.c_ulong, ctypes.c_void_p
    call = ctypes.CFUNCTYPE(ctypes.c_int, pointer, pointer, long, pointer, long, pointer)(times.address)
    out = np.empty((16, 2), dtype=np.float32)
    for number_of_call in range(5):
        told_s = np.array([0.0, 10.0 + number_of_call, 0.0])
        assert call(None, out.ctypes.data, 16, told_s.ctypes.data, 0, ring.address) == 0
    assert times.count() == 3
    assert times.since(1).tolist() == [11.0, 12.0]
    assert ring.frames_out == 32
    assert ring.underrun_frames == 5 * 16 - 32


def test_when_a_mark_was_heard() -> None:
    sink = NullSink({})
    silence = np.zeros((100, 2), dtype="<f4")
    mark = silence.copy()
    mark[50:, 1] = 0.25
    sink.arrived(mark.tobytes())
    pressed_s = time.monotonic()
    sink.arrived(silence.tobytes())
    assert sink.first_heard_s(1, pressed_s, 0.01) is None, "what was heard before does not count"
    before_s = time.monotonic()
    # A frame that is not whole yet is waited for.
    sink.arrived(mark.tobytes()[:-3])
    heard_s = sink.first_heard_s(1, pressed_s, 0.01)
    assert heard_s is not None
    assert before_s <= heard_s <= time.monotonic()
    assert sink.first_heard_s(0, pressed_s, 0.01) is None


def test_the_table_holds_every_figure(capsys: pytest.CaptureFixture[str]) -> None:
    figures = [
        quantile_figure(
            "decisions", "carried model", "ms", [10.0, 20.0], p99_at_most=15.0, note="2 references"
        ),
        Figure(question="hour", name="late decisions", unit="", value=0, at_most=0.0),
        missing("card", "sound card", "no sound card"),
    ]
    print_figures(figures)
    told = capsys.readouterr().out
    lines = {line.split()[0]: line for line in told.splitlines() if line.strip()}
    assert lines["decisions"].split()[1:] == [
        "carried", "model", "20", "20", "20", "20", "ms", "≤", "15", "PAST", "2", "references",
    ]  # fmt: skip
    assert "ok" in lines["hour"].split()
    assert "no sound card" in lines["card"]


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, ""), (0.0, "0"), (0.1234, "0.123"), (12.345, "12.3"), (123.45, "123.5"), (98765.4, "98,765")],
)
def test_numbers_show_what_counts(value: float | None, text: str) -> None:
    assert number(value) == text


def test_the_picture_is_drawn(tmp_path: Path) -> None:
    figures = [
        quantile_figure("decisions", "carried model", "ms", [10.0, 20.0], p99_at_most=15.0),
        Figure(question="render", name="multiple", unit="x", value=0.0, at_least=10.0),
        missing("card", "sound card", "none"),
    ]
    plot_figures(figures, tmp_path / "figures.png", "a title")
    assert (tmp_path / "figures.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(EndlosError, match=r"\.png, \.svg or \.pdf"):
        plot_figures(figures, tmp_path / "figures.nothing", "a title")


def test_the_command_measures_records_and_gates(
    tiny_pool: Path, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = tmp_path / "new" / "results.jsonl"
    words = ["bench", str(tiny_pool), "--model", str(tiny_model), "--only", "render", "--quick", "--json"]
    words += ["--out", str(results)]
    kept = ["least_model_times_real=0.01", "least_random_times_real=0.01", "beyond_encoder_cpu_s=1e9"]
    words += [word for budget in kept for word in ("--budget", budget)]
    assert run_here(*words) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["past_budget"] == []
    assert told["chunks"] == len(open_pool(tiny_pool))
    assert {figure["question"] for figure in told["figures"]} == {"render"}
    assert all(figure["value"] > 0 for figure in told["figures"])
    (line,) = results.read_text(encoding="utf-8").splitlines()
    recorded = json.loads(line)
    assert recorded["question"] == "bench"
    assert recorded["figures"]["figures"] == told["figures"]
    assert recorded["commit"]

    assert run_here(*words, "--budget", "least_random_times_real=1e9") == 1
    assert "1 figure past the budget: render: strategy random" in capsys.readouterr().err
    assert len(results.read_text(encoding="utf-8").splitlines()) == 2


def test_what_is_no_pool_is_said_in_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_here("bench", tmp_path) == 1
    assert "is not a pool" in capsys.readouterr().err


def test_every_question_is_asked_of_a_function_that_is_there() -> None:
    for module, function in QUESTION_MODULES.values():
        assert callable(getattr(importlib.import_module(module), function))


def test_the_help_names_every_part(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_here("bench", "--help") == 0
    assert ", ".join(QUESTIONS) in " ".join(capsys.readouterr().out.split())
