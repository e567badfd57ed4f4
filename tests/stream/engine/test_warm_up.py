"""The warm-up leaves no kernel to compile or load while a stream plays, whatever plays."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from model.base.arrays import FloatArray
from model.saved.carried import carried_model
from stream.index.edge_index import EdgeIndex
from stream.scoring.split_scorer import SplitScorer
from tests.conftest import REPOSITORY
from tests.support.models import write_tiny_buckets
from tests.support.music import quick_settings, write_music
from tests.support.played import signatures
from tests.support.pools import make_pool, noise_song
from tools.demo.songs import write_demo_songs
from tools.pools.build import build_pool


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Songs with beats and without, and of other rates than the engine's."""
    folder = tmp_path_factory.mktemp("warm")
    write_demo_songs(folder / "music", 2, 20.0)
    write_music(folder / "music", ["one.wav", "two.ogg"], seconds=12.0)
    build_pool([folder / "music"], folder / "pool", quick_settings(edge_s=1.0))
    return folder / "pool"


CARRIED = carried_model()


@pytest.mark.parametrize(
    "model",
    [CARRIED, CARRIED.with_name("binary-fast"), CARRIED.with_name("start-end")],
    ids=lambda model: model.name,
)
def test_nothing_is_compiled_while_a_model_chooses(pool: Path, model: Path) -> None:
    told = played(pool, "model", str(model))
    assert told["compiled"] == {} and told["shortlisted"] == {}
    # Of the start-end model hardly a place in these songs is worth a splice.
    wanted = {"natural", "jump", "blend"} | ({"splice"} if model.name != "start-end" else set())
    assert set(told["kinds"]) >= wanted  # type: ignore[call-overload]
    assert {"full", "kept"} & set(told["rungs"])  # type: ignore[call-overload]


def test_nothing_is_compiled_while_chance_chooses(pool: Path) -> None:
    told = played(pool, "random")
    assert told["compiled"] == {}
    assert set(told["kinds"]) >= {"jump", "blend"}  # type: ignore[call-overload]


def test_nothing_is_compiled_while_a_stream_walks_through_buckets(pool: Path, tmp_path: Path) -> None:
    model = write_tiny_buckets(tmp_path / "buckets", edge_samples=400)
    told = played(pool, "walk", str(model))
    assert told["compiled"] == {} and "walk" in told["rungs"]  # type: ignore[operator]
    assert {"jump", "blend"} <= set(told["kinds"])  # type: ignore[call-overload]


def test_the_reports_network_compiles_as_it_is_opened(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    index = EdgeIndex.from_pool(make_pool(tmp_path, [noise_song(9, 0)]), 101)
    units, filters, steps = 8, 3, 100

    def some(*shape: int) -> FloatArray:
        return generator.normal(0.0, 0.1, shape).astype(np.float32)

    tensors = {
        "bounds": np.sort(some(filters)),
        "linear": some(4, 4 * units),
        "bends": some(filters + 1, 2, 4 * units),
        "recurrent": some(units, 4 * units),
        "output": some(steps, units),
        "constant": some(1),
    }
    scorer = SplitScorer(tensors, index, threads=1)
    before = signatures()["stream.scoring.recurrence._run"]
    assert before == 1
    assert np.isfinite(scorer.score(0)).all() and np.isfinite(scorer.score(1, np.array([0, 2]))).all()
    assert signatures()["stream.scoring.recurrence._run"] == before


def played(pool: Path, *words: str) -> dict[str, object]:
    """Play in a process in which nothing else has compiled anything."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.played", str(pool), *words],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told: dict[str, object] = json.loads(done.stdout)
    return told
