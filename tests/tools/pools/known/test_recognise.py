"""Songs are known by their sound through taggers, and in pools, opinions and logs of before."""

import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import mutagen
import numpy as np
import pytest
import soundfile

from model.base.errors import PoolError
from model.saved.contract_file import load_contract
from stream.audio.coded import read_coded_audio
from stream.choosing.generation import ScoringSettings, open_generation
from stream.choosing.settings import PlannerSettings
from stream.choosing.weighing.liking import Liking
from stream.engine.decisions import DecisionLog
from stream.engine.engine import Engine
from stream.engine.replay import Replay
from stream.engine.settings import EngineSettings
from stream.index.vectors import pool_embeddings
from stream.pool.database import DATABASE_FILE
from stream.pool.feedback import LabelledJoin, labelled_joins, remember
from stream.pool.pool import decoded_copy, open_pool
from tests.support.earlier_pools import make_earlier
from tests.support.models import write_tiny_towers
from tests.support.music import quick_settings, tune, write_music
from tools.pools.build import build_pool
from tools.pools.check import check_pool
from tools.pools.embed import embed_pool
from tools.pools.place import GRID_FOLDER

NAMES = ["a.mp3", "b.flac", "c.ogg"]
RATE_HZ = 22_050
BEFORE, AFTER = 1, 3
"""Chunks of the first and the second song: one leads to the other in a judged join."""


@pytest.fixture
def music(tmp_path: Path) -> Path:
    write_music(tmp_path / "music", NAMES)
    return tmp_path / "music"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "pool"


def _tag(music: Path) -> None:
    for name in NAMES:
        file: Any = mutagen.File(music / name, easy=True)
        if file.tags is None:
            file.add_tags()
        file["title"] = f"New {name}"
        file["replaygain_track_gain"] = "-3.2 dB"
        file.save()


def _dislike(out: Path) -> None:
    keys = open_pool(out).chunk_keys()
    remember(
        out,
        LabelledJoin(
            from_hash=keys[BEFORE].audio_hash,
            from_end_sample=keys[BEFORE].end_sample,
            to_hash=keys[AFTER].audio_hash,
            to_start_sample=keys[AFTER].start_sample,
            label=0,
        ),
    )


def _play(out: Path, log: Path) -> np.ndarray:
    with DecisionLog(log) as kept:
        settings = EngineSettings(planner=PlannerSettings(strategy="random", seed=5), fade_s=0.2)
        engine = Engine.open(out, settings, on_decision=kept)
        audio = engine.render(20 * RATE_HZ)
        kept.event("stop", len(audio), engine.engine_rate_hz)
        engine.close()
    return audio


def _replayed(out: Path, log: Path) -> np.ndarray:
    replay = Replay(out, log)
    audio = replay.render(20 * RATE_HZ)
    replay.close()
    return audio


def _disliked(out: Path) -> list[int]:
    generation = open_generation(out, ScoringSettings(model=None), engine_rate_hz=RATE_HZ)
    _, disliked = Liking(generation, labelled_joins(out)).after(BEFORE)
    generation.close()
    return disliked.tolist()


def test_other_tags_cost_no_analysis_and_no_opinion(music: Path, out: Path, tmp_path: Path) -> None:
    build_pool([music], out, quick_settings())
    before = open_pool(out)
    _dislike(out)
    played = _play(out, tmp_path / "log")
    _tag(music)
    report = build_pool([music], out, quick_settings())
    assert (report.analysed, report.reused, report.removed) == (0, 3, 0)
    after = open_pool(out)
    assert [song.title for song in after.songs] == [f"New {name}" for name in NAMES]
    # A stream that plays takes up the new titles.
    assert after.generation > before.generation
    assert after.chunk_keys() == before.chunk_keys()
    assert _disliked(out) == [AFTER]
    np.testing.assert_array_equal(_replayed(out, tmp_path / "log"), played)
    assert check_pool(out, deep=True) == []


