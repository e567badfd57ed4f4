"""A session over HTTP tells its state, obeys keys, and ends as it should."""

import json
import logging
import shutil
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from starlette.responses import PlainTextResponse

from model.base.arrays import FloatArray
from model.base.errors import EndlosError, OutputError
from stream.choosing.settings import PlannerSettings
from stream.engine.decisions import Decision
from stream.engine.engine import Engine
from stream.engine.settings import EngineSettings
from stream.outputs.address import HttpAddress, parse_address
from stream.outputs.card_timing import CardTiming
from stream.outputs.devices import parse_device
from stream.outputs.encoding.codecs import CODECS, extension, parse_codec
from stream.outputs.kinds.http import HttpSettings, HttpStream
from stream.outputs.kinds.soundcard import SoundCardSettings
from stream.outputs.output import Output, OutputRoute, OutputStatus
from stream.outputs.pacer import Pacer
from stream.outputs.place import Place, Tap
from stream.outputs.settings import OutputSettings
from stream.pool.feedback import labelled_joins
from stream.service import health
from stream.service.announcing.announcement import Announcement
from stream.service.interface import Interface
from stream.service.moment import full_title, stream_title
from stream.service.session import Session
from tests.support.commands import wait_until
from tests.support.icecast_server import icecast_settings
from tests.support.waiting import PATIENCE_S
from tools.running.status_line import status_text

RATE_HZ = 44_100
HTTP = OutputSettings(places=[HttpSettings(at=HttpAddress(port=0))])


def open_engine(pool: Path) -> Engine:
    return Engine.open(pool, EngineSettings(planner=PlannerSettings(strategy="random")), live=True)


@pytest.fixture
def session(tiny_pool: Path) -> Iterator[Session]:
    running = Session(open_engine(tiny_pool), HTTP)
    running.start()
    yield running
    running.close()


def heard_s(session: Session) -> float:
    return session.moment().playing.time_s


def test_it_sounds_and_says_what(session: Session) -> None:
    wait_until(lambda: heard_s(session) > 0.5, "sound")
    session.check()
    moment = session.moment()
    (status,) = moment.outputs
    assert status.state == "playing"
    assert (moment.playing.songs, moment.playing.chunks) == (3, 9)
    assert moment.title == full_title(moment.playing.song)
    assert moment.title in ("one", "two", "three")
    # What is heard was rendered before, never after.
    assert heard_s(session) <= session.engine.now().time_s
    with urllib.request.urlopen(session.webs[0].url + "stream.mp3", timeout=PATIENCE_S) as stream:
        assert len(stream.read(8000)) == 8000


def test_who_comes_right_after_the_start_has_a_burst(tiny_pool: Path) -> None:
    """A player that gets nothing in advance stutters for as long as it plays."""
    session = Session(open_engine(tiny_pool), HTTP)
    session.start()
    began_s = time.monotonic()

    def ahead_s() -> float:
        pulled_s = session.moment().pacing.frames / session.engine.engine_rate_hz
        return pulled_s - (time.monotonic() - began_s)

    try:
        wait_until(lambda: ahead_s() > 2, "what is ready is seconds ahead of the clock")
    finally:
        session.close()


class LateOutput(Output):
    """An output in which sound lies for some time before it is handed on, and then some until it is heard."""

    name = "late"

    def __init__(self, buffered_s: float, latency_s: float) -> None:
        self._status = OutputStatus(
            name=self.name, state="playing", buffered_s=buffered_s, latency_s=latency_s
        )

    def start(self) -> None: ...

    def space_frames(self) -> int:
        return 0

    def offer(self, block: FloatArray) -> None: ...

    def skip(self) -> None: ...

    def status(self) -> OutputStatus:
        return self._status

    def close(self) -> None: ...


