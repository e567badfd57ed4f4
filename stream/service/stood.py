"""What is told of where a stream stood, as JSON, is understood in whatever the pool has become since."""

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from stream.choosing.generation import Chunk, Generation
from stream.choosing.history import AskedSong, Course, PlannedExit, PlannerMemory
from stream.choosing.journey.steering import Steering
from stream.choosing.step import Step, WalkStop
from stream.doors.door import Door, JoinKind
from stream.engine.standing import Standing
from stream.pool.pool import ChunkKey

_VERSION = 2
_COUNTERS = ("steps", "run", "stop", "joins", "changes")
_MEASURES = ("owed", "heard_s", "overlap_s")


def told(standing: Standing) -> dict[str, object]:
    """Return where a stream stands, but for which chunks were played when; songs by audio hash."""
    memory, steering, history = standing.memory, standing.steering, standing.memory.history
    chunk, leaving = memory.chunk, memory.leaving
    return {
        "version": _VERSION,
        "chunk": None if chunk is None else asdict(chunk.key),
        "sample": told_sample(standing),
        "history": {name: getattr(history, name) for name in (*_COUNTERS, *_MEASURES)},
        "draws": memory.draws,
        "leaving": None if leaving is None else _leaving_told(leaving, memory.generation),
        "asked": None if memory.asked is None else asdict(memory.asked),
        "steering": {
            "other_songs": steering.other_songs,
            "phrase_factor": steering.phrase_factor,
            "towards": steering.towards,
            "within_s": steering.within_s,
        },
    }


def told_sample(standing: Standing) -> int | None:
    """Return where in its song a stream stands, which alone changes between two steps."""
    chunk = standing.memory.chunk
    return None if chunk is None else round(standing.position_s * chunk.song.sample_rate_hz)


def stood(said: Mapping[str, Any], history: Course, generation: Generation) -> Standing:
    """Return where a stream stood, by what `told` said, in a generation.

    history: what was played of its chunks. Raises `ValueError`, `KeyError`, `TypeError` or `AttributeError`
    where it cannot be understood.
    """
    if said["version"] != _VERSION:
        raise ValueError(f"its version is {said['version']}")
    for name in _COUNTERS:
        setattr(history, name, int(said["history"][name]))
    for name in _MEASURES:
        setattr(history, name, float(said["history"][name]))
    if not all(math.isfinite(getattr(history, name)) for name in _MEASURES) or history.steps < 0:
        raise ValueError("its history makes no sense")
    # Refuses what is no state.
    draws = np.random.default_rng()
    draws.bit_generator.state = said["draws"]
    chunk = None if said["chunk"] is None else _chunk(said["chunk"], int(said["sample"]), generation)
    leaving, asked = said["leaving"], said["asked"]
    return Standing(
        memory=PlannerMemory(
            chunk=chunk,
            generation=generation,
            history=history,
            draws=draws.bit_generator.state,
            leaving=None if leaving is None or chunk is None else _leaving(leaving, chunk, generation),
            asked=None
            if asked is None
            else AskedSong(joins=int(asked["joins"]), heard_s=float(asked["heard_s"])),
        ),
        position_s=0.0 if chunk is None else int(said["sample"]) / chunk.song.sample_rate_hz,
        steering=Steering(**said["steering"]),
    )


def _chunk(key: Mapping[str, Any], sample: int, generation: Generation) -> Chunk | None:
    """Return a chunk by its key, else the one that holds a sample of its song now."""
    row = generation.row(ChunkKey(**key))
    song = generation.song_of(key["audio_hash"])
    if row is None and song is not None:
        rows = generation.song_rows(song)
        place = int(np.searchsorted(generation.pool.start_sample[rows], sample, side="right"))
        row = rows.start + max(0, place - 1)
    return None if row is None else generation.chunk(row)


def _leaving_told(leaving: PlannedExit, generation: Generation) -> dict[str, object]:
    step = leaving.step
    return {
        "exit": asdict(generation.key(leaving.exit_row)),
        "entry": asdict(step.chunk.key),
        "stop": None if step.stop is None else asdict(step.stop),
        "door": None if step.door is None else asdict(step.door),
        "terms": dict(step.terms),
        **{name: getattr(step, name) for name in ("rung", "score", "rank", "considered", "reasons")},
    }


def _leaving(said: Mapping[str, Any], here: Chunk, generation: Generation) -> PlannedExit | None:
    """Return how the phrase ends; None where the pool has not both of its chunks any more."""
    exit_row = generation.row(ChunkKey(**said["exit"]))
    entry_row = generation.row(ChunkKey(**said["entry"]))
    if exit_row is None or entry_row is None:
        return None
    goes_on = entry_row == int(generation.index.successor[exit_row])
    stop, door = said["stop"], said.get("door")
    step = Step(
        after=here,
        chunk=generation.chunk(entry_row),
        natural=goes_on,
        renews=goes_on,
        rung=str(said["rung"]),
        score=said["score"],
        rank=said["rank"],
        candidates=len(generation.index),
        considered=int(said["considered"]),
        reasons=tuple(map(str, said["reasons"])),
        terms={str(name): float(value) for name, value in said["terms"].items()},
        stop=None if stop is None else WalkStop(**stop),
        door=None if door is None else Door(**{**door, "kind": JoinKind(door["kind"])}),
    )
    return PlannedExit(exit_row=exit_row, step=step)
