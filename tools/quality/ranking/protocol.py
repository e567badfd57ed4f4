"""The evaluation asks every scorer about the same chunks, for each gap, and gives the verdict."""

import math
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from model.base.arrays import BoolArray, FloatArray, IntArray
from model.base.errors import EndlosError
from model.base.files import beside
from model.saved.carried import carried_model
from model.saved.contract_file import load_contract
from model.saved.learned import cannot_tell, known_songs
from model.saved.second_stage import load_second_stage
from stream.pool.pool import Pool, open_pool
from stream.scoring.opening import open_scorer
from stream.scoring.scorer import Scorer
from stream.scoring.settings import ScoringSettings
from tools.quality.ranking.baselines import (
    BASELINES,
    FEWEST_REGRESSION_SONGS,
    LEARNED_BASELINE,
    LEARNED_IN_SONG,
    LINEAR_BASELINE,
    baseline_scores,
    linear_scores,
    near_identical,
    seam_scores,
)
from tools.quality.ranking.chunks import cut_songs, gapped_pools, gapped_sides
from tools.quality.ranking.ranks import RankingFigures, difference, ranking_figures

GAPS_MS = (0.0, 5.0, 20.0, 50.0, 100.0, 250.0)
HEADLINE_GAP_MS = 50.0
CHUNKS_ALONE = ", chunks alone"
"""Marks the row of a model that is not told of the song around a chunk, though it was fitted to be."""
LONGEST_CHUNK_S = 3600.0
SEAM_LEARNT = 0.3
"""A model that loses more of its top-10 between gaps of 0 and 20 ms has learnt the sample-level seam."""
TRAIN_SEED_REPORT = "endlos train POOL --out MODEL --preset seed"


@dataclass(frozen=True, kw_only=True)
class EvalSettings:
    """What is asked."""

    model: Path
    beside: tuple[Path, ...] = ()
    """Other models in the same table."""
    gaps_ms: tuple[float, ...] = GAPS_MS
    chunk_s: float | None = 3.0
    """Length of equal chunks; None: the pool's own."""
    training_songs: bool = False
    """Ask about songs too that the model was trained on."""
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.gaps_ms or not all(math.isfinite(gap) and gap >= 0 for gap in self.gaps_ms):
            raise EndlosError(f"the gaps are {self.gaps_ms} ms, expected at least one, none below 0")
        if self.chunk_s is not None and not 0.5 <= self.chunk_s <= LONGEST_CHUNK_S:
            raise EndlosError(
                f"chunks of {self.chunk_s:g} s cannot be asked about; expected 0.5 to {LONGEST_CHUNK_S:g} s"
            )
        if not self.seed >= 0:
            raise EndlosError(f"the seed is {self.seed}; give 0 or more")


@dataclass(frozen=True, kw_only=True)
class EvalProgress:
    """How far it is."""

    what: str
    done: int
    total: int


@dataclass(frozen=True, kw_only=True, eq=False)
class GapFigures:
    """One gap: the figures of each scorer by name; the model under test is `EvalReport.model_name`."""

    gap_ms: float
    scorers: dict[str, RankingFigures]
    ranks: dict[str, IntArray]
    """By scorer, where the true successor stands among all: 1 is first."""


@dataclass(frozen=True, kw_only=True, eq=False)
class EvalReport:
    """What came of it."""

    pool: Path
    model: Path
    model_name: str
    chunk_s: float | None
    chunks: int
    songs: tuple[str, ...]
    left_out: tuple[str, ...]
    """Songs that the model was trained on."""
    training_set: bool | None
    """Whether the figures are of songs that the model was trained on; None: it cannot be told."""
    gaps: tuple[GapFigures, ...]
    notes: tuple[str, ...]
    seed: int

    @property
    def headline(self) -> GapFigures:
        """The figures at the gap next to `HEADLINE_GAP_MS`."""
        return min(self.gaps, key=lambda gap: abs(gap.gap_ms - HEADLINE_GAP_MS))

    def plain(self) -> dict[str, Any]:
        """Return what JSON can hold; estimates are `[value, low, high]`."""
        headline = self.headline
        model = headline.scorers[self.model_name]
        return {
            "pool": str(self.pool),
            "model": str(self.model),
            "model_name": self.model_name,
            "cut": "pool" if self.chunk_s is None else "equal",
            "chunk_s": self.chunk_s,
            "chunks": self.chunks,
            "songs": list(self.songs),
            "left_out": list(self.left_out),
            "training_set": self.training_set,
            "seed": self.seed,
            "headline_gap_ms": headline.gap_ms,
            "gaps": {
                f"{gap.gap_ms:g}": {name: found.plain() for name, found in gap.scorers.items()}
                for gap in self.gaps
            },
            "better_by": {
                name: {
                    figure: [gain.value, gain.low, gain.high]
                    for figure in ("all/mrr", "same/auc", "cross/auc")
                    if figure in model.per_song and figure in other.per_song
                    for gain in [difference(model, other, figure, seed=self.seed)]
                }
                for name, other in headline.scorers.items()
                if name != self.model_name
            },
            "notes": list(self.notes),
        }


