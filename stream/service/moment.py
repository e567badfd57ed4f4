"""A moment holds all that can be said of the stream now, what is heard, what follows and how it goes."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from stream.engine.engine import NowPlaying
from stream.engine.tally import DecisionFigures
from stream.outputs.output import OutputStatus
from stream.outputs.pacer import PacerStatus
from stream.outputs.titles import joined_title, one_line
from stream.pool.songs import Song
from stream.service.health import LATELY_S, Health, health_of


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
    since_pause_s: float | None = None
    """How long ago the stream stood still on purpose: 0 in a pause, None before the first."""
    decisions: DecisionFigures | None = None
    """How decisions went; None where nobody counts them."""
    sleep_in_s: float | None = None
    """How long until the stream fades out to be paused, 0 while it does; None: it goes on."""

    @property
    def health(self) -> Health:
        """How the stream is."""
        late = 0 if self.decisions is None else self.decisions.late_within(LATELY_S)
        return health_of(self.outputs, self.since_pause_s, late, self.pacing.stopped_lately_s)

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
                "losses": playing.losses,
            },
            "outputs": [asdict(status) for status in self.statuses(addresses=addresses)],
            "pacing": asdict(self.pacing),
            "listeners": self.listeners,
            "healthy": self.health.well,
        }

    def health_json(self, *, addresses: bool = True) -> dict[str, object]:
        """Return what `/healthz` says; addresses: as for `as_json`."""
        return replace(self, outputs=self.statuses(addresses=addresses)).health.as_json()

    def statuses(self, *, addresses: bool) -> list[OutputStatus]:
        """Return how the outputs are; addresses: as for `as_json`."""
        if addresses:
            return list(self.outputs)
        return [
            replace(status, name=_numbered(number), detail="")
            for number, status in enumerate(self.outputs, start=1)
        ]


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
