"""The command `endlos study` asks the report's questions again on any music, and draws the answers."""

import math
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tools.commands.idle import IdleOptions, refuse_idle
from tools.commands.options import LocalCluster, Scheduler
from tools.terminal import AsJson, Quiet, plural, print_json, printable, progress_bar

if TYPE_CHECKING:
    from tools.quality.study.protocol import StudyCost, StudyPlan, StudyResult, StudySettings

_OUT = Path("endlos-study")


def study_music(
    context: typer.Context,
    music: Annotated[Path, typer.Argument(metavar="MUSIC", help="Folder of music.")],
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="Folder of the study: runs, pools, report (made if missing).")
    ] = _OUT,
    cheap: Annotated[
        bool,
        typer.Option(
            "--cheap", help="A small network in the report's manner, few songs: within an hour on two cores."
        ),
    ] = False,
    only: Annotated[
        str | None,
        typer.Option(
            metavar="A,B",
            help="Some questions only: cutters, genres, optimizers, batches, epochs, channels, factors, "
            "formats, approaches.",
            show_default="all",
        ),
    ] = None,
    seeds: Annotated[
        int | None,
        typer.Option(min=1, max=50, help="Trainings of each kind.", show_default="3 with --cheap, else 5"),
    ] = None,
    similar: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Folder in MUSIC whose songs are alike.", show_default="any called similar"
        ),
    ] = None,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Runs at once.", show_default="number of cores")
    ] = None,
    scheduler: Scheduler = None,
    local_cluster: LocalCluster = None,
    plan: Annotated[
        bool,
        typer.Option("--plan", help="Say what would be done and about how long it takes, and do nothing."),
    ] = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Ask the report's research questions again, on this music.

    Cutters and lengths of chunks, genres, optimisers, batch sizes, epochs, channels, the factor, WAV or MP3,
    and the approaches side by side; each with figures of what was learned from, of its second channel, and of
    songs never seen. What is done is kept: stopped at any moment, the same command goes on. Exit 1 when runs
    failed; the next call tries them again. Needs the extra packages of
    `pip install -e '.[train]'`, typed in endlos' folder.
    """
    from model.base.errors import StoppedError, interrupted
    from model.base.files import write_whole
    from tools.pools.overwriting import refuse_overwriting
    from tools.quality.study.protocol import StudySettings, plan_study, run_study, study_cost, study_result
    from tools.quality.study.report import REPORT_FILE, study_page
    from tools.quality.study.scale import CHEAP, FULL
    from tools.work.local_cluster import scheduler_of

    refuse_idle(
        context,
        IdleOptions(
            names=("jobs",),
            where=scheduler is not None or local_cluster is not None,
            why="where the workers of a cluster do it",
        ),
    )
    out = out.expanduser()
    refuse_overwriting((("--out", out),), (("MUSIC", music),))
    settings = StudySettings(
        music=music.expanduser(),
        out=out,
        scale=(CHEAP if cheap else FULL).with_seeds(seeds),
        only=only,
        similar=similar.expanduser() if similar else None,
    )
    if jobs is not None:
        settings = replace(settings, jobs=jobs)
    found = plan_study(settings)
    cost = study_cost(found, out)
    if plan:
        _print_plan(found, cost, settings, as_json)
        return
    try:
        if not quiet and not as_json:
            _print_plan(found, cost, settings, as_json)
        with scheduler_of(scheduler, local_cluster) as cluster, progress_bar(quiet) as bar:
            settings = replace(settings, scheduler=cluster)
            task = bar.add_task("preparing", total=None)

            def tell(what: str, done: int | None, total: int | None) -> None:
                bar.update(task, completed=done, total=total, description=printable(what))

            result = run_study(found, settings, tell)
    except BaseException as error:
        if not interrupted(error):
            raise
        result = study_result(found, out)
        write_whole(out / REPORT_FILE, study_page(result))
        raise StoppedError(
            f"the study stopped with {len(result.figures)} of {plural(len(found.runs), 'run')} done, which "
            f"{out} keeps; the same command goes on"
        ) from None
    write_whole(out / REPORT_FILE, study_page(result))
    _print_result(result, out / REPORT_FILE, as_json, quiet)
    if result.failed:
        print(
            f"endlos: {plural(len(result.failed), 'run')} failed, the first because: "
            f"{printable(result.failed[0].reason)}; the same command tries them again",
            file=sys.stderr,
        )
        raise typer.Exit(1)


def _long(seconds: float) -> str:
    minutes = math.ceil(seconds / 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"


def _print_plan(plan: "StudyPlan", cost: "StudyCost", settings: "StudySettings", as_json: bool) -> None:
    wall_s = cost.cpu_s / settings.jobs
    if as_json:
        print_json(
            {
                "runs": len(plan.runs),
                "done_runs": cost.done_runs,
                "open_runs": cost.open_runs,
                "pools": cost.pools,
                "cpu_s": round(cost.cpu_s),
                "workers": settings.jobs,
                "notes": list(plan.notes),
            }
        )
        return
    names = [*(question.name for question in plan.questions), *(["approaches"] if plan.rows else [])]
    print(
        f"{plural(len(plan.music.songs), 'song')}; {', '.join(names)}: {plural(len(plan.runs), 'run')} "
        f"({cost.done_runs} done before) over {plural(cost.pools, 'pool')}, about {_long(wall_s)} with "
        f"{plural(settings.jobs, 'worker')}"
    )
    for note in plan.notes:
        print(printable(note))


def _print_result(result: "StudyResult", page: Path, as_json: bool, quiet: bool) -> None:
    from tools.quality.study.report import study_plain, verdict_lines

    if as_json:
        print_json({**study_plain(result), "report": page})
        return
    if quiet:
        return
    for name, words in verdict_lines(result):
        print(f"{name}: {words}")
    print(page)
