"""The sleep timer leaves the sound as it is until its time has come, fades it out, and then pauses once."""

import numpy as np
import pytest

from model.base.arrays import FloatArray
from stream.service.sleep import DRAINED_S, FADE_BACK_S, FADE_OUT_S, SleepTimer

RATE_HZ = 1000
BLOCK = np.ones((100, 2), dtype=np.float32)


class Played:
    """A timer with a clock that goes on by a block each time one is faded."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.timer = SleepTimer(RATE_HZ, lambda: self.now_s)
        self.paused_at_s: list[float] = []

    def play(self, seconds: float) -> FloatArray:
        heard = []
        for _ in range(round(seconds * RATE_HZ / len(BLOCK))):
            heard.append(self.timer.faded(BLOCK))
            if self.timer.over():
                self.paused_at_s.append(self.now_s)
            self.now_s += len(BLOCK) / RATE_HZ
        return np.concatenate(heard)


def test_until_then_the_very_block_is_heard() -> None:
    played = Played()
    assert played.timer.faded(BLOCK) is BLOCK
    assert played.timer.in_s is None
    played.timer.set(60.0)
    assert played.timer.faded(BLOCK) is BLOCK
    played.now_s = 20.0
    assert played.timer.in_s == 40.0
    assert played.timer.faded(BLOCK) is BLOCK


def test_it_fades_for_twenty_seconds_is_silent_until_outputs_are_and_pauses_once() -> None:
    assert FADE_OUT_S == 20.0
    played = Played()
    played.timer.set(2.0)
    heard = played.play(40.0)[:, 0]
    assert (heard[: 2 * RATE_HZ] == 1.0).all()
    fade = heard[2 * RATE_HZ : 22 * RATE_HZ]
    assert (np.diff(fade) <= 0).all()
    assert fade[RATE_HZ * 10] == pytest.approx(0.25, abs=0.01), "half of what it seemed"
    assert fade[-1] == pytest.approx(0.0, abs=1e-6)
    assert np.abs(np.diff(heard[: 22 * RATE_HZ])).max() < 2e-4, "no step"
    (paused_s,) = played.paused_at_s
    assert 22.0 + DRAINED_S - 0.2 <= paused_s <= 22.0 + DRAINED_S + 0.2
    assert played.timer.in_s is None, "it sleeps once"


def test_in_the_fade_it_says_zero_and_who_is_awake_again_hears_it_come_back() -> None:
    played = Played()
    played.timer.set(0.0)
    played.play(10.0)
    assert played.timer.in_s == 0.0
    played.timer.set(None)
    heard = played.play(3.0)[:, 0]
    assert (np.diff(heard) >= 0).all()
    assert np.abs(np.diff(heard)).max() < 2.1 / (FADE_BACK_S * RATE_HZ)
    assert played.timer.faded(BLOCK) is BLOCK
    assert played.paused_at_s == []


def test_after_it_was_paused_the_sound_comes_back() -> None:
    played = Played()
    played.timer.set(0.0)
    played.play(30.0)
    assert len(played.paused_at_s) == 1
    played.play(FADE_BACK_S + 0.2)
    assert played.timer.faded(BLOCK) is BLOCK
