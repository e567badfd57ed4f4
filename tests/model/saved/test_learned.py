"""Songs that a model learned from are known again wherever they lie; old records say they cannot be told."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model.approaches.tower.approach import TOWER
from model.approaches.tower.settings import TowerSettings
from model.learning.lesson import Lesson
from model.learning.measures import KEPT_BACK, UNSEEN
from model.learning.settings import TrainSettings
from model.saved.carried import carried_model
from model.saved.contract_file import SECOND_STAGE_FILE, load_contract
from model.saved.learned import known_songs, learned_songs, songs_record
from model.saved.second_stage import carried_second_stage, load_second_stage, save_second_stage
from stream.audio.coded import hash_coded_audio
from stream.pool.pool import Pool, open_pool
from tests.support.commands import run_here
from tests.support.models import add_second_stage, learned_from, write_tiny_towers
from tests.support.music import quick_settings, write_music
from tests.support.pools import make_pool, noise_song
from tools.pools.build import build_pool
from tools.quality.ranking import stages
from tools.training.common import share_songs
from tools.training.edges import pool_edges
from tools.training.grids import song_sets
from tools.training.lessons import start_model, train_model

OLD = {"train": {"songs": ["one.wav", "two.wav"], "digest": "0"}}
NOT_TOLD = "it cannot be told whether"


@pytest.fixture(scope="module")
def elsewhere(tiny_music: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pool of the tiny music's files and one more, under another parent folder and other names."""
    folder = tmp_path_factory.mktemp("elsewhere")
    for path in tiny_music.iterdir():
        copy = folder / "music" / "deeper" / f"copy of {path.name}"
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
    write_music(folder / "music", ["four.wav", "five.wav"])
    build_pool([folder / "music"], folder / "pool", quick_settings())
    return folder / "pool"


@pytest.fixture
def trained_on_tiny(tiny_pool: Path, tiny_model: Path, tmp_path: Path) -> Path:
    """A model whose record is that of a training on the whole tiny pool."""
    pool = open_pool(tiny_pool)
    source = pool_edges(pool, np.ones(len(pool), dtype=np.bool_)).source
    return learned_from(Path(shutil.copytree(tiny_model, tmp_path / "model")), {"train": source})


@pytest.fixture
def old_model(tiny_model: Path, tmp_path: Path) -> Path:
    """A model that recorded its songs by their paths."""
    return learned_from(Path(shutil.copytree(tiny_model, tmp_path / "old")), OLD)


