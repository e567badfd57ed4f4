"""The preparation of a study writes the music that its runs read, and builds their pools."""

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from model.base.errors import EndlosError
from tools.pools.build import build_pool
from tools.pools.settings import BuildSettings
from tools.quality.study.ledger import KeptRun, Ledger
from tools.quality.study.music import StudyMusic
from tools.quality.study.runs import StudyRun, WantedRun
from tools.quality.study.variants import song_file, write_variant
from tools.songs.cut import CutSettings
from tools.terminal import clock, plural
from tools.work.cluster_state import ClusterState
from tools.work.crew import Crew, crew
from tools.work.fitness import Site
from tools.work.workers import Crashed, Room

_LENGTHS_S = ("chunk_s", "min_chunk_s", "max_chunk_s")

StudyTell = Callable[[str, int | None, int | None], None]
"""Is given what is done now, how many runs are done, and how many there are to do; None: as before."""


def prepared_pools(
    out: Path,
    *,
    wanted: Sequence[WantedRun],
    music: StudyMusic,
    jobs: int,
    scheduler: str | None,
    ledger: Ledger,
    tell: StudyTell,
) -> dict[str, dict[str, Path]]:
    """Write the music that the open runs read, build their pools; return by pool where each of its songs is.

    Runs of a pool that cannot be built are kept as failed.
    """
    found: dict[str, dict[str, Path]] = {}
    originals = music.files
    needed = songs_by_pool(wanted)
    one_of = {one.run.home: one.run for one in wanted}
    hired = study_crew(jobs, scheduler, music, out, tell)
    for done, (home, songs) in enumerate(sorted(needed.items())):
        tell(f"preparing music: {home}", done, len(needed))
        run = one_of[home]
        files = {song: song_file(run, song, originals[song], out / "music") for song in sorted(songs)}
        copies = [_Copy(run=run, original=originals[song], path=path) for song, path in files.items()]
        copies = [copy for copy in copies if copy.path != copy.original and not copy.path.is_file()]
        with closing(hired.run_all(_copied, copies, no_room)) as results:
            refused = {copy.path: outcome for copy, outcome in results if outcome is not None}
        try:
            readable = sorted(path for path in files.values() if path not in refused)
            if not readable:
                told = next(iter(refused.values()))
                raise EndlosError(told.reason if isinstance(told, Crashed) else told)
            build = BuildSettings(
                cut=declared_cut(run), jobs=jobs, scheduler=scheduler, decoded_cache_gib=0.0
            )
            build_pool(readable, out / "pools" / home, build)
        except EndlosError as error:
            for one in wanted:
                if one.run.home == home:
                    ledger.keep(one.run, KeptRun(figures=None, failed=str(error)))
            continue
        found[home] = files
    return found


def study_crew(jobs: int, scheduler: str | None, music: StudyMusic, out: Path, tell: StudyTell) -> Crew:
    """Return who works on a study; each worker of a cluster has to find its music, and its folder `out`."""

    def site() -> Site:
        shown = music.songs[0].path
        return Site(reads={shown: shown.stat().st_size}, writes=out)

    def told(state: ClusterState) -> None:
        words = plural(state.workers, "worker")
        if state.straggler is not None:
            words += f", the longest for {clock(state.straggler.seconds)} on {state.straggler.address}"
        tell(words, None, None)

    return crew(jobs, scheduler, site, told)


def declared_cut(run: StudyRun) -> CutSettings:
    """Return how the files of a run are cut: as they declare to be faster, in chunks as much shorter."""
    given = dict(run.cut)
    lengths = {name: given.get(name, getattr(CutSettings, name)) / run.speed for name in _LENGTHS_S}
    return CutSettings(**{**given, **lengths})


@dataclass(frozen=True, kw_only=True)
class _Copy:
    """A file that is to be written before a pool is built."""

    run: StudyRun
    original: Path
    path: Path


def _copied(copy: _Copy, room: Room) -> str | None:
    """Write one file, in a worker; return the sentence of what went wrong."""
    try:
        write_variant(copy.run, copy.original, copy.path)
    except EndlosError as error:
        return str(error)
    return None


def songs_by_pool(wanted: Sequence[WantedRun]) -> dict[str, set[str]]:
    """Return the audio hashes of the songs that the runs of each pool need, by the name of the pool."""
    found: dict[str, set[str]] = {}
    for one in wanted:
        found.setdefault(one.run.home, set()).update(one.run.learned, one.run.asked)
    return found


def no_room(name: str, size_bytes: int) -> bool:
    """Give a worker no room to hand arrays over: a run returns figures, and a copy is a file."""
    return False
