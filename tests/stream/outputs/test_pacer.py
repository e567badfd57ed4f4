"""The pacer gives every output the same frames in time, whatever one of them does."""

import logging
import threading
from collections.abc import Callable

import numpy as np
import pytest

from model.base.arrays import FloatArray
from model.base.errors import OutputError
from stream.outputs.encoded import BEHIND_S
from stream.outputs.leader_watch import LEADER_START_S
from stream.outputs.output import Leader, Output, OutputStatus, State
from stream.outputs.pacer import (
    ALONE_BLOCK_FRAMES,
    GIVE_UP_LATENESS_S,
    LEADER_BLOCK_FRAMES,
    MAX_WAIT_S,
    START_LEAD_S,
    Pacer,
)
from stream.outputs.standstill import Stops
from tests.support.heard import wait_until
from tests.support.waiting import PATIENCE_S

RATE_HZ = 44_100
BLOCK = 1024
OPEN = ("starting", "playing", "paused")


class SimulatedClock:
    """Seconds that pass only while somebody waits, or works."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s

    def pass_by(self, seconds: float) -> None:
        self.now_s += seconds


class Engine:
    """Counts frames, `(n, -n)`, and takes as long as told for the next block."""

    def __init__(self, clock: SimulatedClock) -> None:
        self.clock = clock
        self.frames = 0
        self.takes_s = 0.0
        self.skips = 0

    def render(self, frames: int) -> FloatArray:
        self.clock.pass_by(self.takes_s)
        self.takes_s = 0.0
        count = np.arange(self.frames, self.frames + frames, dtype=np.float32)
        self.frames += frames
        return np.stack([count, -count], axis=1)

    def skip(self) -> None:
        self.skips += 1


class Collector(Output):
    """An output that takes everything."""

    def __init__(self, name: str = "collector") -> None:
        self.name = name
        self.blocks: list[FloatArray] = []
        self.events: list[str] = []
        self.error: Exception | None = None

    def start(self) -> None:
        self.events.append("start")

    def space_frames(self) -> int:
        return 1 << 20

    def offer(self, block: FloatArray) -> None:
        if self.error is not None:
            raise self.error
        self.blocks.append(block)

    def skip(self) -> None:
        self.events.append(f"skip after {len(self.blocks)} blocks")

    def status(self) -> OutputStatus:
        return OutputStatus(name=self.name, state="playing")

    def close(self) -> None:
        self.events.append("close")

    def frames(self) -> int:
        return sum(map(len, self.blocks))


class Card(Leader):
    """A sound card in simulated time, with a ring of 0.75 s and a clock that is a little off."""

    name = "card"

    def __init__(self, clock: SimulatedClock, ppm: float = 0.0) -> None:
        self.clock = clock
        self.rate = RATE_HZ * (1 + ppm * 1e-6)
        self.capacity = round(0.75 * RATE_HZ)
        self.state: State = "playing"
        self.buffered = 0.0
        self.offered = self.dropped = 0
        self.underruns = 0.0
        self.skips = 0
        self._seen_s = clock()

    def _play(self) -> None:
        wanted = (self.clock() - self._seen_s) * self.rate
        self._seen_s = self.clock()
        if self.state == "playing":
            self.underruns += max(wanted - self.buffered, 0) if self.offered else 0
            self.buffered = max(self.buffered - wanted, 0)

    def set_state(self, state: State) -> None:
        self._play()
        self.state = state
        if state == "reconnecting":
            self.buffered = 0

    def start(self) -> None: ...

    def space_frames(self) -> int:
        self._play()
        return int(self.capacity - self.buffered) if self.state in OPEN else 0

    def offer(self, block: FloatArray) -> None:
        taken = min(len(block), self.space_frames())
        self.buffered += taken
        self.offered += taken
        self.dropped += len(block) - taken

    def skip(self) -> None:
        self.skips += 1
        self.buffered = 0

    def pause(self, paused: bool) -> None:
        self.set_state("paused" if paused else "playing")

    def status(self) -> OutputStatus:
        self._play()
        return OutputStatus(name=self.name, state=self.state, buffered_s=self.buffered / RATE_HZ)

    def close(self) -> None:
        self.state = "stopped"


class Bench:
    """A pacer in simulated time."""

    def __init__(self, *, card_ppm: float | None = None) -> None:
        self.clock = SimulatedClock()
        self.engine = Engine(self.clock)
        self.collector = Collector()
        self.card = None if card_ppm is None else Card(self.clock, card_ppm)
        self.pacer = Pacer(
            self.engine.render,
            [self.collector],
            RATE_HZ,
            leader=self.card,
            block_frames=BLOCK,
            clock=self.clock,
            wait=self.clock.pass_by,
        )

    def run(self, seconds: float, watch: Callable[[], None] = lambda: None) -> None:
        end_s = self.clock() + seconds
        while self.clock() < end_s:
            self.pacer.step()
            watch()


def test_at_the_start_there_is_a_lead_which_is_kept_and_counts_as_late_in_nothing() -> None:
    """Who comes right after a restart gets a burst, too."""
    clock = SimulatedClock()
    engine, output = Engine(clock), Collector()
    pacer = Pacer(engine.render, [output], RATE_HZ, lead_s=3.0, clock=clock, wait=clock.pass_by)
    began_s = clock()
    engine.takes_s = 0.2
    while output.frames() < 3 * RATE_HZ:
        pacer.step()
    assert clock() - began_s == pytest.approx(0.2), "all at once, but for what the engine took"
    while clock() < began_s + 60:
        pacer.step()
    assert 62.8 <= output.frames() / RATE_HZ < 63.3
    assert pacer.status().late_blocks == 0


def test_no_output_is_given_so_much_in_advance_that_it_is_behind() -> None:
    clock = SimulatedClock()
    engine, output = Engine(clock), Collector()
    pacer = Pacer(engine.render, [output], RATE_HZ, lead_s=START_LEAD_S, clock=clock, wait=clock.pass_by)
    began_s, ahead_s = clock(), 0.0
    while clock() < began_s + 10:
        pacer.step()
        ahead_s = max(ahead_s, output.frames() / RATE_HZ - (clock() - began_s))
    assert 2.9 < ahead_s < BEHIND_S


def test_a_leader_is_given_no_lead() -> None:
    clock = SimulatedClock()
    engine, other, card = Engine(clock), Collector(), Card(clock)
    pacer = Pacer(
        engine.render, [card, other], RATE_HZ, leader=card, lead_s=3.0, clock=clock, wait=clock.pass_by
    )
    began_s = clock()
    while clock() < began_s + 20:
        pacer.step()
    assert other.frames() / RATE_HZ < 21


def test_the_wall_clock_paces_where_there_is_no_leader() -> None:
    bench = Bench()
    bench.run(60)
    assert abs(bench.collector.frames() - 60 * RATE_HZ) <= BLOCK + MAX_WAIT_S * RATE_HZ
    joined = np.concatenate(bench.collector.blocks)
    assert np.array_equal(joined[:, 0], np.arange(len(joined), dtype=np.float32))
    status = bench.pacer.status()
    assert (status.clock, status.late_blocks, status.clock_resets) == ("wall", 0, 0)


def test_a_process_that_was_stopped_counts_it_and_tells_of_it_for_a_minute(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = SimulatedClock()
    stops, late_s = Stops(clock), [0.0, 5.0, 0.0]

    def wait(seconds: float) -> bool:
        clock.pass_by(seconds + late_s.pop())
        return not late_s

    stops.watch(wait)
    assert (stops.count, stops.total_s, stops.lately_s()) == pytest.approx((1, 5.0, 5.0))
    assert len([message for message in caplog.messages if "stood still for 5.0 s" in message]) == 1
    clock.pass_by(61)
    assert (stops.total_s, stops.lately_s()) == pytest.approx((5.0, 0.0))


def test_a_process_that_is_stopped_while_the_engine_works_counts_it_too() -> None:
    working, may_go_on = threading.Event(), threading.Event()

    def render(frames: int) -> FloatArray:
        working.set()
        may_go_on.wait()
        return np.zeros((frames, 2), dtype=np.float32)

    clock = SimulatedClock()
    pacer = Pacer(render, [Collector()], RATE_HZ, clock=clock)
    pacer.start()
    working.wait(PATIENCE_S)
    clock.pass_by(5.0)
    wait_until(lambda: pacer.status().stops == 1, "it is counted")
    may_go_on.set()
    pacer.stop()


@pytest.mark.parametrize("led", [True, False])
def test_without_a_leader_it_wakes_only_when_a_block_is_due(led: bool) -> None:
    clock = SimulatedClock()
    waits: list[float] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        clock.pass_by(seconds)

    outputs = [Collector()]
    leader = Card(clock) if led else None
    pacer = Pacer(Engine(clock).render, outputs, RATE_HZ, leader=leader, clock=clock, wait=wait)
    end_s = clock() + 10
    while clock() < end_s:
        pacer.step()
    assert {len(block) for block in outputs[0].blocks} == {LEADER_BLOCK_FRAMES if led else ALONE_BLOCK_FRAMES}
    # A wait for each block, and not one more; a leader is looked at more often.
    assert len(waits) >= 300 if led else len(waits) == len(outputs[0].blocks) == 14


def test_a_wait_ends_when_something_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    # One frame a second: the next block is due an hour from now.
    monkeypatch.setattr("stream.outputs.pacer.MAX_WAIT_ALONE_S", 3600.0)
    collector, engine = Collector(), Engine(SimulatedClock())
    pacer = Pacer(engine.render, [collector], 1, block_frames=3600)
    pacer.start()
    wait_until(lambda: len(collector.blocks) == 1, "the first block is there")
    pacer.skip(engine.skip)
    wait_until(lambda: engine.skips == 1, "it skips")
    pacer.pause(True)
    wait_until(lambda: pacer.status().clock == "paused", "it stands still")
    pacer.pause(False)
    wait_until(lambda: pacer.status().clock == "wall", "it goes on")
    pacer.stop()
    assert pacer.status().clock == "stopped"


@pytest.mark.parametrize("ppm", [-20_000.0, 200.0, 20_000.0])
def test_a_leader_paces_by_its_own_clock(ppm: float) -> None:
    bench = Bench(card_ppm=ppm)
    assert bench.card is not None
    bench.run(60)
    assert bench.card.underruns == 0
    assert bench.card.dropped == 0
    played = 60 * bench.card.rate
    assert 0 < bench.engine.frames - played <= bench.card.capacity + BLOCK
    assert bench.collector.frames() == bench.engine.frames
    assert bench.pacer.status().clock == "leader"


def test_the_others_go_on_while_the_leader_is_gone_and_get_no_further_ahead() -> None:
    bench = Bench(card_ppm=0.0)
    assert bench.card is not None
    began_s = bench.clock()
    for loss in range(1, 6):
        bench.run(5)
        bench.card.set_state("reconnecting")
        bench.run(10)
        assert bench.pacer.status().clock == "wall"
        assert bench.pacer.status().leader_losses == loss
        assert abs(bench.collector.frames() / RATE_HZ - (bench.clock() - began_s)) < 0.1
        bench.card.set_state("playing")
        bench.run(5)
        assert bench.pacer.status().clock == "leader"
        assert bench.collector.frames() / RATE_HZ - (bench.clock() - began_s) < 0.75 + 0.1
    assert bench.pacer.status().late_blocks == 0


def test_a_leader_that_stands_still_does_not_hold_up_the_others_for_good() -> None:
    bench = Bench(card_ppm=0.0)
    assert bench.card is not None
    bench.run(5)
    bench.card.rate = 0
    before = bench.collector.frames()
    offered_s = [bench.clock()]
    seen = before

    def watch() -> None:
        nonlocal seen
        if bench.collector.frames() > seen:
            seen = bench.collector.frames()
            offered_s.append(bench.clock())

    bench.run(10, watch)
    assert bench.pacer.status().clock == "wall"
    # Its ring's 0.75 s, by which the others are ahead of what it plays, and no more.
    assert np.diff(offered_s).max() < 0.85
    assert bench.collector.frames() - before == pytest.approx((10 - 0.75) * RATE_HZ, abs=3 * BLOCK)
    assert bench.card.skips == 0
    bench.card.rate = RATE_HZ
    bench.run(5)
    assert bench.pacer.status().clock == "leader"
    assert bench.card.skips == 1, "it goes on with what is pulled now"
    assert bench.card.buffered > 0.5 * bench.card.capacity
    assert bench.collector.frames() - before == pytest.approx(15 * RATE_HZ, abs=3 * BLOCK)


@pytest.mark.parametrize("gone_s", [0.0, 0.3])
@pytest.mark.parametrize("opening_s", [0.1, 0.42, 1.5])
def test_a_leader_that_is_lost_again_and_again_costs_the_others_nothing(
    gone_s: float, opening_s: float
) -> None:
    bench = Bench(card_ppm=0.0)
    assert bench.card is not None
    bench.run(5)
    began_s, before = bench.clock(), bench.collector.frames()
    most_behind_s = 0.0

    def watch() -> None:
        nonlocal most_behind_s
        heard_s = (bench.collector.frames() - before) / RATE_HZ
        most_behind_s = max(most_behind_s, bench.clock() - began_s - heard_s)

    for _ in range(30):
        bench.card.set_state("reconnecting")
        if gone_s:
            bench.run(gone_s, watch)
        # It is open again, its ring fills, and nothing of it is played yet.
        bench.card.state = "starting"
        bench.run(opening_s, watch)
        bench.card.set_state("playing")
        bench.run(0.83, watch)
    # A listener's own buffer bridges that.
    assert most_behind_s < 1.0
    assert bench.card.underruns < 30 * RATE_HZ


def test_a_leader_may_take_its_time_to_start() -> None:
    bench = Bench(card_ppm=0.0)
    assert bench.card is not None
    bench.card.state = "starting"
    bench.run(LEADER_START_S - 0.5)
    assert bench.pacer.status().clock == "leader"
    bench.run(1)
    assert bench.pacer.status().clock == "wall"


def test_a_slow_block_is_made_up_for_counted_and_said_once(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench()
    bench.run(5)
    with caplog.at_level(logging.WARNING, logger="stream.outputs.pacer"):
        bench.engine.takes_s = 2.0
        bench.run(8)
    status = bench.pacer.status()
    assert abs(bench.collector.frames() - 13 * RATE_HZ) <= 2 * BLOCK
    assert status.max_lateness_s == pytest.approx(2.0, abs=0.05)
    assert 1 < status.late_blocks <= 2 * RATE_HZ / BLOCK + 1
    assert len(caplog.records) == 1
    assert "the engine took 2.00 s" in caplog.text


def test_a_block_that_outlasts_what_the_leader_has_is_late() -> None:
    bench = Bench(card_ppm=0.0)
    bench.run(5)
    bench.engine.takes_s = 0.5
    bench.run(5)
    assert bench.pacer.status().late_blocks == 0
    bench.engine.takes_s = 1.5
    bench.run(5)
    assert bench.pacer.status().late_blocks == 1
    assert bench.pacer.status().max_lateness_s == pytest.approx(0.75, abs=0.1)


def test_after_a_minute_of_standstill_it_goes_on_instead_of_racing() -> None:
    bench = Bench()
    bench.run(5)
    bench.clock.pass_by(GIVE_UP_LATENESS_S + 3600)
    before = bench.engine.frames
    bench.run(5)
    assert abs(bench.engine.frames - before - 5 * RATE_HZ) <= 2 * BLOCK
    assert bench.pacer.status().clock_resets == 1


@pytest.mark.parametrize("card_ppm", [None, 0.0])
def test_in_a_pause_the_engine_stands_still_and_does_not_race_afterwards(card_ppm: float | None) -> None:
    bench = Bench(card_ppm=card_ppm)
    bench.run(5)
    before = bench.engine.frames
    bench.pacer.pause(True)
    bench.run(30)
    assert bench.pacer.paused
    assert bench.pacer.status().clock == "paused"
    assert bench.engine.frames == before
    bench.pacer.pause(False)
    bench.run(5)
    assert abs(bench.engine.frames - before - 5 * RATE_HZ) <= 3 * BLOCK
    if bench.card is not None:
        assert bench.card.underruns == 0
        assert bench.card.dropped == 0


def test_a_pause_of_the_card_alone_holds_the_stream() -> None:
    bench = Bench(card_ppm=0.0)
    assert bench.card is not None
    bench.run(5)
    before = bench.engine.frames
    bench.card.pause(True)
    bench.run(30)
    assert bench.engine.frames == before


def test_a_skip_reaches_the_engine_and_then_every_output() -> None:
    bench = Bench()
    bench.run(1)
    offered = len(bench.collector.blocks)
    bench.pacer.skip(bench.engine.skip)
    bench.pacer.skip(bench.engine.skip)
    bench.run(1)
    assert bench.engine.skips == 2
    assert bench.collector.events == [f"skip after {offered} blocks"] * 2


def test_an_output_that_raises_is_left_out_and_the_others_go_on() -> None:
    bench = Bench(card_ppm=0.0)
    bench.run(1)
    bench.collector.error = RuntimeError("broken")
    taken = bench.collector.frames()
    bench.run(5)
    assert bench.card is not None
    assert bench.card.underruns == 0
    assert bench.collector.frames() == taken
    assert bench.pacer.status().failed_outputs == 1


@pytest.mark.parametrize("method", ["space_frames", "offer", "status", "skip"])
def test_a_leader_that_raises_is_left_out_and_the_others_go_on_by_the_wall_clock(
    method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(card_ppm=0.0)
    assert bench.card is not None
    bench.run(2)
    before_s, before = bench.clock(), bench.collector.frames()

    def fail(*_: object) -> None:
        raise RuntimeError("the driver is broken")

    monkeypatch.setattr(bench.card, method, fail)
    bench.pacer.skip(bench.engine.skip)
    bench.run(5)
    status = bench.pacer.status()
    assert (status.clock, status.failed_outputs, status.leader_losses) == ("wall", 1, 1)
    heard = bench.collector.frames() - before
    assert abs(heard - (bench.clock() - before_s) * RATE_HZ) < RATE_HZ


def test_a_leader_that_cannot_pause_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(card_ppm=0.0)
    assert bench.card is not None
    bench.run(1)

    def fail(paused: bool) -> None:
        raise RuntimeError("the driver is broken")

    monkeypatch.setattr(bench.card, "pause", fail)
    bench.pacer.pause(True)
    bench.run(1)
    bench.pacer.pause(False)
    before = bench.collector.frames()
    bench.run(2)
    assert bench.pacer.status().failed_outputs == 1
    assert abs(bench.collector.frames() - before - 2 * RATE_HZ) < RATE_HZ // 2


def test_how_long_ago_it_stood_still_on_purpose() -> None:
    bench = Bench()
    bench.run(3)
    assert bench.pacer.since_pause_s() is None
    bench.pacer.pause(True)
    bench.run(20)
    assert bench.pacer.since_pause_s() == 0.0
    bench.pacer.pause(False)
    bench.run(4)
    since_s = bench.pacer.since_pause_s()
    assert since_s is not None and abs(since_s - 4) < 0.6


class Stuck(Collector):
    """Its close comes back only when it is let go."""

    def __init__(self) -> None:
        super().__init__("stuck")
        self.closing, self.let_go = threading.Event(), threading.Event()

    def close(self) -> None:
        self.closing.set()
        assert self.let_go.wait(PATIENCE_S)
        raise OutputError("it cannot even be closed")


def test_an_output_that_raises_is_closed_and_nobody_waits_for_that(caplog: pytest.LogCaptureFixture) -> None:
    clock = SimulatedClock()
    broken, other = Stuck(), Collector()
    broken.error = RuntimeError("broken")
    pacer = Pacer(Engine(clock).render, [broken, other], RATE_HZ, clock=clock, wait=clock.pass_by)
    while len(other.blocks) < 100:
        pacer.step()
    assert broken.closing.wait(PATIENCE_S)
    broken.let_go.set()
    wait_until(lambda: "cannot be closed either" in caplog.text, "the log of it")
    pacer.stop()
    assert other.events == ["close"]


class StuckTheSecondTime(Stuck):
    def close(self) -> None:
        if self.closing.is_set():
            self.let_go.wait(PATIENCE_S)
        self.closing.set()
        raise OutputError("it cannot be closed")


def test_an_output_that_cannot_be_closed_is_not_closed_again() -> None:
    broken = StuckTheSecondTime()
    pacer = Pacer(Engine(SimulatedClock()).render, [broken], RATE_HZ)
    running = threading.active_count()
    pacer.stop()
    assert pacer.status().failed_outputs == 1
    assert threading.active_count() == running
    broken.let_go.set()


class Refusing(Collector):
    def __init__(self, error: Exception) -> None:
        super().__init__("refusing")
        self.error = error

    def start(self) -> None:
        assert self.error is not None
        raise self.error


@pytest.mark.parametrize("kind", [OutputError, RuntimeError])
def test_when_one_output_cannot_start_the_started_ones_are_closed(kind: type[Exception]) -> None:
    first, last = Collector(), Collector()
    refusing = Refusing(kind("the port is taken"))
    pacer = Pacer(Engine(SimulatedClock()).render, [first, refusing, last], RATE_HZ)
    with pytest.raises(kind, match="the port is taken"):
        pacer.start()
    assert first.events == ["start", "close"]
    assert last.events == []


def test_what_the_engine_raises_closes_the_outputs_and_reaches_whoever_waits() -> None:
    def render(frames: int) -> FloatArray:
        raise RuntimeError(f"no {frames} frames")

    collector = Collector()
    pacer = Pacer(render, [collector], RATE_HZ, block_frames=1024)
    pacer.start()
    with pytest.raises(RuntimeError, match="no 1024 frames"):
        pacer.wait(PATIENCE_S)
    assert isinstance(pacer.error, RuntimeError)
    pacer.stop()
    assert collector.events == ["start", "close"]


def test_it_runs_in_a_thread_until_it_is_stopped() -> None:
    enough = threading.Event()

    class Watched(Collector):
        def offer(self, block: FloatArray) -> None:
            super().offer(block)
            if len(self.blocks) == 5:
                enough.set()

    watched = Watched()
    pacer = Pacer(Engine(SimulatedClock()).render, [watched], RATE_HZ, block_frames=256)
    pacer.start()
    assert not pacer.wait(0)
    assert enough.wait(PATIENCE_S)
    pacer.stop()
    assert pacer.wait(0)
    assert watched.events == ["start", "close"]
    assert pacer.status().clock == "stopped"
    assert pacer.status().frames == watched.frames()


def test_a_title_is_told_before_the_block_that_bears_it_and_one_who_cannot_take_it_is_left_out() -> None:
    clock = SimulatedClock()
    engine = Engine(clock)

    class Titled(Collector):
        def entitle(self, title: str, after_frames: int) -> None:
            self.events.append(f"{title} {after_frames} after {len(self.blocks)} blocks")

    class Broken(Collector):
        def entitle(self, title: str, after_frames: int) -> None:
            raise ZeroDivisionError("a mistake")

    titled, broken = Titled(), Broken("broken")
    pacer = Pacer(lambda frames: render(frames), [broken, titled], RATE_HZ, clock=clock, wait=clock.pass_by)

    def render(frames: int) -> FloatArray:
        if engine.frames in (0, 3 * frames):
            pacer.entitle(f"song {engine.frames // frames}", 7)
        return engine.render(frames)

    while len(titled.blocks) < 6:
        pacer.step()
    assert titled.events == ["song 0 7 after 0 blocks", "song 3 7 after 3 blocks"]
    assert broken.blocks == []
    assert pacer.status().failed_outputs == 1


def test_the_volume_goes_through_the_guard() -> None:
    class Deaf(Card):
        @property
        def volume_db(self) -> float:
            return 0.0

        @volume_db.setter
        def volume_db(self, volume_db: float) -> None:
            raise ZeroDivisionError("a mistake")

    clock = SimulatedClock()
    other = Collector()
    pacer = Pacer(Engine(clock).render, [other], RATE_HZ, leader=Deaf(clock), clock=clock, wait=clock.pass_by)
    pacer.set_volume(-6.0)
    while len(other.blocks) < 3:
        pacer.step()
    assert (pacer.status().failed_outputs, pacer.status().clock) == (1, "wall")
