"""The check of a pool is silent on a sound one, and names each kind of damage."""

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import mutagen
import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from model.base.errors import PoolError
from stream.audio.copies import write_decoded_copy
from stream.pool.database import DATABASE_FILE
from stream.pool.pool import Pool, decoded_copy, open_pool
from tests.support.beaten import known_timeline
from tests.support.columns import edit_column
from tests.support.laid import LaidPool
from tests.support.music import quick_settings, tune
from tools.pools.build import build_pool
from tools.pools.check import check_pool

Damage = Callable[[Pool, Path], None]


@pytest.fixture(scope="module")
def laid(tmp_path_factory: pytest.TempPathFactory) -> LaidPool:
    return LaidPool(tmp_path_factory.mktemp("check"), ["a.wav", "b.wav", "c.ogg"])


@pytest.fixture
def folder(laid: LaidPool) -> Path:
    return laid.lay()


def _execute(folder: Path, statement: str) -> None:
    with closing(sqlite3.connect(folder / DATABASE_FILE)) as database, database:
        database.execute(statement)


def _edit(pool: Pool, name: str, value: float) -> None:
    def change(array: npt.NDArray[Any]) -> None:
        array[(0,) * (array.ndim - 1) + (min(5, array.shape[-1] - 1),) if array.ndim > 1 else 0] = value

    edit_column(pool, name, change)


def _nan_edge(pool: Pool, music: Path) -> None:
    _edit(pool, "heads", np.nan)


def _loud_edge(pool: Pool, music: Path) -> None:
    _edit(pool, "tails", 3.0)


def _other_edge(pool: Pool, music: Path) -> None:
    _edit(pool, "tails", 0.9)


def _overlap(pool: Pool, music: Path) -> None:
    def change(starts: npt.NDArray[Any]) -> None:
        starts[1] -= 5

    edit_column(pool, "start_sample", change)


def _gone(pool: Pool, music: Path) -> None:
    (music / "a.wav").unlink()


def _changed(pool: Pool, music: Path) -> None:
    soundfile.write(music / "a.wav", tune(6, 99), 22_050)


def _other_copy(pool: Pool, music: Path) -> None:
    path = decoded_copy(pool.folder, pool.songs[2].audio_hash)
    write_decoded_copy(np.load(path) * np.float32(0.5), path)


def _half_copy(pool: Pool, music: Path) -> None:
    path = decoded_copy(pool.folder, pool.songs[2].audio_hash)
    path.write_bytes(path.read_bytes()[:5_000])


def _short_copy(pool: Pool, music: Path) -> None:
    np.save(decoded_copy(pool.folder, pool.songs[2].audio_hash), np.zeros((10, 2), dtype=np.float32))


def _noise_in_a_copy(pool: Pool, music: Path) -> None:
    with decoded_copy(pool.folder, pool.songs[2].audio_hash).open("r+b") as file:
        file.seek(100_000)
        file.write(np.random.default_rng(0).bytes(1_000))


def _lying_loudness(pool: Pool, music: Path) -> None:
    _execute(pool.folder, "UPDATE songs SET loudness_lufs = -70 WHERE path = 'a.wav'")


def _lying_peak(pool: Pool, music: Path) -> None:
    _execute(pool.folder, "UPDATE songs SET true_peak_db = -60 WHERE path = 'a.wav'")


def _other_fingerprint(pool: Pool, music: Path) -> None:
    edit_column(pool, "fingerprints", lambda prints: prints[1].fill(0.0))


def _orphan(pool: Pool, music: Path) -> None:
    _execute(pool.folder, "INSERT INTO generation_songs SELECT MAX(generation), 99, 999, 0 FROM generations")


def _nan_spectrum(pool: Pool, music: Path) -> None:
    _edit(pool, "spectra", np.nan)


def _other_spectrum(pool: Pool, music: Path) -> None:
    _edit(pool, "spectra", 7.0)


def _other_seams(pool: Pool, music: Path) -> None:
    _edit(pool, "seam_start_values", 700)


def _other_texture(pool: Pool, music: Path) -> None:
    _edit(pool, "texture_ends", 7.0)


def _strange_tempo(pool: Pool, music: Path) -> None:
    _edit(pool, "tempo_bpm", -3.0)


def _unknown_loudness(pool: Pool, music: Path) -> None:
    _edit(pool, "end_lufs", np.nan)


