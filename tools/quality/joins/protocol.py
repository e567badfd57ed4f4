"""The study renders streams of every condition in folds, trains detectors, and measures the joins."""

import tempfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from model.base.arrays import DoubleArray
from model.base.errors import EndlosError
from model.saved.carried import carried_model
from model.saved.learned import known_songs
from stream.choosing.settings import Strategy
from stream.joins.settings import SoundSettings
from stream.pool.pool import Pool, open_pool
from tools.pools.sub_pool import sub_pool
from tools.quality.joins.earlier import Earlier
from tools.quality.joins.hearing.between import NATURAL
from tools.quality.joins.hearing.collecting import collected
from tools.quality.joins.hearing.detector import Kind
from tools.quality.joins.hearing.folds import (
    FEWEST_FOLD_SONGS,
    apart_by_artist,
    fold_of_songs,
    folds_of_models,
    music_s,
)
from tools.quality.joins.hearing.samples import Samples
from tools.quality.joins.hearing.verdicts import PLAIN, Verdict, judge_samples
from tools.quality.joins.keeper import Heard, Keeper
from tools.quality.joins.measuring.journey import JourneyMap
from tools.quality.joins.measuring.scorecard import Scorecard, measured
from tools.quality.joins.measuring.sides import Sides
from tools.quality.joins.streams import EngineStream, PlainStream
from tools.quality.joins.windows import Window

LEAST_WINDOW_S = 3.0


@dataclass(frozen=True, kw_only=True)
class JoinSettings:
    """How joins are studied."""

    seconds: float = 2400.0
    """Length of each stream of each fold, and of the streams of the whole pool that are measured."""
    natural_s: float = 21_600.0
    """A fold's untouched stream is as long as its songs, but no longer than this: a join of a song that it
    did not come to has nothing of its song to be held against, and of few songs few section changes are
    known."""
    folds: int = 3
    seed: int = 0
    model: Path = field(default_factory=carried_model)
    fold_models: Path | None = None
    """Folder of models; the songs that each did not learn from are a fold."""
    detectors: tuple[Kind, ...] = ("boosted",)
    kept: int = 0
    """Joins, and as many other places and changes of song, whose audio is kept to be listened to."""

    def __post_init__(self) -> None:
        if not 30.0 <= self.seconds <= 86_400:
            raise EndlosError(f"streams of {self.seconds:g} s; give 30 to 86400 seconds")
        if not 30.0 <= self.natural_s <= 86_400:
            raise EndlosError(f"untouched streams of {self.natural_s:g} s; give 30 to 86400 seconds")
        if not 2 <= self.folds <= 10:
            raise EndlosError(f"{self.folds} folds; give 2 to 10")
        if not self.seed >= 0:
            raise EndlosError(f"the seed is {self.seed}; give 0 or more")
        if not self.kept >= 0:
            raise EndlosError(f"{self.kept} joins to listen to; give 0 or more")


@dataclass(frozen=True, kw_only=True, eq=False)
class Study:
    """What a study came to."""

    songs: int
    chunks: int
    window_s: float
    apart_by_artist: bool
    """Whether no artist has songs in two folds."""
    other_song_share: float
    """Share of the engine's joins in the folds that go to another song."""
    model_knows_songs: bool | None
    """Whether the engine's model learned from songs that its joins are judged on; None: it cannot be told."""
    verdicts: dict[Kind, Verdict]
    scores: DoubleArray
    """`(n,)` of the first detector, retrained."""
    samples: Samples
    cards: dict[str, Scorecard]
    """Streams of the whole pool, by strategy."""
    heard: list[Heard] = field(default_factory=list)
    pairs: list[Heard] = field(default_factory=list)
    """Changes of song, each as it is and as a short blend."""

    def cards_columns(self) -> dict[str, DoubleArray]:
        """Return the measured boundaries by kind: natural borders (of the natural stream), random, engine."""
        return {name: card.natural if name == "natural" else card.joined for name, card in self.cards.items()}


Told = Callable[[str, float], None]
"""Is given what is done now, and how much of the whole work is done (0 to 1)."""


