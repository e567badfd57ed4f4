"""This module draws the evaluation's figures against the gap, and the ranks of the true successor."""

from pathlib import Path

import numpy as np

from model.base.errors import OutputError
from tools.plots import require_matplotlib
from tools.quality.ranking.protocol import EvalReport

_FIGURES = (("all", "top_1", "top-1"), ("all", "mrr", "MRR"), ("same", "auc", "AUC, same song"))


def plot_report(report: EvalReport, path: Path) -> None:
    """Draw into a file, whose ending says which kind; `OutputError` when it cannot be written."""
    require_matplotlib()
    from matplotlib.figure import Figure

    picture = Figure(figsize=(14, 8), layout="constrained")
    above = picture.subplots(2, len(_FIGURES))
    gaps_ms = [gap.gap_ms for gap in report.gaps]
    for axes, (pool, metric, label) in zip(above[0], _FIGURES, strict=True):
        for name in report.headline.scorers:
            found = [gap.scorers[name].pools[pool].get(metric) for gap in report.gaps]
            values = [np.nan if one is None else one.value for one in found]
            width = 2.5 if name == report.model_name else 1.0
            axes.plot(gaps_ms, values, marker="o", markersize=3, linewidth=width, label=name)
        axes.set(xlabel="gap in ms", ylabel=label, xscale="symlog")
        axes.grid(alpha=0.3)
    above[0][0].legend(fontsize=7)
    for axes in above[1][1:]:
        axes.remove()
    ranks = picture.add_subplot(2, 1, 2)
    above[1][0].remove()
    borders = np.unique(
        np.geomspace(1, report.headline.scorers[report.model_name].candidates + 1, 30).round()
    )
    for name, places in report.headline.ranks.items():
        share = np.searchsorted(np.sort(places), borders, side="right") / len(places)
        ranks.plot(borders, share, linewidth=2.5 if name == report.model_name else 1.0, label=name)
    ranks.set(
        xscale="log",
        xlabel=f"rank, gap {report.headline.gap_ms:g} ms",
        ylabel="share of true successors within",
        ylim=(0, 1),
    )
    ranks.grid(alpha=0.3)
    try:
        picture.savefig(path, dpi=120)
    except (OSError, ValueError) as error:
        raise OutputError(f"{path} cannot be drawn ({error}); name a .png, .svg or .pdf file") from error
