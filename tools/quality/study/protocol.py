"""The protocol plans the runs of a study, prepares their music, and has workers do them."""

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from model.base.errors import EndlosError, PoolError
from model.base.lock import held_alone
from stream.pool.database import DATABASE_FILE
from stream.pool.pool import failures
from tools.quality.study.judging import forget_pools
from tools.quality.study.ledger import LEDGER_FILE, KeptRun, Ledger, RunFigures
from tools.quality.study.music import SongDraw, StudyMusic, disjoint_by_artist, read_music
from tools.quality.study.preparing import (
    StudyTell,
    no_room,
    prepared_pools,
    songs_by_pool,
    study_crew,
)
from tools.quality.study.questions import (
    APPROACHES_PART,
    ApproachRow,
    StudyQuestion,
    approach_rows,
    chosen_questions,
    question_runs,
    row_runs,
)
from tools.quality.study.runs import StudyRun, WantedRun, merged
from tools.quality.study.scale import StudyScale
from tools.quality.study.training import RunTask, carry_out, require_training
from tools.work.workers import Crashed, usable_cores

_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"), "1")
_LOCK_FILE = "study.lock"
SONG_CPU_S = 4.0
"""Guess of what it takes to analyse a song, until it has been done."""


@dataclass(frozen=True, kw_only=True)
class StudySettings:
    """What is studied, and where what comes of it is kept."""

    music: Path
    out: Path
    scale: StudyScale
    only: str | None = None
    """Names of questions, with commas between; None: all."""
    similar: Path | None = None
    """Folder of the songs that are alike; None: any called similar."""
    jobs: int = field(default_factory=usable_cores)
    """Worker processes."""
    scheduler: str | None = None
    """Address of a Dask scheduler whose workers do it in their place."""

    def __post_init__(self) -> None:
        if not self.jobs >= 1:
            raise EndlosError(f"{self.jobs} jobs study nothing; give 1 or more")


@dataclass(frozen=True, kw_only=True)
class StudyPlan:
    """What is asked, and the runs that it takes."""

    music: StudyMusic
    scale: StudyScale
    questions: tuple[StudyQuestion, ...]
    rows: tuple[ApproachRow, ...]
    runs: tuple[WantedRun, ...]
    notes: tuple[str, ...]
    """What is to be said: questions left out, files that cannot be read, artists on both sides."""


@dataclass(frozen=True, kw_only=True)
class StudyCost:
    """What is left to do, and what that is guessed to take."""

    open_runs: int
    done_runs: int
    pools: int
    cpu_s: float
    """Of all cores together."""


@dataclass(frozen=True, kw_only=True)
class FailedRun:
    """A run that could not be done; the next call tries it again."""

    run: StudyRun
    reason: str


@dataclass(frozen=True, kw_only=True, eq=False)
class StudyResult:
    """What is known of every run of a plan."""

    plan: StudyPlan
    figures: Mapping[str, RunFigures]
    """By the key of the run, those that were done."""
    failed: tuple[FailedRun, ...]
    missing: int
    """Runs that nobody has tried yet."""
    left_out: tuple[str, ...] = ()
    """A sentence for each song that a pool is without, or without a part of."""

    def of(self, wanted: Sequence[WantedRun]) -> list[RunFigures]:
        """Return the figures of those runs that were done, each with the `seed` of its run."""
        return [
            {**self.figures[one.run.key], "seed": one.run.seed}
            for one in wanted
            if one.run.key in self.figures
        ]

    def answers(self, question: StudyQuestion) -> dict[str, list[RunFigures]]:
        """Return what was found for each value of a question."""
        plan = self.plan
        return {
            value.label: self.of(question_runs(question, value, plan.music, plan.scale))
            for value in question.values
        }

    def row(self, row: ApproachRow) -> list[RunFigures]:
        """Return what was found for a row of the table of approaches."""
        return self.of(row_runs(row, self.plan.music, self.plan.scale))


def plan_study(settings: StudySettings) -> StudyPlan:
    """Return the plan; `EndlosError` for music that is too little, or a question that there is not."""
    scale = settings.scale
    music = read_music(settings.music, settings.similar)
    questions, left_out = chosen_questions(settings.only, music, scale)
    rows: list[ApproachRow] = []
    if settings.only is None or APPROACHES_PART in [name.strip() for name in settings.only.split(",")]:
        rows = approach_rows(scale)
    wanted = [
        run
        for question in questions
        for value in question.values
        for run in question_runs(question, value, music, scale)
    ] + [run for row in rows for run in row_runs(row, music, scale)]
    runs = merged(wanted)
    notes = [*left_out, *music.unreadable]
    draws = {SongDraw(learned=one.run.learned, asked=one.run.asked) for one in runs}
    if not all(disjoint_by_artist(music, draw) for draw in draws):
        notes.append(
            f"{music.folder} has songs of {len(music.artists)} artists, too few to ask about others than "
            "were learned from: songs are kept apart, artists are not"
        )
    return StudyPlan(
        music=music,
        scale=scale,
        questions=tuple(questions),
        rows=tuple(rows),
        runs=tuple(runs),
        notes=tuple(notes),
    )


