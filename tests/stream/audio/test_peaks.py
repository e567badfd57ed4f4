"""Peaks are those of the samples, however a song is read, and levels where it cannot be."""

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model.base.arrays import FloatArray
from stream.audio import peaks
from stream.audio.copies import write_decoded_copy
from stream.audio.peaks import song_peaks
from stream.pool.pool import Pool, decoded_copy
from tests.support.pools import make_pool, noise_song


@pytest.fixture(scope="module")
def song() -> FloatArray:
    """Ten seconds that become louder and louder."""
    sound = noise_song(10.0, seed=1)
    return sound * np.linspace(0.0, 1.0, len(sound), dtype=np.float32)[:, np.newaxis]


@pytest.fixture
def pool(tmp_path: Path, song: FloatArray) -> Pool:
    return make_pool(tmp_path, [noise_song(3.0, seed=0), song])


def truth(song: FloatArray, points: int) -> FloatArray:
    bounds = np.linspace(0, len(song), points + 1).astype(int)
    return np.array([np.abs(song[a:b]).max() for a, b in itertools.pairwise(bounds)])


@pytest.mark.parametrize("points", [50, 333, 2000])
@pytest.mark.parametrize("read_frames", [2**19, 5000])
def test_they_are_those_of_the_samples(
    pool: Pool, song: FloatArray, points: int, read_frames: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peaks, "_READ_FRAMES", read_frames)
    found = song_peaks(pool, 1, points)
    assert found.shape == (points,)
    np.testing.assert_allclose(found, truth(song, points), rtol=1e-6)


def test_a_long_song_is_looked_at_here_and_there(
    pool: Pool, song: FloatArray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peaks, "_WHOLE_S", 5.0)
    monkeypatch.setattr(peaks, "_LOOK_S", 0.05)
    found = song_peaks(pool, 1, 50)
    whole = truth(song, 50)
    assert (found <= whole + 1e-6).all()
    assert (found > 0.6 * whole)[5:].all()


def test_what_cannot_be_sought_in_is_read_from_its_copy(pool: Pool, song: FloatArray) -> None:
    unseekable = replace(pool, songs=tuple(replace(each, seekable=False) for each in pool.songs))
    write_decoded_copy(song, decoded_copy(pool.folder, pool.songs[1].audio_hash))
    np.testing.assert_allclose(song_peaks(unseekable, 1, 100), truth(song, 100), rtol=1e-6)


def test_where_nothing_can_be_read_the_levels_of_chunks_stand_for_it(pool: Pool) -> None:
    pool.songs[1].path.unlink()
    loudness = np.where(np.arange(len(pool)) % 2, -20.0, -26.0).astype(np.float32)
    found = song_peaks(replace(pool, loudness_db=loudness), 1, 100)
    rows = pool.song_rows(1)
    assert len(np.unique(found)) == 2
    assert (np.count_nonzero(np.diff(found)) == rows.stop - rows.start - 1).all()
    assert 0.1 < found.min() < found.max() < 0.5


def test_a_file_that_was_cut_short_is_drawn_by_its_levels(pool: Pool) -> None:
    data = pool.songs[1].path.read_bytes()
    pool.songs[1].path.write_bytes(data[: len(data) // 2])
    assert len(np.unique(song_peaks(pool, 1, 100))) == 1
