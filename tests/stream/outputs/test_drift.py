"""The drift correction keeps far listeners on the wall clock while a sound card's clock paces."""

import logging
from collections.abc import Callable

import numpy as np
import pytest

from model.base.arrays import FloatArray
from stream.outputs.drift import MAX_LAG_S, MAX_LEAD_S, MAX_SKEW, SETTLE_S, SkewControl, WallFollower
from stream.outputs.feed import EncoderFeed
from stream.outputs.pacer import Pacer
from tests.stream.outputs.test_pacer import Card, Collector, SimulatedClock

RATE_HZ = 44_100
DAY_S = 24 * 3600


class Listener:
    """A player whose clock is true: what has been sent, less what it has played since the beginning."""

    def __init__(self, feed: EncoderFeed, clock: SimulatedClock, rate_hz: int) -> None:
        self.feed, self.clock, self.rate_hz = feed, clock, rate_hz
        self.began_s = clock()
        self.frames = 0

    def listen(self) -> None:
        while (block := self.feed.take()) is not None:
            self.frames += len(block)

    def ahead_s(self) -> float:
        return self.frames / self.rate_hz - (self.clock() - self.began_s)


class Coarse:
    """A feed at a rate so low that a day is affordable: its blocks come by a card's clock, one a second."""

    RATE_HZ = 100
    PENDING = 250
    """Frames that the resampler and the fade hold back."""

    def __init__(self, ppm: float, *, card_paced: bool = True) -> None:
        self.clock = SimulatedClock()
        self.feed = EncoderFeed(self.RATE_HZ, self.clock, card_paced=card_paced)
        self.listener = Listener(self.feed, self.clock, self.RATE_HZ)
        self.block = np.zeros((self.RATE_HZ, 2), dtype=np.float32)
        self.second = 1 / (1 + 1e-6 * ppm)
        self.due_s = self.clock()
        self.offered = 0
        # The pacer's and the worker's polling.
        self.jitter_s = np.random.default_rng(0).uniform(0, 0.05, 1 << 12)

    def run(self, seconds: float) -> FloatArray:
        """Return how far ahead the listener was, after each block."""
        ahead = []
        for second in range(round(seconds)):
            self.due_s += self.second
            self.clock.now_s = self.due_s + self.jitter_s[second % len(self.jitter_s)]
            self.offer()
            ahead.append(self.listener.ahead_s())
        return np.array(ahead, dtype=np.float32)

    def offer(self) -> None:
        self.feed.offer(self.block)
        self.offered += len(self.block)
        self.listener.listen()