def study(folder: Path, settings: JoinSettings, told: Told) -> Study:
    """Study the joins of the pool in `folder`; `EndlosError` when it is too small to tell anything."""
    pool = open_pool(folder)
    models = _fold_models(settings)
    fold = folds_of_models(pool, models) if models else fold_of_songs(pool, settings.folds, settings.seed)
    # Songs that every model learned from teach the detector; they are not judged by.
    folds = [number for number in np.unique(fold).tolist() if (fold == number).sum() >= FEWEST_FOLD_SONGS]
    if len(folds) < 2:
        raise EndlosError(f"{settings.fold_models} gives a single fold; give models for two or more")
    half_s = LEAST_WINDOW_S / 2
    parts: list[Samples] = []
    keeper = Keeper(settings.kept, settings.seed)
    streams = 4 * len(folds) + 3
    done = 0

    def progress(name: str, length_s: float) -> Callable[[float], None]:
        nonlocal done
        before = done
        done += 1
        return lambda seconds: told(name, (before + min(1.0, seconds / length_s)) / (streams + 2))

    # Threads that wait for each other on a busy machine cost many times what they bring.
    with threadpool_limits(1), tempfile.TemporaryDirectory(prefix="endlos-joins-") as scratch:
        for number in folds:
            songs = np.flatnonzero(fold == number)
            small = sub_pool(folder, songs, Path(scratch) / f"fold{number}")
            model = models[number] if models and number >= 0 else settings.model
            seed = settings.seed * 100 + number + 1
            kinds: tuple[Strategy | str, ...] = (PLAIN, NATURAL, "random", "model")
            untouched_s = min(settings.natural_s, music_s(open_pool(small)))
            for kind in kinds:
                source: EngineStream | PlainStream
                source = PlainStream(small, seed) if kind == PLAIN else _engine(small, kind, seed, model)
                name = "engine" if kind == "model" else kind
                length_s = untouched_s if kind == NATURAL else settings.seconds
                with closing(source):
                    tell = progress(f"fold {folds.index(number) + 1} of {len(folds)}: {name}", length_s)

                    def offered(window: Window, count: int, name: str = name, number: int = number) -> None:
                        if name == "engine":
                            keeper.offer(window, number, count)

                    parts += collected(source, length_s, half_s, name, number, told=tell, taken=offered)
        cards = {}
        for strategy in (NATURAL, "random", "model"):
            with (
                closing(Sides(folder, 44_100)) as sides,
                closing(_engine(folder, strategy, settings.seed, settings.model)) as stream,
            ):
                tell = progress(f"whole pool: {strategy}", settings.seconds)
                cards["engine" if strategy == "model" else strategy] = measured(
                    stream, settings.seconds, JourneyMap.of(pool), sides, tell
                )
    samples = Samples.joined_of(parts)
    engine = samples.where((samples.condition == "engine") & samples.joined & (samples.fold >= 0))
    if not len(engine):
        raise EndlosError(
            f"the engine made no join in {settings.seconds:g} s that stands alone for "
            f"{LEAST_WINDOW_S:g} s; give more --seconds"
        )
    verdicts: dict[Kind, Verdict] = {}
    scores = np.zeros(len(samples))
    for place, kind_of in enumerate(settings.detectors):
        told(f"detector: {kind_of}", (streams + place) / (streams + 2))
        verdicts[kind_of], found = judge_samples(samples, kind_of, settings.seed)
        scores = scores if place else found
    pairs: list[Heard] = []
    if settings.kept:
        with closing(Earlier(folder, SoundSettings())) as earlier:
            pairs = keeper.pairs(samples, earlier)
    return Study(
        songs=len(pool.songs),
        chunks=len(pool),
        window_s=2 * half_s,
        apart_by_artist=apart_by_artist(pool, fold),
        other_song_share=float(engine.other_song[np.unique(engine.transition, return_index=True)[1]].mean()),
        model_knows_songs=False if models else _knows(settings.model, pool),
        verdicts=verdicts,
        scores=scores,
        samples=samples,
        cards=cards,
        heard=keeper.heard(samples),
        pairs=pairs,
    )


def _knows(model: Path, pool: Pool) -> bool | None:
    known = known_songs(model, pool.audio_hashes)
    return None if known is None else bool(known.any())


def _fold_models(settings: JoinSettings) -> list[Path]:
    if settings.fold_models is None:
        return []
    models = sorted(path.parent for path in settings.fold_models.glob("*/model.json"))
    if not models:
        raise EndlosError(f"{settings.fold_models} holds no models; name a folder with model folders in it")
    return models


def _engine(folder: Path, strategy: str, seed: int, model: Path) -> EngineStream:
    return EngineStream.of(folder, strategy, seed, model)  # type: ignore[arg-type]
