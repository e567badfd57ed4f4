"""A session tells the joins as they are heard, not as they are rendered, and logs what the listener wants."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from stream.choosing.journey.steering import Steering
from stream.choosing.settings import PlannerSettings
from stream.engine.decisions import DecisionLog
from stream.engine.engine import Engine
from stream.engine.settings import EngineSettings
from stream.outputs.address import HttpAddress
from stream.outputs.kinds.http import HttpSettings
from stream.outputs.settings import OutputSettings
from stream.pool.feedback import song_opinions
from stream.service.session import Session
from tests.stream.service.test_session import LateOutput

HTTP = OutputSettings(places=[HttpSettings(at=HttpAddress(port=0))])


@pytest.fixture
def session(tiny_pool: Path, tmp_path: Path) -> Iterator[Session]:
    shutil.copytree(tiny_pool, tmp_path / "pool")
    settings = EngineSettings(planner=PlannerSettings(strategy="random", seed=2), fade_s=0.1)
    with DecisionLog(tmp_path / "log.jsonl") as log:
        made = Session(Engine.open(tmp_path / "pool", settings), HTTP, log)
        yield made
        made.close()


def test_a_join_is_to_come_until_it_is_heard(session: Session) -> None:
    rate_hz = session.engine.engine_rate_hz
    for _ in range(240):
        session._render(rate_hz // 20)
    rendered = session.engine.joins()
    assert len(rendered) >= 5
    for before, join in zip(rendered[-5:], rendered[-4:], strict=False):
        assert before.time_s is not None and join.time_s is not None
        heard_s = (before.time_s + join.time_s) / 2
        session.outputs = [LateOutput(session.engine.now().time_s - heard_s, 0.0)]
        assert [one.n for one in session.joins()][-1] == before.n
        coming = session.upcoming()
        assert coming is not None and coming.n == join.n
        assert coming.in_s == pytest.approx(join.time_s - heard_s, abs=0.051)
    assert session.judge_join(rendered[-1].n, True).label == 1
    assert session.joins()[-1].label is None, "the last one is rendered and not heard yet"
    assert len(session.preview(rendered[-1].n)) == 12 * rate_hz


def test_what_the_listener_wants_is_logged_with_its_stream_time(session: Session, tmp_path: Path) -> None:
    session._render(session.engine.engine_rate_hz)
    songs = session.engine._planner.generation.pool.songs
    playing = session.engine.now().song.audio_hash
    goal, other = (song.audio_hash for song in songs if song.audio_hash != playing)
    session.steer(Steering(phrase_factor=2.0, towards=goal))
    session.judge_song(other, "muted")
    session.judge_song(other, None)
    session.steer(session.steering)
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    at = {"event": "steer", "t_out_s": 1.0, "t_out_frames": session.engine.engine_rate_hz}
    assert [line for line in lines if "event" in line] == [
        at | {"phrase_factor": 2.0, "towards": goal},
        at | {"muted": [other]},
        at | {"unmuted": [other]},
    ]
    assert song_opinions(tmp_path / "pool") == {}
