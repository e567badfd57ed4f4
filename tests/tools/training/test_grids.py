"""A pool becomes grids that towers learn from, read once, split by songs, with judged joins found."""

import json
from pathlib import Path

import numpy as np
import pytest

from model.approaches.tower.approach import TOWER
from model.approaches.tower.settings import TowerSettings
from model.base.errors import ModelError, PoolError
from model.features.spectra import SPECTRAL_VERSION
from model.learning.song_set import GRID_S, song_grid
from stream.audio.decode import decode
from stream.pool.feedback import LabelledJoin, remember
from tests.support.commands import run_here
from tests.support.pools import make_pool, noise_song
from tools.pools.place import GRID_FOLDER
from tools.training.grids import song_sets
from tools.training.lessons import train_model

ALL = TowerSettings(validation_share=0)


def test_songs_are_split_and_their_grids_are_those_of_the_files(tmp_path: Path) -> None:
    pool = make_pool(tmp_path, [noise_song(6.0, seed) for seed in range(5)])
    told: list[tuple[int, int]] = []
    settings = TowerSettings(validation_share=0.4, seed=2)
    train, unseen = song_sets(pool, settings, lambda done, songs: told.append((done, songs)))
    assert told == [(number, 5) for number in range(1, 6)]
    assert unseen is not None
    names = [*_songs(train.source), *_songs(unseen.source)]
    assert sorted(names) == [f"hash{number}" for number in range(5)]
    assert len(_songs(unseen.source)) == 2
    for part in (train, unseen):
        for name, grid in zip(_songs(part.source), part.grids, strict=True):
            (song,) = (song for song in pool.songs if song.audio_hash == name)
            whole = song_grid(*decode(song.path))
            np.testing.assert_array_equal(grid, whole[: len(grid)])
            assert abs(len(grid) - len(whole)) <= 1
    json.dumps(train.source)


def test_grids_are_kept_and_read_again(tmp_path: Path) -> None:
    pool = make_pool(tmp_path, [noise_song(6.0, 0)])
    before = np.array(song_sets(pool, ALL)[0].grids[0])
    kept = tmp_path / GRID_FOLDER / f"hash0.v{SPECTRAL_VERSION}.npy"
    np.save(kept, np.load(kept) + 1)
    after, _ = song_sets(pool, ALL)
    np.testing.assert_array_equal(after.grids[0], before + 1)


def test_a_song_that_is_gone_is_left_out(tmp_path: Path) -> None:
    pool = make_pool(tmp_path, [noise_song(6.0, seed) for seed in range(2)])
    (tmp_path / "song0.wav").unlink()
    train, _ = song_sets(pool, ALL)
    assert _songs(train.source) == ["hash1"]
    (tmp_path / "song1.wav").unlink()
    (tmp_path / GRID_FOLDER / f"hash1.v{SPECTRAL_VERSION}.npy").unlink()
    with pytest.raises(ModelError, match="no song of"):
        song_sets(pool, ALL)


def test_one_song_cannot_be_split(tmp_path: Path) -> None:
    pool = make_pool(tmp_path, [noise_song(6.0, 0)])
    with pytest.raises(ModelError, match="has one song"):
        song_sets(pool, TowerSettings())


def test_judged_joins_come_along_where_both_songs_are_learned_from(tmp_path: Path) -> None:
    pool = make_pool(tmp_path, [noise_song(6.0, seed) for seed in range(2)])
    for to_hash, label in (("hash1", 0), ("elsewhere", 1)):
        remember(
            tmp_path,
            LabelledJoin(
                from_hash="hash0",
                from_end_sample=88_200,
                to_hash=to_hash,
                to_start_sample=132_300,
                label=label,
            ),
        )
    train, _ = song_sets(pool, ALL)
    (join,) = train.judged
    assert (join.from_song, join.to_song, join.liked) == (0, 1, False)
    assert join.from_row == pytest.approx(2.0 / GRID_S, abs=1)
    assert join.to_row == pytest.approx(3.0 / GRID_S, abs=1)
    assert train.source["judged_joins"] == 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--optimizer", "adam"), "--approach binary only"),
        (("--approach", "binary", "--from", "pretrained"), "--approach tower only"),
    ],
)
def test_options_of_the_other_approach_are_refused(
    options: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_here("train", "pool", "--out", "model", *options) == 2
    assert said in " ".join(capsys.readouterr().err.split())


def test_a_pool_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PoolError, match="nothing"):
        train_model(TOWER, tmp_path / "nothing", tmp_path / "model", ALL)


def _songs(source: dict[str, object]) -> list[str]:
    songs = source["coded_audio_hashes"]
    assert isinstance(songs, list)
    return songs
