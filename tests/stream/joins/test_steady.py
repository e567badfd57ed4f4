"""A steady place is the last that sounds as loud as the music on its side."""

import numpy as np
import pytest

from model.base.arrays import FloatArray
from stream.joins.steady import USUAL_S, frames_to_steady
from stream.joins.surroundings import SURROUNDINGS_HOP_FRAMES

RATE_HZ = 44_100


def tone(*parts: tuple[float, float]) -> FloatArray:
    """Seconds of a tone, each with its level."""
    levels = np.concatenate([np.full(round(seconds * RATE_HZ), level) for seconds, level in parts])
    sound = levels * np.sin(2 * np.pi * 500.0 * np.arange(len(levels)) / RATE_HZ)
    return np.repeat(sound[:, None], 2, axis=1).astype(np.float32)


def test_what_sounds_to_the_end_is_steady_there_and_a_breath_is_not() -> None:
    room = 2 * RATE_HZ
    assert frames_to_steady(tone((6.0, 0.3)), room, "before", RATE_HZ) == 0
    sooner_s = frames_to_steady(tone((5.0, 0.3), (1.0, 0.03)), room, "before", RATE_HZ) / RATE_HZ
    assert sooner_s == pytest.approx(0.85, abs=0.12)
    # Of what comes after, the same backwards: the place is before the breath.
    after = tone((1.0, 0.3), (1.2, 0.03), (2.8, 0.3))
    sooner_s = frames_to_steady(after, room, "after", RATE_HZ) / RATE_HZ
    assert sooner_s == pytest.approx(1.3, abs=0.12)


def test_where_nothing_is_steady_it_is_the_steadiest_place_and_silence_is_none() -> None:
    fading = tone(*((0.5, 0.5 * 0.3**step) for step in range(12)))
    sooner_s = frames_to_steady(fading, RATE_HZ, "before", RATE_HZ) / RATE_HZ
    assert sooner_s == pytest.approx(1.0, abs=0.01)
    assert frames_to_steady(np.zeros((6 * RATE_HZ, 2), dtype=np.float32), RATE_HZ, "before", RATE_HZ) == 0


def test_the_first_place_of_all_is_one_too() -> None:
    room = SURROUNDINGS_HOP_FRAMES * 300
    fading_s = room / RATE_HZ
    dying = tone(*((fading_s / 30, 0.08 * 0.8**step) for step in range(30)))
    after = np.concatenate([dying[:room], tone((0.5, 0.0001), (3.0, 0.1))])[: room + round(USUAL_S * RATE_HZ)]
    assert frames_to_steady(after, room, "after", RATE_HZ) == room
