"""These words say what a build is at, what it came to, and what a stream makes of the pool."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools.terminal import clock, plural, printable

if TYPE_CHECKING:
    from stream.pool.pool import Failure
    from tools.pools.known.missing import MissingMusic
    from tools.pools.report import BuildProgress, BuildReport
    from tools.pools.settings import BuildSettings

_LOWERED = re.compile(r"(?P<asked>\S+) dBFS calls .* cut at (?P<used>\S+) dBFS")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")

_FEW_ALIKE = 3
"""So many files with one reason are told each in a line of its own."""
MOST_TOLD = 20
"""So many are named below a reason where a build ends, so that of a large library the reasons are seen."""


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


def missing_remedy(folders: "Iterable[MissingMusic]") -> str:
    """Return what became of the music that is missing, and what to do about it."""
    if any(folder.missing for folder in folders):
        return (
            "music is missing, and what the pool had of it is kept; put it back (is a disk not mounted?) and "
            "build again, or take it out of the pool with --remove"
        )
    return (
        "there is no music where some was expected (is a disk not mounted?); build again once it is there, "
        "or without that folder"
    )


def refusals_told(failures: Iterable["Failure"], most: int | None = None) -> list[str]:
    """Return a line for each file that is not in the pool, or not whole: many below the reason they share.

    Reasons that differ in numbers alone are one, told as it is of the first file. most: so many are named
    below a reason; None: all.
    """
    alike: dict[tuple[str, str], list[tuple[Path, str]]] = {}
    for failure in failures:
        reason = printable(failure.reason)
        files = alike.setdefault((failure.kind, _NUMBER.sub("0", reason)), [])
        files.append((failure.path, reason))
    lines = []
    for (kind, _), files in alike.items():
        if len(files) <= _FEW_ALIKE:
            lines += [f"{kind}: {printable(str(path))}: {reason}" for path, reason in files]
        else:
            such_as = " such as" if len({reason for _, reason in files}) > 1 else ""
            named = [printable(str(path)) for path, _ in files[:most]]
            lines.append(f"{kind}, {found_told([path for path, _ in files])}{such_as}: {files[0][1]}")
            lines += [f"    {path}" for path in named]
            if len(named) < len(files):
                lines.append(f"    and {len(files) - len(named)} more; `endlos pool info` names them all")
    return lines


def found_told(paths: Sequence[Path]) -> str:
    """Return how many files these are, and how many folders."""
    folders = sum(path.is_dir() for path in paths)
    counted = ((len(paths) - folders, "file"), (folders, "folder"))
    return " and ".join(plural(number, noun) for number, noun in counted if number)


def short_edges_told(settings: "BuildSettings") -> str | None:
    """Return that a pool is to keep shorter edges than the carried model looks at; None where it is not."""
    from model.saved.carried import carried_model
    from model.saved.contract_file import load_contract

    contract = load_contract(carried_model())
    if settings.edge_samples >= contract.edge_samples:
        return None
    return (
        f"with edges of {settings.edge_s:g} s the pool cannot be played with the carried model, which looks "
        f"at {contract.edge_s:.2f} s; give a longer --edge-s, or play it with another --model"
    )


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


def journey_told(journey: dict[str, Any], *, songs: int) -> str:
    """Return how far songs and artists are kept apart, and how many songs come together at ease."""
    from stream.choosing.journey.spacing import SONGS_APART

    apart = journey["songs_apart"]
    few = (
        f", for want of songs: {2 * SONGS_APART} are enough for {SONGS_APART}" if apart < SONGS_APART else ""
    )
    lines = [
        f"a song comes back after {apart or 'no'} others at least{few}; "
        f"an artist after {journey['artists_apart'] or 'no'} others"
    ]
    if journey["songs_with_a_beat"]:
        looked_at = journey["songs_looked_at"]
        some = f" (of {looked_at} that were looked at)" if looked_at < songs else ""
        lines.append(
            f"{journey['songs_with_four_partners']} of {journey['songs_with_a_beat']} songs with a sure "
            f"beat{some} have four or more others within {100 * journey['stretch']:.0f} % of their tempo, "
            "as far as songs are played faster or slower; "
            f"the median has {journey['tempo_partners_median']:.0f}"
        )
    return "\n".join(lines)
