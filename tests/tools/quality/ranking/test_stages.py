"""The second stage is fitted on what towers do not know and judged on songs of other folds."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model.base.arrays import FloatArray
from model.base.errors import EndlosError
from model.features.seam import SeamSides, seam_sides, seam_terms
from model.features.spectra import SPECTRUM_BINS, SPECTRUM_FRAMES
from model.features.steadiness import distances_and_steadiness
from model.saved.learned import songs_record
from stream.pool.pool import open_pool
from stream.pool.song_table import SongTable
from tests.support.models import learned_from, write_tiny_towers
from tests.support.pools import make_pool, noise_song
from tools.quality.ranking.averages import Estimate
from tools.quality.ranking.stages import (
    EVIDENCE,
    FITTED,
    Fold,
    artist_folds,
    fit_from_command_line,
    fit_stage,
    gain,
    judge_folds,
    over_all,
    read_folds,
)

SONGS, CHUNKS = 4, 14


def _fold(seed: int, *, songs: int = SONGS, reversed_dots: bool = False) -> Fold:
    """Songs whose chunks begin like the last one ended, and products that know it, too; both with noise.

    Of chunks alone nothing is known. reversed_dots: products are lowest for what really follows.
    """
    rng = np.random.default_rng(seed)
    count = songs * CHUNKS
    sounds = rng.normal(-35.0, 3.0, (count + 1, 1, SPECTRUM_BINS))
    spectra = np.empty((count, 2, SPECTRUM_FRAMES, SPECTRUM_BINS), np.float32)
    spectra[:, 0], spectra[:, 1] = sounds[:-1], sounds[1:]
    spectra += rng.normal(0.0, 5.0, (count, 2, 1, SPECTRUM_BINS))
    song = np.repeat(np.arange(songs), CHUNKS)
    successor = np.arange(1, count + 1)
    successor[CHUNKS - 1 :: CHUNKS] = -1
    dots = rng.normal(0.0, 2.0, (count, count)).astype(np.float32)
    rows = np.flatnonzero(successor >= 0)
    dots[rows, successor[rows]] += -4.0 if reversed_dots else 4.0
    return Fold(
        song=song,
        successor=successor,
        dots=dots,
        in_song=_sides(spectra),
        alone=_sides(rng.normal(-35.0, 5.0, spectra.shape).astype(np.float32)),
    )


def _sides(spectra: FloatArray) -> SeamSides:
    starts_s = 3.0 * np.arange(CHUNKS)
    spans_s = np.stack([starts_s, starts_s + 3.0], axis=1)
    songs = [seam_sides(spectra[first : first + CHUNKS], spans_s) for first in range(0, len(spectra), CHUNKS)]
    return SeamSides(
        ends=np.concatenate([sides.ends for sides in songs]),
        starts=np.concatenate([sides.starts for sides in songs]),
    )


def _worth(name: str, folds: list[Fold]) -> Estimate:
    (evidence,) = (one for one in EVIDENCE if one.name == name)
    return over_all(judge_folds(evidence, folds, 0), "all/mrr", 0)


@pytest.fixture(scope="module")
def folds() -> list[Fold]:
    return [_fold(1), _fold(2)]


def test_all_evidence_together_is_worth_most(folds: list[Fold]) -> None:
    figures = judge_folds(FITTED, folds, 0)
    estimate = over_all(figures, "all/mrr", 0)
    worth = {
        evidence.name: _worth(evidence.name, folds).value for evidence in EVIDENCE if not evidence.network
    }
    carried = estimate.value
    # The network has nothing to learn here, and takes little away.
    assert worth["towers and seams in the song"] == max(worth.values()) <= carried + 0.05
    assert worth["towers"] < carried - 0.05
    assert worth["seams, chunks alone"] < 0.2 < worth["seams in the song"]
    assert estimate.low < estimate.value < estimate.high
    # Both folds count, each song once.
    assert sum(fold.per_song["all/mrr"].shape[1] for fold in figures) == 2 * SONGS
    beyond = gain(figures, judge_folds(EVIDENCE[0], folds, 0), "all/mrr", 0)
    assert beyond.value == pytest.approx(carried - worth["towers"])
    assert beyond.low > 0


def test_weights_come_from_the_other_folds_alone() -> None:
    turned = [_fold(1), _fold(2, reversed_dots=True)]
    # What is learned from one is the wrong way round for the other: worse than chance in both.
    assert [
        judge_folds(EVIDENCE[0], turned, 0)[fold].pools["same"]["auc"].value < 0.3 for fold in (0, 1)
    ] == [True] * 2


def test_what_is_fitted_gives_probabilities(folds: list[Fold]) -> None:
    lessons = replace(_fold(6), dots=None, audio_hashes=frozenset("c"))
    stage = fit_stage([folds[0], replace(folds[1], lessons=lessons, audio_hashes=frozenset("ab"))], 0)
    assert stage.learned_from == frozenset("abc")
    fold = _fold(3)
    true, wrong = [], []
    for row in np.flatnonzero(fold.successor >= 0).tolist():
        assert fold.dots is not None
        assert stage.network is not None
        distances_db, steadiness = distances_and_steadiness(fold.in_song, row)
        seen = np.concatenate([seam_terms(distances_db), steadiness], axis=1)
        corrections = stage.network.logits(seen) * (fold.song == fold.song[row])
        found: FloatArray = stage.probabilities(fold.dots[row], distances_db, corrections)
        true.append(found[fold.successor[row]])
        wrong += [found[other] for other in range(len(found)) if other not in (row, fold.successor[row])]
    assert np.median(true) > 0.8 and np.median(wrong) < 0.2
    # At one half neither side is favoured.
    assert abs(np.mean(np.array(true) > 0.5) - np.mean(np.array(wrong) <= 0.5)) < 0.15


def test_lessons_teach_seams_and_not_what_products_are_worth() -> None:
    small = [_fold(seed, songs=2) for seed in (1, 2)]
    lessons = [replace(_fold(seed), dots=None) for seed in (7, 8)]
    taught = [replace(fold, lessons=more) for fold, more in zip(small, lessons, strict=True)]
    assert _worth("seams in the song", taught).value > _worth("seams in the song", small).value
    assert _worth("towers", taught) == _worth("towers", small)


def test_a_pool_is_dealt_by_artist_and_every_fold_has_songs_to_ask_about(tmp_path: Path) -> None:
    pool = make_pool(tmp_path, [noise_song(4.5, seed) for seed in range(8)])
    artists = ("A", "B", "A", "C", "D", "A", "B", "E")
    songs = [
        replace(song, artist=artist, name=f"{artist}_{number}", path=tmp_path / f"{artist}_{number}.wav")
        for number, (song, artist) in enumerate(zip(pool.songs, artists, strict=True))
    ]
    known = np.array([True, False, False, False, False, False, True, True])
    parts = artist_folds(replace(pool, songs=SongTable(songs)), known, 2)
    assert sorted(np.concatenate(parts).tolist()) == list(range(8))
    assert not {artists[song] for song in parts[0]} & {artists[song] for song in parts[1]}
    assert [int((~known[part]).sum()) for part in parts] in ([2, 3], [3, 2])


def test_towers_that_kept_the_same_songs_back_are_no_folds(tiny_pool: Path, tmp_path: Path) -> None:
    towers = [
        learned_from(write_tiny_towers(tmp_path / name), {"train": songs_record(["elsewhere"])})
        for name in ("a", "b")
    ]
    with pytest.raises(EndlosError, match="another one does not know either"):
        read_folds(open_pool(tiny_pool), towers, 50.0)


def test_what_cannot_be_fitted_gets_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        fit_from_command_line([str(tmp_path), str(tmp_path), str(tmp_path)])
    assert ended.value.code == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "is not a pool" in line