def study_cost(plan: StudyPlan, out: Path) -> StudyCost:
    """Return what is left to do in `out`, guessed by runs that are done, else as the scale guesses."""
    left = list(plan.runs)
    # Trainings that differ in songs and seed alone take about the same.
    kinds: dict[StudyRun, list[float]] = {}
    if (out / LEDGER_FILE).is_file():
        with closing(Ledger(out)) as ledger:
            left = ledger.open_runs(left)
            for one in plan.runs:
                kept = ledger.kept(one.run)
                if kept is not None and kept.figures is not None:
                    kinds.setdefault(_kind(one.run), []).append(kept.figures["cpu_s"])
    guessed_s = 0.0
    for one in left:
        likely_s = plan.scale.guess_cpu_s * len(one.run.learned) / plan.scale.learned_songs
        took_s = kinds.get(_kind(one.run), [likely_s])
        guessed_s += sum(took_s) / len(took_s)
    songs = songs_by_pool(left)
    new = sum(len(hashes) for home, hashes in songs.items() if not (out / "pools" / home).is_dir())
    return StudyCost(
        open_runs=len(left),
        done_runs=len(plan.runs) - len(left),
        pools=len(songs),
        cpu_s=guessed_s + SONG_CPU_S * new,
    )


def run_study(plan: StudyPlan, settings: StudySettings, tell: StudyTell) -> StudyResult:
    """Do what is left of a plan, and return all that is known then.

    A `KeyboardInterrupt` at any moment loses the runs under way and no other: what is done is in the ledger.
    `EndlosError` when nothing can be written, another study writes there, or a package that trains is not
    installed.
    """
    out = settings.out
    with closing(Ledger(out)) as ledger, held_alone(out / _LOCK_FILE, _taken(out)):
        try:
            left = ledger.open_runs(list(plan.runs))
            if left:
                # Before anything is decoded.
                require_training()
            _carry_out_all(plan, settings, left, ledger, tell)
        finally:
            # Workers that were stopped could not.
            forget_pools()
            shutil.rmtree(out / "scratch", ignore_errors=True)
    return study_result(plan, out)


def _taken(out: Path) -> EndlosError:
    return EndlosError(f"another study writes into {out}; wait for it to end, or give another --out")


def study_result(plan: StudyPlan, out: Path) -> StudyResult:
    """Return what is known of the runs of a plan by now."""
    figures: dict[str, RunFigures] = {}
    failed = []
    with closing(Ledger(out)) as ledger:
        for one in plan.runs:
            kept = ledger.kept(one.run)
            if kept is not None and kept.figures is not None:
                figures[one.run.key] = kept.figures
            elif kept is not None:
                failed.append(FailedRun(run=one.run, reason=kept.failed or ""))
    return StudyResult(
        plan=plan,
        figures=figures,
        failed=tuple(failed),
        missing=len(plan.runs) - len(figures) - len(failed),
        left_out=_left_out(plan, out),
    )


def _left_out(plan: StudyPlan, out: Path) -> tuple[str, ...]:
    """Return what the pools of a plan say of songs that they are without, each sentence once."""
    homes = sorted({out / "pools" / one.run.home for one in plan.runs})
    told: list[str] = []
    for home in homes:
        # One that is only begun says nothing yet; what is wrong with it, the runs that need it tell.
        if (home / DATABASE_FILE).is_file():
            with suppress(PoolError):
                told += [f"{failure.path.name}: {failure.reason}" for failure in failures(home)]
    return tuple(dict.fromkeys(told))


def _carry_out_all(
    plan: StudyPlan, settings: StudySettings, left: Sequence[WantedRun], ledger: Ledger, tell: StudyTell
) -> None:
    """Do the runs that are left, and keep what becomes of each as soon as it is done."""
    # The workers of a cluster stand in other folders.
    out = settings.out.absolute()
    files = prepared_pools(
        out,
        wanted=left,
        music=plan.music,
        jobs=settings.jobs,
        scheduler=settings.scheduler,
        ledger=ledger,
        tell=tell,
    )
    tasks = [
        RunTask(
            wanted=one,
            pool=out / "pools" / one.run.home,
            model=out / "models" / one.run.key,
            scratch=out / "scratch",
            files=files[one.run.home],
        )
        for one in left
        if one.run.home in files
    ]
    tell("training", 0, len(tasks))
    hired = study_crew(settings.jobs, settings.scheduler, plan.music, out, tell)
    with _one_thread_each(), closing(hired.run_all(carry_out, tasks, no_room)) as results:
        for done, (task, outcome) in enumerate(results, start=1):
            if isinstance(outcome, Crashed):
                outcome = KeptRun(figures=None, failed=outcome.reason)
                shutil.rmtree(task.model, ignore_errors=True)
            ledger.keep(task.wanted.run, outcome)
            tell(task.wanted.run.told(), done, len(tasks))


def _kind(run: StudyRun) -> StudyRun:
    return replace(run, learned=(), asked=(), seed=0)


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Have the workers that are started meanwhile use one thread: they are as many as there are cores."""
    before = {name: os.environ.get(name) for name in _ONE_THREAD}
    os.environ.update(_ONE_THREAD)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
