"""The drawing shows figures and their intervals as SVG, which a screen reader can read too."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import floor, log10

from tools.quality.ranking.averages import Estimate

WIDTH = 340
"""Of a drawing, in its own units; it is shown as wide as the page has room."""
_ROW, _TOP, _BOTTOM, _SIDE = 36, 8, 34, 10


@dataclass(frozen=True, kw_only=True)
class DrawnRow:
    """One value of what is drawn."""

    label: str
    estimate: Estimate
    chosen: bool
    """Whether it is the report's choice."""


def interval_svg(name: str, title: str, told: str, rows: Sequence[DrawnRow], chance: float | None) -> str:
    """Return a drawing: a dot for each row at its figure, a line over its interval, a dashed line at chance.

    name: an identifier that no other drawing of the page has. told: what a reader who sees nothing is told.
    """
    marks = [one for row in rows for one in (row.estimate.low, row.estimate.high, row.estimate.value)]
    low, high = _span([*marks, *([] if chance is None else [chance])])
    height = _TOP + _ROW * len(rows) + _BOTTOM
    floor_y = height - _BOTTOM

    def x(value: float) -> float:
        return _SIDE + (WIDTH - 2 * _SIDE) * (value - low) / (high - low)

    parts = [
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-labelledby="{name}-t {name}-d">',
        f'<title id="{name}-t">{escape(title)}</title><desc id="{name}-d">{escape(told)}</desc>',
    ]
    for tick in _ticks(low, high):
        at = x(tick)
        parts.append(f'<line class="grid" x1="{at:.1f}" x2="{at:.1f}" y1="{_TOP}" y2="{floor_y}"/>')
        parts.append(
            f'<text class="tick" x="{at:.1f}" y="{floor_y + 14}" text-anchor="middle">{tick:g}</text>'
        )
    if chance is not None:
        at = x(chance)
        parts.append(f'<line class="chance" x1="{at:.1f}" x2="{at:.1f}" y1="{_TOP}" y2="{floor_y}"/>')
        place = "start" if at < WIDTH / 2 else "end"
        parts.append(
            f'<text class="tick" x="{at:.1f}" y="{floor_y + 28}" text-anchor="{place}">guessing</text>'
        )
    for number, row in enumerate(rows):
        y = _TOP + _ROW * number + 26
        found = row.estimate
        kind = "chosen" if row.chosen else "other"
        parts.append(
            f'<text class="label" x="{_SIDE}" y="{y - 12}">{escape(row.label)}'
            f"{' (the report’s)' if row.chosen else ''}</text>"
        )
        parts.append(
            f'<line class="{kind}" x1="{x(found.low):.1f}" x2="{x(found.high):.1f}" y1="{y}" y2="{y}"/>'
        )
        parts.append(f'<circle class="{kind}" cx="{x(found.value):.1f}" cy="{y}" r="4.5"/>')
    parts.append("</svg>")
    return "".join(parts)


def _span(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    margin = 0.06 * (high - low) or 0.05
    return low - margin, high + margin


def _ticks(low: float, high: float) -> list[float]:
    """Return at most six round numbers between."""
    rough = (high - low) / 4
    size = 10.0 ** floor(log10(rough))
    step = next(size * factor for factor in (1, 2, 5, 10) if size * factor >= rough)
    first = floor(low / step) + 1
    return [round(number * step, 10) for number in range(first, floor(high / step) + 1)]