def _falling_beats(pool: Pool, music: Path) -> None:
    falling = known_timeline(10.0, np.array([1.0, 0.5]))
    with closing(sqlite3.connect(pool.folder / DATABASE_FILE)) as database, database:
        database.execute("UPDATE songs SET timeline = ? WHERE path = 'a.wav'", (falling.encoded(),))


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (_nan_edge, "heads.bin holds values of a.wav that cannot be"),
        (_loud_edge, "tails.bin holds values of a.wav that cannot be"),
        (_other_edge, "the edges of chunk 0 are not those of a.wav"),
        (_overlap, "the chunks of a.wav overlap or leave gaps"),
        (_gone, "a.wav cannot be read (No such file or directory); put it back"),
        (_changed, "a.wav has changed since the pool was built; run `endlos pool build` again"),
        (_other_copy, "is not the decoded c.ogg; run `endlos pool build` again"),
        (_half_copy, "is damaged (it is of another form or length); run"),
        (_short_copy, "is damaged (it is of another form or length)"),
        (_noise_in_a_copy, "is damaged (frame 12288 on); run"),
        (_lying_loudness, "the loudness and peak kept of a.wav (-70.0 LUFS"),
        (_lying_peak, "the loudness and peak kept of a.wav ("),
        (_other_fingerprint, "a.wav sounds different from what the pool was built from in 1 chunks"),
        (_orphan, "is damaged (1 rows without an owner)"),
        (_nan_spectrum, "spectra.bin holds values of a.wav that cannot be"),
        (_other_spectrum, "the spectra of chunk 0 are not those of a.wav"),
        (_other_seams, "the seams and textures kept of a.wav are not its own"),
        (_other_texture, "the seams and textures kept of a.wav are not its own"),
        (_strange_tempo, "tempo_bpm.bin holds what it cannot"),
        (_falling_beats, "the timeline of a.wav in "),
        (_unknown_loudness, "end_lufs.bin holds what it cannot"),
    ],
)
def test_damage_is_named(folder: Path, damage: Damage, sentence: str) -> None:
    damage(open_pool(folder), folder.parent / "music")
    problems = check_pool(folder)
    assert any(sentence in problem for problem in problems), problems
    if damage is not _orphan:
        build_pool([folder.parent / "music"], folder, quick_settings())
        assert check_pool(folder, deep=True) == [], "what a check finds, a build mends"


def test_songs_whose_values_cannot_be_are_analysed_anew_and_no_others(folder: Path) -> None:
    _nan_edge(open_pool(folder), folder.parent / "music")
    _other_fingerprint(open_pool(folder), folder.parent / "music")
    assert check_pool(folder)
    report = build_pool([folder.parent / "music"], folder, quick_settings())
    assert (report.songs, report.analysed) == (3, 1)


def test_a_sound_pool_is_silent(folder: Path) -> None:
    assert check_pool(folder) == []
    assert check_pool(folder, deep=True) == []


def test_a_missing_copy_is_no_problem(folder: Path) -> None:
    decoded_copy(folder, open_pool(folder).songs[2].audio_hash).unlink()
    assert check_pool(folder, deep=True) == []


def test_a_new_time_alone_is_no_problem(folder: Path) -> None:
    os.utime(folder.parent / "music" / "a.wav", ns=(1, 1))
    assert check_pool(folder) == []


def test_a_change_that_keeps_size_and_times_is_found_by_the_deep_check(folder: Path) -> None:
    path = folder.parent / "music" / "a.wav"
    status = path.stat()
    content = bytearray(path.read_bytes())
    content[-1_000] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    # As on a disk that forgets bits: nothing tells of a change.
    _execute(folder, f"UPDATE songs SET ctime_ns = {path.stat().st_ctime_ns} WHERE path = 'a.wav'")
    assert check_pool(folder) == []
    (problem,) = check_pool(folder, deep=True)
    assert "a.wav has changed" in problem
    report = build_pool([folder.parent / "music"], folder, quick_settings())
    assert (report.songs, report.analysed) == (3, 1)
    assert check_pool(folder, deep=True) == []


def test_a_tagger_that_keeps_the_time_is_noticed(folder: Path) -> None:
    path = folder.parent / "music" / "c.ogg"
    status = path.stat()
    before = open_pool(folder)
    mutagen.File(path, easy=True).save(padding=lambda info: 100)
    file = mutagen.File(path, easy=True)
    file["title"] = "New"
    # What it takes from the padding leaves the size as it is, too.
    file.save(padding=lambda info: max(0, info.padding))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    _execute(folder, f"UPDATE songs SET size_bytes = {path.stat().st_size} WHERE path = 'c.ogg'")
    assert any("c.ogg has changed" in problem for problem in check_pool(folder))
    report = build_pool([folder.parent / "music"], folder, quick_settings())
    assert (report.songs, report.analysed) == (3, 0)
    after = open_pool(folder)
    assert after.generation > before.generation
    assert [song.title for song in after.songs] == ["a", "b", "New"]
    assert [song.audio_hash for song in after.songs] == [song.audio_hash for song in before.songs]
    assert check_pool(folder, deep=True) == []


def test_a_damaged_page_is_named(folder: Path) -> None:
    path = folder / DATABASE_FILE
    content = bytearray(path.read_bytes())
    content[4_096 * 3 : 4_096 * 4] = b"\xa5" * 4_096
    path.write_bytes(content)
    try:
        problems = check_pool(folder)
    except PoolError as error:
        problems = [str(error)]
    assert any("damaged" in problem for problem in problems)


def test_no_pool_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PoolError, match="is not a pool"):
        check_pool(tmp_path)