def test_a_pool_of_an_earlier_endlos_is_taken_over(music: Path, out: Path, tmp_path: Path) -> None:
    build_pool([music], out, quick_settings())
    today = open_pool(out)
    copies = len(list((out / "decoded").iterdir()))
    names = make_earlier(out)
    # An opinion, a log and a grid of that time.
    keys = today.chunk_keys()
    for before, after in ((BEFORE, AFTER),):
        remember(
            out,
            LabelledJoin(
                from_hash=names[keys[before].audio_hash],
                from_end_sample=keys[before].end_sample,
                to_hash=names[keys[after].audio_hash],
                to_start_sample=keys[after].start_sample,
                label=0,
            ),
        )
    (out / GRID_FOLDER).mkdir()
    (out / GRID_FOLDER / f"{names[keys[0].audio_hash]}.v1.npy").write_bytes(b"a grid")
    with pytest.raises(PoolError, match="run `endlos pool build` again, which takes over"):
        open_pool(out)
    report = build_pool([music], out, quick_settings())
    assert (report.songs, report.analysed, report.reused, report.without_copy) == (3, 0, 3, 0)
    pool = open_pool(out)
    assert pool.generation > today.generation
    assert pool.chunk_keys() == keys
    assert decoded_copy(out, pool.songs[2].audio_hash).is_file()
    assert len(list((out / "decoded").iterdir())) == copies
    assert [path.name for path in (out / GRID_FOLDER).iterdir()] == [f"{keys[0].audio_hash}.v1.npy"]
    assert _disliked(out) == [AFTER]
    assert check_pool(out, deep=True) == []
    again = build_pool([music], out, quick_settings())
    assert (again.analysed, again.reused, again.generation) == (0, 3, pool.generation)


def test_a_log_of_an_earlier_endlos_replays(music: Path, out: Path, tmp_path: Path) -> None:
    build_pool([music], out, quick_settings())
    played = _play(out, tmp_path / "log")
    text = (tmp_path / "log").read_text()
    for today, then in make_earlier(out).items():
        text = text.replace(today, then)
    (tmp_path / "log").write_text(text)
    _tag(music)
    assert build_pool([music], out, quick_settings()).analysed == 0
    assert json.loads(text.splitlines()[0])["to"]["audio_hash"] not in open_pool(out).audio_hashes
    np.testing.assert_array_equal(_replayed(out, tmp_path / "log"), played)


def test_embeddings_under_earlier_names_are_made_again_without_a_word(
    music: Path, out: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    towers = write_tiny_towers(tmp_path / "towers")
    settings = quick_settings(model=towers)
    build_pool([music], out, settings)
    pool, contract = open_pool(out), load_contract(towers)
    before = pool_embeddings(pool, towers, contract, write=False)
    make_earlier(out)
    # As the earlier endlos named the chunks.
    for named in (out / "generations").glob("*/embeddings/*/chunks.bin"):
        (np.fromfile(named, dtype=np.int64).reshape(-1, 3) + np.array([1, 0, 0])).tofile(named)
    assert build_pool([music], out, settings).analysed == 0
    assert not caplog.text
    after = open_pool(out)
    assert embed_pool(out, towers, threads=1).embedded == 0
    again = pool_embeddings(after, towers, contract, write=False)
    np.testing.assert_array_equal(again.scores(0), before.scores(0))


def test_songs_of_an_earlier_pool_that_are_the_same_but_for_tags(music: Path, out: Path) -> None:
    write_music(music, ["twin.mp3"])
    (music / "other.mp3").write_bytes((music / "twin.mp3").read_bytes())
    file: Any = mutagen.File(music / "other.mp3", easy=True)
    file.add_tags()
    file["title"] = "Other"
    file.save()
    build_pool([music], out, quick_settings())
    before = open_pool(out)
    # What it kept stood under two names.
    make_earlier(out)
    assert build_pool([music], out, quick_settings()).analysed <= 1
    assert open_pool(out).chunk_keys() == before.chunk_keys()
    assert check_pool(out, deep=True) == []


def test_the_same_coded_audio_of_another_length_is_another_song(
    music: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import tools.songs.analyse

    monkeypatch.setattr(
        tools.songs.analyse,
        "read_coded_audio",
        lambda path: replace(read_coded_audio(path), audio_hash=f"{len(path.name):040}"),
    )
    soundfile.write(music / "d.wav", tune(9, 5), RATE_HZ)
    soundfile.write(music / "e.wav", tune(8, 6), RATE_HZ)
    build_pool([music / "d.wav", music / "e.wav"], out, quick_settings())
    first, second = open_pool(out).songs
    assert (first.frames, second.frames) == (9 * RATE_HZ, 8 * RATE_HZ)
    assert first.audio_hash != second.audio_hash
    assert check_pool(out, deep=True) == []


def test_everything_is_analysed_again_when_asked(music: Path, out: Path) -> None:
    build_pool([music], out, quick_settings())
    with closing(sqlite3.connect(out / DATABASE_FILE)) as database, database:
        database.execute("UPDATE songs SET loudness_lufs = -3, title = 'wrong'")
    assert build_pool([music], out, quick_settings()).analysed == 0
    report = build_pool([music], out, quick_settings(again=True))
    assert (report.songs, report.analysed, report.reused, report.removed) == (3, 3, 0, 0)
    assert all(song.loudness_lufs < -5 and song.title != "wrong" for song in open_pool(out).songs)
    assert check_pool(out, deep=True) == []
