"""A build makes the right pool, repeats no work that is done, and loses nothing that was built."""

import errno
import itertools
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import soundfile

import tools.pools.build
from model.base.errors import EndlosError, PoolError
from model.features.edges import chunk_edges
from stream.audio.decode import decode
from stream.audio.spans import SpanReader
from stream.pool.pool import (
    current_generation,
    decoded_copy,
    failures,
    fingerprint,
    open_pool,
)
from tests.support.columns import current_column
from tests.support.music import quick_settings, tune, write_music
from tools.pools.build import build_pool
from tools.pools.check import check_pool
from tools.pools.report import BuildProgress
from tools.pools.settings import BuildSettings
from tools.songs.cut import CutSettings, cut_song
from tools.songs.tags import Tags, read_tags

NAMES = ["a.wav", "b.flac", "sub/c.wav"]


@pytest.fixture
def music(tmp_path: Path) -> Path:
    write_music(tmp_path / "music", NAMES)
    return tmp_path / "music"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "pool"


# What is in a pool


def test_a_pool_holds_what_its_songs_give(music: Path, out: Path) -> None:
    settings = quick_settings(cut=CutSettings(silence_db=-30))
    report = build_pool([music], out, settings)
    pool = open_pool(out)
    assert [song.name for song in pool.songs] == NAMES
    row = 0
    for index, song in enumerate(pool.songs):
        audio, rate_hz = soundfile.read(music / song.name, dtype="float32")
        bounds = cut_song(audio, rate_hz, settings.cut).bounds
        assert (song.frames, song.sample_rate_hz, song.channels) == (len(audio), rate_hz, 2)
        assert song.path == music / song.name
        for start, stop in itertools.pairwise(bounds.tolist()):
            head, tail = chunk_edges(audio[start:stop], rate_hz, settings.edge_samples)
            assert (pool.chunk_song[row], pool.start_sample[row], pool.end_sample[row]) == (
                index,
                start,
                stop,
            )
            assert np.array_equal(pool.heads[row], head.astype(np.float16))
            assert np.array_equal(pool.tails[row], tail.astype(np.float16))
            assert np.array_equal(pool.fingerprints[row], fingerprint(audio[start:stop]))
            level_db = 10 * np.log10(np.mean(audio[start:stop].astype(float) ** 2))
            assert pool.loudness_db[row] == pytest.approx(level_db, abs=1e-4)
            row += 1
    assert row == len(pool) == report.chunks
    assert (report.songs, report.analysed, report.reused, report.failed) == (3, 3, 0, ())
    assert report.audio_s == pytest.approx(18)
    assert pool.complete
    assert check_pool(out, deep=True) == []


def test_two_processes_build_the_same_pool_as_one(music: Path, tmp_path: Path) -> None:
    (song,) = write_music(music, ["twin.ogg"])
    shutil.copy(song, music / "sub" / "twin.ogg")
    pools = []
    for jobs in (1, 2):
        report = build_pool([music], tmp_path / str(jobs), quick_settings(jobs=jobs))
        assert (report.songs, report.without_copy) == (4, 0)
        assert report.copies == (("twin.ogg", "sub/twin.ogg"),)
        # One decoded copy for two files with the same bytes, although both are analysed at once.
        assert len(list((tmp_path / str(jobs) / "decoded").iterdir())) == 1
        pools.append(open_pool(tmp_path / str(jobs)))
    one, two = pools
    assert [song.name for song in one.songs] == [song.name for song in two.songs]
    for name in ("chunk_song", "start_sample", "end_sample", "loudness_db", "fingerprints", "heads", "tails"):
        assert np.array_equal(getattr(one, name), getattr(two, name)), name


