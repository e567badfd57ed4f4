"""What a composed file is made of is told by its tags, and by the tracks of its cue sheet."""

from collections.abc import Sequence

from stream.choosing.step import Step
from stream.engine.composition import PlacedChunk
from stream.outputs.encoding.audio_tags import LONGEST_TAG, AudioTags
from stream.outputs.titles import joined_title
from stream.pool.songs import Song, Track

LONGEST_ARTISTS = 200
"""More artists than fit into so many characters are various ones; the comment names all."""


def composed_tags(title: str, steps: Sequence[Step]) -> AudioTags:
    """Return the tags of a composition: who is in it, and every source as "Artist - Title", each once."""
    songs = [step.chunk.song for step in steps]
    artists = ", ".join(dict.fromkeys(song.artist for song in songs if song.artist))
    return AudioTags(
        title=title,
        artist=artists if len(artists) <= LONGEST_ARTISTS else "Various artists",
        comment=_listed(list(dict.fromkeys(joined_title(song.artist, song.title) for song in songs))),
    )


def composed_tracks(placed: Sequence[PlacedChunk]) -> list[Track]:
    """Return a track for each run of one song, where it begins; of an album in one file, of one track."""
    tracks: list[Track] = []
    before: tuple[str, ...] | None = None
    for chunk in placed:
        song = chunk.step.chunk.song
        if _known_by(song) != before:
            tracks.append(Track(start_sample=chunk.start_frame, title=song.title, artist=song.artist))
        before = _known_by(song)
    return tracks


def _known_by(song: Song) -> tuple[str, ...]:
    return song.audio_hash, song.title, song.artist


def _listed(sources: Sequence[str]) -> str:
    """Return all sources, or as many as a tag holds and how many there are more."""
    told, more = "Made of: ", ""
    for number, source in enumerate(sources):
        further = f"{'; ' if number else ''}{source}"
        if len(told) + len(further) > LONGEST_TAG - 30:
            more = f"; and {len(sources) - number} more"
            break
        told += further
    return told + more