@pytest.mark.parametrize("buffered_share", [1.0, 0.0, 0.4])
def test_a_like_goes_to_the_join_that_is_heard(
    tiny_pool: Path, tmp_path: Path, buffered_share: float
) -> None:
    pool = tmp_path / "pool"
    shutil.copytree(tiny_pool, pool)
    log: list[Decision] = []
    settings = EngineSettings(planner=PlannerSettings(strategy="random", seed=2), fade_s=0.1)
    engine = Engine.open(pool, settings, on_decision=log.append)
    session = Session(engine, HTTP)
    for _ in range(240):
        session._render(engine.engine_rate_hz // 20)
    joins = [decision for decision in log if decision.plan is not None]
    assert len(joins) >= 5
    for join in joins[-2:-5:-1]:
        # Half a second after the middle of the join: it is over, and no other has begun.
        heard_s = join.t_out_frames / engine.engine_rate_hz + 0.5
        late_s = engine.now().time_s - heard_s
        session.outputs = [LateOutput(buffered_share * late_s, (1.0 - buffered_share) * late_s)]
        heard = session.moment().playing
        assert heard.song == join.step.chunk.song
        assert heard.time_s == pytest.approx(heard_s, abs=0.051)
        assert heard.position_s == pytest.approx(join.entered_at_s + 0.5, abs=0.051)
        assert session.moment().as_json()["now"]["time_s"] == heard.time_s  # type: ignore[index]
        assert session.judge(liked=True)
        judged = labelled_joins(pool)[-1]
        assert join.before is not None
        assert (judged.from_hash, judged.to_hash) == (
            join.before.key.audio_hash,
            join.step.chunk.key.audio_hash,
        )
        assert (judged.to_start_sample, judged.label) == (join.step.chunk.key.start_sample, 1)
    session.close()


def test_the_status_line(session: Session) -> None:
    wait_until(lambda: session.moment().playing.next_song is not None, "a plan")
    text = status_text(session.moment(), session.engine.engine_rate_hz)
    assert session.moment().playing.song.name.partition(".")[0] in text
    assert "next: " in text
    assert text.endswith("0 listening")
    session.pause()
    assert status_text(session.moment(), session.engine.engine_rate_hz).startswith("paused: ")
    session.pause()
    assert not session.paused


def test_pause_holds_the_stream_and_skip_leaves_the_chunk(session: Session) -> None:
    wait_until(lambda: heard_s(session) > 0.2, "sound")
    session.pause()
    wait_until(lambda: session._pacer.status().clock == "paused", "the pause")
    stood_s = session.engine.now().time_s
    blocks = session._pacer.status().blocks
    session.pause()
    wait_until(lambda: session._pacer.status().blocks > blocks + 5, "going on")
    assert session.engine.now().time_s > stood_s
    skipped = threading.Event()
    before = session.engine.skip
    session.engine.skip = lambda: (before(), skipped.set())[0]  # type: ignore[method-assign]
    session.skip()
    assert skipped.wait(PATIENCE_S)


def test_an_output_that_cannot_say_how_it_is_does_not_end_the_stream(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise ZeroDivisionError("a mistake")

    wait_until(lambda: heard_s(session) > 0.2, "sound")
    monkeypatch.setattr(session.outputs[0], "status", fail)
    assert "a mistake" in session.moment().outputs[0].detail
    assert heard_s(session) > 0
    assert status_text(session.moment(), session.engine.engine_rate_hz).endswith("0 listening")
    blocks = session._pacer.status().blocks
    wait_until(lambda: session._pacer.status().blocks > blocks, "going on")
    session.check()


def test_a_pause_is_no_illness(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "AWAY_S", 4.0)
    url = session.webs[0].url + "health"

    def asked() -> tuple[int, bool]:
        try:
            with urllib.request.urlopen(url, timeout=PATIENCE_S) as answer:
                return answer.status, json.load(answer)["paused"]
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)["paused"]

    def silent_s() -> float:
        return session.moment().outputs[0].audible_ago_s or 0.0

    wait_until(lambda: asked() == (200, False), "it is well")
    session.pause()
    wait_until(lambda: silent_s() > 5.0 and asked() == (200, True), "it is well in a long silence")
    session.pause()
    wait_until(lambda: silent_s() < 4.0 and asked() == (200, False), "it sounds again")


def test_what_ends_the_stream_is_told(tiny_pool: Path) -> None:
    engine = open_engine(tiny_pool)
    session = Session(engine, HTTP)

    def failing(frames: int) -> None:
        raise EndlosError("none of the songs can be read any more")

    engine.render = failing  # type: ignore[assignment, method-assign]
    session.start()
    wait_until(lambda: session._pacer.error is not None, "the fault")
    with pytest.raises(EndlosError, match="none of the songs"):
        session.check()
    session.close()


def test_a_web_server_that_ended_is_told(session: Session) -> None:
    session.webs[0].close()
    with pytest.raises(OutputError, match="web server"):
        session.check()


def test_a_port_in_use(tiny_pool: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        fixed = OutputSettings(places=[HttpSettings(at=HttpAddress(port=port))])
        with pytest.raises(OutputError, match=str(port)):
            fixed.require()
        with pytest.raises(OutputError, match=str(port)):
            Session(open_engine(tiny_pool), fixed)
        free = OutputSettings(places=[HttpSettings(at=HttpAddress(port=port, fixed=False))])
        free.require()
        session = Session(open_engine(tiny_pool), free)
        assert session.webs[0].port > port
        session.close()


def test_every_codec_has_its_stream(tiny_pool: Path) -> None:
    place = HttpSettings(at=HttpAddress(port=0), codecs=("mp3", "opus"))
    session = Session(open_engine(tiny_pool), OutputSettings(places=[place]))
    assert session.streams == ["stream.mp3", "stream.opus"]
    assert len(session.outputs) == 2
    session.close()


def test_a_sound_card_is_driven_as_told_and_the_others_keep_to_the_wall_clock(tiny_pool: Path) -> None:
    card = SoundCardSettings(latency=0.05, block_frames=128)
    http = HttpSettings(at=HttpAddress(port=0))
    session = Session(open_engine(tiny_pool), OutputSettings(places=[http, card]))
    assert session.leader is session.outputs[1]
    assert session.leader._timing == CardTiming(latency_s=0.05, block_frames=128)  # type: ignore[attr-defined]
    stream = session.outputs[0]
    assert isinstance(stream, HttpStream)
    assert stream._feed._follower is not None
    session.close()
    alone = Session(open_engine(tiny_pool), OutputSettings(places=[http]))
    stream = alone.outputs[0]
    assert isinstance(stream, HttpStream)
    assert stream._feed._follower is None
    alone.close()


def test_the_interface_is_loaded_before_a_sound_card_plays_and_else_when_it_is_asked(
    tiny_pool: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared: list[Interface] = []
    monkeypatch.setattr(Interface, "prepare", lambda self: prepared.append(self))
    http, card = HttpSettings(at=HttpAddress(port=0)), SoundCardSettings(latency=0.05, block_frames=128)
    for places, loads in (([http, card], 1), ([card], 0), ([http], 0)):
        prepared.clear()
        session = Session(open_engine(tiny_pool), OutputSettings(places=places))
        assert len(prepared) == loads
        session.close()


def test_a_stream_goes_somewhere() -> None:
    with pytest.raises(EndlosError, match="--output"):
        OutputSettings(places=[])


def test_two_streams_at_one_place_are_refused() -> None:
    with pytest.raises(EndlosError, match=r"/stream\.mp3 is asked for 2 times; give each output"):
        OutputSettings(places=[HttpSettings(codecs=("mp3", "opus", "mp3"))])
    urls = ("icecast://a@h:1/x.mp3", "icecast://h:1/x.mp3?format=opus")
    with pytest.raises(EndlosError, match=r"icecast://h:1/x\.mp3 is asked for 2 times"):
        OutputSettings(places=[icecast_settings(url, "secret") for url in urls])
    with pytest.raises(EndlosError, match="the sound card is asked for 2 times"):
        OutputSettings(places=[SoundCardSettings(device="USB"), SoundCardSettings()])
    OutputSettings(places=[HttpSettings(codecs=CODECS)])
    assert len({extension(codec) for codec in CODECS}) == len(CODECS)


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("0.0.0.0:80", "0.0.0.0", 80),
        ("[::1]:8000", "::1", 8000),
        ("9000", "127.0.0.1", 9000),
        ("localhost:0", "localhost", 0),
    ],
)
def test_addresses(text: str, host: str, port: int) -> None:
    assert parse_address(text) == HttpAddress(host=host, port=port)


def test_devices_and_codecs() -> None:
    assert [parse_device(text) for text in (None, "default", "3", "USB 3")] == [None, None, 3, "USB 3"]
    assert parse_codec("opus") == "opus"
    with pytest.raises(EndlosError, match="vorbis"):
        parse_codec("ogg")


def test_a_web_server_leaves_the_log_handlers_of_the_process_alone(tiny_pool: Path) -> None:
    """uvicorn's own logging configuration would close them all."""

    class Handler(logging.Handler):
        closed = False

        def close(self) -> None:
            self.closed = True
            super().close()

    handler = Handler()
    session = Session(open_engine(tiny_pool), HTTP)
    session.close()
    assert not handler.closed


class Titled(LateOutput):
    """An output that remembers at which frame of the stream each title begins."""

    def __init__(self) -> None:
        super().__init__(0.0, 0.0)
        self.offered = 0
        self.titles: list[tuple[int, str]] = []

    def offer(self, block: FloatArray) -> None:
        self.offered += len(block)

    def entitle(self, title: str, after_frames: int) -> None:
        self.titles.append((self.offered + after_frames, title))


def test_outputs_are_told_each_title_with_the_frame_in_the_middle_of_its_join(tiny_pool: Path) -> None:
    log: list[Decision] = []
    settings = EngineSettings(planner=PlannerSettings(strategy="random", seed=2), fade_s=4.0)
    engine = Engine.open(tiny_pool, settings, on_decision=log.append)
    session = Session(engine, HTTP)
    titled = Titled()
    session._pacer = Pacer(session._render, [titled], engine.engine_rate_hz)
    for _ in range(200):
        session._pacer._offer(session._pacer._pull())
    expected: list[tuple[int, str]] = []
    for decision in log:
        title = full_title(decision.step.chunk.song)
        if not expected or title != expected[-1][1]:
            expected.append((decision.t_out_frames, title))
    assert len(expected) > 3
    assert titled.titles == expected
    session.close()


def test_a_stream_that_goes_on_just_before_a_join_begins_with_the_title_of_what_that_leaves(
    tiny_pool: Path,
) -> None:
    settings = EngineSettings(planner=PlannerSettings(strategy="random", seed=2), fade_s=4.0)
    stood = []
    with closing(Engine.open(tiny_pool, settings, live=True, recall=lambda _: None)) as engine:
        while len({now.song.name for now, _ in stood}) < 3:
            engine.render(2_048)
            stood.append((engine.now(), engine.standing(engine.now())))
    # By then the block that is rendered first has the middle of the join in it.
    playing, standing = stood[-6]
    assert standing is not None and playing.song.name != stood[-1][0].song.name
    engine = Engine.open(tiny_pool, settings, live=True, recall=lambda _: standing)
    session, titled = Session(engine, HTTP), Titled()
    session._pacer = Pacer(session._render, [titled], engine.engine_rate_hz)
    for _ in range(8):
        session._pacer._offer(session._pacer._pull())
    session.close()
    assert titled.titles[0] == (0, stream_title(playing.song))


@pytest.mark.parametrize("seconds", [0.1, 3.0])
def test_while_something_is_said_the_title_is_that_of_the_music_before_it(
    tiny_pool: Path, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    settings = EngineSettings(planner=PlannerSettings(strategy="random", seed=2), fade_s=4.0)
    log: list[Decision] = []
    engine = Engine.open(tiny_pool, settings, on_decision=log.append)
    # Where it would be said is known beforehand here: the first run says where the second will have its join.
    engine.render(10 * RATE_HZ)
    songs = [(decision.t_out_frames, decision.step.chunk.song) for decision in log]
    at, after = next((at, song) for at, song in songs if song is not songs[0][1])
    engine.close()
    engine = Engine.open(tiny_pool, settings)
    session = Session(engine, HTTP)
    titled, said = Titled(), np.full((round(seconds * RATE_HZ), 2), 0.9, dtype=np.float32)
    session._pacer = Pacer(session._render, [titled], RATE_HZ)
    monkeypatch.setattr(engine, "upcoming", lambda: SimpleNamespace(time_s=at / RATE_HZ))
    session._announcer.say(Announcement(name="said.wav", audio=said))
    shown: dict[int, str] = {}
    while titled.offered < at + len(said) + RATE_HZ:
        session._pacer._offer(session._pacer._pull())
        shown[titled.offered] = session.moment().title
    (turned,) = [frame for frame, title in titled.titles if title == stream_title(after)][:1]
    assert turned == at + len(said)
    for frame, title in shown.items():
        assert (title == full_title(after)) == (frame > at + len(said)), frame
    session.close()


def test_an_output_is_opened_by_its_place_and_asked_over_http_whatever_it_is(tiny_pool: Path) -> None:
    """No kind is known to the session: here is one that nobody else knows."""

    class Own(LateOutput):
        def routes(self) -> list[OutputRoute]:
            return [OutputRoute(path="/own", answer=lambda request: PlainTextResponse("here\n"))]

    class OwnPlace(Place):
        def open(self, tap: Tap) -> list[Output]:
            return [Own(0.0, 0.0)]

        def takes(self) -> list[str]:
            return ["own"]

    places = [OwnPlace(), HttpSettings(at=HttpAddress(port=0))]
    session = Session(open_engine(tiny_pool), OutputSettings(places=places))
    session.start()
    with urllib.request.urlopen(session.webs[0].url + "own", timeout=PATIENCE_S) as answer:
        assert answer.read() == b"here\n"
    assert session.moment().outputs[0].name == "late"
    session.close()
