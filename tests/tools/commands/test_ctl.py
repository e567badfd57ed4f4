"""The commands `endlos ctl ...` steer a real stream, say one sentence where they cannot, and start fast."""

import json
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from stream.outputs.address import HttpAddress
from stream.outputs.secrets import TOKEN_VARIABLE
from stream.service import limits
from tests.support.commands import REPOSITORY, run_here
from tests.support.interface import PlayedPool
from tests.support.waiting import wait_until


@pytest.fixture(scope="module")
def played(tiny_pool: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlayedPool]:
    pool = Path(shutil.copytree(tiny_pool, tmp_path_factory.mktemp("own") / "pool"))
    with closing(PlayedPool(pool)) as running:
        # The first question loads the interface, for longer than a command waits where the machine is busy.
        running.ask("GET", "/api/now")
        yield running


@pytest.fixture(autouse=True)
def without_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "CHANGES", 10_000)
    monkeypatch.delenv(TOKEN_VARIABLE, raising=False)


def url(played: PlayedPool) -> str:
    return f"http://127.0.0.1:{played.port}"


def ctl(played: PlayedPool, *words: str) -> int:
    return run_here("ctl", *words, "--url", url(played))


def test_it_shows_what_plays(played: PlayedPool, capsys: pytest.CaptureFixture[str]) -> None:
    assert ctl(played, "now") == 0
    shown = capsys.readouterr().out
    assert shown.startswith("now: ")
    assert "http mp3: " in shown
    assert ctl(played, "now", "--json") == 0
    assert json.loads(capsys.readouterr().out)["pool"]["songs"] == 3


def test_it_pauses_and_goes_on(played: PlayedPool, capsys: pytest.CaptureFixture[str]) -> None:
    assert ctl(played, "pause") == 0
    assert played.session.paused
    assert ctl(played, "now") == 0
    assert "paused: " in capsys.readouterr().out
    assert ctl(played, "resume") == 0
    assert not played.session.paused
    assert ctl(played, "next") == 0
    assert ctl(played, "next", "--json") == 0
    assert capsys.readouterr().out.splitlines() == ["playing", "going on to another piece", "null"]


def test_it_sends_to_sleep_and_wakes(played: PlayedPool, capsys: pytest.CaptureFixture[str]) -> None:
    assert ctl(played, "sleep", "1.5") == 0
    assert 30.0 < (played.session.moment().sleep_in_s or 0.0) <= 90.0
    assert ctl(played, "now") == 0
    assert ctl(played, "sleep") == 0
    assert played.session.moment().sleep_in_s is None
    shown = capsys.readouterr().out
    assert "it fades out in 1:30" in shown and "\nfades out in " in shown and "it does not fade out" in shown


