"""Announcements stand between two pieces to the sample, and of the music around them nothing is lost."""

import numpy as np
import pytest

from model.base.arrays import FloatArray
from model.base.errors import EndlosError
from stream.service.announcing.announcement import Announcement
from stream.service.announcing.announcer import (
    LATEST_S,
    MUSIC_FADE_S,
    Announcer,
    InterruptedMusic,
)
from stream.service.announcing.limits import MOST_ANNOUNCEMENTS

RATE_HZ = 1000
FADE = round(MUSIC_FADE_S * RATE_HZ)


class Played:
    """Music of a loud constant, so that every gain is read off; its joins are known two seconds before."""

    def __init__(self, joins: list[int]) -> None:
        self.time = 0
        self._joins = joins
        self.music = InterruptedMusic(play=self._play, time_frames=lambda: self.time, fade_frames=self._join)

    def _play(self, frames: int, before: int) -> FloatArray:
        self.time += frames
        return np.full((frames, 2), 0.5, dtype=np.float32)

    def _join(self, from_frames: int) -> int | None:
        ahead = (join for join in self._joins if from_frames <= join <= self.time + 10 * RATE_HZ)
        return next(ahead, None)


def announcement(seconds: float, level: float = 0.9) -> Announcement:
    audio = np.full((round(seconds * RATE_HZ), 2), level, dtype=np.float32)
    return Announcement(name=f"{level}.wav", audio=audio)


def rendered(announcer: Announcer, seconds: float, block: int = 23) -> FloatArray:
    blocks = [announcer.render(block) for _ in range(round(seconds * RATE_HZ / block))]
    assert all(len(part) == block for part in blocks)
    return np.concatenate(blocks)


@pytest.mark.parametrize("block", [1, 23, 4000])
def test_it_is_said_at_the_next_join_that_can_be_faded_to(block: int) -> None:
    played, begun = Played([3500, 9000]), []
    announcer = Announcer(played.music, RATE_HZ, begun.append)
    before = rendered(announcer, 3.0, block=1000)
    assert (before == 0.5).all(), "as it is, where nothing is said"
    said = announcement(2.0)
    announcer.say(said)
    heard = np.concatenate([before, rendered(announcer, 16.0, block)])
    assert begun == [said]
    at = 9000
    np.testing.assert_array_equal(heard[at : at + 2000], said.audio)
    assert (heard[: at - FADE] == 0.5).all()
    assert heard[at - 1, 0] < 0.001 and heard[at + 2000, 0] < 0.001
    assert (np.diff(heard[at - FADE : at, 0]) <= 0).all()
    assert (np.diff(heard[at + 2000 : at + 2000 + FADE, 0]) >= 0).all()
    assert (heard[at + 2000 + FADE :] == 0.5).all()
    assert played.time == len(heard) - 2000, "nothing of the music is left out"


def test_without_a_join_it_is_said_all_the_same() -> None:
    played = Played([])
    announcer = Announcer(played.music, RATE_HZ, lambda said: None)
    announcer.say(announcement(1.0))
    heard = rendered(announcer, 40.0)
    (at,) = np.flatnonzero(np.diff((heard[:, 0] == np.float32(0.9)).astype(int)) == 1) + 1
    assert at == round(LATEST_S * RATE_HZ)


def test_what_waits_comes_in_turn_and_not_too_much_may() -> None:
    played = Played([2000])
    announcer = Announcer(played.music, RATE_HZ, lambda said: None)
    levels = [0.6, 0.7, 0.8, 0.9]
    for level in levels:
        announcer.say(announcement(0.5, level))
    with pytest.raises(EndlosError, match=f"{MOST_ANNOUNCEMENTS} announcements wait"):
        announcer.say(announcement(0.5))
    heard = rendered(announcer, 8.0)
    for place, level in enumerate(levels):
        assert (heard[2000 + 500 * place : 2500 + 500 * place] == np.float32(level)).all()
    announcer.say(announcement(0.5))
