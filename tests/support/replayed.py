"""This helper renders a decision log again, the truth that a recording is held against."""

import json
from pathlib import Path

import numpy as np

from model.base.arrays import FloatArray
from stream.engine.engine import Engine
from stream.engine.replay import Replay
from stream.engine.settings import EngineSettings

IN_TIME = {"start", "phrase", "rules", "full", "kept"}


def stream_of(pool: Path, log: Path, settings: EngineSettings, seconds: float) -> FloatArray:
    """Return the stream of the run that wrote `log`, `(frames, 2)`, as far as the log knows it.

    Where every decision was made in time, as some are not on a busy machine, it must be what `render` gives.
    """
    frames = round(seconds * settings.engine_rate_hz)
    replay = Replay(pool, log)
    stream = replay.render(frames)
    replay.close()
    rungs = {json.loads(line).get("strategy", "start") for line in log.read_text().splitlines()}
    if rungs <= IN_TIME:
        engine = Engine.open(pool, settings)
        np.testing.assert_array_equal(stream, engine.render(len(stream)))
        engine.close()
    return stream