def test_of_files_of_one_size_only_those_that_are_known_are_asked_for_their_tags(
    out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    music = tmp_path / "music"
    write_music(music, ["a.wav"])
    build_pool([music], out, quick_settings())
    asked: list[str] = []

    def told(path: Path) -> Tags:
        asked.append(path.name)
        return read_tags(path)

    monkeypatch.setattr(tools.pools.build, "read_tags", told)
    write_music(music, ["b.wav", "c.wav"])
    (music / "a.wav").rename(music / "z.wav")
    report = build_pool([music], out, quick_settings())
    assert (report.songs, report.reused) == (3, 1)
    assert asked == ["z.wav"]


def test_several_folders_and_files_make_one_pool(music: Path, out: Path, tmp_path: Path) -> None:
    other = write_music(tmp_path / "other", ["z.wav", "a.wav"])
    build_pool([other[0], music], out, quick_settings())
    assert [song.path for song in open_pool(out).songs] == [other[0], *(music / name for name in NAMES)]


def test_a_song_that_cannot_be_seeked_gets_a_decoded_copy(out: Path, tmp_path: Path) -> None:
    (song,) = write_music(tmp_path / "music", ["a.ogg"])
    report = build_pool([song], out, quick_settings())
    (entry,) = open_pool(out).songs
    copy = np.load(decoded_copy(out, entry.audio_hash))
    assert not entry.seekable
    assert np.array_equal(copy, decode(song)[0])
    assert report.decoded_bytes == decoded_copy(out, entry.audio_hash).stat().st_size
    assert report.without_copy == 0
    assert check_pool(out, deep=True) == []


def test_what_only_ffmpeg_decodes_is_heard_as_it_is(out: Path, tmp_path: Path) -> None:
    """ALAC arrives as planes of whole numbers, not as frames of floats."""
    song = tmp_path / "a.m4a"
    written = np.round(tune(6.0, 3, 44_100) * 32_767).astype(np.int16)
    with av.open(str(song), "w") as file:
        track = file.add_stream("alac", rate=44_100, layout="stereo")
        samples = np.ascontiguousarray(written.T)
        frame = av.AudioFrame.from_ndarray(samples, format="s16p", layout="stereo")
        frame.sample_rate = 44_100
        file.mux([*track.encode(frame), *track.encode(None)])
    assert build_pool([song], out, quick_settings()).without_copy == 0
    pool = open_pool(out)
    assert decoded_copy(out, pool.songs[0].audio_hash).is_file()
    reader = SpanReader(pool, 44_100)
    for chunk in range(len(pool)):
        reader.check(chunk)
    assert np.array_equal(reader.read(0, 0, len(written)), written / np.float32(2**15))
    reader.close()


def test_decoded_copies_are_bounded_and_made_when_there_is_room(out: Path, tmp_path: Path) -> None:
    songs = write_music(tmp_path / "music", ["a.ogg", "b.ogg"])
    room_gib = 1.5 * 8 * len(decode(songs[0])[0]) / 2**30
    report = build_pool([tmp_path / "music"], out, quick_settings(decoded_cache_gib=room_gib))
    assert (report.songs, report.without_copy) == (2, 1)
    assert report.decoded_bytes < room_gib * 2**30
    report = build_pool([tmp_path / "music"], out, quick_settings())
    assert (report.analysed, report.without_copy) == (0, 0)
    assert check_pool(out, deep=True) == []


def test_a_copy_of_an_earlier_version_makes_room_for_the_one_that_replaces_it(
    out: Path, tmp_path: Path
) -> None:
    (song,) = write_music(tmp_path / "music", ["a.ogg"])
    audio = decode(song)[0]
    tight = quick_settings(decoded_cache_gib=1.5 * 8 * len(audio) / 2**30)
    assert build_pool([tmp_path / "music"], out, tight).without_copy == 0
    (copy,) = (out / "decoded").iterdir()
    with copy.open("wb") as file:
        np.save(file, audio)
    report = build_pool([tmp_path / "music"], out, tight)
    assert (report.analysed, report.without_copy) == (0, 0)
    assert check_pool(out, deep=True) == []


# What is done again


def test_an_unchanged_pool_stays_as_it_is(music: Path, out: Path) -> None:
    first = build_pool([music], out, quick_settings())
    again = build_pool([music], out, quick_settings())
    assert (again.analysed, again.reused, again.generation) == (0, 3, first.generation)
    assert again.chunks == first.chunks


def test_only_what_changed_is_analysed(music: Path, out: Path) -> None:
    build_pool([music], out, quick_settings())
    soundfile.write(music / "b.flac", tune(8, 77), 22_050)
    os.utime(music / "a.wav", ns=(1, 1))
    write_music(music, ["new.wav"])
    (music / "sub" / "c.wav").unlink()
    report = build_pool([music], out, quick_settings())
    assert (report.songs, report.analysed, report.reused, report.removed) == (3, 2, 1, 1)
    pool = open_pool(out)
    assert [song.name for song in pool.songs] == ["a.wav", "b.flac", "new.wav"]
    assert pool.songs[1].frames == 8 * 22_050
    assert check_pool(out, deep=True) == []


def test_a_file_that_moved_is_not_analysed_again(music: Path, out: Path) -> None:
    build_pool([music], out, quick_settings())
    (music / "a.wav").rename(music / "sub" / "renamed.wav")
    report = build_pool([music], out, quick_settings())
    assert (report.analysed, report.songs) == (0, 3)
    pool = open_pool(out)
    assert [song.title for song in pool.songs] == ["b", "c", "renamed"]
    assert check_pool(out, deep=True) == []


@pytest.mark.parametrize(
    "changes", [{"edge_s": 0.25}, {"cut": CutSettings(cut="equal", chunk_s=1.0)}], ids=["edge", "cut"]
)
def test_other_settings_analyse_anew_and_switch_only_at_the_end(
    music: Path, out: Path, changes: dict[str, object]
) -> None:
    before = build_pool([music], out, quick_settings())
    seen = []

    def look(progress: BuildProgress) -> None:
        pool = open_pool(out)
        seen.append((progress.generation, pool.generation, pool.complete))

    after = build_pool([music], out, quick_settings(**changes), look)
    assert set(seen) == {(before.generation, before.generation, True)}
    assert after.analysed == 3
    assert open_pool(out).generation == after.generation > before.generation
    assert check_pool(out, deep=True) == []


def test_lost_edges_are_analysed_again(music: Path, out: Path) -> None:
    build_pool([music], out, quick_settings())
    current_column(out, "heads").unlink()
    report = build_pool([music], out, quick_settings())
    assert report.analysed == 3
    assert check_pool(out, deep=True) == []


def test_two_generations_are_kept_and_what_they_need(music: Path, out: Path) -> None:
    for chunk_s in (2.0, 1.5, 1.0, 3.0):
        build_pool([music], out, quick_settings(cut=CutSettings(cut="equal", chunk_s=chunk_s)))
    current = current_generation(out)
    assert current is not None
    kept = sorted(int(path.name) for path in (out / "generations").iterdir())
    assert kept == [current - 1, current]
    assert len(list((out / "columns").iterdir())) == 1
    assert list((out / "analysis").iterdir()) == []


def test_copies_of_songs_that_are_gone_are_removed(out: Path, tmp_path: Path) -> None:
    a, b = write_music(tmp_path / "music", ["a.ogg", "b.wav"])
    build_pool([a, b], out, quick_settings())
    for edge_s in (0.4, 0.3):
        build_pool([b], out, quick_settings(edge_s=edge_s))
    assert list((out / "decoded").iterdir()) == []


# From the first song on


def test_the_first_songs_can_be_played_while_the_rest_is_analysed(
    tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tools.pools.build, "PUBLISH_PERIOD_S", 0.0)
    write_music(tmp_path / "music", [f"{number}.wav" for number in range(6)])
    (smallest,) = write_music(tmp_path / "music", ["last.wav"], seconds=3)
    seen: dict[int, tuple[list[str], bool]] = {}

    def look(progress: BuildProgress) -> None:
        if progress.generation is not None:
            pool = open_pool(out)
            assert pool.generation == progress.generation
            seen[progress.done] = ([song.name for song in pool.songs], pool.complete)

    report = build_pool([tmp_path / "music"], out, quick_settings(), look)
    # Smallest first, then in order; published at 1, 2, 4 songs.
    assert seen[1] == ([smallest.name], False)
    assert seen[2] == seen[3] == (["0.wav", "last.wav"], False)
    assert seen[7] == (["0.wav", "1.wav", "2.wav", "last.wav"], False)
    assert open_pool(out).complete
    assert len(open_pool(out).songs) == report.songs == 7


def test_progress_counts_every_file_once(music: Path, out: Path) -> None:
    build_pool([music / "a.wav"], out, quick_settings())
    (music / "text.mp3").write_text("not music")
    seen: list[BuildProgress] = []
    build_pool([music / "a.wav", music], out, quick_settings(), seen.append)
    assert [progress.done for progress in seen] == [1, 2, 3, 4]
    assert {progress.total for progress in seen} == {4}
    assert seen[-1].done_bytes == seen[-1].total_bytes
    assert seen[-1].audio_s == pytest.approx(12)


# Files that are no songs


def test_bad_files_are_named_and_the_rest_is_built(music: Path, out: Path) -> None:
    (music / "text.mp3").write_text("this is not music\n" * 100)
    (music / "empty.flac").touch()
    (music / "sub" / "gone.ogg").symlink_to(music / "nowhere.ogg")
    soundfile.write(music / "silent.wav", np.zeros((22_050 * 5, 2)), 22_050)
    soundfile.write(music / "short.wav", tune(0.4, 5), 22_050)
    report = build_pool([music], out, quick_settings())
    assert report.songs == 3
    assert {failure.path.name for failure in report.failed} == {"text.mp3", "empty.flac", "gone.ogg"}
    assert {failure.path.name for failure in report.skipped} == {"silent.wav", "short.wav"}
    reasons = {failure.path.name: failure.reason for failure in (*report.failed, *report.skipped)}
    assert all(reasons.values()) and not any(str(music) in reason for reason in reasons.values())
    assert reasons["empty.flac"].startswith("it is an empty file; ")
    assert set(failures(out)) == {*report.failed, *report.skipped}


def test_what_is_left_out_of_a_file_is_told_until_it_is_mended(music: Path, out: Path) -> None:
    song = music / "a.wav"
    whole = song.read_bytes()
    song.write_bytes(whole + b"no audio at all. " * 5_000)
    report = build_pool([music], out, quick_settings())
    assert (report.songs, report.failed, report.skipped) == (3, (), ())
    (partly,) = report.partly
    assert (partly.path, partly.kind) == (song, "partly")
    assert partly.reason == "without 85000 bytes after the end of its audio"
    assert failures(out) == (partly,)
    # A build that analyses nothing knows it still, of a renamed file too.
    song.rename(music / "renamed.wav")
    again = build_pool([music], out, quick_settings())
    assert again.analysed == 0
    assert [(failure.path.name, failure.reason) for failure in again.partly] == [
        ("renamed.wav", partly.reason)
    ]
    (music / "renamed.wav").write_bytes(whole)
    assert build_pool([music], out, quick_settings()).partly == failures(out) == ()


def test_what_is_no_audio_is_told_by_kind(music: Path, out: Path) -> None:
    (music / "cover.jpg").write_bytes(b"a picture")
    (music / "strange.xyz").write_bytes(b"who knows")
    report = build_pool([music], out, quick_settings())
    assert report.failed == ()
    assert {(kind.suffix, kind.files) for kind in report.no_audio} == {(".jpg", 1), (".xyz", 1)}


def test_skipped_files_are_not_decoded_again(music: Path, out: Path) -> None:
    soundfile.write(music / "silent.wav", np.zeros((22_050 * 5, 2)), 22_050)
    first = build_pool([music], out, quick_settings())
    again = build_pool([music], out, quick_settings())
    assert (first.analysed, again.analysed) == (4, 0)
    assert again.skipped == first.skipped
    assert build_pool([music], out, quick_settings(edge_s=0.3)).analysed == 4


def test_a_mended_file_joins(music: Path, out: Path) -> None:
    (music / "z.wav").write_text("no music yet")
    assert len(build_pool([music], out, quick_settings()).failed) == 1
    soundfile.write(music / "z.wav", tune(6, 9), 22_050)
    report = build_pool([music], out, quick_settings())
    assert (report.songs, report.failed, failures(out)) == (4, (), ())


def test_a_truncated_mp3_gives_what_is_left_of_it(out: Path, tmp_path: Path) -> None:
    (song,) = write_music(tmp_path / "music", ["a.mp3"], seconds=20, rate_hz=44_100)
    song.write_bytes(song.read_bytes()[: song.stat().st_size // 2 + 77])
    report = build_pool([song], out, quick_settings())
    assert 8 < report.audio_s < 12
    assert check_pool(out, deep=True) == []


def test_a_folder_that_changes_while_it_is_built(music: Path, out: Path) -> None:
    other = np.clip(4 * tune(5.0, 9), -1, 1)

    def change(progress: BuildProgress) -> None:
        if progress.done == 0:
            (music / "sub" / "c.wav").unlink()
            for name in ("b.flac", "d.wav"):
                soundfile.write(music / name, other[: 22_050 * (4 if name == "b.flac" else 5)], 22_050)

    report = build_pool([music], out, quick_settings(), change)
    assert [failure.path.name for failure in report.failed] == ["c.wav"]
    # What was analysed is what was there then, and the next build knows it by that.
    assert {song.name: song.frames for song in open_pool(out).songs}["b.flac"] == 4 * 22_050
    report = build_pool([music], out, quick_settings())
    assert (report.analysed, report.reused, len(report.failed)) == (1, 2, 0)
    assert check_pool(out) == []


def test_a_disk_that_goes_away_while_all_is_analysed_anew_takes_no_song_along(
    music: Path, out: Path, tmp_path: Path
) -> None:
    before = build_pool([music], out, quick_settings())

    def change(progress: BuildProgress) -> None:
        if progress.done == 1 and music.exists():
            music.rename(tmp_path / "away")

    report = build_pool([music], out, quick_settings(again=True), change)
    assert (report.songs, report.removed, len(report.failed)) == (before.songs, 0, before.songs - 1)
    assert [(lack.songs, lack.missing) for lack in report.missing] == [(3, 2)]
    assert [song.name for song in open_pool(out).songs] == NAMES
    # Put back, they are analysed anew, as it was asked for.
    (tmp_path / "away").rename(music)
    report = build_pool([music], out, quick_settings())
    assert (report.songs, report.analysed, report.failed, report.missing) == (before.songs, 2, (), ())
    assert check_pool(out) == []


def test_a_network_disk_that_answers_no_more_takes_no_song_along(
    music: Path, out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = build_pool([music], out, quick_settings())
    status, away = os.stat, tmp_path / "away"

    def unanswered(path: Any, **options: Any) -> os.stat_result:
        if isinstance(path, str | Path) and Path(path).is_relative_to(music):
            raise OSError(errno.ENOTCONN, os.strerror(errno.ENOTCONN), str(path))
        return status(path, **options)

    def change(progress: BuildProgress) -> None:
        if progress.done == 1 and not away.exists():
            music.rename(away)
            monkeypatch.setattr(os, "stat", unanswered)

    report = build_pool([music], out, quick_settings(again=True), change)
    assert (report.songs, report.removed) == (before.songs, 0)
    assert [(lack.songs, lack.missing) for lack in report.missing] == [(3, 2)]


def test_a_file_that_fails_now_leaves_the_pool(music: Path, out: Path) -> None:
    build_pool([music], out, quick_settings())
    (music / "a.wav").write_bytes(b"RIFF")
    report = build_pool([music], out, quick_settings())
    assert [failure.path.name for failure in report.failed] == ["a.wav"]
    assert [song.name for song in open_pool(out).songs] == NAMES[1:]


# Nothing to build


def test_a_missing_folder_is_refused_and_leaves_nothing(out: Path, tmp_path: Path) -> None:
    with pytest.raises(PoolError, match="does not exist"):
        build_pool([tmp_path / "nowhere"], out, quick_settings())
    assert not out.exists()


def test_an_empty_folder_is_refused_and_leaves_nothing(out: Path, tmp_path: Path) -> None:
    (tmp_path / "music").mkdir()
    with pytest.raises(PoolError, match="holds no audio files"):
        build_pool([tmp_path / "music"], out, quick_settings())
    assert not out.exists()


def test_when_no_file_yields_a_chunk_the_pool_stays(music: Path, out: Path, tmp_path: Path) -> None:
    before = build_pool([music], out, quick_settings())
    bad = tmp_path / "bad"
    bad.mkdir()
    (bad / "text.mp3").write_text("no music")
    soundfile.write(bad / "silent.wav", np.zeros((22_050 * 5, 2)), 22_050)
    with pytest.raises(PoolError, match=r"no file \(of 2\) yields a chunk; for example silent\.wav"):
        build_pool([bad], out, quick_settings())
    assert open_pool(out).generation == before.generation
    assert len(failures(out)) == 2
    assert build_pool([music], out, quick_settings()).analysed == 0


def test_a_cutter_that_is_not_installed_is_told_at_once(
    music: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pydub", None)
    with pytest.raises(EndlosError, match=r"pydub cannot be loaded .* take `--cutter numba`"):
        build_pool([music], out, BuildSettings(cut=CutSettings(cutter="pydub"), jobs=1))
    assert not out.exists()


def test_nothing_but_silence_makes_no_pool(out: Path, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "silent.wav", np.zeros((22_050 * 5, 2)), 22_050)
    with pytest.raises(PoolError, match=r"no file \(of 1\) yields a chunk"):
        build_pool([tmp_path / "silent.wav"], out, quick_settings())
    with pytest.raises(PoolError, match="holds no chunks yet"):
        open_pool(out)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"edge_s": 0.0}, "edges of 0 s"),
        ({"edge_s": -1.0}, "edges of -1 s"),
        ({"edge_s": float("nan")}, "edges of nan s"),
        ({"edge_s": 0.001}, "edges of 0.001 s"),
        ({"edge_s": 1e9}, "edges of 1e"),
        ({"jobs": 0}, "0 jobs"),
        ({"decoded_cache_gib": -1.0}, "cache of -1 GiB"),
        ({"cut": CutSettings(min_chunk_s=0.001)}, "chunks of 0.001 s"),
    ],
)
def test_settings_that_make_no_sense_are_refused(changes: dict[str, object], sentence: str) -> None:
    with pytest.raises(PoolError, match=sentence):
        quick_settings(**changes)


def test_the_defaults_make_sense() -> None:
    settings = BuildSettings()
    assert settings.edge_samples == 2_520
    assert issubclass(PoolError, EndlosError)
    assert settings.jobs >= 1


# Real music


def test_real_music(shared_music: Path, out: Path) -> None:
    library = shared_music / "library"
    by_size = sorted(library.rglob("*.*"), key=lambda path: path.stat().st_size)
    songs = [next(path for path in by_size if path.suffix == suffix) for suffix in (".mp3", ".ogg")]
    report = build_pool(songs, out, BuildSettings(jobs=1))
    pool = open_pool(out)
    assert (report.songs, report.failed, len(pool.songs)) == (2, (), 2)
    lengths_s = pool.end_s() - pool.start_s()
    cut = CutSettings()
    assert lengths_s.min() >= cut.min_chunk_s - 0.001
    assert lengths_s.max() <= cut.max_chunk_s + 0.001
    assert all(-40 < song.loudness_lufs < 0 for song in pool.songs)
    assert not pool.songs[1].seekable
    assert check_pool(out, deep=True) == []
