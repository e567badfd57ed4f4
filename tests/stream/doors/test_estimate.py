"""The best doors are those that an estimate of every door would find."""

import numpy as np
import pytest

from model.base.arrays import FloatArray
from stream.doors.estimate import best_doors, door_worths
from stream.doors.facts import FACT


def facts(rng: np.random.Generator, songs: int, chunks: int) -> FloatArray:
    """Sides of songs of all kinds: some have no beat, no level or no key, some are nearly over."""
    rows = songs * chunks
    drawn = {
        "song": np.repeat(np.arange(songs), chunks),
        "tempo": np.where(rng.random(rows) < 0.2, np.nan, rng.uniform(6.0, 7.5, rows)),
        "beat": rng.uniform(0.0, 1.0, rows) ** 0.3,
        "metre": rng.choice([0, 3, 4, 4, 4], rows),
        "bar": rng.uniform(0.0, 1.0, rows),
        "fifth": np.where(rng.random(rows) < 0.2, np.nan, rng.integers(0, 12, rows)),
        "key": rng.uniform(0.0, 1.0, rows),
        "level": np.where(rng.random(rows) < 0.2, np.nan, rng.uniform(-30.0, 5.0, rows)),
        "full": rng.uniform(0.0, 1.0, rows),
        "voice": rng.uniform(0.0, 1.0, rows),
        "bars": np.where(rng.random(rows) < 0.2, np.inf, rng.integers(0, 20, rows)),
        "left_s": rng.uniform(0.0, 1.0, rows) ** 2 * 300.0,
        "room": rng.uniform(0.0, 1.0, rows) ** 0.2,
    }
    return np.stack([drawn[name] for name in FACT._fields], axis=1).astype(np.float32)


@pytest.mark.parametrize(("songs", "kept"), [(5, 4), (150, 5)])
@pytest.mark.parametrize("seed", range(8))
def test_the_best_doors_are_those_of_all(seed: int, songs: int, kept: int) -> None:
    rng = np.random.default_rng(seed)
    entering, leaving = facts(rng, songs, 3), facts(rng, 4, 6)
    # Exits of one song in a row, and of others in between.
    leaving = np.concatenate([leaving, rng.permutation(leaving)])
    worths, places = best_doors(leaving, entering, kept)
    for exit_place, a in enumerate(leaving):
        by_song = door_worths(a, entering).reshape(-1, 3)
        by_song[int(a[FACT.song])] = -np.inf
        best = by_song.max(axis=1)
        into = np.argsort(-best, kind="stable")[:kept]
        np.testing.assert_array_equal(worths[exit_place], best[into])
        np.testing.assert_array_equal(places[exit_place], 3 * into + by_song[into].argmax(axis=1))
