"""One running stream over HTTP: what it says, what keys do, and how it ends."""

import logging
import socket
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from model.errors import EndlosError, OutputError
from stream.engine import Engine, EngineSettings
from stream.planner_settings import PlannerSettings
from tests.commands import wait_until
from tests.waiting import PATIENCE_S
from tools.latency import CardTiming
from tools.playing import status_text
from tools.session import (
    HttpAddress,
    OutputSettings,
    Session,
    full_title,
    parse_address,
    parse_codec,
    parse_device,
    require_places,
)


def open_engine(pool: Path) -> Engine:
    return Engine.open(pool, EngineSettings(planner=PlannerSettings(strategy="random")), live=True)


@pytest.fixture
def session(tiny_pool: Path) -> Iterator[Session]:
    running = Session(open_engine(tiny_pool), OutputSettings(http=HttpAddress(port=0)))
    running.start()
    yield running
    running.close()


def heard_s(session: Session) -> float:
    return session.heard().time_s


def test_it_sounds_and_says_what(session: Session) -> None:
    wait_until(lambda: heard_s(session) > 0.5, "sound")
    session.check()
    (status,) = session.statuses()
    assert status.state == "playing"
    now = session.now()
    assert now["songs"] == 3
    assert now["chunks"] == 9
    assert now["title"] in ("one", "two", "three")
    assert session.title() == full_title(session.engine.now().song)
    # What is heard was rendered before, never after.
    assert heard_s(session) <= session.engine.now().time_s
    assert session.web is not None
    with urllib.request.urlopen(session.web.url + "stream.mp3", timeout=PATIENCE_S) as stream:
        assert len(stream.read(8000)) == 8000


def test_the_status_line(session: Session) -> None:
    wait_until(lambda: session.heard().next_song is not None, "a plan")
    text = status_text(session)
    assert session.heard().song.name.partition(".")[0] in text
    assert "next: " in text
    assert text.endswith("0 listening")
    session.pause()
    assert status_text(session).startswith("paused: ")
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


def test_what_ends_the_stream_is_told(tiny_pool: Path) -> None:
    engine = open_engine(tiny_pool)
    session = Session(engine, OutputSettings(http=HttpAddress(port=0)))

    def failing(frames: int) -> None:
        raise EndlosError("none of the songs can be read any more")

    engine.render = failing  # type: ignore[assignment, method-assign]
    session.start()
    wait_until(lambda: session._pacer.error is not None, "the fault")
    with pytest.raises(EndlosError, match="none of the songs"):
        session.check()
    session.close()


def test_a_web_server_that_ended_is_told(session: Session) -> None:
    assert session.web is not None
    session.web.close()
    with pytest.raises(OutputError, match="web server"):
        session.check()


def test_a_port_in_use(tiny_pool: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        fixed = OutputSettings(http=HttpAddress(port=port))
        with pytest.raises(OutputError, match=str(port)):
            require_places(fixed)
        with pytest.raises(OutputError, match=str(port)):
            Session(open_engine(tiny_pool), fixed)
        free = OutputSettings(http=HttpAddress(port=port, fixed=False))
        require_places(free)
        session = Session(open_engine(tiny_pool), free)
        assert session.web is not None
        assert session.web.port > port
        session.close()


def test_every_codec_has_its_stream(tiny_pool: Path) -> None:
    session = Session(
        open_engine(tiny_pool), OutputSettings(http=HttpAddress(port=0), codecs=("mp3", "opus"))
    )
    assert set(session.broadcasts) == {"mp3", "opus"}
    assert len(session.outputs) == 2
    session.close()


def test_a_sound_card_is_driven_as_told_and_the_others_keep_to_the_wall_clock(tiny_pool: Path) -> None:
    timing = CardTiming(latency_s=0.05, block_frames=128)
    outputs = OutputSettings(sound_card=True, timing=timing, http=HttpAddress(port=0))
    session = Session(open_engine(tiny_pool), outputs)
    assert session.card is not None
    assert (session.card._latency, session.card._block_frames) == (0.05, 128)
    assert session.broadcasts["mp3"]._feed._follower is not None
    session.close()
    alone = Session(open_engine(tiny_pool), OutputSettings(http=HttpAddress(port=0)))
    assert alone.broadcasts["mp3"]._feed._follower is None
    alone.close()


def test_a_stream_goes_somewhere() -> None:
    with pytest.raises(EndlosError, match="--http"):
        OutputSettings()


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
    session = Session(open_engine(tiny_pool), OutputSettings(http=HttpAddress(port=0)))
    session.close()
    assert not handler.closed
