"""A long song goes into a file block by block, and is what it would be in memory."""

import weakref
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import stream.audio.samples
from model.base.arrays import FloatArray
from stream.audio.samples import MappedSamples, collect


class Blocks:
    """Blocks of 20 frames, and how many of them are held when the next one is asked for."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.most = 0

    def __iter__(self) -> Iterator[FloatArray]:
        made: list[weakref.ref[FloatArray]] = []
        for number in range(self.count):
            block = np.full((20, 2), number, dtype=np.float32)
            made.append(weakref.ref(block))
            self.most = max(self.most, sum(one() is not None for one in made))
            yield block


@pytest.mark.parametrize(("expected", "most"), [(0, 7), (200, 3), (1 << 40, 3)])
def test_what_is_known_to_be_long_is_never_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, expected: int, most: int
) -> None:
    monkeypatch.setattr(stream.audio.samples, "LONG_FRAMES", 100)
    blocks = Blocks(10)
    found = collect(blocks, tmp_path, expected=expected)
    assert isinstance(found, MappedSamples)
    np.testing.assert_array_equal(found[:], np.repeat(np.arange(10), 20)[:, None] * np.ones(2))
    assert blocks.most <= most


@pytest.mark.parametrize("expected", [0, 40, 200])
@pytest.mark.parametrize("count", [0, 1, 2])
def test_a_file_that_states_more_than_it_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int, expected: int
) -> None:
    monkeypatch.setattr(stream.audio.samples, "LONG_FRAMES", 100)
    found = collect(Blocks(count), tmp_path, expected=expected)
    assert found.shape == (20 * count, 2)
    np.testing.assert_array_equal(found[:], np.repeat(np.arange(count), 20)[:, None] * np.ones(2))
