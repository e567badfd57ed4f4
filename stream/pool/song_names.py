"""A song is named by its name in the pool, its path or its file; a wrong name is told with what is near."""

import difflib
import os

from model.base.errors import EndlosError
from model.base.spelling import as_searched, as_spelt
from stream.pool.pool import Pool

_NEAR = 3


def named_song(pool: Pool, asked: str) -> int:
    """Return the number of the song that is meant; `EndlosError`, with what is near, if none or several."""
    song = song_called(pool, asked)
    if song is None:
        raise EndlosError(f"{unknown_song(pool, asked)}; name one as `endlos pool info` lists it")
    return song


def song_called(pool: Pool, asked: str) -> int | None:
    """Return the number of the song that is meant, None for none; `EndlosError` where several may be.

    By its name in the pool, its path, or the name of its file, with its ending or without: the first of these
    that any song has.
    """
    wanted = as_spelt(asked)
    path = as_spelt(os.path.abspath(os.path.expanduser(asked)))  # noqa: PTH100, PTH111 - whatever is typed
    named, there, files = [], [], []
    for number, song in enumerate(pool.songs):
        name = as_spelt(song.name)
        file = name.rpartition("/")[2]
        if name == wanted:
            named.append(number)
        if as_spelt(str(song.path)) == path:
            there.append(number)
        if wanted in (file, os.path.splitext(file)[0]):  # noqa: PTH122 - as in the pool
            files.append(number)
    meant = named or there or files
    if len(meant) > 1:
        names = ", ".join(pool.songs[number].name for number in meant[:_NEAR])
        more = f" and {len(meant) - _NEAR} more" if len(meant) > _NEAR else ""
        raise EndlosError(f"{asked!r} may be any of {names}{more}; name one as `endlos pool info` lists it")
    return meant[0] if meant else None


def unknown_song(pool: Pool, asked: str) -> str:
    """Return that there is no such song, and what is near it."""
    near = _near(pool, asked)
    return f"the pool has no song {asked!r}" + (f"; near it: {', '.join(near)}" if near else "")


def _near(pool: Pool, asked: str) -> list[str]:
    """Return names of songs that are like it or hold it, as may files, titles, or titles with artists."""
    known: dict[str, str] = {}
    for song in pool.songs:
        file = song.name.rpartition("/")[2]
        for called in (song.name, file, song.title, f"{song.artist} – {song.title}"):
            if called:
                known.setdefault(as_searched(called), song.name)
    word = as_searched(asked)
    near = [known[called] for called in difflib.get_close_matches(word, known, n=_NEAR)]
    near += [name for called, name in known.items() if word and word in called]
    return list(dict.fromkeys(near))[:_NEAR]
