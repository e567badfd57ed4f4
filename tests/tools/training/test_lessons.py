"""Songs that somebody chose are learned from as they are, or their first ones as reference songs."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model.learning.settings import Reference
from stream.pool.pool import open_pool
from tools.training.lessons import chosen_music

SONGS = np.array([0, 2])
FIRST = Reference(names=(), most=1, alone=False)
FIRST_ALONE = Reference(names=(), most=1, alone=True)


@pytest.mark.parametrize(
    ("reference", "learned", "named"), [(None, [0, 2], [0, 2]), (FIRST, [0, 2], [0]), (FIRST_ALONE, [0], [0])]
)
def test_chosen_songs_are_learned_from_and_the_first_are_the_reference(
    tiny_pool: Path, reference: Reference | None, learned: list[int], named: list[int]
) -> None:
    pool = open_pool(tiny_pool)
    edges: Any = chosen_music(pool, SONGS, "edges", reference)
    assert np.unique(pool.chunk_song[edges.rows]).tolist() == learned
    assert np.unique(pool.chunk_song[edges.rows[edges.reference]]).tolist() == named
    songs: Any = chosen_music(pool, SONGS, "spectra", reference)
    assert len(songs.grids) == len(learned)
    assert [learned[place] for place in songs.reference] == named
    hashes = [pool.audio_hashes[song] for song in learned]
    assert edges.source["coded_audio_hashes"] == songs.source["coded_audio_hashes"] == hashes
