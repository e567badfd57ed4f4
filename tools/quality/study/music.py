"""This module looks through the music of a study and parts it by artist, before anything is decoded."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from model.base.errors import DecodeError, EndlosError
from stream.audio.coded import hash_coded_audio
from tools.pools.scan import scan
from tools.quality.joins.hearing.artists import artist_by_name
from tools.songs.tags import read_tags
from tools.terminal import plural

SIMILAR_FOLDER = "similar"
"""Songs in a folder of this name are taken for alike where nothing else is said."""
FEWEST_SONGS = 5
"""Three to learn from, as in the report, and two to be asked about."""


@dataclass(frozen=True, kw_only=True)
class StudySong:
    """One song of the music."""

    path: Path
    name: str
    audio_hash: str
    artist: str
    alike: bool
    """Whether it is one of the songs of similar genre."""


@dataclass(frozen=True, kw_only=True)
class StudyMusic:
    """All songs that can be used, and what is to be said of the music."""

    folder: Path
    songs: tuple[StudySong, ...]
    unreadable: tuple[str, ...] = ()
    """A sentence for each file that is left out."""

    @property
    def files(self) -> dict[str, Path]:
        """Where each song is, by its audio hash."""
        return {song.audio_hash: song.path for song in self.songs}

    @property
    def artists(self) -> frozenset[str]:
        """Everyone whose songs there are."""
        return frozenset(song.artist for song in self.songs)


@dataclass(frozen=True, kw_only=True)
class SongDraw:
    """Songs to learn from and songs to be asked about, by audio hash, in the order of their names."""

    learned: tuple[str, ...]
    asked: tuple[str, ...]


def read_music(folder: Path, similar: Path | None = None) -> StudyMusic:
    """Return the songs of a folder; a file that cannot be read is named, and the rest goes on.

    similar: the folder whose songs are alike; None: any folder called `SIMILAR_FOLDER`. `EndlosError` when
    there are too few songs.
    """
    if similar is not None and not similar.is_dir():
        raise EndlosError(f"{similar} is no folder; name the folder of songs that are alike")
    songs: dict[str, StudySong] = {}
    unreadable = []
    found = scan([folder])
    for file in found.files:
        try:
            audio_hash = hash_coded_audio(file.path)
        except DecodeError as error:
            unreadable.append(str(error))
            continue
        alike = (
            SIMILAR_FOLDER in Path(file.name).parent.parts
            if similar is None
            else file.path.resolve().is_relative_to(similar.resolve())
        )
        songs.setdefault(
            audio_hash,
            StudySong(
                path=file.path,
                name=file.name,
                audio_hash=audio_hash,
                artist=read_tags(file.path).artist or artist_by_name(file.path),
                alike=alike,
            ),
        )
    unreadable += [failure.reason for _, failure in found.failures]
    if len(songs) < FEWEST_SONGS:
        raise EndlosError(
            f"{folder} has {plural(len(songs), 'song')} that can be read, and a study needs {FEWEST_SONGS}: "
            "three to learn from, as in the report, and two that are asked about; add music"
        )
    if similar is not None and not any(song.alike for song in songs.values()):
        raise EndlosError(f"{similar} holds no song of {folder}; name a folder of songs inside it")
    return StudyMusic(folder=folder, songs=tuple(songs.values()), unreadable=tuple(unreadable))


def has_kinds(music: StudyMusic, learned: int) -> bool:
    """Whether there are songs that are alike, and others, enough of each to learn from."""
    alike = sum(song.alike for song in music.songs)
    return alike >= learned and len(music.songs) - alike >= learned


def draw_songs(music: StudyMusic, repeat: int, learned: int, asked: int, *, alike: bool) -> SongDraw:
    """Return the songs of one repeat: `learned` to learn from, seeded by its number, and those asked about.

    alike: whether those to learn from are alike; else they are of as many artists as there are. Every repeat,
    of either kind, is asked about the same songs, which are no alike ones where there are others, and learns
    from no artist among them; where there are too few artists for that, it learns from other songs.
    """
    order = _shuffled(music, 21)
    others = [song for song in order if not song.alike]
    others = order if len(others) < learned + 2 else others
    # As many are left to be learned from as two draws of them need.
    judges = _by_turns(others)[: max(2, min(asked, len(others) - 2 * learned))]
    artists = {song.artist for song in judges}
    rest = [song for song in order if song.artist not in artists]
    if len(rest) < learned:
        rest = [song for song in order if song not in judges]
    rng = np.random.default_rng([repeat, 23])
    rest = [rest[place] for place in rng.permutation(len(rest))]
    kind = [song for song in rest if song.alike == alike]
    kind = rest if len(kind) < learned else kind
    return SongDraw(learned=_hashes((kind if alike else _by_turns(kind))[:learned]), asked=_hashes(judges))


def draw_fold(music: StudyMusic, fold: int, folds: int, learned: int, asked: int) -> SongDraw:
    """Return one of `folds` divisions of the songs by artist: nobody is asked about in two of them."""
    order = _shuffled(music, 22)
    artists = sorted(music.artists) if len(music.artists) >= folds else []
    place = {artist: number for number, artist in enumerate(artists)}
    own = [song for number, song in enumerate(order) if place.get(song.artist, number) % folds == fold]
    others = [song for song in order if song not in own]
    return SongDraw(learned=_hashes(_by_turns(others)[:learned]), asked=_hashes(_by_turns(own)[:asked]))


def disjoint_by_artist(music: StudyMusic, draw: SongDraw) -> bool:
    """Whether no artist is both learned from and asked about."""
    artist = {song.audio_hash: song.artist for song in music.songs}
    return not {artist[one] for one in draw.learned} & {artist[one] for one in draw.asked}


def _shuffled(music: StudyMusic, seed: int) -> list[StudySong]:
    rng = np.random.default_rng(seed)
    return [music.songs[place] for place in rng.permutation(len(music.songs))]


def _by_turns(order: Sequence[StudySong]) -> list[StudySong]:
    """Return the songs so that everyone's first comes before anyone's second."""
    seen: dict[str, int] = {}
    turns = []
    for song in order:
        turns.append(seen.get(song.artist, 0))
        seen[song.artist] = turns[-1] + 1
    return [order[place] for place in sorted(range(len(order)), key=lambda place: turns[place])]


def _hashes(songs: Sequence[StudySong]) -> tuple[str, ...]:
    return tuple(song.audio_hash for song in sorted(songs, key=lambda song: song.name))