def evaluate_model(
    pool_folder: Path, settings: EvalSettings, progress: Callable[[EvalProgress], None] | None = None
) -> EvalReport:
    """Measure a model and every baseline on a pool's songs.

    Raises `PoolError`, `ModelError` or `DecodeError` for what cannot be read or does not fit.
    """
    tell = progress or (lambda state: None)
    pool = open_pool(pool_folder)
    models = _models(settings)
    songs, left_out, training_set = _songs(pool, settings)
    gaps_ms = tuple(sorted(set(settings.gaps_ms)))
    cut = cut_songs(pool, songs, chunk_s=settings.chunk_s, longest_gap_s=gaps_ms[-1] / 1000)
    notes = _notes(models, pool, songs)
    gaps = []
    with tempfile.TemporaryDirectory(prefix="endlos-eval-") as scratch:
        pools = gapped_pools(
            cut,
            gaps_ms,
            Path(scratch),
            lambda done: tell(EvalProgress(what="listening to the songs", done=done, total=len(songs))),
        )
        for number, (gap_ms, gapped) in enumerate(pools):
            tell(EvalProgress(what=f"scoring, gap {gap_ms:g} ms", done=number, total=len(gaps_ms)))
            gaps.append(_figures(gapped, gap_ms, models, settings.seed))
    name = next(iter(models))
    notes += _verdict(gaps, name)
    return EvalReport(
        pool=pool_folder,
        model=settings.model,
        model_name=name,
        chunk_s=settings.chunk_s,
        chunks=len(cut),
        songs=tuple(pool.songs[song].name for song in songs.tolist()),
        left_out=left_out,
        training_set=training_set,
        gaps=tuple(gaps),
        notes=tuple(notes),
        seed=settings.seed,
    )


def _models(settings: EvalSettings) -> dict[str, Path]:
    """Return the models by the name of their row, the one under test first."""
    models: dict[str, Path] = {}
    for folder in (settings.model, *settings.beside, carried_model("binary-fast")):
        if folder.resolve() not in {other.resolve() for other in models.values()}:
            contract = load_contract(folder)
            name = f"{contract.approach} {contract.preset} ({folder.resolve().name})"
            models[name if name not in models else f"{name} {folder}"] = folder
    return models


def _songs(pool: Pool, settings: EvalSettings) -> tuple[IntArray, tuple[str, ...], bool | None]:
    """Return the songs to ask about, the names of those left out, and whether the model knows any asked.

    That is None, and all are asked about, where it cannot be told.
    """
    known = known_songs(settings.model, pool.audio_hashes)
    everything = np.unique(pool.chunk_song)
    if known is None:
        return everything, (), None
    if settings.training_songs:
        return everything, (), bool(known.any())
    unknown = everything[~known[everything]]
    if len(unknown) < 2:
        return everything, (), bool(known.any())
    return unknown, tuple(pool.songs[song].name for song in everything[known[everything]].tolist()), False


