"""This module fits the second stage that endlos carries, and measures it on songs nothing had learned.

    python -m tools.quality.ranking.stages POOL MODEL MODEL ... [--write second_stage.json]

Each model is a tower of the same recipe that kept other songs of the pool back. A model is asked about the
songs that it does not know, with weights and a network fitted on what the *other* models do not know; what is
written is fitted on all of them together. The songs of a pool are dealt into folds for a single model, artist
by artist: it is asked about those that it does not know, and the others teach what needs no tower.
"""

import argparse
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from model.base.arrays import BoolArray, DoubleArray, FloatArray, IntArray
from model.base.errors import EndlosError
from model.features.seam import SeamSides, seam_terms
from model.features.steadiness import distances_and_steadiness
from model.learning.calibration import ScoredSongs, calibrate
from model.saved.carried import chosen_model
from model.saved.contract_file import load_contract
from model.saved.learned import cannot_tell, known_songs
from model.saved.seam_network import SEAM_INPUTS, SEAM_TERMS, SeamNetwork
from model.saved.second_stage import SecondStage, save_second_stage
from stream.index.vectors import pool_embeddings
from stream.pool.pool import Pool, open_pool
from tools.quality.joins.hearing.artists import artist_groups
from tools.quality.ranking.averages import RESAMPLES, Estimate, drawn_estimate, ratio, song_weights
from tools.quality.ranking.chunks import cut_songs, gapped_pools, gapped_sides
from tools.quality.ranking.preference import FOLDS, WRONG_OF_SONG, Contests, contests, fit_weights
from tools.quality.ranking.protocol import HEADLINE_GAP_MS
from tools.quality.ranking.ranks import RankingFigures, ranking_figures
from tools.quality.ranking.seam_fit import fit_network
from tools.terminal import print_table

