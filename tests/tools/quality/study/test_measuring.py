"""Ranks, channels, factors, streams and decisions are what another computation finds."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from model.base.errors import ModelError
from model.features.edges import EDGE_RATE_HZ, chunk_edges
from model.learning.edge_set import EdgeSet
from stream.audio.decode import decode
from stream.pool.pool import open_pool
from tests.support.models import tiny_score
from tests.support.music import quick_settings, write_music
from tests.tools.quality.study.test_runs import RUN
from tools.pools.build import build_pool
from tools.quality.study.judging import AskedChunks, asked_pools, forget_pools, ranking_parts
from tools.quality.study.listening import stream_part
from tools.quality.study.timing import decision_part
from tools.quality.study.training import with_channels
from tools.quality.study.variants import MP3, ORIGINAL, WAV, song_file, write_variant

EDGE_SAMPLES = 315


def test_ranks_are_those_of_the_scores_of_every_pair(
    tiny_pool: Path, tiny_model: Path, tmp_path: Path
) -> None:
    pool = open_pool(tiny_pool)
    chunks = AskedChunks(songs=(0, 2), gaps_ms=(0.0, 50.0), speed=1.0, chunks_a_song=2)
    asked = asked_pools(pool, chunks, tmp_path)
    found = ranking_parts(tiny_model, asked, "first", 0)
    # Two chunks in the middle of three of each of the two songs.
    rows = [row for song in (0, 2) for row in np.flatnonzero(pool.chunk_song == song)[:2].tolist()]
    expected = {}
    for query, true in ((0, 1), (2, 3)):
        tail = pool.tails[rows[query], 0, -EDGE_SAMPLES:]
        scores = tiny_score(tail, np.stack([pool.heads[row, 0, :EDGE_SAMPLES] for row in rows]))
        others = [scores[other] for other in range(4) if other not in (query, true)]
        rank = 1 + sum(score > scores[true] for score in others)
        expected[(0, 2)[query // 2]] = 1 / rank
    assert found["0"]["songs"] == [0, 2]
    assert found["0"]["all/mrr"] == [pytest.approx(list(expected.values())), [1.0, 1.0]]
    assert found["0"]["candidates"] == 3 and found["50"]["queries"] == 2
    assert asked_pools(pool, chunks, tmp_path) is asked and len(list(tmp_path.iterdir())) == 1
    asked_pools(pool, replace(chunks, chunks_a_song=3), tmp_path)
    assert len(list(tmp_path.iterdir())) == 1
    forget_pools()
    assert not list(tmp_path.iterdir())


def test_both_channels_are_two_songs_and_the_mean_is_their_mean() -> None:
    rng = np.random.default_rng(0)
    heads, tails = rng.normal(size=(2, 6, 2, 8)).astype(np.float32)
    edges = EdgeSet(
        chunk_song=np.array([0, 0, 3]),
        chunk_samples=np.array([8, 9, 10]),
        rows=np.array([1, 2, 5]),
        heads=heads,
        tails=tails,
        source={},
    )
    both = with_channels(edges, "both", learn=True)
    assert both.chunk_song.tolist() == [0, 0, 3, 4, 4, 7]
    chunks = np.arange(6)
    np.testing.assert_array_equal(
        both.heads_of(chunks), np.concatenate([heads[[1, 2, 5], 0], heads[[1, 2, 5], 1]])
    )
    np.testing.assert_array_equal(both.tails_of(chunks, 1)[3:], tails[[1, 2, 5], 0])
    mean = with_channels(edges, "mean", learn=True)
    np.testing.assert_allclose(mean.tails_of(np.array([2])), tails[5:6].mean(axis=1), rtol=1e-6)
    assert with_channels(edges, "both") is edges
    with pytest.raises(ModelError, match="take another approach"):
        with_channels(object(), "mean")


def test_another_factor_keeps_every_so_manieth_sample(tmp_path: Path) -> None:
    (song,) = write_music(tmp_path, ["a - song.wav"], seconds=4.0, rate_hz=44_100)
    run = replace(RUN, factor=70.0)
    path = song_file(run, "hash", song, tmp_path / "music")
    write_variant(run, song, path)
    audio, rate_hz = decode(path)
    before, before_hz = decode(song)
    assert rate_hz == 2 * before_hz
    np.testing.assert_allclose(audio, before, atol=1e-4)
    head, _ = chunk_edges(audio, rate_hz, 600)
    expected = soxr.resample(before, before_hz, EDGE_RATE_HZ // 2, quality="HQ")[:600].T
    np.testing.assert_allclose(head, expected, atol=1e-3)


def test_formats_are_written_once_and_the_users_file_is_taken_as_it_is(tmp_path: Path) -> None:
    (song,) = write_music(tmp_path, ["a - song.flac"], seconds=2.0, rate_hz=44_100)
    for variant, kind in ((WAV, "WAV"), (MP3, "MP3")):
        run = replace(RUN, variant=variant)
        path = song_file(run, "hash", song, tmp_path / "music")
        write_variant(run, song, path)
        told = soundfile.info(path)
        assert told.format == kind and told.samplerate == 44_100 and told.channels == 2
        written = path.stat().st_mtime_ns
        write_variant(run, song, path)
        assert path.stat().st_mtime_ns == written
    kbps = path.stat().st_size * 8 / 2.0 / 1000
    assert 96 <= kbps <= 192
    assert song_file(replace(RUN, variant=ORIGINAL), "hash", song, tmp_path / "music") == song


def test_a_detector_listens_to_streams_of_songs_in_two_parts(tmp_path: Path, tiny_model: Path) -> None:
    write_music(tmp_path / "music", [f"{letter} - song.wav" for letter in "abcdefgh"], seconds=20.0)
    build_pool([tmp_path / "music"], tmp_path / "pool", quick_settings())
    found = stream_part(tmp_path / "pool", np.arange(8), tiny_model, 90.0, 0)
    assert found["joins"] >= 4 and found["others"] >= 4
    assert 0 <= found["low"] <= found["auc"] <= found["high"] <= 1
    few = stream_part(tmp_path / "pool", np.arange(7), tiny_model, 90.0, 0)
    assert few == {"left_out": "7 songs are asked about, and a detector needs 8"}


def test_decisions_are_timed_over_1800_chunks(tiny_pool: Path, tiny_model: Path) -> None:
    found = decision_part(tiny_pool, tiny_model)
    assert found["chunks"] == 1_800 and 3 <= found["decisions"] <= 100
    assert 0 < found["p50_ms"] <= found["p99_ms"]


def test_a_missing_package_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    from tools.quality.study import training

    training.require_training()
    monkeypatch.setattr(training, "find_spec", lambda name: None if name == "tf2onnx" else name)
    with pytest.raises(ModelError, match=r"needs the package tf2onnx, .* pip install -e '\.\[train\]'"):
        training.require_training()
