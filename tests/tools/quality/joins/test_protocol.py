"""Detectors, areas and the whole command find the truth that is built in."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from model.base.errors import EndlosError
from model.saved.carried import carried_model
from model.saved.learned import songs_record
from stream.pool.pool import open_pool
from tests.support.commands import run_here
from tests.support.models import learned_from
from tests.support.music import quick_settings, write_music
from tests.support.windows import made_up
from tools.pools.build import build_pool
from tools.pools.sub_pool import sub_pool
from tools.quality.joins.boundaries import Boundary
from tools.quality.joins.hearing.areas import Scored, matched_area, weighted_area
from tools.quality.joins.hearing.between import NATURAL
from tools.quality.joins.hearing.detector import Boosted, out_of_fold
from tools.quality.joins.hearing.evidence import evidence
from tools.quality.joins.hearing.folds import fold_of_songs, folds_of_models, music_s
from tools.quality.joins.hearing.samples import Samples
from tools.quality.joins.measuring.wander import wander
from tools.quality.joins.protocol import JoinSettings, study
from tools.quality.joins.spectra import spectra


def scored(score: "list[float] | np.ndarray[tuple[int], np.dtype[np.float64]]", song: list[str]) -> Scored:
    values = np.array(score, dtype=np.float64)
    return Scored(
        score=values,
        song=np.array(song),
        moments=np.ones(len(values), dtype=int),
        weight=np.ones(len(values)),
    )


@pytest.mark.parametrize(("told", "low", "high"), [(30.0, 1.0, 1.0), (0.0, 0.4, 0.6)])
def test_a_detector_hears_what_can_be_heard_and_no_more(told: float, low: float, high: float) -> None:
    samples = made_up(told)
    scores = out_of_fold(samples, lambda: Boosted(0, rounds=20))
    joins, songs = samples.joined, samples.from_song
    area = matched_area(
        scored(scores[joins], songs[joins].tolist()),
        scored(scores[~joins], songs[~joins].tolist()),
        0,
        resamples=50,
    )
    assert area is not None
    assert low <= area.value <= high
    assert area.low <= area.high <= 1.0


def test_a_score_is_by_a_detector_that_heard_none_of_the_songs() -> None:
    class Spy:
        def fit(self, samples: Samples) -> None:
            self.heard = set(samples.from_song)

        def score(self, samples: Samples) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
            assert not self.heard & set(samples.from_song)
            return np.zeros(len(samples))

    assert (out_of_fold(made_up(1.0), Spy) == 0).all()


def test_the_area_counts_pairs() -> None:
    rng = np.random.default_rng(1)
    right, wrong = rng.integers(0, 6, 30).astype(float), rng.integers(0, 6, 40).astype(float)
    weight = rng.random(40)
    pairs = (right[:, None] > wrong) + 0.5 * (right[:, None] == wrong)
    assert weighted_area(right, np.ones(30), wrong, weight) == pytest.approx(
        (pairs * weight).sum() / (30 * weight.sum())
    )


def test_places_count_as_their_songs_are_joined() -> None:
    """Song a scores high throughout: with a's share among the places matched, nothing can be told."""
    joins = scored([1.0] * 9 + [0.0], ["a"] * 9 + ["b"])
    others = scored([1.0] + [0.0] * 9, ["a"] + ["b"] * 9)
    area = matched_area(joins, others, 0, resamples=10)
    assert area is not None and area.value == pytest.approx(0.5)


