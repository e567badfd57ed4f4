"""The evaluation of small songs, its regression, baselines and gaps say what is known beforehand."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from model.base.arrays import FloatArray, IntArray
from model.features.edges import EDGE_RATE_HZ, chunk_edges
from model.features.spectra import SPECTRUM_BINS, SPECTRUM_FRAMES
from model.saved.contract_file import load_contract
from model.saved.learned import songs_record
from stream.audio.decode import decode
from stream.pool.pool import open_pool
from tests.support.models import add_second_stage, learned_from, tiny_score, write_tiny_towers
from tests.support.pools import make_pool
from tools.cli import main
from tools.quality.ranking.baselines import (
    BASELINES,
    LINEAR_BASELINE,
    baseline_scores,
    linear_scores,
    near_identical,
)
from tools.quality.ranking.chunks import cut_songs, gapped_pools, gapped_sides
from tools.quality.ranking.preference import contests, fit_weights, preference_scores, song_folds


def _run(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as ended:
        main(["eval", *arguments])
    captured = capsys.readouterr()
    assert ended.value.code == 0, captured.err
    return captured.out


def test_the_report_has_every_scorer_at_every_gap(
    tiny_pool: Path, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = tmp_path / "eval.png"
    options = ["--gap-ms", "0", "--gap-ms", "50", "--chunk-s", "1", "--plot", str(picture), "--json"]
    found = json.loads(_run(capsys, str(tiny_pool), "--model", str(tiny_model), *options))
    assert found["headline_gap_ms"] == 50
    assert not found["training_set"]
    assert set(found["gaps"]) == {"0", "50"}
    for scorers in found["gaps"].values():
        assert {*BASELINES, LINEAR_BASELINE, found["model_name"]} <= set(scorers)
        for figures in scorers.values():
            assert figures["candidates"] == found["chunks"] - 1
            for metrics in figures["pools"].values():
                value, low, high = metrics["mrr"]
                assert 0 <= low <= value <= high <= 1
    assert any("report's network" in note for note in found["notes"])
    assert picture.stat().st_size > 10_000


def test_songs_of_the_training_are_left_out_or_named(
    tiny_pool: Path, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = Path(shutil.copytree(tiny_model, tmp_path / "model"))
    (two,) = (song.audio_hash for song in open_pool(tiny_pool).songs if song.name == "two.wav")
    learned_from(model, {"train": songs_record([two])})
    options = ["--gap-ms", "0", "--chunk-s", "1"]
    found = json.loads(_run(capsys, str(tiny_pool), "--model", str(model), *options, "--json"))
    assert found["left_out"] == ["two.wav"]
    assert sorted(found["songs"]) == ["one.wav", "three.flac"]
    everything = json.loads(
        _run(capsys, str(tiny_pool), "--model", str(model), *options, "--training-songs", "--json")
    )
    assert everything["training_set"]
    assert any("1 of the 3 songs" in note for note in everything["notes"])
    assert len(everything["songs"]) == 3
    text = _run(capsys, str(tiny_pool), "--model", str(model), *options)
    assert "trained on them: 1 song (" in text
    assert "log-mel" in text


def test_the_matrix_is_what_the_engine_goes_by(
    tiny_pool: Path, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "scores.npy"
    _run(capsys, str(tiny_pool), "--model", str(tiny_model), "--scores", str(path))
    scores, pool = np.load(path), open_pool(tiny_pool)
    edge = load_contract(tiny_model).edge_samples
    assert scores.shape == (len(pool), len(pool))
    assert scores.dtype == np.float32
    tails, heads = (np.asarray(side, dtype=np.float32)[:, 0] for side in (pool.tails, pool.heads))
    for row in range(len(pool)):
        expected = tiny_score(tails[row, -edge:], heads[:, :edge])
        np.testing.assert_allclose(scores[row], expected, atol=1e-5)


def test_a_gap_is_missing_on_both_sides_of_every_cut(tiny_pool: Path, tmp_path: Path) -> None:
    pool = open_pool(tiny_pool)
    cut = cut_songs(pool, np.arange(len(pool.songs)), chunk_s=1.0, longest_gap_s=0.05)
    done: list[int] = []
    (_, whole), (_, gapped) = gapped_pools(cut, [0.0, 50.0], tmp_path, done.append)
    assert done == [1, 2, 3]
    assert whole.end_sample[0] - whole.start_sample[0] == pool.songs[0].sample_rate_hz
    audio, rate_hz = decode(pool.songs[0].path)
    start, end = int(whole.start_sample[1]), int(whole.end_sample[1])
    gap = round(0.05 * rate_hz)
    for found, missing in ((whole, 0), (gapped, gap)):
        chunk = np.ascontiguousarray(audio[start + missing : end - missing])
        head, tail = chunk_edges(chunk, rate_hz, whole.edge_samples)
        np.testing.assert_array_equal(found.heads[1], head)
        np.testing.assert_array_equal(found.tails[1], tail)
    following = whole.successors()
    assert following[0] == 1
    assert (following < 0).sum() == len(pool.songs)


def test_sides_of_the_pool_itself_are_those_that_it_keeps(tiny_pool: Path, tmp_path: Path) -> None:
    pool = open_pool(tiny_pool)
    cut = cut_songs(pool, np.arange(len(pool.songs)), chunk_s=None, longest_gap_s=0.0)
    ((_, whole),) = gapped_pools(cut, [0.0], tmp_path, lambda done: None)
    in_song, alone = (gapped_sides(whole, 0.0, alone=lone) for lone in (False, True))
    assert pool.sides is not None
    np.testing.assert_array_equal(in_song.ends, pool.sides.ends)
    np.testing.assert_array_equal(in_song.starts, pool.sides.starts)
    # A song's first chunk has nothing before it, and its second has.
    np.testing.assert_array_equal(alone.ends[0], in_song.ends[0])
    assert (alone.ends[1] != in_song.ends[1]).any()


def test_an_echo_is_told_how_long_the_gap_is(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    # Comes round every 48 frames, and changes every 20 ms.
    loudness = np.repeat(rng.uniform(0.0, 0.5, 56), 441)[: 48 * 512]
    once = rng.normal(0.0, 0.2, (len(loudness), 2)) * loudness[:, None]
    pool = make_pool(tmp_path, [np.tile(once, (20, 1)).astype(np.float32)], sample_rate_hz=22_050)
    cut = cut_songs(pool, np.array([0]), chunk_s=1.5, longest_gap_s=0.05)
    ((_, gapped),) = gapped_pools(cut, [50.0], tmp_path, lambda done: None)
    true = {}
    for gap_s in (0.05, 0.025, 0.0):
        sides = gapped_sides(gapped, gap_s)
        true[gap_s] = np.mean([sides.distances_db(row, np.array([row + 1]))[0, :4] for row in (3, 5, 7)])
    assert true[0.05] < 0.6 * min(true[0.025], true[0.0])


def test_a_tower_with_a_second_stage_is_asked_of_chunks_alone_too(
    tiny_pool: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = write_tiny_towers(tmp_path / "towers")
    add_second_stage(model)
    options = ["--model", str(model), "--gap-ms", "20", "--chunk-s", "1", "--json"]
    scorers = json.loads(_run(capsys, str(tiny_pool), *options))["gaps"]["20"]
    (alone,) = (name for name in scorers if name.endswith(", chunks alone"))
    in_song = scorers[alone.removesuffix(", chunks alone")]
    assert in_song["pools"]["all"]["mrr"] != scorers[alone]["pools"]["all"]["mrr"]


def test_baselines_find_the_chunk_that_goes_on(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    # Each chunk ends in a sound of its own, and the next begins in it.
    sounds = rng.uniform(-50.0, -5.0, (7, 1, SPECTRUM_BINS))
    spectra = np.empty((6, 2, SPECTRUM_FRAMES, SPECTRUM_BINS), np.float32)
    spectra[:, 0], spectra[:, 1] = sounds[:-1], sounds[1:]
    for name in BASELINES:
        scores = baseline_scores(name, spectra, np.random.default_rng(1))
        assert scores.shape == (6, 6)
        right = (scores[:5].argmax(axis=1) == np.arange(1, 6)).mean()
        assert right == 1 or name == "random", name
    spectra[4, 0] = spectra[1, 0] + 0.5
    alike = near_identical(spectra)
    assert sorted(zip(*np.nonzero(alike), strict=True)) == [(1, 4), (4, 1)]


def test_linear_prediction_finds_the_tone_that_goes_on_over_a_gap() -> None:
    rng = np.random.default_rng(5)
    time_s = np.arange(4_000) / EDGE_RATE_HZ
    # Each tone is that of two chunks, a gap between them; they differ by phase alone.
    tones = np.sin(2 * np.pi * 110.0 * time_s + rng.uniform(0, 2 * np.pi, (6, 1))).astype(np.float32)
    for gap in (0, 126):
        heads = 0.1 * np.roll(tones, 1, axis=0)[:, 1_000 + gap : 2_000 + gap]
        scores = linear_scores(tones[:, :1_000], heads, gap / EDGE_RATE_HZ)
        assert scores.shape == (6, 6)
        np.testing.assert_array_equal(scores.argmax(axis=1), [1, 2, 3, 4, 5, 0])
        wrong = linear_scores(tones[:, :1_000], heads, (gap + 6) / EDGE_RATE_HZ)
        assert (scores.max(axis=1) > 0.95).all() and (wrong.diagonal(1) < 0.5).all()


def _songs(count: int, chunks: int) -> tuple[IntArray, IntArray]:
    song = np.repeat(np.arange(count), chunks)
    following = np.arange(1, len(song) + 1)
    following[chunks - 1 :: chunks] = -1
    return song, following


def test_the_regression_finds_the_term_that_tells() -> None:
    song, following = _songs(8, 12)
    rng = np.random.default_rng(3)
    values = rng.normal(size=(len(song), len(song), 3)).astype(np.float32)
    rows = np.flatnonzero(following >= 0)
    values[rows, following[rows], 1] += 4.0

    def terms(row: int, candidates: IntArray | None) -> FloatArray:
        found: FloatArray = values[row] if candidates is None else values[row, candidates]
        return found

    weights = fit_weights(contests(terms, song, following, np.arange(len(song)), np.random.default_rng(0)))
    assert weights[1] > 5 * np.abs(weights[[0, 2]]).max()
    scores = preference_scores(terms, song, following, np.random.default_rng(0))
    top = (scores[rows].argmax(axis=1) == following[rows]).mean()
    assert top > (values[rows, :, 0].argmax(axis=1) == following[rows]).mean() + 0.5


def test_folds_keep_songs_whole() -> None:
    song, _ = _songs(9, 5)
    fold = song_folds(song, np.random.default_rng(1))
    assert all(len(set(fold[song == one])) == 1 for one in range(9))
    assert set(fold) == {0, 1, 2, 3}
