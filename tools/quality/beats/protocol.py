"""This protocol tracks music whose beats are known, and sums up how well that went, group by group."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from itertools import islice, pairwise
from pathlib import Path

import numpy as np

from model.base.errors import EndlosError
from stream.audio.decode import decode_song
from tools.demo.compose import BEATS_PER_BAR, compose_score
from tools.demo.effects import DEMO_RATE_HZ
from tools.demo.mixdown import mix_down
from tools.pools.scan import scan
from tools.quality.beats.measures import WRONG_LEVELS, BeatFigures, judge_beats
from tools.quality.beats.renderings import Rendering, renderings
from tools.quality.beats.truth import TRUTH_SUFFIX, BeatTruth, read_truth
from tools.songs.rhythm.rhythm import find_rhythm

DEMO_SONGS, DEMO_SONG_S = 6, 60.0
CONFIDENCES = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Bounds of the groups that the confidence is checked in."""
CHECKED_SONGS, DEMO, ALL = "songs", "demo songs", "all"


@dataclass(frozen=True, kw_only=True)
class JudgedMusic:
    """One piece of music, the group that it belongs to, and how its beats were found."""

    name: str
    group: str
    figures: BeatFigures


@dataclass(frozen=True, kw_only=True)
class BeatSummary:
    """The figures of a group; means over its pieces, None where nothing is known."""

    group: str
    pieces: int
    beat_f: float
    level_f: float
    downbeat_f: float | None
    bar_f: float | None
    error_ms: float | None
    """Median over the pieces."""
    sure: float
    """Share of the pieces that are said to have a beat."""
    sure_and_wrong: float
    """Share of all pieces that are, and whose beats are on no level of their metre."""
    sure_beats_wrong: float
    """The same of single beats."""
    ratio_errors: float
    """Share of the pieces that are said to have a beat and are tracked at 2:3, 3:2, 3:4 or 4:3 of theirs."""


@dataclass(frozen=True, kw_only=True)
class ConfidenceGroup:
    """Pieces of a like confidence, and the share of them whose beats are on a level of their metre."""

    least: float
    most: float
    pieces: int
    fitting: float


@dataclass(frozen=True, kw_only=True)
class BeatReport:
    """Every piece, and what comes out."""

    judged: tuple[JudgedMusic, ...]
    groups: tuple[BeatSummary, ...]
    confidence: tuple[ConfidenceGroup, ...]

    def plain(self) -> dict[str, object]:
        """Return it as values for JSON."""
        return {name: _without_nan(value) for name, value in asdict(self).items()}


def judge_all(
    music: Path | None, truth: Path | None, every: int, progress: Callable[[int], None]
) -> BeatReport:
    """Judge the renderings, some demo songs, and the songs in `music` whose beats a file in `truth` names.

    every: of renderings and demo songs only each of so many is made. progress: called with pieces done.
    `EndlosError`: a file of truth that is none, a song that it names and that is not there.
    """
    judged = []
    pieces = [*_songs(music, truth)] if music is not None and truth is not None else []
    for piece in (*pieces, *_rendered(every), *_demo_songs(every)):
        judged.append(piece())
        progress(len(judged))
    names = dict.fromkeys(one.group for one in judged)
    groups = [_summary(name, [one for one in judged if one.group == name]) for name in names]
    return BeatReport(
        judged=tuple(judged), groups=(*groups, _summary(ALL, judged)), confidence=tuple(_confidence(judged))
    )


_Piece = Callable[[], JudgedMusic]


def _rendered(every: int) -> Iterator[_Piece]:
    for piece in islice(renderings(), 0, None, every):

        def judged(piece: Rendering = piece) -> JudgedMusic:
            figures = judge_beats(find_rhythm(piece.audio(), DEMO_RATE_HZ), piece.truth())
            return JudgedMusic(name=piece.name, group=f"{piece.kind} {piece.metre.name}", figures=figures)

        yield judged


def _demo_songs(every: int) -> Iterator[_Piece]:
    for index in range(0, DEMO_SONGS, every):

        def judged(index: int = index) -> JudgedMusic:
            score = compose_score(0, index, DEMO_SONG_S)
            beats_s = score.beats_s()
            truth = BeatTruth(
                times_s=beats_s,
                positions=np.arange(len(beats_s)) % BEATS_PER_BAR,
                stretches_s=((0.0, DEMO_SONG_S),),
                bar_beats=BEATS_PER_BAR,
            )
            audio = mix_down(score, np.random.default_rng(index)).T
            return JudgedMusic(
                name=score.title, group=DEMO, figures=judge_beats(find_rhythm(audio, DEMO_RATE_HZ), truth)
            )

        yield judged


def _songs(music: Path, truth: Path) -> Iterator[_Piece]:
    songs = {file.path.stem: file.path for file in scan([music]).files}
    files = sorted(truth.glob(f"*{TRUTH_SUFFIX}"))
    if not files:
        raise EndlosError(f"{truth} holds no file of beats (*{TRUTH_SUFFIX})")
    for file in files:
        if file.stem not in songs:
            raise EndlosError(f"{music} holds no song called {file.stem}, whose beats {file} has")

        def judged(file: Path = file) -> JudgedMusic:
            decoded = decode_song(songs[file.stem])
            rhythm = find_rhythm(decoded.samples, decoded.sample_rate_hz)
            return JudgedMusic(
                name=file.stem, group=CHECKED_SONGS, figures=judge_beats(rhythm, read_truth(file))
            )

        yield judged


def _summary(group: str, judged: list[JudgedMusic]) -> BeatSummary:
    figures = [one.figures for one in judged]

    def mean(name: str) -> float:
        return float(np.mean([getattr(one, name) for one in figures]))

    def known(name: str, summed: Callable[[list[float]], float]) -> float | None:
        values = [getattr(one, name) for one in figures]
        values = [value for value in values if np.isfinite(value)]
        return float(summed(values)) if values else None

    error_s = known("error_s", np.median)
    return BeatSummary(
        group=group,
        pieces=len(figures),
        beat_f=mean("beat_f"),
        level_f=mean("level_f"),
        downbeat_f=known("downbeat_f", np.mean),
        bar_f=known("bar_f", np.mean),
        error_ms=None if error_s is None else 1e3 * error_s,
        sure=mean("sure"),
        sure_and_wrong=float(np.mean([one.sure and one.wrong for one in figures])),
        sure_beats_wrong=float(np.mean([one.sure_share * one.sure_wrong_share for one in figures])),
        ratio_errors=float(np.mean([one.sure and one.level in WRONG_LEVELS for one in figures])),
    )


def _confidence(judged: list[JudgedMusic]) -> Iterator[ConfidenceGroup]:
    for least, most in pairwise(CONFIDENCES):
        inside = [
            not one.figures.wrong
            for one in judged
            if least <= one.figures.confidence < most or most == one.figures.confidence == CONFIDENCES[-1]
        ]
        yield ConfidenceGroup(
            least=least,
            most=most,
            pieces=len(inside),
            fitting=float(np.mean(inside)) if inside else float("nan"),
        )


def _without_nan(value: object) -> object:
    if isinstance(value, dict):
        return {key: _without_nan(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(inner) for inner in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value
