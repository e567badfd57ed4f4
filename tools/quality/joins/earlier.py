"""This module plays a change of song once more as an engine does that knows short blends alone."""

from itertools import pairwise
from pathlib import Path

import numpy as np

from model.base.arrays import FloatArray
from stream.choosing.generation import open_generation
from stream.choosing.step import Step
from stream.engine.decisions import Decision
from stream.engine.given_steps import GivenSteps
from stream.engine.renderer import Renderer
from stream.joins.join_planner import JoinPlanner
from stream.joins.settings import SoundSettings
from stream.pool.pool import ChunkKey
from stream.scoring.settings import ScoringSettings
from tools.quality.joins.boundaries import Boundary, Key
from tools.quality.joins.windows import Window


class Earlier:
    """Plays joins of a pool's chunks as short blends; closes with `close`."""

    def __init__(self, folder: Path, sound: SoundSettings) -> None:
        self._generation = open_generation(
            folder, ScoringSettings(model=None), engine_rate_hz=sound.engine_rate_hz
        )
        self._joins = JoinPlanner(sound)

    def close(self) -> None:
        """Close the songs."""
        self._generation.close()

    def played(self, window: Window) -> FloatArray | None:
        """Return `window.audio` as it would sound, B at the same time in it; None where A is too short."""
        place = window.boundary
        rows = self._rows_before(place, len(window.audio) / window.rate_hz)
        steps = [Step(after=None, chunk=self._generation.chunk(rows[0]), natural=False, rung="start")]
        for before, row in pairwise(rows):
            chunks = self._generation.chunk(before), self._generation.chunk(row)
            steps.append(Step(after=chunks[0], chunk=chunks[1], natural=True, rung="phrase"))
        # No door: nothing says more of the join than that it leads to another song.
        other = self._generation.chunk(self._row(place.to_key))
        steps.append(Step(after=self._generation.chunk(rows[-1]), chunk=other, natural=False, rung="given"))
        joins: list[Decision] = []

        def decided(decision: Decision) -> None:
            if decision.plan is not None:
                joins.append(decision)

        source = GivenSteps(steps, self._joins)
        renderer = Renderer(source, source, on_decision=decided)
        parts: list[FloatArray] = []
        rendered = 0
        while True:
            parts.append(renderer.render(window.rate_hz))
            rendered += window.rate_hz
            if joins:
                entered_s = joins[0].entered_at_s
                centre = joins[0].t_out_frames + round((place.entered_s - entered_s) * window.rate_hz)
                first = centre - window.centre
                if first < 0:
                    return None
                if rendered >= first + len(window.audio):
                    return np.concatenate(parts)[first : first + len(window.audio)]

    def _rows_before(self, place: Boundary, seconds: float) -> list[int]:
        """Return the chunk that is left and those before it, in order, as far as they are needed."""
        row = self._row(place.from_key)
        song = self._generation.pool.chunk_song
        rows = [row]
        heard_s = self._length_s(row)
        while heard_s < seconds and rows[0] > 0 and song[rows[0] - 1] == song[row]:
            rows.insert(0, rows[0] - 1)
            heard_s += self._length_s(rows[0])
        return rows

    def _length_s(self, row: int) -> float:
        chunk = self._generation.chunk(row)
        return chunk.end_s - chunk.start_s

    def _row(self, key: Key) -> int:
        row = self._generation.row(ChunkKey(audio_hash=key[0], start_sample=key[1], end_sample=key[2]))
        assert row is not None, "the join was made of this pool's chunks"
        return row
