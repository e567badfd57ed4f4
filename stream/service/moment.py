"""A moment holds all that can be said of the stream now, what is heard, what follows and how it goes."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from stream.engine.engine import NowPlaying
from stream.outputs.output import OutputStatus
from stream.outputs.pacer import PacerStatus
from stream.outputs.titles import joined_title, one_line
from stream.pool.songs import Song
from stream.service.health import Health


@dataclass(frozen=True, kw_only=True)
class Moment:
    """What status line, page, `/status.json`, health and titles say, all from one look."""

    playing: NowPlaying
    """What is heard, and what follows."""
    paused: bool
    outputs: Sequence[OutputStatus]
    """As they were asked for."""
    leading: OutputStatus | None
    """Of the output whose clock paces the stream, if there is one."""
    pacing: PacerStatus
    health: Health

    @property
    def listeners(self) -> int:
        """How many listen to the outputs that know it."""
        return sum(status.listeners or 0 for status in self.outputs)

    @property
    def title(self) -> str:
        """Artist and title of what is heard."""
        return full_title(self.playing.song)

    def as_json(self, *, addresses: bool = True) -> dict[str, object]:
        """Return what `/status.json` says.

        addresses: whether also where the outputs are; else they are numbered.
        """
        playing = self.playing
        song, following = playing.song, playing.next_song
        return {
            "now": {
                "title": song_title(song),
                "artist": one_line(song.artist),
                "album": one_line(song.album),
                "position_s": playing.position_s,
                "length_s": song.frames / song.sample_rate_hz,
                "next_title": song_title(following) if following else None,
                "next_artist": one_line(following.artist) if following else None,
                "next_score": playing.next_score,
                "paused": self.paused,
                "time_s": playing.time_s,
                "songs": playing.songs,
                "chunks": playing.chunks,
                "lost": playing.lost,
            },
            "outputs": [
                asdict(status if addresses else replace(status, name=_numbered(number), detail=""))
                for number, status in enumerate(self.outputs, start=1)
            ],
            "pacing": asdict(self.pacing),
            "listeners": self.listeners,
            "healthy": self.health.well,
        }

    def health_json(self, *, addresses: bool = True) -> dict[str, object]:
        """Return what `/health` says; addresses: as for `as_json`."""
        told = self.health
        if not addresses:
            names = {status.name: _numbered(number) for number, status in enumerate(self.outputs, start=1)}
            states = {status.name: status.state for status in self.outputs}
            told = replace(
                told,
                away={names[name]: states[name] for name in told.away},
                silent_s={names[name]: silent_s for name, silent_s in told.silent_s.items()},
            )
        return told.as_json()


def _numbered(number: int) -> str:
    return f"output {number}"


def song_title(song: Song) -> str:
    """Return the title, of an untagged song the name of its file."""
    return one_line(song.title or Path(song.name).stem)


def full_title(song: Song) -> str:
    """Return artist and title, for who reads it."""
    return f"{one_line(song.artist)} – {song_title(song)}" if song.artist else song_title(song)


def stream_title(song: Song) -> str:
    """Return artist and title, for the outputs."""
    return joined_title(song.artist, song_title(song))
