"""A song of a pool says where its file is, and what is known of it."""

from dataclasses import dataclass, replace
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Track:
    """One track of a song that is a whole album."""

    start_sample: int
    """In samples of the song, at its own rate."""
    title: str
    artist: str


@dataclass(frozen=True, kw_only=True)
class Song:
    """One song of a pool, as the runtime needs it."""

    song_id: int
    path: Path
    """Where the user's file is (absolute)."""
    name: str
    """Path relative to the music folder, with forward slashes."""
    audio_hash: str
    """Of its coded audio, without tags: what it is known by."""
    sample_rate_hz: int
    channels: int
    frames: int
    title: str
    artist: str
    album: str
    loudness_lufs: float
    true_peak_db: float
    seekable: bool
    """Whether spans of the file itself can be trusted; else they come from a decoded copy."""
    cut: str
    """What the cutter did, in words."""
    other_hashes: tuple[str, ...] = ()
    """Of its copies, and of the bytes of every file it was known in, by which an earlier endlos named it."""
    copies: tuple[Path, ...] = ()
    """Other files with the same recording: they are not played beside it."""
    tracks: tuple[Track, ...] = ()
    """Of an album in one file, in order; none of an ordinary song."""

    def at(self, sample: int) -> "Song":
        """Return this under the name of the track that plays at a sample."""
        begun = [track for track in self.tracks if track.start_sample <= sample]
        if not begun:
            return self
        return replace(self, title=begun[-1].title, artist=begun[-1].artist or self.artist)
