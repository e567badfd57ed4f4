"""This module draws the joins that a detector finds best and worst hidden, its scores, and the journey."""

from pathlib import Path

import numpy as np

from model.base.errors import EndlosError
from model.base.quiet import without_noise
from tools.quality.joins.hearing.worst import worst_rows
from tools.quality.joins.protocol import Study
from tools.quality.joins.spectra import SPECTRUM_HOP_FRAMES

SHOWN = 4
_RATE_HZ = 44_100


def draw(study: Study, folder: Path) -> list[Path]:
    """Write `joins.png` (the best and the worst hidden), `scores.png` and `journey.png` into `folder`.

    `EndlosError` when matplotlib is not installed.
    """
    try:
        with without_noise():
            from matplotlib.backends.backend_agg import FigureCanvasAgg
            from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise EndlosError(
            f"pictures need the package {error.name}, which is not installed; install endlos with its extra, "
            "in its folder: pip install -e '.[train]', or leave out --plot"
        ) from error
    folder.mkdir(parents=True, exist_ok=True)
    samples, scores = study.samples, study.scores
    joins = worst_rows(samples, scores, (samples.condition == "engine") & samples.joined)
    ranked = joins[np.argsort(scores[joins], kind="stable")]
    shown = min(SHOWN, len(ranked))
    figure = Figure(figsize=(3.2 * shown, 6.4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(2, shown, squeeze=False)
    for line, rows in enumerate((ranked[:shown], ranked[::-1][:shown])):
        for axis, row in zip(axes[line], rows, strict=True):
            mel = samples.mel[row].astype(np.float32)
            half_s = len(mel) * SPECTRUM_HOP_FRAMES / _RATE_HZ
            axis.imshow(
                mel.T, origin="lower", aspect="auto", cmap="magma", extent=(-half_s, half_s, 0, mel.shape[1])
            )
            axis.axvline(0.0, color="white", linewidth=0.8, linestyle="--")
            kind = "another song" if samples.other_song[row] else "the same song"
            axis.set_title(f"{'hidden' if line == 0 else 'found'}: {scores[row]:+.1f}, {kind}", fontsize=8)
            axis.set_xlabel("s", fontsize=7)
            axis.set_ylabel("mel band", fontsize=7)
            axis.tick_params(labelsize=7)
    figure.savefig(folder / "joins.png", dpi=110)
    figure = Figure(figsize=(8, 4), layout="constrained")
    FigureCanvasAgg(figure)
    axis = figure.subplots()
    for name, chosen in (
        ("not joined", ~samples.joined),
        ("random joins", (samples.condition == "random") & samples.joined),
        ("engine, same song", (samples.condition == "engine") & samples.joined & ~samples.other_song),
        ("engine, another song", (samples.condition == "engine") & samples.joined & samples.other_song),
    ):
        if chosen.any():
            axis.hist(
                scores[chosen], bins=40, density=True, histtype="step", label=f"{name} ({chosen.sum()})"
            )
    axis.set_xlabel("detector's log-odds of a join")
    axis.set_ylabel("density")
    axis.legend(fontsize=8)
    figure.savefig(folder / "scores.png", dpi=110)
    figure = Figure(figsize=(10, 5), layout="constrained")
    FigureCanvasAgg(figure)
    tempo_axis, energy_axis = figure.subplots(2, 1, sharex=True)
    curve = study.cards["engine"].curve
    for axis, values, words in (
        (tempo_axis, curve.tempo_bpm, "tempo (bpm)"),
        (energy_axis, curve.energy, "energy (rank)"),
    ):
        axis.step(curve.at_s / 60, values, where="post", linewidth=1.2)
        axis.set_ylabel(words)
        for at_s in curve.changes_s.tolist():
            axis.axvline(at_s / 60, color="grey", linewidth=0.4)
    energy_axis.set_xlabel("minutes of the engine's stream; lines where the song changes")
    figure.savefig(folder / "journey.png", dpi=110)
    return [folder / "joins.png", folder / "scores.png", folder / "journey.png"]