def _figures(pool: Pool, gap_ms: float, models: dict[str, Path], seed: int) -> GapFigures:
    song, following = pool.chunk_song, pool.successors()
    assert isinstance(pool.spectra, np.ndarray)  # as gapped pools have them
    alike = near_identical(pool.spectra)
    scorers: dict[str, RankingFigures] = {}
    ranks: dict[str, IntArray] = {}

    def keep(name: str, scores: FloatArray) -> None:
        scorers[name] = ranking_figures(scores, song, following, duplicates=alike, seed=seed)
        ranks[name] = true_ranks(scores, following)

    in_song, alone = (gapped_sides(pool, gap_ms / 1000, alone=lone) for lone in (False, True))
    for number, (name, folder) in enumerate(models.items()):
        scores = all_scores(_scorer(replace(pool, sides=in_song), folder, precomputed=False), len(pool))
        keep(name, scores)
        if load_second_stage(folder) is not None:
            lone = _scorer(replace(pool, sides=alone), folder, precomputed=False)
            keep(f"{name}{CHUNKS_ALONE}", all_scores(lone, len(pool)))
        if number == 0:
            # The logit, so that the regression can weigh it against distances.
            likely = np.clip(scores, 1e-7, 1 - 1e-7)
            fused = seam_scores(
                in_song, song, following, np.random.default_rng(seed), np.log(likely / (1 - likely))
            )
            if fused is not None:
                keep(f"{name} + seam distances", fused)
    for name in BASELINES:
        keep(name, baseline_scores(name, pool.spectra, np.random.default_rng(seed)))
    # What is missing at a cut is missing on both its sides.
    keep(LINEAR_BASELINE, linear_scores(pool.tails[:, 0], pool.heads[:, 0], 2 * gap_ms / 1000))
    for name, sides in ((LEARNED_BASELINE, alone), (LEARNED_IN_SONG, in_song)):
        learned = seam_scores(sides, song, following, np.random.default_rng(seed))
        if learned is not None:
            keep(name, learned)
    return GapFigures(gap_ms=gap_ms, scorers=scorers, ranks=ranks)


def all_scores(scorer: Scorer, chunks: int) -> FloatArray:
    """Return `(N, N)` float32: what a scorer says of every pair; row = predecessor."""
    scores = np.empty((chunks, chunks), dtype=np.float32)
    for row in range(chunks):
        scores[row] = scorer.score(row)
    return scores


def write_scores(
    pool_folder: Path, model: Path, path: Path, progress: Callable[[EvalProgress], None] | None = None
) -> None:
    """Write the engine's `(N, N)` float32 scores of the pool's own chunks, row by row."""
    tell = progress or (lambda state: None)
    pool = open_pool(pool_folder)
    scorer = _scorer(pool, model)
    with beside(path) as part:
        matrix = np.lib.format.open_memmap(part, mode="w+", dtype=np.float32, shape=(len(pool), len(pool)))
        for row in range(len(pool)):
            tell(EvalProgress(what="scoring the pool's chunks", done=row, total=len(pool)))
            matrix[row] = scorer.score(row)
        matrix.flush()


def _scorer(pool: Pool, model: Path, *, precomputed: bool = True) -> Scorer:
    scorer = open_scorer(pool, ScoringSettings(model=model, precomputed=precomputed)).scorer
    assert scorer is not None  # a model was named
    return scorer


def true_ranks(scores: FloatArray, successor: IntArray) -> IntArray:
    """Return the rank of each true successor among all but the query, 1 is first; of equals, the middle."""
    rows = np.flatnonzero(successor >= 0)
    found = np.empty(len(rows), dtype=np.int64)
    for place, row in enumerate(rows.tolist()):
        others: BoolArray = np.ones(len(successor), dtype=np.bool_)
        others[[row, successor[row]]] = False
        true = scores[row, successor[row]]
        level = np.count_nonzero(scores[row, others] == true)
        found[place] = 1 + np.count_nonzero(scores[row, others] > true) + level // 2
    return found


def _notes(models: dict[str, Path], pool: Pool, songs: IntArray) -> list[str]:
    notes = []
    for name, folder in models.items():
        learned = known_songs(folder, pool.audio_hashes)
        if learned is None:
            notes.append(cannot_tell(name))
            continue
        known = int(learned[songs].sum())
        if known:
            notes.append(
                f"{name} was trained on {known} of the {len(songs)} songs that are asked about: "
                "its row shows training-set figures"
            )
    if len(songs) < FEWEST_REGRESSION_SONGS:
        notes.append(
            f"{LEARNED_BASELINE}, and {LEARNED_IN_SONG}: not measured, they learn on other songs than they "
            f"are asked about and need {FEWEST_REGRESSION_SONGS} or more"
        )
    if not any(load_contract(folder).preset == "seed" for folder in models.values()):
        notes.append(
            f"the report's network is not at hand; `{TRAIN_SEED_REPORT}` makes it, --beside MODEL measures it"
        )
    return notes


def _verdict(gaps: Sequence[GapFigures], name: str) -> list[str]:
    """Return a sentence where the model leans on the samples next to the cut."""
    found = {gap.gap_ms: gap.scorers[name].pools["all"]["top_10"].value for gap in gaps}
    if 0.0 not in found or 20.0 not in found or found[0.0] == 0:
        return []
    lost = 1 - found[20.0] / found[0.0]
    if lost <= SEAM_LEARNT:
        return []
    return [
        f"rejected: a gap of 20 ms costs {lost:.0%} of the top-10 at 0 ms; it knows the samples at the seam"
    ]
