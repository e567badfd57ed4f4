"""Whatever is damaged in a pool gives a sentence, or music as it was, and neither traceback nor noise."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from stream.pool.feedback import LabelledJoin, remember
from tests.support.commands import REPOSITORY
from tests.support.models import write_tiny_model
from tests.support.music import quick_settings, write_music
from tools.pools.build import build_pool
from tools.pools.check import check_pool
from tools.pools.precompute import precompute_scores


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pool with every kind of file: a decoded copy, embeddings, scores, opinions."""
    folder = tmp_path_factory.mktemp("damaged")
    write_music(folder / "music", ["one.wav", "two.ogg", "three.flac"], seconds=12.0)
    build_pool([folder / "music"], folder / "pool", quick_settings(edge_s=1.0))
    write_tiny_model(folder / "model", edge_samples=315)
    precompute_scores(folder / "pool", folder / "model", threads=1)
    remember(
        folder / "pool",
        LabelledJoin(from_hash="a", from_end_sample=1, to_hash="b", to_start_sample=2, label=1),
    )
    assert check_pool(folder / "pool", deep=True) == []
    assert {path.suffix for path in (folder / "pool").rglob("*") if path.is_file()} >= {".npy", ".db"}
    assert list((folder / "pool" / "decoded").iterdir())
    return folder / "pool"


def tried(pool: Path, folder: Path, seed: int, count: int) -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "tests.support.damaged_pools"),
            *(str(pool), str(pool.parent / "model"), str(folder), str(seed), str(count)),
        ],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr[-4_000:]


def test_damage_is_a_sentence_or_does_no_harm(pool: Path, tmp_path: Path) -> None:
    tried(pool, tmp_path, seed=1, count=12)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(2, 12))
def test_much_damage_is_a_sentence_or_does_no_harm(pool: Path, tmp_path: Path, seed: int) -> None:
    tried(pool, tmp_path, seed, count=100)


def test_opinions_that_are_none_are_told(pool: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(pool, tmp_path / "pool"))
    (copy / "state.db").write_bytes(b"\x93" * 5_000)
    (problem,) = check_pool(copy)
    assert "state.db cannot be read" in problem and "delete it to forget it all" in problem


def test_what_sqlite_says_of_damage_may_be_no_text(pool: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(pool, tmp_path / "pool"))
    data = (copy / "state.db").read_bytes()
    # SQLite quotes the name of a table that it cannot understand.
    (copy / "state.db").write_bytes(data.replace(b"CREATE TABLE ", b"CREATE T\xf2BLE "))
    (problem,) = check_pool(copy)
    assert "state.db cannot be read" in problem