_CHUNK_S = 3.0
RANKING_COLUMNS = (
    ("top-1", "all/top_1"),
    ("top-10", "all/top_10"),
    ("MRR", "all/mrr"),
    ("AUC same", "same/auc"),
    ("AUC cross", "cross/auc"),
    ("order", "order"),
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Fold:
    """Chunks of songs: what seams are compared by, and the products of a model that does not know them."""

    song: IntArray
    successor: IntArray
    in_song: SeamSides
    alone: SeamSides
    dots: FloatArray | None = None
    """`(N, N)`: row = predecessor; None where the model knows the songs."""
    lessons: "Fold | None" = None
    """Chunks of songs that the model knows: only what needs no model learns from them."""
    audio_hashes: frozenset[str] = frozenset()
    """Of the songs."""

    @property
    def teaches(self) -> frozenset[str]:
        """The audio hashes of all songs that a fit learns from, lessons too."""
        return self.audio_hashes | (self.lessons.audio_hashes if self.lessons else frozenset())


@dataclass(frozen=True, kw_only=True, eq=False)
class Shown:
    """What a fit is shown of a fold."""

    asked: Contests
    lessons: Contests
    """Without the product, of the fold and of its lessons."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Judgement:
    """What evidence is weighed by."""

    weights: DoubleArray
    """Of the seam terms, then of the product, as far as they are evidence."""
    network: SeamNetwork | None = None

    def logits(self, shown: npt.NDArray[np.floating], own: BoolArray) -> FloatArray:
        """Return `(...)` float32 of evidence `(..., values)`, as `Evidence.shown` lays it out.

        own: which are of one song, where the network counts; broadcast.
        """
        count = len(self.weights)
        found: FloatArray = (shown[..., -count:] @ self.weights).astype(np.float32)
        if self.network is not None:
            seen = np.asarray(shown[..., :SEAM_INPUTS], dtype=np.float32)
            found += self.network.logits(seen) * own
        return found


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What a score is made of."""

    name: str
    dots: bool
    sides: Callable[[Fold], SeamSides] | None
    network: bool = False
    """Whether a network corrects the weighed sum; only where sides are in the song."""

    def shown(self, fold: Fold, row: int, candidates: IntArray | None) -> FloatArray:
        """Return `(n, values)`: what the network sees, where there is one, then what is weighed.

        Of what is weighed the product is the last.
        """
        parts = []
        if self.sides is not None:
            if self.network:
                distances_db, steadiness = distances_and_steadiness(self.sides(fold), row, candidates)
                parts += [seam_terms(distances_db), steadiness]
            else:
                distances_db = self.sides(fold).distances_db(row, candidates)
            parts.append(seam_terms(distances_db))
        if self.dots:
            assert fold.dots is not None  # lessons are shown without
            dots = fold.dots[row] if candidates is None else fold.dots[row, candidates]
            parts.append(dots[:, None])
        return np.concatenate(parts, axis=1)

    def contests(self, fold: Fold, seed: int) -> Contests:
        """Return the right choices of a fold, each before wrong ones."""
        rows = np.arange(len(fold.song))
        return contests(
            lambda row, candidates: self.shown(fold, row, candidates),
            fold.song,
            fold.successor,
            rows,
            np.random.default_rng(seed),
        )

    def show(self, fold: Fold, seed: int) -> Shown:
        """Return what a fit is shown of a fold."""
        asked = self.contests(fold, seed)
        seams = [asked[..., : asked.shape[2] - self.dots]]
        if fold.lessons is not None and self.sides is not None:
            seams.append(replace(self, dots=False).contests(fold.lessons, seed))
        return Shown(asked=asked, lessons=np.concatenate(seams))

    def fit(self, shown: Sequence[Shown], seed: int) -> Judgement:
        """Return what the first of each contest is likeliest by.

        Weights of seams, and the network, are of seams alone; what they say is then weighed against the
        product.
        """
        asked = np.concatenate([fold.asked for fold in shown])
        if self.sides is None:
            return Judgement(weights=fit_weights(asked))
        lessons = np.concatenate([fold.lessons for fold in shown])
        terms = lessons[..., -SEAM_TERMS:]
        weights = fit_weights(terms)
        network = fit_network(lessons[..., :SEAM_INPUTS], terms @ weights, seed) if self.network else None
        seams = Judgement(weights=weights, network=network)
        if not self.dots:
            return seams
        said = seams.logits(asked[..., :-1], np.arange(asked.shape[1]) <= WRONG_OF_SONG)
        scale, dot = fit_weights(np.stack([said, asked[..., -1]], axis=-1)).tolist()
        return Judgement(weights=np.append(weights * scale, dot), network=network and network.scaled(scale))

    def scores(self, fold: Fold, judgement: Judgement) -> FloatArray:
        """Return `(N, N)` float32."""
        return np.stack(
            [
                judgement.logits(self.shown(fold, row, None), fold.song == fold.song[row])
                for row in range(len(fold.song))
            ]
        )


FITTED = Evidence(
    name="towers, seams and network in the song",
    dots=True,
    sides=lambda fold: fold.in_song,
    network=True,
)
EVIDENCE = (
    Evidence(name="towers", dots=True, sides=None),
    Evidence(name="seams, chunks alone", dots=False, sides=lambda fold: fold.alone),
    Evidence(name="towers and seams, chunks alone", dots=True, sides=lambda fold: fold.alone),
    Evidence(name="seams in the song", dots=False, sides=lambda fold: fold.in_song),
    Evidence(name="towers and seams in the song", dots=True, sides=lambda fold: fold.in_song),
    Evidence(name="seams and network in the song", dots=False, sides=lambda fold: fold.in_song, network=True),
    FITTED,
)


def read_folds(pool: Pool, models: Sequence[Path], gap_ms: float) -> list[Fold]:
    """Return the songs that each model does not know, in equal chunks; those of a single one in folds."""
    folds, asked = [], np.empty(0, dtype=np.int64)
    for model in models:
        known = known_songs(model, pool.audio_hashes, second_stage=False)
        if known is None:
            raise EndlosError(cannot_tell(str(model)))
        songs = np.unique(pool.chunk_song)
        parts = artist_folds(pool, known, FOLDS) if len(models) == 1 else [songs[~known[songs]]]
        if any((~known[part]).sum() < 2 for part in parts):
            raise EndlosError(f"{model} has learned from all songs of {pool.folder} but {(~known).sum()}")
        if np.isin(parts[0], asked).any():
            raise EndlosError(
                f"{model} does not know songs that another one does not know either; give folds"
            )
        asked = np.concatenate([asked, *parts])
        for part in parts:
            lessons = part[known[part]]
            fold = _read_fold(pool, part[~known[part]], gap_ms, model)
            folds.append(replace(fold, lessons=_read_fold(pool, lessons, gap_ms) if len(lessons) else None))
    return folds


def artist_folds(pool: Pool, known: BoolArray, folds: int) -> list[IntArray]:
    """Deal all songs into folds of about as many, those that are not known first.

    All songs of an artist, by tags and file names, are in one. known: `(songs,)`.
    """
    parts: list[list[int]] = [[] for _ in range(folds)]
    by_artist = [np.array(own) for own in artist_groups(pool.songs)]
    for own in sorted(by_artist, key=lambda own: -(~known[own]).sum()):
        min(parts, key=len).extend(own.tolist())
    return [np.sort(np.array(part, dtype=np.int64)) for part in parts]


def _read_fold(pool: Pool, songs: IntArray, gap_ms: float, model: Path | None = None) -> Fold:
    with tempfile.TemporaryDirectory(prefix="endlos-stages-") as scratch:
        cut = cut_songs(pool, songs, chunk_s=_CHUNK_S, longest_gap_s=gap_ms / 1000)
        _, gapped = next(gapped_pools(cut, [gap_ms], Path(scratch), lambda done: None))
        dots = None
        if model is not None:
            index = pool_embeddings(gapped, model, load_contract(model))
            dots = np.stack([index.scores(row) for row in range(len(gapped))])
        return Fold(
            song=gapped.chunk_song,
            successor=gapped.successors(),
            in_song=gapped_sides(gapped, gap_ms / 1000),
            alone=gapped_sides(gapped, gap_ms / 1000, alone=True),
            dots=dots,
            audio_hashes=frozenset(pool.audio_hashes[song] for song in songs.tolist()),
        )


def judge_folds(evidence: Evidence, folds: Sequence[Fold], seed: int) -> list[RankingFigures]:
    """Return the figures of each fold, with weights fitted on all others."""
    shown = [evidence.show(fold, seed) for fold in folds]
    found = []
    for number, fold in enumerate(folds):
        judgement = evidence.fit([*shown[:number], *shown[number + 1 :]], seed)
        scores = evidence.scores(fold, judgement)
        found.append(ranking_figures(scores, fold.song, fold.successor, pieces=(), seed=seed))
    return found


def over_all(figures: Sequence[RankingFigures], name: str, seed: int) -> Estimate:
    """Return one figure over the songs of all folds, each asked among the chunks of its own fold."""
    sums = np.concatenate([found.per_song[name] for found in figures], axis=1)
    return drawn_estimate(ratio(sums, song_weights(sums.shape[1], RESAMPLES, seed)))


def gain(better: Sequence[RankingFigures], worse: Sequence[RankingFigures], name: str, seed: int) -> Estimate:
    """Return `better` minus `worse` in one figure, songs drawn alike for both."""
    sums = [np.concatenate([found.per_song[name] for found in side], axis=1) for side in (better, worse)]
    weights = song_weights(sums[0].shape[1], RESAMPLES, seed)
    return drawn_estimate(ratio(sums[0], weights) - ratio(sums[1], weights))


def fit_stage(folds: Sequence[Fold], seed: int) -> SecondStage:
    """Return the second stage of all folds together, calibrated on what it was fitted on."""
    judgement = FITTED.fit([FITTED.show(fold, seed) for fold in folds], seed)
    scored = [ScoredSongs(logits=FITTED.scores(fold, judgement), song=fold.song) for fold in folds]
    found = calibrate(scored)
    assert judgement.network is not None  # this evidence has one
    weights = judgement.weights * found["scale"]
    return SecondStage(
        dot=float(weights[-1]),
        terms=weights[:-1].astype(np.float32),
        offset=found["offset"],
        network=judgement.network.scaled(found["scale"]),
        learned_from=frozenset().union(*(fold.teaches for fold in folds)),
    )


def fit_from_command_line(arguments: Sequence[str] | None = None) -> None:
    """Print figures, and write the weights where that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("pool", type=Path)
    parser.add_argument("models", type=Path, nargs="+")
    parser.add_argument("--gap-ms", type=float, default=HEADLINE_GAP_MS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", type=Path, help="second_stage.json")
    asked = parser.parse_args(arguments)
    try:
        models = [chosen_model(model) for model in asked.models]
        folds = read_folds(open_pool(asked.pool), models, asked.gap_ms)
    except EndlosError as error:
        parser.exit(1, f"{error}\n")
    rows = []
    found_of = {evidence: judge_folds(evidence, folds, asked.seed) for evidence in EVIDENCE}
    for evidence, figures in found_of.items():
        estimates = [over_all(figures, name, asked.seed) for _, name in RANKING_COLUMNS]
        rows.append(
            (evidence.name, *(f"{one.value:.4f} ({one.low:.3f}-{one.high:.3f})" for one in estimates))
        )
        for number, found in enumerate(figures):
            own = [over_all([found], name, asked.seed) for _, name in RANKING_COLUMNS]
            rows.append((f"  fold {number + 1}", *(f"{one.value:.4f}" for one in own)))
    for evidence in EVIDENCE[:-1]:
        gains = [gain(found_of[FITTED], found_of[evidence], name, asked.seed) for _, name in RANKING_COLUMNS]
        cells = (f"{one.value:+.4f} ({one.low:+.3f} to {one.high:+.3f})" for one in gains)
        rows.append((f"all, beyond {evidence.name}", *cells))
    print_table(("", *(name for name, _ in RANKING_COLUMNS)), rows)
    if asked.write is not None:
        save_second_stage(fit_stage(folds, asked.seed), asked.write)


if __name__ == "__main__":
    fit_from_command_line()
