"""A figure is a measured value with its budget, and knows whether it is past it."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

import numpy as np

QUANTILES = (50.0, 95.0, 99.0, 100.0)


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One number of the table."""

    question: str
    """Which part of the benchmark, as `--only` names it."""
    name: str
    unit: str
    value: float | None
    """None: it could not be measured here, and `note` says why."""
    at_most: float | None = None
    at_least: float | None = None
    spread: dict[str, float] | None = None
    """p50, p95, p99 and max of what was measured many times; `value` is then the p99."""
    failed: bool = False
    """Whether it was tried and came to nothing, which no budget forgives."""
    note: str = ""

    @property
    def within(self) -> bool | None:
        """Whether it keeps its budget; None without a budget or a value."""
        if self.failed:
            return False
        if self.value is None or (self.at_most is None and self.at_least is None):
            return None
        return (self.at_most is None or self.value <= self.at_most) and (
            self.at_least is None or self.value >= self.at_least
        )

    def as_json(self) -> dict[str, object]:
        """Return plain values."""
        return {**asdict(self), "within": self.within}


def missing(question: str, name: str, why: str, *, failed: bool = False) -> Figure:
    """Return the row of something that cannot be measured here, or was tried and `failed`."""
    return Figure(question=question, name=name, unit="", value=None, failed=failed, note=why)


def past_budget(figures: Sequence[Figure]) -> list[Figure]:
    """Return the figures that break their budget."""
    return [figure for figure in figures if figure.within is False]


def quantiles(values: Iterable[float]) -> dict[str, float]:
    """Return p50, p95, p99 and max of at least one value; p99 of few values lies near their maximum."""
    found = np.percentile(np.fromiter(values, dtype=np.float64), QUANTILES, method="higher")
    return dict(zip(("p50", "p95", "p99", "max"), found.tolist(), strict=True))


def quantile_figure(
    question: str,
    name: str,
    unit: str,
    values: Iterable[float],
    *,
    p99_at_most: float | None = None,
    note: str = "",
) -> Figure:
    """Return the p99 of some values as a figure, with the other quantiles."""
    return spread_figure(question, name, unit, quantiles(values), p99_at_most=p99_at_most, note=note)


def spread_figure(
    question: str,
    name: str,
    unit: str,
    spread: dict[str, float],
    *,
    p99_at_most: float | None = None,
    note: str = "",
) -> Figure:
    """Return what `quantiles` found as a figure."""
    return Figure(
        question=question,
        name=name,
        unit=unit,
        value=spread["p99"],
        spread=spread,
        at_most=p99_at_most,
        note=note,
    )
