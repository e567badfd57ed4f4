"""Coders refuse what an encoder may not be given."""

import numpy as np

from stream.outputs.encoding.coder import LOUDEST, tame


def test_sound_passes_as_it_is() -> None:
    block = np.array([[0.0, -1.5], [LOUDEST, 1e-40]], dtype=np.float32)
    assert tame(block) is block
    assert len(tame(block[:0])) == 0


def test_what_is_no_sound_is_bounded() -> None:
    block = np.array([[np.nan, 0.5], [np.inf, -np.inf], [-1e30, 0.25]], dtype=np.float32)
    before = block.copy()
    expected = np.array([[0.0, 0.5], [LOUDEST, -LOUDEST], [-LOUDEST, 0.25]], dtype=np.float32)
    assert np.array_equal(tame(block), expected)
    assert tame(block).dtype == np.float32
    assert np.array_equal(block, before, equal_nan=True)
