"""Programs are told what plays, search and map the songs, and steer the stream of a real session."""

import gzip
import io
import json
import shutil
import sqlite3
import subprocess
import sys
import unicodedata
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from model.base.arrays import FloatArray
from stream.outputs.address import HttpAddress
from stream.service import limits, sleep
from stream.service.api.library import Library
from tests.support.event_reader import EventReader
from tests.support.interface import PlayedPool
from tests.support.reference import REPOSITORY
from tests.support.waiting import wait_until

PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)


@pytest.fixture(scope="module")
def pool(tiny_pool: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the tiny pool, whose second song has a cover."""
    folder = Path(shutil.copytree(tiny_pool, tmp_path_factory.mktemp("own") / "pool"))
    with closing(sqlite3.connect(folder / "pool.db")) as connection, connection:
        connection.execute("UPDATE songs SET cover = ? WHERE title = 'two'", (PNG,))
    return folder


@pytest.fixture(scope="module")
def played(pool: Path) -> Iterator[PlayedPool]:
    with closing(PlayedPool(pool)) as running:
        yield running


@pytest.fixture(autouse=True)
def without_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "CHANGES", 10_000)


def test_nothing_of_it_is_loaded_before_somebody_asks(tiny_pool: Path) -> None:
    """Who only feeds Icecast has no use for it."""
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from tests.support.interface import PlayedPool\n"
        "played = PlayedPool(Path(sys.argv[1]))\n"
        "print(sorted({'fastapi', 'pydantic', 'prometheus_client'} & set(sys.modules)))\n"
        "assert played.ask('GET', '/healthz').status in (200, 503)\n"
        "print(sorted({'fastapi', 'pydantic', 'prometheus_client'} & set(sys.modules)))\n"
        "assert played.ask('GET', '/api/now').status == 200\n"
        "print(sorted({'fastapi', 'pydantic', 'prometheus_client'} & set(sys.modules)))\n"
        "played.close()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, tiny_pool], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["[]", "[]", "['fastapi', 'pydantic']"]


def test_it_tells_what_plays(played: PlayedPool) -> None:
    wait_until(lambda: played.ask("GET", "/api/now").told["healthy"], "it sounds")
    now = played.ask("GET", "/api/now").told
    assert now["song"]["title"] in ("one", "two", "three")
    assert 0.0 <= now["position_s"] <= now["length_s"] == pytest.approx(6.0, abs=0.1)
    assert now["song"]["has_cover"] is (now["song"]["title"] == "two")
    (output,) = now["outputs"]
    assert (output["name"], output["kind"], output["healthy"]) == ("http mp3", "http", True)
    assert now["pool"]["songs"] == 3
    assert (now["paused"], now["sleep_in_s"]) == (False, None)
    assert isinstance(now["rung"], str)
    assert played.ask("GET", "/api/now", headers={}).status == 200, "who reads needs no word"


def test_songs_are_searched_and_come_in_pages(played: PlayedPool) -> None:
    whole = played.ask("GET", "/api/songs").told
    assert [song["title"] for song in whole["songs"]] == [song.title for song in played.engine.pool.songs]
    assert whole["total"] == 3
    assert [song["first_chunk"] for song in whole["songs"]] == [0, 3, 6]
    assert {song["chunks"] for song in whole["songs"]} == {3}
    part = played.ask("GET", "/api/songs?limit=1&offset=1").told
    assert (part["total"], part["songs"]) == (3, whole["songs"][1:2])
    found = played.ask("GET", "/api/songs?search=TWO").told
    assert [song["title"] for song in found["songs"]] == ["two"]
    assert played.ask("GET", "/api/songs?search=two+three").told["total"] == 0


def test_an_accent_is_found_however_it_is_written(played: PlayedPool) -> None:
    pool = played.engine.pool
    first, *others = pool.songs
    for written, asked in (("NFD", "NFC"), ("NFC", "NFD")):
        titled = replace(first, title=unicodedata.normalize(written, "Un été"))
        library = Library(replace(pool, songs=(titled, *others)))
        assert library.found(unicodedata.normalize(asked, "ÉTÉ")) == [0]


def test_a_cover_is_a_picture_and_nothing_else(played: PlayedPool) -> None:
    ids = {song.title: song.audio_hash for song in played.engine.pool.songs}
    cover = played.ask("GET", f"/api/songs/{ids['two']}/cover")
    assert (cover.status, cover.body, cover.headers["content-type"]) == (200, PNG, "image/png")
    assert cover.headers["x-content-type-options"] == "nosniff"
    assert played.ask("GET", f"/api/songs/{ids['one']}/cover").status == 404
    assert played.ask("GET", "/api/songs/nobody/cover").told == {"detail": "the pool has no such song"}


def test_a_waveform_has_peaks_and_cuts(played: PlayedPool) -> None:
    song = played.engine.pool.songs[0]
    told = played.ask("GET", f"/api/songs/{song.audio_hash}/waveform?points=60").told
    assert told["length_s"] == pytest.approx(song.frames / song.sample_rate_hz)
    assert len(told["peaks"]) == 60
    assert 0.05 < max(told["peaks"]) <= 1.0
    assert told["cuts_s"] == pytest.approx([0.0, 2.0, 4.0, 6.0], abs=0.01)
    assert played.ask("GET", "/api/songs/nobody/waveform").status == 404


def test_the_map_has_all_songs_packed_and_is_kept(played: PlayedPool) -> None:
    plain = played.ask("GET", "/api/map")
    assert [song["first_chunk"] for song in plain.told["songs"]] == [0, 3, 6]
    assert plain.told["chunks"] == 9
    packed = played.ask("GET", "/api/map", headers={"Accept-Encoding": "gzip, br"})
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(packed.body) == plain.body
    again = played.ask("GET", "/api/map", headers={"If-None-Match": plain.headers["etag"]})
    assert (again.status, again.body) == (304, b"")


def test_it_goes_on_stands_still_and_plays_again(played: PlayedPool) -> None:
    with closing(EventReader(played.port)) as events:
        events.until("now")
        assert played.ask("PUT", "/api/pause", {"paused": True}).status == 204
        while not events.until("now").data["paused"]:
            pass
        assert played.session.paused
        assert played.ask("PUT", "/api/pause", {"paused": True}).status == 204, "twice is once"
        assert played.session.paused
        assert played.ask("PUT", "/api/pause", {"paused": False}).status == 204
        while events.until("now").data["paused"]:
            pass
    skipped = []
    before, played.session.engine.skip = played.session.engine.skip, lambda: skipped.append(1)  # type: ignore[method-assign, assignment, func-returns-value]
    try:
        assert played.ask("POST", "/api/next").status == 204
        wait_until(lambda: skipped == [1], "the engine is told")
    finally:
        played.session.engine.skip = before  # type: ignore[method-assign]


def test_it_falls_asleep(played: PlayedPool, monkeypatch: pytest.MonkeyPatch) -> None:
    assert played.ask("PUT", "/api/sleep", {"in_s": 600}).status == 204
    assert 300 < played.ask("GET", "/api/now").told["sleep_in_s"] <= 600
    assert played.ask("PUT", "/api/sleep", {"in_s": None}).status == 204
    assert played.ask("GET", "/api/now").told["sleep_in_s"] is None
    # Each second of it is heard in `tests/stream/service/test_sleep.py`.
    monkeypatch.setattr(sleep, "FADE_OUT_S", 1.5)
    monkeypatch.setattr(sleep, "DRAINED_S", 0.5)
    levels: list[float] = []
    before = played.session._sleep.faded

    def faded(block: FloatArray) -> FloatArray:
        heard = before(block)
        levels.append(float(np.abs(heard).max()))
        return heard

    monkeypatch.setattr(played.session._sleep, "faded", faded)
    wait_until(lambda: len(levels) > 0, "it is heard")
    assert played.ask("PUT", "/api/sleep", {"in_s": 0}).status == 204
    wait_until(lambda: played.ask("GET", "/api/now").told["paused"], "it is paused")
    assert levels[0] > 0.01
    assert levels[-1] == 0.0, "all is silent before it stands still"
    assert played.ask("GET", "/api/now").told["sleep_in_s"] is None
    played.ask("PUT", "/api/pause", {"paused": False})
    wait_until(lambda: levels[-1] > 0.01, "it is heard again")


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/api/nothing", None, 404),
        ("GET", "/api/now/", None, 404),
        ("DELETE", "/api/now", None, 405),
        ("GET", "/api/songs?limit=0", None, 422),
        ("GET", "/api/songs?limit=99999999999999999999999", None, 422),
        ("PUT", "/api/pause", {"paused": 1}, 422),
        ("PUT", "/api/pause", {"paused": True, "more": 1}, 422),
        ("PUT", "/api/pause", None, 422),
        ("PUT", "/api/sleep", {"in_s": -1}, 422),
        ("PUT", "/api/sleep", {"in_s": float("nan")}, 422),
        ("PUT", "/api/sleep", {"in_s": float("inf")}, 422),
        ("PUT", "/api/pause", {"\ud800": "\udfff"}, 422),
    ],
)
def test_what_cannot_be_meant_is_refused_in_one_sentence(
    played: PlayedPool, method: str, path: str, body: object, status: int
) -> None:
    answer = played.ask(method, path, body)
    assert answer.status == status
    assert list(answer.told) == ["detail"]
    assert isinstance(answer.told["detail"], str) and answer.told["detail"]


def test_its_description_is_openapi_3_1_and_there_is_no_page_of_others(played: PlayedPool) -> None:
    described = played.ask("GET", "/api/openapi.json").told
    assert described["openapi"].startswith("3.1.")
    assert "http" not in json.dumps(described).replace("http mp3", ""), "no outside hosts"
    for path in ("/api/docs", "/api/redoc"):
        assert played.ask("GET", path).status == 404


def test_from_elsewhere_outputs_are_numbered_and_nothing_is_changed_without_the_token(pool: Path) -> None:
    address = HttpAddress(host="0.0.0.0", port=0, token="s3cret")
    with closing(PlayedPool(pool, address)) as public:
        for path in ("/api/now", "/healthz", "/metrics", "/status.json"):
            answer = public.ask("GET", path)
            assert b"output 1" in answer.body, path
            assert b"http mp3" not in answer.body, path
        with closing(EventReader(public.port)) as events:
            assert [each["name"] for each in events.until("outputs").data["outputs"]] == ["output 1"]
            assert events.until("now").data["outputs"][0]["detail"] == ""
        changes = (("POST", "/api/next", None), ("PUT", "/api/pause", {"paused": True}))
        for method, path, body in changes:
            for headers in (None, {}, {"Authorization": "Bearer wrong"}):
                assert public.ask(method, path, body, headers).status == 403
        assert not public.session.paused
        token = {"Authorization": "Bearer s3cret"}
        assert public.ask("PUT", "/api/pause", {"paused": True}, token).status == 204
        assert public.session.paused
        for path in ("/api/now", "/healthz", "/metrics", "/api/events", "/api/openapi.json"):
            assert public.ask("GET", path, headers={"Host": "evil.example"}).status == 421, path


def test_changes_are_counted_together_however_they_are_asked_for(
    pool: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "CHANGES", 3)
    monkeypatch.setattr(limits, "PER_S", 3600.0)
    with closing(PlayedPool(pool)) as limited:
        asked = [limited.ask("PUT", "/api/sleep", {"in_s": None}).status for _ in range(2)]
        asked += [limited.ask("POST", "/next").status for _ in range(2)]
        asked += [limited.ask("POST", "/api/next").status]
        assert asked == [204, 204, 204, 429, 429]


def test_songs_are_muted_and_favoured_and_the_choice_knows(played: PlayedPool) -> None:
    first, second = (song.audio_hash for song in played.engine.pool.songs[:2])
    told = played.ask("PUT", f"/api/songs/{first}/opinion", {"opinion": "muted"}).told
    assert (told["id"], told["muted"], told["favoured"]) == (first, True, False)
    assert played.ask("PUT", f"/api/songs/{second}/opinion", {"opinion": "favoured"}).status == 200
    assert (played.session.steering.muted, played.session.steering.favoured) == ({first}, {second})
    songs = played.ask("GET", "/api/songs").told["songs"]
    assert [(song["muted"], song["favoured"]) for song in songs] == [
        (True, False),
        (False, True),
        (False, False),
    ]
    for each in (first, second):
        assert not played.ask("PUT", f"/api/songs/{each}/opinion", {"opinion": None}).told["muted"]
    assert (played.session.steering.muted, played.session.steering.favoured) == (set(), set())
    for wrong in ({}, {"opinion": "loved"}, {"opinion": 1}):
        assert played.ask("PUT", f"/api/songs/{first}/opinion", wrong).status == 422
    assert played.ask("PUT", "/api/songs/nobody/opinion", {"opinion": None}).status == 404


def test_the_steering_changes_by_what_is_said_alone(played: PlayedPool) -> None:
    usual = played.ask("GET", "/api/steering").told
    assert usual == {"other_songs": 0.34, "phrase_factor": 1.0, "towards": None, "within_s": None}
    with closing(EventReader(played.port)) as events:
        events.until("steering")
        told = played.ask("PUT", "/api/steering", {"other_songs": 0.75}).told
        assert told == {**usual, "other_songs": 0.75}
        assert events.until("steering").data == told
        told = played.ask("PUT", "/api/steering", {"phrase_factor": 2}).told
        assert told == {**usual, "other_songs": 0.75, "phrase_factor": 2.0}
        assert events.until("steering").data == told
    reset = {"other_songs": None, "phrase_factor": None, "towards": None}
    assert played.ask("PUT", "/api/steering", reset).told == usual
    for wrong in ({"other_songs": 1.1}, {"phrase_factor": 0.1}, {"towards": 1}, {"muted": []}):
        assert played.ask("PUT", "/api/steering", wrong).status == 422
    assert played.ask("PUT", "/api/steering", {"towards": "nobody"}).status == 404


def test_no_way_leads_to_a_muted_song(played: PlayedPool) -> None:
    heard = played.session.moment().playing.song.audio_hash
    other = next(song.audio_hash for song in played.engine.pool.songs if song.audio_hash != heard)
    assert played.ask("PUT", f"/api/songs/{other}/opinion", {"opinion": "muted"}).status == 200
    refused = played.ask("PUT", "/api/steering", {"towards": other})
    assert (refused.status, list(refused.told)) == (409, ["detail"])
    assert played.ask("PUT", f"/api/songs/{other}/opinion", {"opinion": None}).status == 200


def test_a_join_is_told_when_it_is_heard_heard_again_and_judged(played: PlayedPool) -> None:
    with closing(EventReader(played.port)) as events:
        events.until("now")
        # Rendered at once, heard a little later.
        played.ask("POST", "/api/next")
        told = events.until("join").data
    listed = played.ask("GET", "/api/joins").told["joins"]
    assert told["n"] in [join["n"] for join in listed]
    assert [join["n"] for join in listed] == sorted((join["n"] for join in listed), reverse=True)
    assert len(played.ask("GET", "/api/joins?limit=1").told["joins"]) == 1
    record = next(record for record in played.engine.joins() if record.n == told["n"])
    assert (told["from"]["id"], told["to"]["id"]) == (record.before.audio_hash, record.after.audio_hash)
    assert (told["time_s"], told["in_s"], told["liked"]) == (record.time_s, None, None)
    assert played.engine.pool.chunk_song[told["chunk_from"]] == played.engine.pool.song_of(told["from"]["id"])

    # A join that is heard meanwhile may stand in what comes after.
    for _ in range(10):
        before = played.engine.preview(told["n"])
        answer = played.ask("GET", f"/api/joins/{told['n']}/preview.wav")
        if np.array_equal(before, played.engine.preview(told["n"])):
            break
    sound, rate_hz = soundfile.read(io.BytesIO(answer.body))
    assert rate_hz == played.engine.engine_rate_hz
    assert np.abs(sound - before).max() < 1e-4
    assert np.abs(sound).max() > 0.01

    for liked in (True, False, None):
        judged = played.ask("PUT", f"/api/joins/{told['n']}/opinion", {"liked": liked}).told
        assert (judged["n"], judged["liked"]) == (told["n"], liked)
    for path in ("/api/joins/99999999/preview.wav", "/api/joins/99999999/opinion"):
        method = "GET" if path.endswith("wav") else "PUT"
        assert played.ask(method, path, {"liked": True}).told == {"detail": "no such join is remembered"}


def test_the_next_join_is_told_with_how_long_it_will_take(played: PlayedPool) -> None:
    wait_until(lambda: played.ask("GET", "/api/now").told["next"] is not None, "a join is planned")
    told = played.ask("GET", "/api/now").told
    coming = told["next"]
    assert coming["in_s"] == pytest.approx(coming["time_s"] - told["time_s"])
    assert 0.0 < coming["in_s"] < 10.0
    assert coming["from"]["id"] != "" and coming["to"]["id"] != ""


def test_a_pool_that_cannot_be_read_is_said_and_its_path_is_not(pool: Path, tmp_path: Path) -> None:
    own = Path(shutil.copytree(pool, tmp_path / "pool"))
    with closing(PlayedPool(own)) as broken:
        song_id = broken.ask("GET", "/api/songs?search=two").told["songs"][0]["id"]
        (own / "pool.db").rename(own / "gone.db")
        answer = broken.ask("GET", f"/api/songs/{song_id}/cover")
        assert (answer.status, answer.headers["retry-after"]) == (503, "10")
        assert answer.told == {
            "detail": "the pool cannot be read or written at this moment; endlos has logged why"
        }
        assert broken.ask("GET", "/api/now").status == 200, "what plays is told all the same"