@pytest.mark.parametrize(("ppm", "seconds"), [(200.0, DAY_S), (-200.0, DAY_S // 6)])
def test_a_clock_200_ppm_off_neither_gains_nor_loses_in_a_day(
    ppm: float, seconds: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stream.outputs.feed._TAKE_S", 1.0)
    bench = Coarse(ppm)
    # The first seconds fill the resampler, which at this rate holds 2.4 s.
    ahead = bench.run(seconds)[round(SETTLE_S) :]
    # Without resampling it would be 17 s; a block has come as late as 50 ms.
    assert np.ptp(ahead) < 0.15
    assert np.abs(ahead[-3600:].mean() - ahead[3600:7200].mean()) < 0.01
    feed = bench.feed
    assert (feed.dropped_frames, feed.silence_frames) == (0, 0)
    assert feed.buffered_s == 0
    drifted = 1e-6 * abs(ppm) * bench.offered
    missing = bench.offered - bench.listener.frames - bench.PENDING
    assert missing == pytest.approx(drifted * np.sign(ppm), abs=0.2 * bench.RATE_HZ)
    # Noise of the control counts, too, and nothing is missing.
    assert drifted * 0.99 < feed.stretched_frames < drifted * 1.1
    assert feed.skew_ppm == pytest.approx(ppm, abs=60)


def test_without_it_the_same_day_gains_17_seconds() -> None:
    bench = Coarse(200, card_paced=False)
    ahead = bench.run(3600)
    assert ahead[-1] - ahead[0] == pytest.approx(200e-6 * 3600, abs=0.1)
    assert (bench.feed.stretched_frames, bench.feed.skew_ppm) == (0, 0)


def test_a_clock_that_is_too_far_off_is_followed_as_far_as_allowed_and_then_cut() -> None:
    bench = Coarse(1500)
    ahead = bench.run(4 * 3600)
    assert ahead.max() < MAX_LEAD_S + 1.1
    assert bench.feed.skew_ppm == pytest.approx(1e6 * MAX_SKEW)
    lost = bench.offered - bench.listener.frames - bench.PENDING
    assert bench.feed.dropped_frames > 3 * MAX_LEAD_S * bench.RATE_HZ
    assert lost == pytest.approx(bench.feed.dropped_frames + bench.feed.stretched_frames, abs=40)


def test_a_clock_that_is_too_slow_is_given_up_and_said(caplog: pytest.LogCaptureFixture) -> None:
    bench = Coarse(-1500)
    with caplog.at_level(logging.WARNING, logger="stream.outputs.drift"):
        bench.run(2 * 3600)
    gaps = round((1500e-6 - MAX_SKEW) * 2 * 3600 / MAX_LAG_S)
    assert len(caplog.records) == pytest.approx(gaps, abs=1)
    assert bench.feed.skew_ppm == pytest.approx(-1e6 * MAX_SKEW)


def test_what_a_skip_brings_at_once_is_worked_off() -> None:
    bench = Coarse(0)
    before = bench.run(600)[-1]
    bench.offer()
    ahead = bench.run(2 * 3600)
    assert ahead[0] - before == pytest.approx(1, abs=0.1)
    assert abs(ahead[-600:].mean() - before) < 0.1
    assert bench.feed.dropped_frames == 0


def test_many_skips_are_cut_and_not_piled_up() -> None:
    bench = Coarse(0)
    bench.run(600)
    for _ in range(20):
        bench.offer()
        assert bench.run(5).max() < MAX_LEAD_S + 2.1
    assert bench.feed.dropped_frames > 0


def test_the_first_seconds_set_the_lead_that_is_kept() -> None:
    bench = Coarse(0)
    for _ in range(2):
        bench.offer()
    ahead = bench.run(3600)
    assert abs(ahead[-600:].mean() - ahead[:5].mean()) < 0.05
    # Only the jitter's.
    assert bench.feed.stretched_frames < 100e-6 * bench.offered


def test_silence_in_a_pause_counts_as_sent() -> None:
    bench = Coarse(0)
    before = bench.run(60)[-1]
    until_s = bench.clock() + 600
    while bench.clock() < until_s:
        bench.clock.pass_by(0.1)
        bench.listener.listen()
    bench.due_s = bench.clock()
    after = bench.run(60)
    assert abs(after[-1] - before) < 0.2
    assert bench.feed.dropped_frames == 0


def test_a_stream_is_cut_only_when_it_is_further_ahead_than_told() -> None:
    now_s = 100.0
    follower = WallFollower(RATE_HZ, lambda: now_s)
    for ahead_s, surplus_s in ((MAX_LEAD_S - 0.1, 0.0), (MAX_LEAD_S + 0.1, MAX_LEAD_S + 0.1)):
        assert follower.surplus_frames(round(ahead_s * RATE_HZ)) == round(surplus_s * RATE_HZ)
    now_s += 1.0
    assert follower.surplus_frames(round((MAX_LEAD_S + 0.9) * RATE_HZ)) == 0


def test_what_the_bound_keeps_from_being_done_is_no_knowledge_of_the_clocks() -> None:
    control = SkewControl()
    for _ in range(600):
        assert abs(control.update(2.0, 1.0)) <= MAX_SKEW
    assert control.skew == MAX_SKEW
    control.restart()
    assert abs(control.skew) < 0.1 * MAX_SKEW


def test_a_restart_keeps_what_is_known_of_the_clocks() -> None:
    bench = Coarse(200)
    bench.run(2 * 3600)
    bench.feed.restart()
    assert bench.feed.skew_ppm == pytest.approx(200, abs=60)
    bench.run(SETTLE_S / 2)
    assert bench.feed.skew_ppm == pytest.approx(200, abs=60)


@pytest.mark.parametrize("ppm", [200.0, -200.0])
def test_the_card_paces_and_all_rings_stand_still(ppm: float) -> None:
    """Every real part, but for the card: the pacer, and a feed with its resampler."""
    rate_hz = 2000
    clock = SimulatedClock()
    card = Card(clock, ppm)
    card.rate, card.capacity = rate_hz * (1 + 1e-6 * ppm), 3 * rate_hz // 4
    feed = EncoderFeed(rate_hz, clock, card_paced=True)
    listener = Listener(feed, clock, rate_hz)

    class Web(Collector):
        def offer(self, block: FloatArray) -> None:
            feed.offer(block)

    pacer = Pacer(
        lambda frames: np.zeros((frames, 2), dtype=np.float32),
        [Web()],
        rate_hz,
        leader=card,
        block_frames=rate_hz // 20,
        clock=clock,
        wait=clock.pass_by,
    )
    ahead = []
    fills = []
    while clock() < 1000 + 1200:
        pacer.step()
        listener.listen()
        ahead.append(listener.ahead_s())
        fills.append(card.buffered)
    settled = np.array(ahead[len(ahead) // 40 :])
    assert np.ptp(settled) < 0.15
    assert min(fills[len(fills) // 40 :]) > 0.5 * card.capacity
    assert (card.underruns, card.dropped) == (0, 0)
    assert (feed.dropped_frames, feed.silence_frames) == (0, 0)
    assert feed.skew_ppm == pytest.approx(ppm, abs=60)


def sine(hz: float, seconds: float) -> FloatArray:
    wave = 0.5 * np.sin(2 * np.pi * hz * np.arange(round(seconds * RATE_HZ)) / RATE_HZ)
    return np.stack([wave, -wave], axis=1).astype(np.float32)


def stretched(sound: FloatArray, skew_at: Callable[[float], float], block_frames: int) -> FloatArray:
    """Resample with a skew of its own, not the control's."""
    follower = WallFollower(RATE_HZ, SimulatedClock())
    out = []
    for start in range(0, len(sound), block_frames):
        follower._control.skew = skew_at(start / RATE_HZ)
        out.append(follower.process(sound[start : start + block_frames], 0))
    return np.concatenate(out)


def noise_db(sound: FloatArray, hz: float) -> float:
    """Return the worst, over the whole sound, of what is further than 1.5 kHz from `hz`, in dB below it."""
    window = np.kaiser(4096, 25)
    far = np.abs(np.fft.rfftfreq(4096, 1 / RATE_HZ) - hz) > 1500
    worst = -np.inf
    for start in range(4096, len(sound) - 8192, 1024):
        power = np.abs(np.fft.rfft(sound[start : start + 4096, 0] * window)) ** 2
        worst = max(worst, 10 * np.log10(power[far].sum() / power.sum()))
    return float(worst)


@pytest.mark.parametrize("hz", [1000.0, 10_000.0, 18_000.0])
@pytest.mark.parametrize("block_frames", [1024, 700])
def test_a_sine_stays_clean_while_the_speed_changes(hz: float, block_frames: int) -> None:
    sound = stretched(sine(hz, 10), lambda at_s: 300e-6 * np.sin(2 * np.pi * at_s / 8), block_frames)
    assert noise_db(sound, hz) < -110
    # But for the onset, which is a step.
    assert np.abs(sound[1000:]).max() < 0.5005
    assert np.array_equal(sound[:, 0], -sound[:, 1])


@pytest.mark.parametrize("skew", [-500e-6, 300e-6])
def test_a_sine_is_as_much_higher_as_it_is_played_faster(skew: float) -> None:
    sound = sine(5000, 10)
    heard = stretched(sound, lambda at_s: skew, 1024)
    assert len(sound) - len(heard) == pytest.approx(skew * len(sound), abs=300)
    power = np.abs(np.fft.rfft(heard[RATE_HZ:-RATE_HZ, 0] * np.hanning(len(heard) - 2 * RATE_HZ))) ** 2
    top = int(power.argmax())
    near = slice(top - 2, top + 3)
    centre = np.average(np.arange(top - 2, top + 3), weights=power[near])
    assert centre * RATE_HZ / (len(heard) - 2 * RATE_HZ) / 5000 - 1 == pytest.approx(skew, abs=5e-6)
