"""A pool becomes a training by edges, split by songs, with edges left in place and refusals told."""

import json
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from model.approaches.binary.approach import BINARY
from model.approaches.binary.settings import BinarySettings
from model.approaches.binary.validation import SECOND_CHANNEL, TRAINING_PAIRS
from model.base.errors import ModelError, PoolError
from model.base.quiet import without_noise
from model.learning.measures import UNSEEN, Measure
from tests.support.pools import make_pool, noise_song
from tools.commands.train import print_report
from tools.training.edges import edge_sets, pool_edges
from tools.training.lessons import train_model


def test_songs_are_split_and_their_edges_found_again(tmp_path: Path) -> None:
    pool = make_pool(tmp_path, [noise_song(6.0 + 1.5 * seed, seed) for seed in range(5)])
    train, unseen = edge_sets(pool, BinarySettings(validation_share=0.4, seed=2))
    assert unseen is not None
    assert len(train) + len(unseen) == len(pool)
    assert set(train.chunk_song) | set(unseen.chunk_song) == set(range(5))
    assert not set(train.chunk_song) & set(unseen.chunk_song)
    assert len(set(unseen.chunk_song)) == 2
    for part in (train, unseen):
        chunks = np.arange(len(part))
        rows = np.flatnonzero(np.isin(pool.chunk_song, part.chunk_song))
        for channel in (0, 1):
            np.testing.assert_array_equal(part.heads_of(chunks, channel), pool.heads[rows, channel])
            np.testing.assert_array_equal(part.tails_of(chunks, channel), pool.tails[rows, channel])
        assert part.heads is pool.heads
        length_s = (pool.end_s() - pool.start_s())[rows]
        assert np.all(np.abs(part.chunk_samples - length_s * 1260) <= 1)


def test_the_source_knows_its_songs_and_where_they_were_cut(tmp_path: Path) -> None:
    songs = [noise_song(6.0, seed) for seed in range(3)]
    short = make_pool(tmp_path / "short", songs, chunk_s=1.5)
    long = make_pool(tmp_path / "long", songs, chunk_s=3.0)
    everything = [pool_edges(pool, np.ones(len(pool), np.bool_)).source for pool in (short, long, short)]
    assert everything[0]["coded_audio_hashes"] == ["hash0", "hash1", "hash2"]
    assert everything[0] == everything[2]
    assert everything[0]["digest"] != everything[1]["digest"]
    json.dumps(everything)


def test_training_on_all_songs_keeps_none_back(tmp_path: Path) -> None:
    pool = make_pool(tmp_path, [noise_song(6.0, seed) for seed in range(2)])
    train, unseen = edge_sets(pool, BinarySettings(validation_share=0.0))
    assert len(train) == len(pool)
    assert unseen is None


def test_one_song_cannot_be_split(tmp_path: Path) -> None:
    pool = make_pool(tmp_path, [noise_song(6.0, 0)])
    with pytest.raises(ModelError, match="has one song"):
        edge_sets(pool, BinarySettings())


def test_no_pool_is_said_before_anything_heavy_is_loaded(tmp_path: Path) -> None:
    with pytest.raises(PoolError, match="is not a pool"):
        train_model(BINARY, tmp_path, tmp_path / "model", BinarySettings())
    assert not (tmp_path / "model").exists()


def test_a_missing_training_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pool = make_pool(tmp_path, [noise_song(6.0, seed) for seed in range(2)])
    monkeypatch.setattr("tools.training.lessons.open_pool", lambda _: pool)
    monkeypatch.delitem(sys.modules, "model.approaches.binary.training", raising=False)
    monkeypatch.setitem(sys.modules, "keras", None)
    with pytest.raises(ModelError, match=r"needs the package keras.*pip install -e '\.\[train\]'"):
        train_model(BINARY, tmp_path, tmp_path / "model", BinarySettings())


def test_the_report_shows_the_three_validations_side_by_side(capsys: pytest.CaptureFixture[str]) -> None:
    with without_noise():
        from model.approaches.binary.training import BinaryReport

    report = BinaryReport(
        folder="out",
        edge_samples=630,
        learned_parameters=7,
        epochs=3,
        pairs=99,
        elapsed_s=12.0,
        validations={
            name: Measure(accuracy=value, loss=0.5, auc=value, pairs=10)
            for name, value in ((TRAINING_PAIRS, 0.9), (SECOND_CHANNEL, 0.8), (UNSEEN, 0.6))
        },
        ranking={
            TRAINING_PAIRS: {"all": 0.9, "same": 0.7},
            UNSEEN: {"all": 0.61, "same": 0.5, "cross": 0.62},
        },
        export_difference=1e-7,
        notes=("the edge is short",),
        files=("out/model.json",),
    )
    print_report(report)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "the edge is short"
    table = lines[lines.index(next(line for line in lines if line.startswith("measured on"))) + 1 :]
    assert [line.split("  ")[0] for line in table[:3]] == [TRAINING_PAIRS, SECOND_CHANNEL, UNSEEN]
    assert "0.600" in table[2]
    assert lines[-1] == "out/model.json"
    json.dumps(asdict(report))
