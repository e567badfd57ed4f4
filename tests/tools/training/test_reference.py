"""Reference songs are found in the pool by path and name, are never kept back, and wrong names are told."""

from pathlib import Path

import numpy as np
import pytest

from model.base.errors import EndlosError, ModelError
from model.learning.settings import ClassSettings
from model.learning.transitions import edge_classes, song_classes
from stream.pool.pool import Pool, open_pool
from tests.support.commands import run_here
from tests.support.pools import make_pool, noise_song
from tools.training.edges import edge_sets
from tools.training.grids import song_sets


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Pool:
    return make_pool(tmp_path_factory.mktemp("pool"), [noise_song(6.0, seed) for seed in range(6)])


@pytest.mark.parametrize("seed", range(4))
def test_named_songs_alone_are_learned_from_and_never_kept_back(pool: Pool, seed: int) -> None:
    asked = ("song4.wav", "song1", str(pool.songs[2].path))
    train, unseen = edge_sets(pool, ClassSettings(reference=asked, validation_share=0.5, seed=seed))
    assert set(train.chunk_song) == {1, 2, 4}
    assert train.source["coded_audio_hashes"] == ["hash1", "hash2", "hash4"]
    assert unseen is not None
    assert not set(unseen.chunk_song) & {1, 2, 4}
    assert edge_classes(train, None, wrap=True, seed=0).count == len(train)


def test_the_first_three_are_the_reference_where_none_is_named(pool: Pool) -> None:
    train, _ = edge_sets(pool, ClassSettings(validation_share=0.0))
    assert set(train.chunk_song) == {0, 1, 2}


def test_groups_are_learned_from_all_songs_and_are_those_of_the_reference(pool: Pool) -> None:
    settings = ClassSettings(classes=2, reference=("song3",), validation_share=0.0)
    train, _ = edge_sets(pool, settings)
    assert set(train.chunk_song) == set(range(6))
    assert train.reference is not None
    assert set(train.chunk_song[train.reference]) == {3}
    songs, _ = song_sets(pool, settings)
    assert len(songs.grids) == 6
    assert list(songs.reference) == [3]
    own = np.flatnonzero(pool.chunk_song == 3)
    assert len(songs.spans[3]) == len(own)
    assert song_classes(songs, 2, wrap=False, seed=0).labels.shape == (len(own) - 1,)


def test_a_song_that_is_not_in_the_pool_is_told_with_those_near_it(pool: Pool) -> None:
    with pytest.raises(EndlosError, match=r"no song 'song9.wav'; near it: song\d.wav"):
        edge_sets(pool, ClassSettings(reference=("song9.wav",)))


def test_a_pool_of_one_song_is_told_how_to_go_on(tmp_path: Path) -> None:
    one = make_pool(tmp_path, [noise_song(6.0, 0)])
    with pytest.raises(ModelError, match="validation share of 0"):
        edge_sets(one, ClassSettings())
    train, unseen = edge_sets(one, ClassSettings(validation_share=0.0))
    assert unseen is None
    assert edge_classes(train, None, wrap=False, seed=0).count == len(train) - 1


@pytest.mark.parametrize("classes", [1, 2000])
def test_a_number_of_classes_that_cannot_be_is_refused(classes: int) -> None:
    with pytest.raises(ModelError, match="give 2 to 1024"):
        ClassSettings(classes=classes)


def test_the_command_takes_several_songs_and_refuses_a_wrong_one(
    tiny_pool: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    known = open_pool(tiny_pool).songs[0].name
    options = ("--approach", "start-end", "--preset", "seed", "--reference", known, "--reference", "nonsense")
    assert run_here("train", tiny_pool, "--out", tmp_path / "model", *options) == 1
    said = capsys.readouterr().err
    assert "the pool has no song 'nonsense'; name one as `endlos pool info` lists it" in said
    assert run_here("train", tiny_pool, "--out", tmp_path / "model", "--reference", known) == 2
    assert "--reference goes with --approach start-end" in " ".join(capsys.readouterr().err.split())
