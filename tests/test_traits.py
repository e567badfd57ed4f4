"""Traits of chunks: every array as declared, and what unknown ones say."""

from dataclasses import fields

import numpy as np
import pytest

from model.errors import PoolError
from stream.traits import TRAIT_COLUMNS, ChunkTraits


def test_every_trait_is_declared_once() -> None:
    assert [field.name for field in fields(ChunkTraits)] == list(TRAIT_COLUMNS)


def test_unknown_traits_claim_nothing() -> None:
    traits = ChunkTraits.unknown(3)
    assert len(traits) == 3
    assert traits.tempo_bpm.tolist() == traits.beat_confidence.tolist() == [0, 0, 0]
    assert traits.key.tolist() == [-1, -1, -1]
    assert traits.start_chroma.shape == (3, 12)
    assert not traits.start_chroma.any()
    for name in ("start_beat_s", "end_beat_s", "start_bar_beat", "end_bar_beat", "start_onset_s"):
        assert np.isnan(getattr(traits, name)).all(), name


def test_some_rows_can_be_taken() -> None:
    traits = ChunkTraits.unknown(4)
    traits.tempo_bpm[:] = [1, 2, 3, 4]
    traits.end_chroma[:, 0] = [1, 2, 3, 4]
    taken = traits.take(np.array([3, 1]))
    assert taken.tempo_bpm.tolist() == [4, 2]
    assert taken.end_chroma[:, 0].tolist() == [4, 2]


@pytest.mark.parametrize(
    "wrong",
    [np.zeros(3, dtype=np.float32), np.zeros(2, dtype=np.float64), np.zeros((2, 1), dtype=np.float32)],
)
def test_an_array_of_another_shape_or_type_is_refused(wrong: np.ndarray) -> None:  # type: ignore[type-arg]
    values = {name: getattr(ChunkTraits.unknown(2), name) for name in TRAIT_COLUMNS}
    with pytest.raises(PoolError, match="trait end_lufs is"):
        ChunkTraits(**{**values, "end_lufs": wrong})
