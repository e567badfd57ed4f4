"""The command `endlos pool` builds, inspects and checks the pool that a stream is made of."""

import sys
from collections import Counter
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from model.base.errors import told_if_stopped
from tools.commands.idle import IdleOptions, idle_told
from tools.commands.options import Exclude, Include, LocalCluster, MusicRoot, Scheduler, Where, selection_of
from tools.commands.pool_fetch import fetch_songs
from tools.commands.pool_words import (
    MOST_TOLD,
    build_told,
    found_told,
    journey_told,
    missing_remedy,
    missing_told,
    print_build_report,
    refusals_told,
    short_edges_told,
)
from tools.terminal import AsJson, Quiet, clock, plural, print_json, print_table, printable, progress_bar

if TYPE_CHECKING:
    from tools.pools.report import BuildProgress

pool_app = typer.Typer(help="Build, inspect and check a pool of chunks.", no_args_is_help=True)
pool_app.command("fetch")(fetch_songs)

PoolFolder = Annotated[Path, typer.Argument(metavar="POOL", help="Folder that `endlos pool build` wrote.")]


@pool_app.command()
def build(
    context: typer.Context,
    music: Annotated[
        list[Path],
        typer.Argument(
            metavar="MUSIC...",
            help="Folders of music, files, playlists, or the database of a library (beets, Navidrome).",
        ),
    ],
    out: Annotated[Path, typer.Option(metavar="POOL", help="Folder of the pool (made if missing).")],
    cut: Annotated[
        Literal["beat", "silence", "equal"],
        typer.Option(
            help="Cut into whole bars (at silences where there is no clear beat), in the middle of silences, "
            "or every --chunk-s."
        ),
    ] = "beat",
    cutter: Annotated[
        Literal["numba", "pydub"], typer.Option(help="What looks for silence; both find the same.")
    ] = "numba",
    silence_db: Annotated[float, typer.Option(max=0.0, help="Silence is below this level, in dBFS.")] = -16.0,
    silence_ms: Annotated[int, typer.Option(min=1, help="Silence lasts this long, in ms.")] = 300,
    chunk_s: Annotated[
        float,
        typer.Option(help="Length of equal chunks, and about that of chunks of bars and of parts, in s."),
    ] = 5.0,
    bars: Annotated[
        int | None,
        typer.Option(min=1, help="Bars of a chunk cut on the beat.", show_default="as --chunk-s asks"),
    ] = None,
    min_chunk_s: Annotated[
        float, typer.Option(help="Shortest chunk on the beat or at silences, in s.")
    ] = 2.0,
    max_chunk_s: Annotated[
        float, typer.Option(help="Longest chunk on the beat or at silences, in s.")
    ] = 15.0,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Songs analysed at once.", show_default="number of cores")
    ] = None,
    edge_s: Annotated[float, typer.Option(help="Length of the edges that a model may look at, in s.")] = 2.0,
    decoded_cache_gib: Annotated[
        float,
        typer.Option(min=0.0, help="Room for decoded copies of songs that cannot be sought in, in GiB."),
    ] = 8.0,
    remove: Annotated[
        bool,
        typer.Option(
            "--remove",
            help="Also when a folder is empty or lost most of its songs, remove them from the pool.",
        ),
    ] = False,
    again: Annotated[
        bool, typer.Option("--again", help="Analyse every song anew, also what is unchanged.")
    ] = False,
    include: Include = None,
    exclude: Exclude = None,
    where: Where = None,
    music_root: MusicRoot = None,
    scheduler: Scheduler = None,
    local_cluster: LocalCluster = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Analyse music into a pool.

    What is unchanged since the last time is kept; of a song whose tags alone changed, they are read. Exit 1
    when a file could not be read (the pool of all the others is built), or a folder holds no music or lost
    most of what it had (those songs stay in the pool).
    """
    from model.saved.carried import carried_model
    from tools.pools.build import build_pool
    from tools.pools.settings import BuildSettings
    from tools.songs.cut import CutSettings
    from tools.work.footprint import keep_heap
    from tools.work.local_cluster import scheduler_of

    # Told and not refused: a pool that is watched is built again with all that it was built with.
    for told in idle_told(
        context,
        IdleOptions(names=("bars",), where=cut != "beat", why=f"with --cut {cut}, which knows no bars"),
        IdleOptions(
            names=("cutter", "silence_db", "silence_ms", "max_chunk_s"),
            where=cut == "equal",
            why="with --cut equal, which cuts every --chunk-s",
        ),
    ):
        if not quiet:
            typer.echo(f"endlos: {told}", err=True)
    keep_heap()
    cut_settings = CutSettings(
        cut=cut,
        cutter=cutter,
        silence_db=silence_db,
        silence_ms=silence_ms,
        chunk_s=chunk_s,
        bars=bars,
        min_chunk_s=min_chunk_s,
        max_chunk_s=max_chunk_s,
    )
    settings = BuildSettings(
        cut=cut_settings,
        edge_s=edge_s,
        decoded_cache_gib=decoded_cache_gib,
        model=carried_model(),
        selection=selection_of(include, exclude, where, music_root),
        remove=remove,
        again=again,
    )
    if jobs is not None:
        settings = replace(settings, jobs=jobs)
    too_short = short_edges_told(settings)
    if too_short is not None:
        print(f"endlos: {too_short}", file=sys.stderr)
    with (
        told_if_stopped("what was analysed is kept, and the same command goes on"),
        scheduler_of(scheduler, local_cluster) as cluster,
        progress_bar(quiet) as progress,
    ):
        settings = replace(settings, scheduler=cluster)
        task = progress.add_task("looking through the music", total=None)

        def show(state: "BuildProgress") -> None:
            progress.update(task, completed=state.done, total=state.total, description=build_told(state))

        report = build_pool([path.expanduser() for path in music], out.expanduser(), settings, show)
    if as_json:
        print_json(asdict(report))
    elif not quiet:
        print_build_report(report)
    refused = (*report.skipped, *report.partly, *report.failed)
    for line in () if as_json else refusals_told(refused, MOST_TOLD):
        print(line, file=sys.stderr)
    for folder in () if as_json else report.missing:
        print(f"missing: {missing_told(folder)}", file=sys.stderr)
    if report.failed:
        print(
            f"endlos: {found_told([failure.path for failure in report.failed])} could not be read; "
            "the pool holds all the others; mend or remove what is named and build again",
            file=sys.stderr,
        )
    if report.missing:
        print(f"endlos: {missing_remedy(report.missing)}", file=sys.stderr)
    if report.failed or report.missing:
        raise typer.Exit(1)


@pool_app.command()
def info(
    pool: PoolFolder,
    chunks: Annotated[bool, typer.Option("--chunks", help="List every chunk, in index order.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show what a pool holds, and what failed."""
    from stream.pool.pool import Failure
    from tools.pools.summary import summarise

    summary = summarise(pool.expanduser(), chunks=chunks)
    if as_json:
        print_json(summary)
        return
    durations = summary["durations"]
    more = "" if summary["complete"] else "; more songs are being added"
    print(
        f"{summary['pool']}: {plural(len(summary['songs']), 'song')}, {clock(summary['audio_s'])} of music, "
        f"{plural(durations['chunks'], 'chunk')} of {durations['shortest_s']:.1f} to "
        f"{durations['longest_s']:.1f} s, median {durations['median_s']:.1f} s{more}\n"
        f"{summary['bytes'] / 1e6:.1f} MB without decoded copies, "
        f"{summary['bytes'] / 1e6 / (summary['audio_s'] / 60):.2f} MB a minute\n"
    )
    print_table(
        ("song", "length", "chunks", "LUFS", "bpm", "bar", "key", "cut"),
        [
            (
                printable(song["path"]),
                clock(song["duration_s"]),
                song["chunks"],
                f"{song['loudness_lufs']:.1f}",
                "-" if song["tempo_bpm"] is None else f"{song['tempo_bpm']:.1f}",
                song["beats_per_bar"] or "-",
                song["key"] or "-",
                song["cut"],
            )
            for song in summary["songs"]
        ],
    )
    print(f"\n{journey_told(summary['journey'], songs=len(summary['songs']))}")
    if chunks:
        print()
        seen: Counter[str] = Counter()
        rows = []
        for row, chunk in enumerate(summary["chunks"]):
            seen[chunk["song"]] += 1
            # As `endlos compose --start` takes it.
            name = f"{printable(chunk['song'])}#{seen[chunk['song']]}"
            rows.append((row, name, f"{chunk['start_s']:.3f}", f"{chunk['end_s']:.3f}"))
        print_table(("chunk", "name", "start_s", "end_s"), rows)
    for song in summary["songs"]:
        for copy in song["copies"]:
            print(f"\nsame recording: {printable(copy)}: {printable(song['path'])} is played for both")
    told = refusals_told(Failure(**{**known, "path": Path(known["path"])}) for known in summary["failures"])
    print("".join(f"\n{line}" for line in told))


@pool_app.command()
def check(
    pool: PoolFolder,
    deep: Annotated[
        bool, typer.Option("--deep", help="Read and decode every song, not a sample of them.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Verify a pool and the music it refers to.

    Exit 1 when something is wrong.
    """
    from tools.pools.check import check_pool

    problems = check_pool(pool.expanduser(), deep=deep)
    if as_json:
        print_json({"pool": str(pool), "problems": problems})
    else:
        for problem in problems:
            print(printable(problem))
        if not problems:
            print(f"{pool} is sound")
    if problems:
        print(
            f"endlos: {pool} has {plural(len(problems), 'problem')}; "
            "the next `endlos pool build` analyses anew what they name",
            file=sys.stderr,
        )
        raise typer.Exit(1)
