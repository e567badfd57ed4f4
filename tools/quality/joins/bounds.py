"""This module holds the figures of a stream's joins against their bounds."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from model.base.arrays import DoubleArray
from tools.quality.joins.measures import NAMES


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
    JoinFigure(name="beat error, 95 %", unit="ms", column="beat_ms", of=_high),
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

    columns: by kind of stream, `(n, len(NAMES))` of `tools.quality.joins.measures.table`. `held` is of
    `engine`.
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


def clicks_per_hour(measured: DoubleArray, seconds: float) -> float:
    """Return the clicks at measured boundaries, by the hour of stream."""
    return float(measured[:, NAMES.index("clicks")].sum()) * 3600 / seconds if len(measured) else 0.0


def held(value: float | None, bound: float) -> str:
    """Return how a figure stands against the bound that it is to stay below."""
    if value is None:
        return "-"
    return "held" if value <= bound else "not held"


def kinds_of(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Return the kinds of streams that rows of `figure_rows` tell of."""
    return [name[:-2] for name in rows[0] if name.endswith("_n")]
