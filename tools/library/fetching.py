"""Fetching brings songs of a server into a folder, once each, with its playlists beside them."""

import hashlib
import os
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from model.base.errors import EndlosError
from model.base.files import write_whole
from tools.library.entries import found_entry
from tools.library.selection import MusicSelection, Sieve
from tools.library.subsonic import RemotePlaylist, RemoteSong, SubsonicServer

ALL_SONGS = "all.m3u8"
"""The playlist of everything, where no other one was asked for."""
_LONGEST_BYTES = 120
"""Of one part of a name."""
_NOT_IN_NAMES = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f]')


@dataclass(frozen=True, kw_only=True)
class FetchReport:
    """What a fetch came to."""

    songs: int
    downloaded: int
    downloaded_bytes: int
    playlists: tuple[Path, ...]
    failed: tuple[str, ...]
    """A sentence for each song that could not be had."""


FetchTell = Callable[[str, int, int], None]
"""Is given the song that is fetched, how many are dealt with, and how many there are."""


def fetch_library(
    server: SubsonicServer,
    out: Path,
    *,
    playlists: Sequence[str],
    selection: MusicSelection,
    tell: FetchTell,
) -> FetchReport:
    """Bring songs into the folder `out`, but for those that are there with the size that the server tells.

    playlists: names of those that are wanted; none: everything. selection: its names and conditions; a song
    that is found under one of its roots stays there, and the playlists name it there. `EndlosError` when the
    server refuses or cannot be reached, has no such playlist, or nothing is chosen.
    """
    wanted = _wanted(server, playlists, selection)
    songs = {song.song_id: song for several in wanted.values() for song in several}
    if not songs:
        raise EndlosError(f"{server.url} has no song that is asked for")
    places = _places(songs.values(), out, selection.roots)
    downloaded = written = 0
    failed = []
    for done, song in enumerate(songs.values()):
        place = places[song.song_id]
        tell(song.title, done, len(songs))
        if _is_there(place, song, selection.roots):
            continue
        try:
            written += server.download(song, place)
            downloaded += 1
        except (EndlosError, OSError) as error:
            failed.append(f"{song.artist}, {song.title}: {error}")
    lists = []
    for name, several in wanted.items():
        path = out / (ALL_SONGS if name is None else f"{_part(name)}.m3u8")
        named = [places[song.song_id] for song in several if places[song.song_id].is_file()]
        lines = [Path(os.path.relpath(place, out)).as_posix() for place in named]
        out.mkdir(parents=True, exist_ok=True)
        write_whole(path, "".join(f"{line}\n" for line in ("#EXTM3U", *lines)))
        lists.append(path)
    return FetchReport(
        songs=len(songs),
        downloaded=downloaded,
        downloaded_bytes=written,
        playlists=tuple(lists),
        failed=tuple(failed),
    )


def _wanted(
    server: SubsonicServer, names: Sequence[str], selection: MusicSelection
) -> dict[str | None, list[RemoteSong]]:
    """Return the chosen songs of each playlist, or of everything under None."""
    sieve = Sieve(selection=selection)

    def chosen(songs: Iterable[RemoteSong]) -> list[RemoteSong]:
        return [
            song for song in songs if selection.takes_name(_name(song)) and sieve.takes(Path(), song.labels)
        ]

    if not names:
        found: dict[str | None, list[RemoteSong]] = {None: chosen(server.all_songs())}
    else:
        there = server.playlists()
        found = {name: chosen(server.songs_of(_named(there, name, server))) for name in names}
    sieve.require_some()
    return found


def _named(there: Sequence[RemotePlaylist], name: str, server: SubsonicServer) -> RemotePlaylist:
    for playlist in there:
        if playlist.name.casefold() == name.casefold():
            return playlist
    known = ", ".join(repr(playlist.name) for playlist in there) or "none"
    raise EndlosError(f"{server.url} has no playlist {name!r}; there is {known}")


def _places(songs: Iterable[RemoteSong], out: Path, roots: Sequence[Path]) -> dict[str, Path]:
    """Return where each song is, or will be."""
    places: dict[str, Path] = {}
    taken: set[str] = set()
    for song in songs:
        found = found_entry(roots, song.path, labels=song.labels) if roots and song.path else None
        # A server that lies must not have files of others named, still less written.
        if found is not None and found.path is not None and _is_under(found.path, roots):
            places[song.song_id] = found.path
            continue
        name = _name(song)
        if name.casefold() in taken:
            mark = hashlib.blake2b(song.song_id.encode(), digest_size=4).hexdigest()
            path = PurePosixPath(name)
            name = path.with_name(f"{path.stem} {mark}{path.suffix}").as_posix()
        taken.add(name.casefold())
        places[song.song_id] = out / name
    return places


def _name(song: RemoteSong) -> str:
    """Return a name for the file, relative, as the server has it if it says so; no part leads elsewhere."""
    parts = [part for part in PurePosixPath(song.path).parts if part not in ("/", ".", "..")]
    if not parts:
        track = f"{song.track:02} " if song.track else ""
        parts = [song.artist, song.album, f"{track}{song.title}.{song.suffix}"]
    return "/".join(map(_part, parts))


def _part(text: str) -> str:
    """Return a text as a part of a name that every system takes."""
    stem, dot, suffix = _NOT_IN_NAMES.sub("_", text).rpartition(".")
    if not stem or len(suffix) > 5:
        stem, dot, suffix = stem + dot + suffix, "", ""
    short = stem.encode()[:_LONGEST_BYTES].decode(errors="ignore")
    return f"{short}{dot}{suffix}".strip(". ") or "_"


def _is_under(path: Path, roots: Sequence[Path]) -> bool:
    return any(path.is_relative_to(root.absolute()) for root in roots)


def _is_there(place: Path, song: RemoteSong, roots: Sequence[Path]) -> bool:
    if _is_under(place, roots):
        return True
    try:
        size_bytes = place.stat().st_size
    except OSError:
        return False
    return song.size_bytes is None or size_bytes == song.size_bytes
