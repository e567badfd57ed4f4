"""This helper makes moments of a stream that nobody plays."""

from collections.abc import Sequence
from pathlib import Path

from stream.engine.engine import NowPlaying
from stream.engine.tally import DecisionFigures
from stream.outputs.output import Output, status_of
from stream.outputs.pacer import PacerStatus
from stream.pool.songs import Song
from stream.service.moment import Moment

RATE_HZ = 44_100


def a_song(title: str, artist: str, seconds: float) -> Song:
    """Return a song that is nowhere."""
    return Song(
        song_id=1,
        path=Path("nowhere.flac"),
        name="nowhere.flac",
        audio_hash="0" * 64,
        sample_rate_hz=RATE_HZ,
        frames=round(seconds * RATE_HZ),
        channels=2,
        title=title,
        artist=artist,
        album="",
        loudness_lufs=-16.0,
        true_peak_db=-6.0,
        seekable=True,
        cut="not at all",
    )


def a_moment(
    outputs: Sequence[Output] = (),
    song: Song | None = None,
    following: Song | None = None,
    score: float | None = None,
    position_s: float = 0.0,
    decisions: DecisionFigures | None = None,
) -> Moment:
    """Return what is now, with the outputs as they are."""
    statuses = [status_of(output) for output in outputs]
    return Moment(
        playing=NowPlaying(
            song=song or a_song("a title", "an artist", 60.0),
            position_s=position_s,
            next_song=following,
            next_score=score,
            time_frames=0,
            entered_frames=0,
            time_s=0.0,
            songs=3,
            chunks=9,
            lost=0,
            losses=0,
            decision=0,
            join=None,
        ),
        paused=False,
        outputs=statuses,
        leading=None,
        pacing=PacerStatus(
            clock="wall",
            blocks=0,
            frames=0,
            late_blocks=0,
            max_lateness_s=0.0,
            clock_resets=0,
            leader_losses=0,
            stops=0,
            stopped_s=0.0,
            stopped_lately_s=0.0,
            failed_outputs=0,
        ),
        decisions=decisions,
    )