def test_evidence_of_a_step_stands_out_in_the_middle() -> None:
    rng = np.random.default_rng(2)
    flat = rng.normal(0, 0.1, 132_300).astype(np.float32)
    step = flat.copy()
    step[len(step) // 2 :] *= 0.2
    even, uneven = evidence(spectra(flat, 44_100)), evidence(spectra(step, 44_100))
    assert even.shape == uneven.shape
    assert np.isfinite(even).all() and np.isfinite(uneven).all()
    # The first three are the contrast over two frames: value, standing, share of places below it.
    assert uneven[0] > 3 * even[0]
    assert uneven[2] > 0.97


def test_how_a_stream_wanders_is_counted() -> None:
    def place(at: int, came: str, went: str, joined: bool) -> Boundary:
        return Boundary(
            centre_frames=at * 100,
            before_frames=0,
            after_frames=0,
            joined=joined,
            from_key=(came[0], int(came[1]), 0),
            to_key=(went[0], int(went[1]), 0),
            left_s=0.0,
            entered_s=0.0,
        )

    way = [
        place(1, "a0", "a1", False),
        place(2, "a1", "b0", True),
        place(5, "b0", "a0", True),
        place(6, "a0", "a2", True),
    ]
    found = wander(way, chunks=10, rate_hz=100)
    assert (found.steps, found.joins, found.songs) == (5, 3, 2)
    assert found.other_song_share == pytest.approx(2 / 3)
    assert found.coverage == pytest.approx(0.4)
    assert found.largest_share == pytest.approx(2.0)
    assert found.repeat_steps == 3.0
    assert (found.phrase_s, found.shortest_phrase_s) == (2.0, 1.0)


@pytest.fixture(scope="module")
def eight_songs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pool of eight songs of twelve seconds."""
    folder = tmp_path_factory.mktemp("joins")
    write_music(folder / "music", [f"{number}.wav" for number in range(8)], seconds=12.0)
    build_pool([folder / "music"], folder / "pool", quick_settings(edge_s=1.5))
    return folder / "pool"


def test_folds_share_no_song_and_their_pools_hold_theirs(eight_songs: Path, tmp_path: Path) -> None:
    pool = open_pool(eight_songs)
    fold = fold_of_songs(pool, 2, seed=0)
    assert np.bincount(fold).tolist() == [4, 4]
    small = open_pool(sub_pool(eight_songs, np.flatnonzero(fold == 1), tmp_path / "small"))
    names = [pool.songs[song].name for song in np.flatnonzero(fold == 1)]
    assert [song.name for song in small.songs] == names
    rows = np.flatnonzero(fold[pool.chunk_song] == 1)
    assert small.chunk_keys() == [pool.chunk_keys()[row] for row in rows]
    assert np.array_equal(small.heads, pool.heads[rows])
    assert music_s(small) + music_s(pool) == pytest.approx(12 * 12.0, abs=0.5)
    with pytest.raises(EndlosError, match=r"3 folds of at least 4 songs are needed .* has 8; add music"):
        fold_of_songs(pool, 3, seed=0)


def test_the_folds_of_models_are_the_songs_that_they_did_not_learn_from(
    eight_songs: Path, tiny_model: Path, tmp_path: Path
) -> None:
    pool = open_pool(eight_songs)
    names = [song.name for song in pool.songs]
    models = []
    for number, unheard in enumerate((names[:4], names[3:7])):
        folder = tmp_path / f"model{number}"
        shutil.copytree(tiny_model, folder)
        learned = [song.audio_hash for song in pool.songs if song.name not in unheard]
        learned_from(folder, {"train": songs_record(learned)})
        models.append(folder)
    with pytest.raises(EndlosError, match="fewer than 4 songs"):
        folds_of_models(pool, models)
    assert folds_of_models(pool, models[:1]).tolist() == [0, 0, 0, 0, -1, -1, -1, -1]


def test_the_command_from_end_to_end(
    eight_songs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--model", "tower", "--seconds", "40", "--folds", "2", "--json", "--pieces", "2"]
    code = run_here(
        "joins", eight_songs, *words, "--listen", tmp_path / "listen", "--plot", tmp_path / "plot", "--debug"
    )
    assert code == 0
    told = json.loads(capsys.readouterr().out)
    assert told["songs"] == 8
    assert told["model_may_know_songs"] is False
    assert 0 <= told["detectors"]["boosted"]["retrained"]["engine"]["value"] <= 1
    assert told["streams"]["engine"]["joins"] > 0
    assert told["streams"]["engine"]["song_changes"] > 0
    assert told["apart_by_artist"] is True
    assert sum(row["joins"] for row in told["kinds"]) > 0
    assert {row["figure"] for row in told["measures"]} > {"beat error, median", "loudness jump, 95 %"}
    assert (tmp_path / "plot" / "joins.png").is_file()
    assert (tmp_path / "plot" / "journey.png").is_file()
    answers = json.loads((tmp_path / "listen" / "answers.json").read_text())
    pairs = {name for name in answers if name.startswith("pair")}
    pieces = {f"{name}{letter}" for name in pairs for letter in "ab"} | (answers.keys() - pairs)
    assert {path.stem for path in (tmp_path / "listen").glob("*.flac")} == pieces
    assert {answers[name]["answer"] for name in answers.keys() - pairs} == {"joined", "natural"}
    assert all({answers[name]["a"], answers[name]["b"]} == {"now", "earlier"} for name in pairs)
    page = (tmp_path / "listen" / "sheet.html").read_text()
    assert all(f"{name}.flac" in page for name in pieces)


def test_untouched_songs_are_heard_whole_however_short_other_streams_are(eight_songs: Path) -> None:
    settings = JoinSettings(seconds=40.0, folds=2, model=carried_model("tower"))
    samples = study(eight_songs, settings, lambda name, done: None).samples
    natural = samples.at_s[samples.condition == NATURAL]
    # A fold's four songs last for 48 s, of which the last seconds are around the last window.
    assert 40.0 < natural.max() < 48.0
    assert samples.at_s[samples.condition == "engine"].max() < 40.0


def test_too_few_songs_is_one_sentence(tiny_pool: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_here("joins", tiny_pool) == 1
    assert "has 3; add music" in capsys.readouterr().err