def test_what_is_too_far_away_is_told_in_the_minutes_that_were_typed(
    played: PlayedPool, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ctl(played, "sleep", "10081") == 2
    assert "less than or equal to 10080" in capsys.readouterr().err
    assert ctl(played, "steer", "--mute", "one", "--towards", "two", "--within-min", "1441") == 2
    assert "less than or equal to 1440" in capsys.readouterr().err
    assert played.session.steering.muted == frozenset()


def test_it_lists_songs(played: PlayedPool, capsys: pytest.CaptureFixture[str]) -> None:
    assert ctl(played, "songs") == 0
    assert [line.split()[-1] for line in capsys.readouterr().out.splitlines()[1:]] == ["one", "three", "two"]
    assert ctl(played, "songs", "th", "re", "--json") == 0
    assert [song["title"] for song in json.loads(capsys.readouterr().out)["songs"]] == ["three"]
    assert ctl(played, "songs", "--limit", "1") == 0
    assert "3 in all" in capsys.readouterr().out
    capsys.readouterr()
    assert ctl(played, "songs", "zzz") == 0
    assert capsys.readouterr().out == (
        "no song has 'zzz' in title, artist, album or file; `endlos ctl songs` lists them\n"
    )


def test_where_nothing_answers_it_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nowhere = f"http://127.0.0.1:{free.getsockname()[1]}"
        assert run_here("ctl", "now", "--url", nowhere) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(f"endlos: nothing answers at {nowhere} (")
    assert said.err.count("\n") == 1


@pytest.mark.parametrize("wrong", ["example", "ftp://example/", "http://", "http://127.0.0.1:x"])
def test_an_address_that_is_none_is_said(wrong: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_here("ctl", "now", "--url", wrong) == 1
    said = capsys.readouterr().err
    assert "is no address of a page; expected one such as http://127.0.0.1:8000" in said


def test_what_is_refused_is_said_and_the_token_opens(
    tiny_pool: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(PlayedPool(tiny_pool, HttpAddress(host="0.0.0.0", port=0, token="s3cret"))) as public:
        assert ctl(public, "pause") == 1
        said = capsys.readouterr().err
        assert (
            "refused: send the header Authorization: Bearer TOKEN; give its token by --token-file or " in said
        )
        file = tmp_path / "token"
        file.write_text("s3cret\n")
        assert ctl(public, "pause", "--token-file", str(file)) == 0
        assert public.session.paused
        monkeypatch.setenv(TOKEN_VARIABLE, "s3cret")
        assert ctl(public, "resume") == 0
        assert not public.session.paused


def test_it_starts_without_anything_heavy() -> None:
    code = "import sys, tools.commands.ctl; print(' '.join(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert not {"numpy", "numba", "starlette", "av", "rich", "onnxruntime"} & set(done.stdout.split())


def test_it_steers(played: PlayedPool, capsys: pytest.CaptureFixture[str]) -> None:
    assert ctl(played, "steer", "--other-songs", "0.5", "--phrase-factor", "2", "--mute", "two") == 0
    steering = played.session.steering
    (muted,) = steering.muted
    assert played.engine.pool.songs[2].audio_hash == muted
    assert (steering.other_songs, steering.phrase_factor) == (0.5, 2.0)
    assert capsys.readouterr().out.splitlines() == [
        "joins to another song: 50 %",
        "phrases: 2 times as long as usual",
        "muted: two",
    ]
    assert ctl(played, "steer", "--favour", "one") == 0
    assert capsys.readouterr().out.splitlines()[2:] == ["muted: two", "favoured: one"]
    assert ctl(played, "steer", "--forget", "one") == 0
    assert capsys.readouterr().out.splitlines()[2:] == ["muted: two"]
    assert ctl(played, "songs", "two") == 0
    assert "muted" in capsys.readouterr().out
    assert ctl(played, "steer", "--usual", "--forget", "two", "--json") == 0
    assert json.loads(capsys.readouterr().out)["phrase_factor"] == 1.0
    assert ctl(played, "steer") == 0
    assert capsys.readouterr().out.splitlines()[-1] == "phrases: as long as usual"
    assert played.session.steering.muted == frozenset()


@pytest.mark.parametrize(
    ("words", "said"),
    [("nobody", "no song has 'nobody'"), ("", "3 songs have '', say more of one: one; three; two")],
)
def test_a_song_that_is_not_meant_clearly_is_asked_for_again(
    played: PlayedPool, capsys: pytest.CaptureFixture[str], words: str, said: str
) -> None:
    assert ctl(played, "steer", "--towards", words) == 1
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--mute", "one", "--towards", "nobody"), "no song has 'nobody'"),
        (("--mute", "one", "--towards", "one"), "one is muted, so that nothing leads there"),
        (("--mute", "one", "--within-min", "5"), "name it by --towards"),
        (
            ("--mute", "one", "--favour", "ONE"),
            "one is named twice; say one of --mute",
        ),
    ],
)
def test_what_is_refused_in_part_changes_nothing(
    played: PlayedPool, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
) -> None:
    assert ctl(played, "steer", *words) == 1
    assert said in capsys.readouterr().err
    assert played.session.steering.muted == frozenset()


def test_it_judges_the_join_that_was_heard_last(
    played: PlayedPool, capsys: pytest.CaptureFixture[str]
) -> None:

    def heard() -> list[dict[str, Any]]:
        """The joins that were heard, newest first."""
        return list(played.ask("GET", "/api/joins").told["joins"])

    for count in (1, 2):
        assert ctl(played, "next") == 0
        wait_until(lambda count=count: len(heard()) >= count, "a join is heard")  # type: ignore[misc]
    least = heard()[0]["n"]
    assert ctl(played, "like") == 0
    assert capsys.readouterr().out.rstrip().endswith(": liked")
    # Another one may be heard before it is liked, and after.
    joins = heard()
    liked = [join for join in joins if join["liked"]]
    # The same places may have been joined before: that is the same join, and as liked.
    assert len({(join["chunk_from"], join["chunk_to"]) for join in liked}) == 1
    assert least <= liked[0]["n"] <= joins[0]["n"]
    assert ctl(played, "dislike", "--json") == 0
    assert json.loads(capsys.readouterr().out)["liked"] is False
