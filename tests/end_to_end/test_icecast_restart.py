"""Every codec of a mount is heard as it was rendered, before and after its server was away."""

import http.client
import signal
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from model.base.arrays import FloatArray
from stream.choosing.settings import PlannerSettings
from stream.engine.engine import Engine
from stream.engine.settings import EngineSettings
from stream.outputs.pacer import START_LEAD_S
from stream.service.moment import stream_title
from tests.support.commands import Running, wait_until
from tests.support.heard import RATE_HZ, begins_at_s, music, residual_db
from tests.support.icecast_server import SOURCE_PASSWORD, icecast_program, icecast_server
from tests.support.listening import HeardPart, Recording
from tests.support.music import quick_settings
from tests.support.real import require_real
from tests.support.replayed import stream_of
from tools.pools.build import build_pool

BACK_WITHIN_S = 5.0
"""What is promised is 3 s."""
SHORT_S = 2.0
"""What is shorter is not looked at by itself."""
# Of what is heard to what was rendered, in dB. Measured, at worst: -55, -30, -29, -23, -82.
RESIDUAL_DB = {"a.mp3": -40.0, "a.aac": -20.0, "a.ogg": -20.0, "a.opus": -15.0, "a.flac": -70.0}
TITLE_WITHIN_S = 2.0
"""The server puts a title into MP3 and AAC every 16,000 bytes: here once in a second."""


@pytest.fixture
def pool(tmp_path: Path) -> Path:
    """A pool of three songs that are nowhere like themselves, so that what is heard has one place only."""
    (tmp_path / "music").mkdir()
    for seed, name in enumerate(("First", "Second", "Third")):
        soundfile.write(tmp_path / "music" / f"{name}.flac", music(8, seed), RATE_HZ)
    build_pool([tmp_path / "music"], tmp_path / "pool", quick_settings())
    return tmp_path / "pool"


def test_every_codec_is_heard_as_rendered_before_and_after_a_restart_of_the_server(
    pool: Path, tiny_model: Path, tmp_path: Path
) -> None:
    require_real(
        "no icecast2: install it, for instance `apt install icecast2`", icecast_program() is not None
    )
    log = tmp_path / "log.jsonl"
    words: list[str | Path] = ["serve", pool, "--model", tiny_model, "--seed", "3", "--log", log]
    with icecast_server() as server:
        for mount in RESIDUAL_DB:
            in_band = "?titles=in-band" if mount in ("a.opus", "a.flac") else ""
            words += ["--output", f"icecast://127.0.0.1:{server.port}/{mount}{in_band}"]

        def listen() -> dict[str, Recording]:
            """Wait for every mount, and return a listener of each."""
            found: dict[str, Recording] = {}

            def all_there() -> bool:
                for mount in RESIDUAL_DB.keys() - found.keys():
                    try:
                        listener = Recording(server, f"/{mount}", titles=True)
                    except (OSError, http.client.HTTPException):
                        return False
                    if listener.response.status == http.client.OK:
                        found[mount] = listener
                return len(found) == len(RESIDUAL_DB)

            wait_until(all_there, "every mount")
            return found

        def heard(listeners: dict[str, Recording]) -> None:
            """Wait until every listener has had some seconds."""
            for mount, listener in listeners.items():
                wait_until(lambda listener=listener: listener.seconds() > 4.0, f"{mount} is heard")  # type: ignore[misc]

        began_s = time.monotonic()
        with Running(*words, ENDLOS_ICECAST_PASSWORD=SOURCE_PASSWORD) as running:
            before = listen()
            heard(before)
            gone_s = time.monotonic()
            server.kill()
            # A server that starts again takes a moment.
            wait_until(lambda: time.monotonic() - gone_s > 2.0, "it is away")
            server.start()
            away_s = time.monotonic() - gone_s
            after = listen()
            # On a busy machine a mount may be away for longer than was promised.
            away_s = max(away_s + BACK_WITHIN_S, time.monotonic() - gone_s)
            heard(after)
            running.send(signal.SIGTERM)
            assert running.end() == 0
            most_s = time.monotonic() - began_s + START_LEAD_S
            assert SOURCE_PASSWORD not in running.printed() + log.read_text()
    settings = EngineSettings(planner=PlannerSettings(seed=3), model=tiny_model)
    expected = stream_of(pool, log, settings, most_s)
    # What is heard last may have its title looked for behind it.
    titles = titles_of(pool, settings, most_s + TITLE_WITHIN_S)
    for mount in RESIDUAL_DB:
        end_s = 0.0
        for recording, within_s in ((before[mount], most_s), (after[mount], away_s)):
            parts = recording.parts()
            assert sum(part.seconds for part in parts) > 3.0
            for part in parts:
                if part.seconds < SHORT_S:
                    within_s += part.seconds
                else:
                    end_s = check(part, mount, expected, titles, end_s, within_s)
                    within_s = 0.2


def check(
    part: HeardPart, mount: str, expected: FloatArray, titles: list[str], from_s: float, within_s: float
) -> float:
    """Hold a part against the stream, where it begins `within_s` after `from_s`; return where it ends."""
    begin = max(0, round((from_s - 0.2) * RATE_HZ))
    searched = expected[begin : round((from_s + within_s + part.seconds + 0.3) * RATE_HZ)]
    begins_s = begin / RATE_HZ + begins_at_s(searched, part.heard, part.rate_hz)
    assert begins_s <= from_s + within_s + 0.2, f"{mount}: {begins_s:.2f} s after {from_s:.2f} s"
    decibels = residual_db(searched, part.heard, part.rate_hz, skip_s=0.4)
    print(f"{mount}: {begins_s:.2f} s to {begins_s + part.seconds:.2f} s, {decibels:.1f} dB, {part.titles}")
    assert decibels < RESIDUAL_DB[mount]
    assert part.titles
    for at_s, title in part.titles.items():
        heard_s = begins_s + at_s + np.arange(-TITLE_WITHIN_S, TITLE_WITHIN_S, 0.1)
        assert title in {titles[round(max(0.0, at) * 10)] for at in heard_s}
    return begins_s + part.seconds


def titles_of(pool: Path, settings: EngineSettings, seconds: float) -> list[str]:
    """Return the title of each tenth of a second of the stream."""
    engine = Engine.open(pool, settings)
    titles = []
    for _ in range(round(seconds * 10)):
        engine.render(RATE_HZ // 10)
        titles.append(stream_title(engine.now().song))
    engine.close()
    return titles
