"""Songs are parted so that nobody is both learned from and asked about, as far as there are artists."""

import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from model.base.errors import EndlosError
from tests.support.commands import run_here
from tests.support.music import write_music
from tools.quality.joins.hearing.artists import artist_by_name
from tools.quality.study.music import (
    StudyMusic,
    StudySong,
    disjoint_by_artist,
    draw_fold,
    draw_songs,
    read_music,
)


def made_up(alike: int, others: Sequence[str]) -> StudyMusic:
    """Alike songs by one artist, and one song for each name of another's."""
    names = [("one", f"similar/{number}", True) for number in range(alike)]
    names += [(artist, f"{artist}/{number}", False) for number, artist in enumerate(others)]
    return StudyMusic(
        folder=Path("music"),
        songs=tuple(
            StudySong(path=Path(name), name=name, audio_hash=name, artist=artist, alike=is_alike)
            for artist, name, is_alike in names
        ),
    )


MANY = made_up(8, [f"artist{number % 11}" for number in range(20)])


@pytest.mark.parametrize("alike", [True, False])
@pytest.mark.parametrize("repeat", range(4))
def test_nobody_is_learned_from_and_asked_about(alike: bool, repeat: int) -> None:
    draw = draw_songs(MANY, repeat, 3, 6, alike=alike)
    assert len(draw.learned) == 3 and len(draw.asked) == 6
    assert disjoint_by_artist(MANY, draw)
    by_hash = {song.audio_hash: song for song in MANY.songs}
    assert all(by_hash[one].alike == alike for one in draw.learned)
    if not alike:
        assert len({by_hash[one].artist for one in draw.learned}) == 3


def test_repeats_learn_from_other_songs_and_are_asked_about_the_same() -> None:
    draws = [draw_songs(MANY, repeat, 3, 6, alike=True) for repeat in range(4)]
    assert len({draw.learned for draw in draws}) > 1
    assert len({draw.asked for draw in draws}) == 1
    assert draw_songs(MANY, 1, 3, 6, alike=False).asked == draws[0].asked
    assert draws[2] == draw_songs(MANY, 2, 3, 6, alike=True)


@pytest.mark.parametrize("folds", [2, 3])
def test_a_fold_asks_about_artists_that_no_other_fold_asks_about(folds: int) -> None:
    artist = {song.audio_hash: song.artist for song in MANY.songs}
    draws = [draw_fold(MANY, fold, folds, 40, 40) for fold in range(folds)]
    asked = [{artist[one] for one in draw.asked} for draw in draws]
    assert sum(map(len, asked)) == len(set.union(*asked)) == len(MANY.artists)
    for draw in draws:
        assert disjoint_by_artist(MANY, draw)
        assert len(draw.learned) + len(draw.asked) == len(MANY.songs)


def test_songs_of_one_artist_are_kept_apart_by_song() -> None:
    music = made_up(0, ["alone"] * 6)
    draw = draw_songs(music, 0, 3, 10, alike=True)
    assert len(draw.learned) == 3 and len(draw.asked) >= 2
    assert not set(draw.learned) & set(draw.asked)
    assert not disjoint_by_artist(music, draw)


@pytest.mark.parametrize(
    ("name", "artist"),
    [("The Band - Song.mp3", "The Band"), ("lofi_someone_a-song.ogg", "lofi_someone"), ("song.wav", "song")],
)
def test_a_file_without_a_tag_is_counted_by_its_name(name: str, artist: str) -> None:
    assert artist_by_name(Path(name)) == artist


def test_a_file_that_cannot_be_read_is_named_and_the_rest_goes_on(tmp_path: Path) -> None:
    names = [f"{folder}/{letter} - song.wav" for folder in ("similar", "else") for letter in "abc"]
    write_music(tmp_path, names, seconds=1.0)
    (tmp_path / "broken.wav").write_bytes(b"RIFF" + bytes(30))
    music = read_music(tmp_path)
    assert [song.name for song in music.songs] == sorted(names)
    assert [song.alike for song in music.songs] == [False] * 3 + [True] * 3
    assert music.artists == {"a", "b", "c"}
    (told,) = music.unreadable
    assert "broken.wav" in told
    assert [song.alike for song in read_music(tmp_path, tmp_path / "else").songs] == [True] * 3 + [False] * 3
    with pytest.raises(EndlosError, match="is no folder"):
        read_music(tmp_path, tmp_path / "nowhere")


def test_too_little_music_and_unknown_questions_are_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_music(tmp_path / "one", ["a - song.wav"], seconds=1.0)
    write_music(tmp_path / "five", [f"{letter} - song.wav" for letter in "abcde"], seconds=1.0)
    for folder, only, said in (
        ("one", "batches", "has 1 song that can be read, and a study needs 5"),
        ("five", "tempo", "there is no question 'tempo'; take some of cutters"),
        ("five", "genres", "put songs that are alike into a folder called similar"),
    ):
        code = run_here("study", tmp_path / folder, "--cheap", "--only", only, "--out", tmp_path / "out")
        assert code == 1
        (sentence,) = capsys.readouterr().err.strip().splitlines()
        assert said in sentence
    assert not (tmp_path / "out").exists()


def test_the_plan_says_what_is_left_out_and_does_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_music(tmp_path / "music", [f"{letter} - song.wav" for letter in "abcde"], seconds=1.0)
    code = run_here("study", tmp_path / "music", "--cheap", "--plan", "--out", tmp_path / "out")
    printed = capsys.readouterr().out
    assert code == 0 and "runs (0 done before)" in printed
    assert re.search(r", about (\d+ h )?\d+ min with", printed)
    assert "genres: " in printed and "similar" in printed
    assert not (tmp_path / "out").exists()


def test_the_help_names_every_question(capsys: pytest.CaptureFixture[str]) -> None:
    from tools.quality.study.questions import APPROACHES_PART, report_questions
    from tools.quality.study.scale import CHEAP, FULL

    assert run_here("study", "--help") == 0
    told = " ".join(capsys.readouterr().out.split())
    for scale in (CHEAP, FULL):
        names = [question.name for question in report_questions(scale)]
        assert ", ".join([*names, APPROACHES_PART]) in told
        for question in report_questions(scale):
            assert question.favourite in [value.label for value in question.values]
    assert f"{CHEAP.repeats} with --cheap, else {FULL.repeats}" in told
