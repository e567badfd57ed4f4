"""An announcement is in a running stream to the sample, and the music around it is what render gives."""

import json
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import soundfile

from stream.choosing.settings import PlannerSettings
from stream.engine.decisions import DecisionLog
from stream.engine.engine import Engine
from stream.engine.replay import Replay
from stream.engine.settings import EngineSettings
from stream.outputs.address import HttpAddress
from stream.outputs.kinds.http import HttpSettings
from stream.outputs.settings import OutputSettings
from stream.service.announcing.announcement import read_announcement
from stream.service.announcing.announcer import MUSIC_FADE_S
from stream.service.session import Session
from tests.stream.engine.test_engine import RATE_HZ, build, write_songs
from tests.support.commands import run_here
from tests.support.models import write_tiny_model
from tests.support.pools import noise_song
from tests.support.waiting import wait_until


def test_it_is_in_the_stream_between_two_pieces(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pool = build(write_songs(tmp_path / "music", [25, 22, 19]), tmp_path / "pool")
    model = write_tiny_model(tmp_path / "model", 200)
    settings = EngineSettings(model=model, planner=PlannerSettings(seed=2, min_phrase_s=8.0))
    recording = tmp_path / "said.wav"
    soundfile.write(recording, noise_song(2.5, 9)[:, :1], RATE_HZ)
    outputs = OutputSettings(places=[HttpSettings(at=HttpAddress(port=0))])
    path = tmp_path / "log.jsonl"
    with DecisionLog(path) as log:
        engine = Engine.open(pool, settings, on_decision=log, live=True)
        session = Session(engine, outputs, log)
        # Not started: nothing but this test asks for the stream.
        blocks = [session._render(1024) for _ in range(40)]
        session.say(recording)

        def planned() -> bool:
            # What comes is looked at with each block; these are shorter than the time between two looks.
            blocks.append(session._render(64))
            return engine.upcoming() is not None or len(engine.joins()) > 0

        # As live: the planner is ahead of what is heard.
        wait_until(planned, "a join is planned")
        blocks += [session._render(1024) for _ in range(45 * RATE_HZ // 1024)]
        log.event("stop", engine.now().time_frames, RATE_HZ)
        session.close()
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    (event,) = [line for line in lines if line.get("event") == "say"]
    at = event["t_out_frames"]
    said = read_announcement(recording, RATE_HZ, settings.target_lufs).audio
    assert (event["name"], event["frames"]) == ("said.wav", len(said))
    heard = np.concatenate(blocks)
    np.testing.assert_array_equal(heard[at : at + len(said)], said)
    joins = [line["t_out_frames"] for line in lines if line.get("join")]
    assert at in joins, "between two pieces"
    music = np.concatenate([heard[:at], heard[at + len(said) :]])
    fade = round(MUSIC_FADE_S * RATE_HZ)
    with closing(Replay(pool, path)) as replay:
        again = replay.render(len(music))
        assert replay.announcements == 1
    np.testing.assert_array_equal(music[: at - fade], again[: at - fade])
    np.testing.assert_array_equal(music[at + fade :], again[at + fade :])
    assert np.abs(music[[at - 1, at]]).max() < 0.001
    assert run_here("render", pool, tmp_path / "again.wav", "--replay", path) == 0
    assert "1 announcement of the run left out" in capsys.readouterr().out
