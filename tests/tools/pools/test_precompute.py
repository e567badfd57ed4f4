"""Precomputed scores equal the scorer's, and are resumed, taken over, found again, and used."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import stream.scoring.matrix_scorer
import tools.pools.precompute
from model.base.arrays import FloatArray
from model.base.errors import ModelError, PoolError
from model.base.stored_rows import StoredRows
from model.saved.contract_file import load_contract
from stream.pool.pool import Pool
from stream.scoring.matrix_scorer import MatrixScorer, chunk_names, matrix_path, open_matrix
from tests.support.models import scorer_of, tiny_score, write_tiny_model
from tests.support.pools import make_pool, noise_song
from tools.pools.precompute import PrecomputeReport, precompute_scores

EDGE = 200


@pytest.fixture
def pool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pool:
    songs = [noise_song(6, seed) for seed in range(3)]
    return opened(make_pool(tmp_path / "pool", songs, chunk_s=0.5), monkeypatch)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_tiny_model(tmp_path / "tiny", EDGE)


def opened(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> Pool:
    """Make `pool` what its folder holds."""
    monkeypatch.setattr(tools.pools.precompute, "open_pool", lambda folder: pool)
    return pool


def filled(pool: Pool, model: Path, **options: Any) -> PrecomputeReport:
    return precompute_scores(pool.folder, model, threads=1, **options)


def truth(pool: Pool) -> FloatArray:
    heads = pool.heads[:, 0, :EDGE]
    return np.stack([tiny_score(tail, heads) for tail in pool.tails[:, 0, -EDGE:]])


class StoppedError(Exception):
    """Somebody pressed Ctrl-C."""


def stop_at(row: int) -> Any:
    def tell(state: tools.pools.precompute.PrecomputeProgress) -> None:
        if state.done == row:
            raise StoppedError

    return tell


def test_it_holds_every_score_and_scorers_use_it(
    pool: Pool, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    report = filled(pool, model, progress=lambda state: seen.append((state.done, state.total)))
    count = len(pool)
    assert seen == [(row, count) for row in range(count + 1)]
    assert (report.scored, report.resumed_rows, report.reused_scores) == (count**2, 0, 0)
    matrix = open_matrix(report.path, count)
    assert isinstance(matrix, np.ndarray) and not matrix.flags.writeable
    np.testing.assert_allclose(matrix, truth(pool), atol=1e-5)
    scorer, index = scorer_of(model, pool)
    assert isinstance(scorer, MatrixScorer) and len(index) == count
    np.testing.assert_array_equal(scorer.score(4), matrix[4])
    np.testing.assert_array_equal(scorer.score(4, np.array([9, 2]), timeout_s=0.0), matrix[4, [9, 2]])
    np.testing.assert_array_equal(scorer.kept(7), matrix[7])
    assert filled(pool, model).resumed_rows == count
    # As of a pool that is too large for memory.
    monkeypatch.setattr(stream.scoring.matrix_scorer, "MOST_READ_BYTES", 0)
    stored = open_matrix(report.path, count)
    assert isinstance(stored, StoredRows)
    np.testing.assert_array_equal(MatrixScorer(stored).score(4, np.array([9, 2])), matrix[4, [9, 2]])
    kept = MatrixScorer(stored).kept(7)
    assert kept is not None
    np.testing.assert_array_equal(kept, matrix[7])
    os.truncate(report.path, 1_000)
    assert MatrixScorer(stored).kept(7) is None
    with pytest.raises(PoolError, match="run `endlos precompute` again"):
        MatrixScorer(stored).score(7)


def test_it_goes_on_where_it_was_stopped(pool: Pool, model: Path) -> None:
    with pytest.raises(StoppedError):
        filled(pool, model, progress=stop_at(20))
    path = matrix_path(pool, model, load_contract(model))
    assert not path.exists() and not isinstance(scorer_of(model, pool)[0], MatrixScorer)
    part = path.with_name(path.name + ".part")
    # Killed while it wrote: half a row is no row.
    with part.open("ab") as file:
        file.write(b"\x7f" * 30)
    report = filled(pool, model)
    assert report.resumed_rows == 20 and report.scored == (len(pool) - 20) * len(pool)
    np.testing.assert_allclose(np.load(path), truth(pool), atol=1e-5)
    assert not part.exists()


def test_killed_before_the_header_was_written(pool: Pool, model: Path) -> None:
    path = matrix_path(pool, model, load_contract(model))
    path.parent.mkdir(parents=True)
    path.with_name(path.name + ".part").write_bytes(b"\x93NUMPY\x01")
    assert filled(pool, model).resumed_rows == 0
    np.testing.assert_allclose(np.load(path), truth(pool), atol=1e-5)


def test_two_at_once_do_not_mix_their_rows(pool: Pool, model: Path) -> None:
    def other_at_ten(state: tools.pools.precompute.PrecomputeProgress) -> None:
        if state.done == 10:
            with pytest.raises(StoppedError):
                filled(pool, model, progress=stop_at(12))

    with pytest.raises(PoolError, match="another `endlos precompute`"):
        filled(pool, model, progress=other_at_ten)
    assert filled(pool, model).resumed_rows == 12
    np.testing.assert_allclose(
        np.load(matrix_path(pool, model, load_contract(model))), truth(pool), atol=1e-5
    )


def test_another_generation_takes_over_what_it_has_in_common(
    pool: Pool, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = filled(pool, model)
    # The first song is gone, a new one is there, and those that stay come in another order.
    songs = [noise_song(6, seed) for seed in (2, 1, 8)]
    grown = make_pool(tmp_path / "grown", songs, chunk_s=0.5)
    names = {0: "hash2", 1: "hash1", 2: "hash8"}
    entries = tuple(replace(song, audio_hash=names[song.song_id]) for song in grown.songs)
    grown = opened(replace(grown, songs=entries, folder=pool.folder), monkeypatch)
    report = filled(grown, model)
    shared = len(set(chunk_names(pool)) & set(chunk_names(grown)))
    assert 0 < shared < len(grown)
    assert report.reused_scores == shared**2
    assert report.scored == len(grown) ** 2 - shared**2
    np.testing.assert_allclose(np.load(report.path), truth(grown), atol=1e-5)
    assert report.path != before.path and not before.path.exists()
    assert isinstance(scorer_of(model, grown)[0], MatrixScorer)
    assert not isinstance(scorer_of(model, pool)[0], MatrixScorer)


@pytest.mark.parametrize("damage", [b"", b"\x93NUMPY", b"PK\x03\x04", None])
def test_an_earlier_generation_with_damaged_names_is_left_alone(
    pool: Pool, model: Path, damage: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = next(filled(pool, model).path.parent.glob("*.names.npy"))
    if damage is None:
        np.save(names, np.bytes_(b"one"))
    else:
        names.write_bytes(damage)
    other = make_pool(tmp_path / "other", [noise_song(6, seed) for seed in (2, 1)], chunk_s=0.5)
    other = opened(replace(other, folder=pool.folder), monkeypatch)
    report = filled(other, model)
    assert (report.reused_scores, report.scored) == (0, len(other) ** 2)
    np.testing.assert_allclose(np.load(report.path), truth(other), atol=1e-5)
    assert not names.exists()


def test_another_model_does_not_use_it(pool: Pool, model: Path, tmp_path: Path) -> None:
    path = filled(pool, model).path
    copied = write_tiny_model(tmp_path / "copy", EDGE)
    assert matrix_path(pool, copied, load_contract(copied)) == path
    other = write_tiny_model(tmp_path / "other", EDGE, output="probability")
    assert matrix_path(pool, other, load_contract(other)) != path
    shorter = write_tiny_model(tmp_path / "shorter", EDGE - 1)
    assert not isinstance(scorer_of(shorter, pool)[0], MatrixScorer)


@pytest.mark.parametrize("damage", [b"", b"\x93NUMPY", None])
def test_a_damaged_matrix_is_not_used_and_made_again(
    pool: Pool, model: Path, damage: bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    path = filled(pool, model).path
    if damage is None:
        np.save(path, np.zeros((3, 3), dtype=np.float32))
    else:
        path.write_bytes(damage)
    assert not isinstance(scorer_of(model, pool)[0], MatrixScorer)
    assert "run `endlos precompute` again" in caplog.text
    assert filled(pool, model).scored == len(pool) ** 2
    np.testing.assert_allclose(np.load(path), truth(pool), atol=1e-5)


def test_scores_that_are_no_numbers(pool: Pool, model: Path) -> None:
    pool.tails[5] = np.nan
    with pytest.raises(ModelError, match="not numbers after chunk 5"):
        filled(pool, model)


def test_the_command(pool: Pool, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from tools.cli import main

    for expected in (f"{len(pool) ** 2} scored", f"{len(pool)} rows were there"):
        with pytest.raises(SystemExit) as done:
            main(["precompute", str(pool.folder), "--model", str(model)])
        assert done.value.code == 0
        assert expected in capsys.readouterr().out
