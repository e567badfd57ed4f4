"""This module prints the evaluation, a row for each scorer and an interval for each figure."""

import sys

from rich import box
from rich.console import Console
from rich.table import Table

from tools.quality.ranking.averages import Estimate
from tools.quality.ranking.protocol import EvalReport
from tools.quality.ranking.ranks import RankingFigures
from tools.terminal import plural

_WIDE = 200
_COLUMNS = (
    ("top-1", "all", "top_1"),
    ("top-10", "all", "top_10"),
    ("MRR", "all", "mrr"),
    ("AUC same", "same", "auc"),
    ("AUC near", "near", "auc"),
    ("AUC cross", "cross", "auc"),
)


def print_evaluation(report: EvalReport) -> None:
    """Print the headline gap in full, what duplicates allow, and the model against the gap."""
    headline = report.headline
    first = next(iter(headline.scorers.values()))
    cut = "the pool's own chunks" if report.chunk_s is None else f"equal chunks of {report.chunk_s:g} s"
    print(
        f"{plural(len(report.songs), 'song')}, {report.chunks} chunks ({cut}), {first.queries} queries among "
        f"{first.candidates} candidates, gap {headline.gap_ms:g} ms; 95 % intervals over songs"
    )
    if report.left_out:
        left_out = plural(len(report.left_out), "song")
        print(f"left out, the model was trained on them: {left_out} (--json names them)")
    console = Console(width=None if sys.stdout.isatty() else _WIDE)
    table = _table("scorer", *(name for name, _, _ in _COLUMNS), "order", "3, 8 pieces")
    for name, found in headline.scorers.items():
        table.add_row(name, *(_cell(found, pool, metric) for _, pool, metric in _COLUMNS), *_orders(found))
    console.print(table)
    ties = _table("near-identical chunks count as right", "top-1", "top-10", "MRR")
    for name, found in headline.scorers.items():
        if found.tie_aware:
            ties.add_row(
                name, *(_text(found.tie_aware["all"].get(key)) for key in ("top_1", "top_10", "mrr"))
            )
    if first.ceiling:
        ceiling = first.ceiling["all"]
        ties.add_row(
            "strict ceiling of an oracle", *(_text(ceiling.get(key)) for key in ("top_1", "top_10", "mrr"))
        )
    console.print(ties)
    if len(report.gaps) > 1:
        gaps = _table("gap in ms", *(name for name, _, _ in _COLUMNS))
        for gap in report.gaps:
            found = gap.scorers[report.model_name]
            gaps.add_row(f"{gap.gap_ms:g}", *(_cell(found, pool, metric) for _, pool, metric in _COLUMNS))
        console.print(gaps)
    for note in report.notes:
        print(note)


def _table(first: str, *others: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column(first, min_width=24)
    for name in others:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _cell(found: RankingFigures, pool: str, metric: str) -> str:
    return _text(found.pools[pool].get(metric))


def _text(estimate: Estimate | None) -> str:
    if estimate is None:
        return "-"
    return f"{estimate.value:.3f} ({estimate.low:.3f}-{estimate.high:.3f})"


def _orders(found: RankingFigures) -> tuple[str, str]:
    order = "-" if found.order is None else f"{found.order.value:.3f}"
    pieces = ", ".join(f"{found.ordering[n].value:.2f}" if n in found.ordering else "-" for n in (3, 8))
    return order, pieces