def test_the_same_files_under_another_parent_are_left_out_of_an_evaluation(
    elsewhere: Path, trained_on_tiny: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("eval", elsewhere, "--model", trained_on_tiny, "--gap-ms", "0", "--chunk-s", "1", "--json")
    assert run_here(*words) == 0
    found = json.loads(capsys.readouterr().out)
    assert sorted(found["songs"]) == ["five.wav", "four.wav"]
    assert len(found["left_out"]) == 3
    assert found["training_set"] is False


def test_an_evaluation_of_an_old_model_says_that_it_cannot_be_told(
    elsewhere: Path, old_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("eval", elsewhere, "--model", old_model, "--gap-ms", "0", "--chunk-s", "1")
    assert run_here(*words, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["training_set"] is None
    assert len(found["songs"]) == 5
    assert any(note.startswith(NOT_TOLD) and found["model_name"] in note for note in found["notes"])
    assert run_here(*words) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert NOT_TOLD in printed
    assert "disjoint" not in printed


def test_folds_of_old_models_cannot_be_told(
    tiny_pool: Path, old_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_here("joins", tiny_pool, "--fold-models", old_model.parent) == 1
    assert NOT_TOLD in capsys.readouterr().err
    with pytest.raises(SystemExit) as ended:
        stages.fit_from_command_line([str(tiny_pool), str(old_model), str(old_model)])
    assert ended.value.code == 1
    assert NOT_TOLD in capsys.readouterr().err


def test_what_is_recorded_is_read_again(tmp_path: Path) -> None:
    model = write_tiny_towers(tmp_path)

    def learned(**training: object) -> frozenset[str] | None:
        return learned_songs(load_contract(learned_from(model, training)))

    assert learned(train=songs_record(["b", "a"])) == {"a", "b"}
    assert learned(train=songs_record(["b"], frozenset({"a"}))) == {"a", "b"}
    assert learned(train=songs_record(["b"], None)) is None
    for train in (None, [], {}, {"songs": ["a"]}, {"coded_audio_hashes": "ab"}, {"audio_hashes": [1]}):
        assert learned(train=train) is None
    assert learned() is None
    learned_from(model, {"train": songs_record(["b"])})
    known = known_songs(model, ["a", "b"])
    assert known is not None and known.tolist() == [False, True]


def test_what_a_second_stage_was_fitted_on_counts_as_learned(tmp_path: Path) -> None:
    model = learned_from(write_tiny_towers(tmp_path), {"train": songs_record(["b"])})
    add_second_stage(model)
    stage = load_second_stage(model)
    assert stage is not None
    save_second_stage(replace(stage, learned_from=frozenset("c")), model / SECOND_STAGE_FILE)
    for counts, expected in ((True, [False, True, True]), (False, [False, True, False])):
        known = known_songs(model, ["a", "b", "c"], second_stage=counts)
        assert known is not None and known.tolist() == expected


def test_the_carried_models_know_the_shared_songs(shared_music: Path) -> None:
    files = [path for path in sorted((shared_music / "library").rglob("*.*")) if path.suffix != ".csv"]
    hashes = [hash_coded_audio(path) for path in files]
    carried = (("tower", 65), ("binary-fast", 52), ("start-end", 49), ("categorical", 52))
    for name, songs in carried:
        known = known_songs(carried_model(name), hashes)
        assert known is not None and known.sum() == songs


def test_what_the_carried_second_stage_was_fitted_on_counts_as_learned(shared_music: Path) -> None:
    files = [path for path in sorted(shared_music.rglob("*.*")) if path.suffix not in (".csv", ".md")]
    hashes = [hash_coded_audio(path) for path in files]
    for second_stage, songs in ((True, 107), (False, 65)):
        known = known_songs(carried_model(), hashes, second_stage=second_stage)
        assert known is not None and known.sum() == songs
    # A tower of one's own takes the carried stage over, and what it has learned from with it.
    stages_apart = [load_second_stage(carried_model()), carried_second_stage()]
    assert len({stage.learned_from for stage in stages_apart if stage is not None}) == 1


def test_what_the_start_model_had_learned_is_not_kept_back(tmp_path: Path) -> None:
    pool = make_pool(tmp_path, [noise_song(6.0, seed) for seed in range(4)])
    before = frozenset({"hash0", "hash2", "hash3", "elsewhere"})
    for seed in range(5):
        settings = TowerSettings(validation_share=0.5, seed=seed)
        train, unseen = song_sets(pool, settings, before=before)
        assert unseen is not None and unseen.source["coded_audio_hashes"] == ["hash1"]
        assert train.source["learned_before"] == sorted(before)
    _, unseen = song_sets(pool, settings, before=before | {"hash1"})
    assert unseen is None
    train, unseen = song_sets(pool, settings, before=None)
    assert unseen is not None
    assert train.source["learned_before"] is None


def test_copies_of_a_file_are_not_learned_from_and_measured_on(tmp_path: Path) -> None:
    pool = make_pool(tmp_path, [noise_song(6.0, seed) for seed in range(6)])
    copies = [{"audio_hash": f"hash{number // 2}"} for number in range(6)]
    songs = tuple(type(song)(**{**vars(song), **copy}) for song, copy in zip(pool.songs, copies, strict=True))
    twice: Pool = type(pool)(**{**vars(pool), "songs": songs})
    for seed in range(10):
        rng = np.random.default_rng(seed)
        settings = TrainSettings(validation_share=0.4)
        kept_back = share_songs(twice, np.arange(6), settings, rng, before=None).kept_back
        assert kept_back.sum() == 2
        assert (kept_back[::2] == kept_back[1::2]).all()


@pytest.mark.parametrize("name", ["tower", "pretrained"])
def test_training_goes_on_from_a_carried_model_by_its_name(
    name: str, tiny_pool: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = _asked_of_training(monkeypatch)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(_AskedError):
        run_here("train", tiny_pool, "--out", tmp_path / "model", "--from", name, "--debug")
    assert asked[0].start == carried_model("tower")
    assert asked[0].unseen_name == UNSEEN
    assert len(asked[0].train.source["learned_before"]) == 65


def test_training_from_an_old_model_does_not_call_its_figures_disjoint(
    tiny_pool: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = learned_from(write_tiny_towers(tmp_path / "old"), OLD)
    asked = _asked_of_training(monkeypatch)
    with pytest.raises(_AskedError):
        train_model(TOWER, tiny_pool, tmp_path / "model", TowerSettings(pretrained=True), start_from=str(old))
    assert asked[0].unseen_name == KEPT_BACK
    assert "cannot be told" in KEPT_BACK and "disjoint" not in KEPT_BACK
    assert asked[0].train.source["learned_before"] is None


def test_training_from_no_towers_is_one_sentence(
    tiny_pool: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, said in (("binary-fast", "of approach binary"), (str(tmp_path), "is not a model")):
        assert run_here("train", tiny_pool, "--out", tmp_path / "model", "--from", name) == 1
        assert said in capsys.readouterr().err
    assert start_model(TOWER, "tower") == carried_model("tower")


class _AskedError(Exception):
    pass


def _asked_of_training(monkeypatch: pytest.MonkeyPatch) -> list[Lesson[Any, Any]]:
    """Return a list that takes the next training's lesson; it then ends."""
    asked: list[Lesson[Any, Any]] = []

    def train_towers(lesson: Lesson[Any, Any], progress: object = None) -> None:
        asked.append(lesson)
        raise _AskedError

    monkeypatch.setattr("model.approaches.tower.training.train_towers", train_towers)
    return asked
