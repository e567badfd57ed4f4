"""This module holds what detectors and measures find at joins against their bounds."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from model.base.arrays import DoubleArray
from tools.quality.joins.hearing.areas import Area
from tools.quality.joins.hearing.between import NATURAL
from tools.quality.joins.hearing.detector import Kind
from tools.quality.joins.measuring.measures import NAMES


@dataclass(frozen=True, kw_only=True)
class AreaBound:
    """What the AUC of a condition is to stay below."""

    most: Mapping[Kind, float] = field(default_factory=dict)
    """At most this, by detector."""
    floor: str | None = None
    """Not more than `above` over the AUC of this condition."""
    above: float = 0.0

    def of(self, kind: Kind, found: Mapping[str, Area | None]) -> float | None:
        """Return the bound for what a detector found; None where there is none, or its floor is not known."""
        bounds = [self.most[kind]] if kind in self.most else []
        floor = found[self.floor] if self.floor else None
        if floor is not None:
            bounds.append(floor.value + self.above)
        return min(bounds, default=None)


AREA_BOUNDS: dict[str, AreaBound] = {
    "engine": AreaBound(most={"boosted": 0.57, "network": 0.57}),
    "engine_other": AreaBound(most={"boosted": 0.65, "network": 0.60}, floor="section", above=0.05),
    "engine_same": AreaBound(floor=NATURAL, above=0.02),
}


@dataclass(frozen=True, kw_only=True)
class JoinFigure:
    """One figure of the measured joins."""

    name: str
    unit: str
    column: str
    of: Callable[[DoubleArray], float]
    bound: float | None = None
    """At most this; None: no bound."""


def _median(values: DoubleArray) -> float:
    return float(np.median(values))


def _high(values: DoubleArray) -> float:
    return float(np.percentile(values, 95))


JOIN_FIGURES = (
    JoinFigure(name="beat error, median", unit="ms", column="beat_ms", of=_median, bound=12.5),
    JoinFigure(name="beat error, 95 %", unit="ms", column="beat_ms", of=_high, bound=60.0),
    JoinFigure(name="two tempi, share", unit="", column="two_tempi", of=lambda values: float(values.mean())),
    JoinFigure(name="tempo ratio, median", unit="", column="tempo_ratio", of=_median),
    JoinFigure(name="tempo ratio, 95 %", unit="", column="tempo_ratio", of=_high),
    JoinFigure(name="tonal distance, median", unit="", column="tonal_distance", of=_median),
    JoinFigure(name="loudness jump, median", unit="LU", column="loudness_jump_lu", of=_median, bound=1.5),
    JoinFigure(name="loudness jump, 95 %", unit="LU", column="loudness_jump_lu", of=_high, bound=4.0),
    JoinFigure(
        name="dip or bump, median",
        unit="dB",
        column="dip_db",
        of=lambda values: _median(np.abs(values)),
        bound=1.0,
    ),
    JoinFigure(name="level in the fade, median", unit="dB", column="dip_db", of=_median),
    JoinFigure(name="flux z-score, median", unit="", column="flux_z", of=_median),
)


def figure_rows(columns: dict[str, DoubleArray]) -> list[dict[str, Any]]:
    """Return one row for each figure: its value in each kind of stream, how many told it, bound, held.

    columns: by kind of stream, `(n, len(NAMES))` of `tools.quality.joins.measuring.measures.table`. `held` is
    of `engine`.
    """
    rows: list[dict[str, Any]] = []
    for figure in JOIN_FIGURES:
        row: dict[str, Any] = {"figure": figure.name, "unit": figure.unit, "bound": figure.bound}
        for kind, measured in columns.items():
            values = measured[:, NAMES.index(figure.column)] if len(measured) else np.empty(0)
            values = values[np.isfinite(values)]
            row[kind] = figure.of(values) if len(values) else None
            row[f"{kind}_n"] = len(values)
        engine = row.get("engine")
        row["held"] = None if figure.bound is None or engine is None else bool(engine <= figure.bound)
        rows.append(row)
    return rows


KIND_FIGURES = (
    "beat error, median",
    "beat error, 95 %",
    "two tempi, share",
    "loudness jump, median",
    "loudness jump, 95 %",
    "dip or bump, median",
)


def kind_rows(measured: DoubleArray, kinds: Sequence[str]) -> list[dict[str, Any]]:
    """Return one row for each kind of join: how many there are, in how many both beats are heard, figures.

    measured: `(n, len(NAMES))` of the engine; kinds: `(n,)` how it calls each.
    """
    rows: list[dict[str, Any]] = []
    for kind in sorted(set(kinds)):
        own = measured[[place for place, name in enumerate(kinds) if name == kind]]
        figures = {row["figure"]: row for row in figure_rows({"engine": own})}
        rows.append(
            {
                "kind": kind,
                "joins": len(own),
                "beats": figures["two tempi, share"]["engine_n"],
                **{name: figures[name]["engine"] for name in KIND_FIGURES},
            }
        )
    return rows


def clicks_per_hour(measured: DoubleArray, seconds: float, column: str = "clicks") -> float:
    """Return the clicks at measured boundaries that the joins made, by the hour of stream.

    column: `song_clicks`: those that the songs have of their own.
    """
    return float(measured[:, NAMES.index(column)].sum()) * 3600 / seconds if len(measured) else 0.0


def held(value: float | None, bound: float) -> str:
    """Return how a figure stands against the bound that it is to stay below."""
    if value is None:
        return "-"
    return "held" if value <= bound else "not held"


def kinds_of(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Return the kinds of streams that rows of `figure_rows` tell of."""
    return [name[:-2] for name in rows[0] if name.endswith("_n")]
