"""These words say what a build is at, and what it came to."""

import re
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

from tools.terminal import clock, plural, printable

if TYPE_CHECKING:
    from stream.pool.pool import Failure
    from tools.pools.known.missing import MissingMusic
    from tools.pools.report import BuildProgress, BuildReport

_LOWERED = re.compile(r"(?P<asked>\S+) dBFS calls .* cut at (?P<used>\S+) dBFS")

_FEW_ALIKE = 3
"""So many files with one reason are told each in a line of its own."""


def build_told(state: "BuildProgress") -> str:
    """Return what stands beside the bar: the last file, and of a cluster who works, how fast, who is slow."""
    name = printable(state.name)
    if state.cluster is None:
        return name
    rate = f"{state.audio_s / max(state.elapsed_s, 1e-3):.0f} x real time"
    words = [name, plural(state.cluster.workers, "worker"), rate]
    if state.cluster.lost:
        words.append(f"{state.cluster.lost} lost")
    slow = state.cluster.straggler
    if slow is not None:
        words.append(f"{printable(slow.item.found.name)} on {slow.address} for {clock(slow.seconds)}")
    return ", ".join(filter(None, words))


def missing_told(folder: "MissingMusic") -> str:
    """Return what is missing of a music folder, in a sentence."""
    place = printable(str(folder.folder))
    if not folder.missing:
        return f"{place} holds no music"
    return f"{place} lacks {folder.missing} of the {plural(folder.songs, 'song')} that the pool had of it"


def refusals_told(failures: Iterable["Failure"]) -> list[str]:
    """Return a line for each file that is not in the pool, or not whole: many below the reason they share."""
    alike: dict[tuple[str, str], list[str]] = {}
    for failure in failures:
        paths = alike.setdefault((failure.kind, printable(failure.reason)), [])
        paths.append(printable(str(failure.path)))
    lines = []
    for (kind, reason), paths in alike.items():
        if len(paths) <= _FEW_ALIKE:
            lines += [f"{kind}: {path}: {reason}" for path in paths]
        else:
            lines += [f"{kind}, {plural(len(paths), 'file')}: {reason}", *(f"    {path}" for path in paths)]
    return lines


def print_build_report(report: "BuildReport") -> None:
    """Print what a build came to, a line for each thing that is to be known."""
    print(
        f"{plural(report.songs, 'song')}, {plural(report.chunks, 'chunk')}, {clock(report.audio_s)} of music "
        f"(generation {report.generation})"
    )
    print(
        f"analysed {plural(report.analysed, 'file')} ({clock(report.analysed_s)}) "
        f"in {report.elapsed_s:.1f} s, kept {report.reused}, removed {report.removed}"
    )
    if report.copies:
        copy, of = report.copies[0]
        print(
            f"{plural(len(report.copies), 'file')} with the same recording as another: one is played for all "
            f"({printable(copy)} is {printable(of)}; `endlos pool info` names them)"
        )
    if report.no_audio:
        kinds = ", ".join(f"{kind.files} {kind.suffix or 'without a suffix'}" for kind in report.no_audio)
        print(f"left out, no audio that can be decoded: {printable(kinds)}")
    for line in cut_groups(report.cuts):
        print(line)
    for worker in report.workers:
        print(f"{worker.address}: {plural(worker.items, 'file')} in {clock(worker.busy_s)}")
    if report.without_copy:
        print(
            f"{plural(report.without_copy, 'song')} found no room for a decoded copy "
            "and will be decoded whole while playing; give more with --decoded-cache-gib, "
            "or free some space on the disk"
        )


def cut_groups(cuts: Iterable[tuple[str, str]]) -> list[str]:
    """Return what the cutter did, a line for each kind of song and not for each song.

    cuts: name of the song and what was done to it, as `BuildReport` has them.
    """
    kinds: Counter[str] = Counter()
    lowered: dict[str, list[float]] = {}
    unclear = 0
    for _, note in cuts:
        unclear += "no clear beat" in note
        quiet = _LOWERED.match(note)
        if quiet:
            lowered.setdefault(quiet["asked"], []).append(float(quiet["used"]))
        else:
            # What follows the semicolon counts the cuts of this one song.
            kinds[note.partition(";")[0]] += 1
    lines = [f"{plural(songs, 'song')}: {kind}" for kind, songs in kinds.most_common()]
    for asked, used in lowered.items():
        between = f"{min(used):g}" if min(used) == max(used) else f"{min(used):g} to {max(used):g}"
        lines.append(
            f"{plural(len(used), 'quiet song')}: {asked} dBFS would call most of it silent, "
            f"so that silence is at {between} dBFS instead"
        )
    if unclear:
        lines.append(f"{plural(unclear, 'song')} without a clear beat: cut at silences")
    return lines
