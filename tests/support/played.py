"""This helper plays a pool live and prints as JSON which kernels were compiled or loaded meanwhile.

Run as a process of its own: `python -m tests.support.played POOL STRATEGY|walk [MODEL]`.
"""

import json
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from numba.core.registry import CPUDispatcher

from model.base.errors import EndlosError
from stream.choosing.generation import open_generation
from stream.choosing.journey.steering import Steering
from stream.choosing.settings import PlannerSettings
from stream.engine.decisions import Decision
from stream.engine.engine import Engine
from stream.engine.settings import EngineSettings
from stream.index.top import FEW
from stream.outputs.feed import EncoderFeed
from stream.outputs.ring.ring import Ring
from stream.pool.feedback import HeardJoin
from stream.pool.pool import open_pool
from stream.scoring.settings import ScoringSettings

RATE_HZ = 44_100
LEAST_S, MOST_S = 40, 240


def signatures() -> dict[str, int]:
    """How many signatures every kernel of ours has been compiled, or loaded, for."""
    counts = {}
    for module in [
        module for name, module in sys.modules.items() if name.split(".")[0] in ("stream", "model")
    ]:
        for value in vars(module).values():
            if isinstance(value, CPUDispatcher):
                counts[f"{value.__module__}.{value.__name__}"] = len(value.signatures)
    return counts


def kind(decision: Decision) -> str:
    """Which kind of a step it was."""
    if decision.step.natural or decision.before is None:
        return "natural"
    if decision.jump_frames is not None:
        return "jump"
    return "blend" if decision.step.leaves_song else "splice"


def play(pool: Path, settings: EngineSettings) -> dict[str, object]:
    """Open an engine and outputs, then play until every kind of join has been heard."""
    kinds: set[str] = set()
    rungs: set[str] = set()

    def heard(decision: Decision) -> None:
        kinds.add(kind(decision))
        rungs.add(decision.step.rung)

    ring = Ring(RATE_HZ, from_silence=True)
    feeds = [EncoderFeed(RATE_HZ), EncoderFeed(RATE_HZ, card_paced=True)]
    engine = Engine.open(pool, settings, on_decision=heard, live=True)
    songs = open_pool(pool).songs
    before = signatures()
    judged: HeardJoin | None = None
    for second in range(MOST_S):
        if second >= LEAST_S and kinds >= {"natural", "jump", "blend", "splice"}:
            break
        block = engine.render(RATE_HZ)
        for feed in feeds:
            feed.offer(block[: feed.space_frames()])
            feed.take()
        ring.write(block)
        ring.set_gain(0.5 if second % 2 else 1.0)
        ring.pause(second % 5 == 4)
        ring.read(RATE_HZ // 2)
        if second % 9 == 4:
            engine.skip()
            ring.switch(100)
        if second % 13 == 12:
            ring.discard()
        if second % 10 == 3:
            wanted = [song.audio_hash for song in songs if song.audio_hash != engine.now().song.audio_hash]
            steering = Steering(towards=wanted[0], favoured=frozenset(wanted), phrase_factor=0.5)
            engine.steer(steering if second % 20 == 3 else Steering(muted=frozenset(wanted[:1])))
        join = engine.now().join
        if join is not None and second % 10 == 5:
            engine.preview(engine.joins()[-1].n)
        if judged is None and join is not None:
            judged = join
            engine.judge(join, liked=True)
        if second % 4 == 0:
            # The planner has its time, as it has while a card plays.
            time.sleep(0.2)
    engine.close()
    return {
        "kinds": sorted(kinds),
        "rungs": sorted(rungs),
        "compiled": changes(before),
    }


def changes(before: dict[str, int]) -> dict[str, int]:
    """How many signatures each kernel gained since `before`."""
    return {
        name: count - before.get(name, 0)
        for name, count in signatures().items()
        if count > before.get(name, 0)
    }


def shortlisted(pool: Path, model: Path) -> dict[str, int]:
    """What is compiled where only the nearest are scored, as when time is short."""
    before = signatures()
    generation = open_generation(pool, ScoringSettings(model=model), engine_rate_hz=RATE_HZ)
    rows = generation.index.nearest(0, np.ones(len(generation.index), dtype=np.bool_), FEW + 1)
    assert generation.scorer is not None
    generation.scorer.score(1, rows)
    generation.close()
    return changes(before)


def main(pool: str, strategy: str, model: str | None = None) -> None:
    """Play, and print what happened."""
    planner = PlannerSettings(seed=1, min_phrase_s=0.0, walk=strategy == "walk")
    if strategy != "walk":
        planner = replace(planner, strategy=strategy)  # type: ignore[arg-type]
    settings = EngineSettings(planner=planner, model=Path(model) if model else None)
    told = play(Path(pool), settings)
    if model:
        told["shortlisted"] = shortlisted(Path(pool), Path(model))
    print(json.dumps(told))


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except EndlosError as error:
        sys.exit(str(error))
