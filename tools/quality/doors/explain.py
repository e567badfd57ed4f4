"""This module explains joins by their kinds and verdicts, those of a decision log or a pool's best doors."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from model.base.errors import EndlosError
from stream.doors.door import Door, JoinKind
from stream.doors.judging import judge_door
from stream.doors.settings import DoorSettings
from stream.doors.side import DoorSide
from stream.doors.timelines import Timelines
from stream.pool.chunk_names import chunk_name
from stream.pool.pool import Pool, open_pool
from tools.terminal import plural

TRIED_PAIRS = 4_000
"""So many pairs of an exit and an entry are drawn of a pool, which takes a few seconds."""
SHOWN_DOORS = 30


@dataclass(frozen=True, kw_only=True)
class ExplainedJoin:
    """One join or door, in words."""

    at_s: float | None
    """Stream time of its middle; None where nothing is played."""
    before: str
    after: str
    kind: str
    overlap_s: float
    overlap_bars: int
    tempo_factor: float
    worth: float
    penalties: Mapping[str, float]
    rejected: Mapping[str, str]
    """Other kinds, and what speaks against each."""

    def as_json(self) -> dict[str, object]:
        """Return plain values."""
        return asdict(self)

    def cells(self) -> tuple[str, ...]:
        """Return the cells of its row under `EXPLAINED_HEAD`."""
        against = [f"{name} {value:.2f}" for name, value in self.penalties.items()]
        refused = [f"no {kind.replace('_', ' ')}: {reason}" for kind, reason in self.rejected.items()]
        bars = f", {plural(self.overlap_bars, 'bar')}" if self.overlap_bars else ""
        return (
            "-" if self.at_s is None else f"{self.at_s:.1f}",
            self.kind.replace("_", " "),
            f"{self.overlap_s:.1f} s{bars}",
            f"{100.0 * (self.tempo_factor - 1.0):+.1f} %",
            f"{self.worth:.2f}",
            self.before,
            self.after,
            "; ".join((*refused, *against)) or "-",
        )


EXPLAINED_HEAD = ("at", "kind", "overlap", "tempo", "worth", "from", "to", "why")


def explain_joins(source: Path) -> list[ExplainedJoin]:
    """Return the joins of a decision log (a file), in order, or the best doors of a pool (a folder).

    `EndlosError` where it is neither.
    """
    if source.is_file():
        return _of_log(source)
    pool = open_pool(source)
    return _best(pool)


def _of_log(path: Path) -> list[ExplainedJoin]:
    found = []
    try:
        for text in path.read_text(encoding="utf-8").splitlines():
            line = json.loads(text)
            if "event" not in line and line["join"] is not None:
                found.append(_of_line(line))
    except OSError as error:
        raise EndlosError(f"{path} cannot be read: {error.strerror}; name a decision log") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise EndlosError(
            f"{path} is not a decision log; name one that --log wrote, or the folder of a pool"
        ) from error
    return found


def _of_line(line: Mapping[str, Any]) -> ExplainedJoin:
    door: Mapping[str, Any] = line["door"] or {}
    penalties = {str(name): float(value) for name, value in door.get("penalties", {}).items()}
    return ExplainedJoin(
        at_s=float(line["t_out_s"]),
        before=str(line["from"]["song"]),
        after=str(line["to"]["song"]),
        kind=str(line["kind"]),
        overlap_s=float(line["fade_s"]),
        overlap_bars=int(line["join"].get("bars", 0)),
        tempo_factor=float(line["join"].get("tempo_factor", 1.0)),
        worth=sum(penalties.values()),
        penalties=penalties,
        rejected={str(kind): str(why) for kind, why in door.get("rejected", {}).items()},
    )


def _best(pool: Pool) -> list[ExplainedJoin]:
    """Return the best doors among pairs that are drawn, at most one from a song to another."""
    timelines, settings = Timelines(pool), DoorSettings()
    exits, entries = np.random.default_rng(0).integers(len(pool), size=(2, TRIED_PAIRS))
    best: dict[tuple[int, int], tuple[Door, int, int]] = {}
    for row_a, row_b in zip(exits.tolist(), entries.tolist(), strict=True):
        a, b = (
            DoorSide(pool=pool, row=row, timeline=timelines.of(int(pool.chunk_song[row])))
            for row in (row_a, row_b)
        )
        door = judge_door(a, b, settings)
        pair = (a.song_index, b.song_index)
        if door.kind is not JoinKind.SPLICE and (pair not in best or door.worth > best[pair][0].worth):
            best[pair] = (door, row_a, row_b)
    ranked = sorted(best.values(), key=lambda found: -found[0].worth)[:SHOWN_DOORS]
    return [
        ExplainedJoin(
            at_s=None,
            before=chunk_name(pool, row_a),
            after=chunk_name(pool, row_b),
            kind=str(door.kind),
            overlap_s=door.overlap_s,
            overlap_bars=door.overlap_bars,
            tempo_factor=door.tempo_factor,
            worth=door.worth,
            penalties=door.penalties,
            rejected={str(kind): why for kind, why in door.rejected.items()},
        )
        for door, row_a, row_b in ranked
    ]
