"""What B may be louder by is found piece by piece, the same as if it were looked at as a whole."""

import numpy as np
import pytest

from model.base.arrays import FloatArray
from stream.joins.levels import CEILING, RELEASE_DB_PER_S, headroom_until_released_db

RATE_HZ = 8_000


def heard(frames: int) -> FloatArray:
    generator = np.random.default_rng(frames)
    return generator.normal(0.0, 0.05, (frames, 2)).astype(np.float32)


@pytest.mark.parametrize("frames", [1, 799, 800, 16_000, 16_001, 50_123])
@pytest.mark.parametrize("join_frames", [0, 9_000])
def test_headroom_is_that_of_the_loudest_tenth_of_a_second(frames: int, join_frames: int) -> None:
    audio = heard(frames)
    asked: list[int] = []

    def read(first: int, stop: int) -> FloatArray:
        asked.append(stop - first)
        return audio[first:stop]

    found_db = headroom_until_released_db(read, frames, join_frames, RATE_HZ)
    tenths = [audio[first : first + 800] for first in range(0, frames, 800)]
    expected_db = min(
        20.0 * np.log10(CEILING)
        - 1.0
        - 20.0 * np.log10(float(np.abs(tenth).max()))
        + RELEASE_DB_PER_S * max(0.0, (800 * n - join_frames) / RATE_HZ)
        for n, tenth in enumerate(tenths)
    )
    assert found_db == pytest.approx(expected_db, abs=1e-5)
    assert sum(asked) == frames and max(asked) <= 2 * RATE_HZ, "never all in one array"


def test_a_peak_below_zero_counts_as_one_above() -> None:
    audio = heard(4_000)
    audio[2_000, 1] = -0.9
    found_db = headroom_until_released_db(lambda first, stop: audio[first:stop], 4_000, 4_000, RATE_HZ)
    assert found_db == pytest.approx(20.0 * np.log10(CEILING / 0.9) - 1.0, abs=1e-5)
