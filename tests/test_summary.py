"""What `endlos pool info` tells."""

import json
from pathlib import Path

import pytest

from model.errors import PoolError
from stream.pool import open_pool
from tests.music import quick_settings, write_music
from tools.build import build_pool
from tools.summary import summarise


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_music(tmp_path / "music", ["a.wav", "sub/b.wav"])
    (tmp_path / "music" / "text.mp3").write_text("no music")
    build_pool([tmp_path / "music"], tmp_path / "pool", quick_settings())
    return tmp_path / "pool"


def test_it_is_plain_json(folder: Path) -> None:
    assert json.loads(json.dumps(summarise(folder, chunks=True), allow_nan=False))


def test_songs_and_failures_are_told(folder: Path) -> None:
    summary = summarise(folder)
    assert [(song["path"], song["title"], song["chunks"]) for song in summary["songs"]] == [
        ("a.wav", "a", 3),
        ("sub/b.wav", "b", 3),
    ]
    assert [song["duration_s"] for song in summary["songs"]] == [6, 6]
    assert summary["audio_s"] == 12
    ((failure),) = summary["failures"]
    assert failure["path"].endswith("text.mp3")
    assert failure["kind"] == "failed"
    assert summary["complete"] is True
    assert "chunks" not in summary


def test_chunks_are_in_index_order(folder: Path) -> None:
    pool = open_pool(folder)
    chunks = summarise(folder, chunks=True)["chunks"]
    assert [chunk["song"] for chunk in chunks] == ["a.wav"] * 3 + ["sub/b.wav"] * 3
    assert [chunk["start_s"] for chunk in chunks] == pool.start_s().tolist()
    assert [chunk["end_s"] for chunk in chunks] == pool.end_s().tolist()


def test_durations_are_those_of_the_chunks(folder: Path) -> None:
    summary = summarise(folder, chunks=True)
    lengths_s = sorted(chunk["end_s"] - chunk["start_s"] for chunk in summary["chunks"])
    durations = summary["durations"]
    assert durations["chunks"] == 6
    assert durations["shortest_s"] == pytest.approx(lengths_s[0])
    assert durations["longest_s"] == pytest.approx(lengths_s[-1])
    assert durations["total_s"] == pytest.approx(sum(lengths_s))


def test_no_pool_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PoolError, match="is not a pool"):
        summarise(tmp_path)
