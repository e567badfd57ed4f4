"""Beats, clicks and level in a join are held against its two songs, which are read as they are without it."""

from pathlib import Path

import numpy as np

from model.base.arrays import DoubleArray, FloatArray
from stream.audio.spans import SpanReader
from stream.joins.levels import k_weighted_power
from stream.joins.sound import SongSound
from stream.joins.stretch import Stretcher
from stream.pool.pool import open_pool
from tools.quality.joins.boundaries import Boundary
from tools.quality.joins.measuring.clicks import SongPiece

HOP_FRAMES = 64
LEAD_S = 0.1
"""Seconds of song beside the fade, in which K-weighting settles and the song's gain is found."""

SLACK_FRAMES = 2
"""Times are rounded to frames."""
BENT_SLACK_S = 0.01
"""A song that changes its tempo is so near to its course."""


class Sides:
    """Reads the songs of a pool by hash; closes with `close`."""

    def __init__(self, folder: Path, rate_hz: int) -> None:
        pool = open_pool(folder)
        self._songs = {song.audio_hash: number for number, song in enumerate(pool.songs)}
        self._reader = SpanReader(pool, rate_hz)
        self._rate_hz = rate_hz

    def close(self) -> None:
        """Close the songs."""
        self._reader.close()

    def around(self, place: Boundary, lead: int) -> tuple[FloatArray, FloatArray]:
        """Return A and B over the fade and `lead` frames on either side, as in their files."""
        first, stop = -place.before_frames - lead, place.after_frames + lead
        return self.left(place, first, stop), self.entered(place, first, stop)

    def left(self, place: Boundary, first: int, stop: int) -> FloatArray:
        """Return A's file from `first` to `stop`, counted from what of it is heard at the centre."""
        return self._read(place.from_key[0], place.left_s, first, stop)

    def entered(self, place: Boundary, first: int, stop: int) -> FloatArray:
        """Return B's file from `first` to `stop`, counted from what of it is heard at the centre."""
        return self._read(place.to_key[0], place.entered_s, first, stop)

    def left_as_heard(self, place: Boundary, first: int, stop: int) -> FloatArray:
        """Return A alone from `first` to `stop` of the stream, counted from the centre, in its tempo there.

        first: not before the join, where that changes A's tempo.
        """
        if place.course is None:
            return self.left(place, first, stop)
        begin = round(float(place.left_frames(np.array([-place.before_frames]))[0]))
        sound = SongSound(lambda start, end: self.left(place, start, end), begin)
        played, heard = (np.array(frames, dtype=np.int64) for frames in place.course)
        made = Stretcher(sound, played, heard, self._rate_hz).pull(place.before_frames + stop)
        return made[place.before_frames + first :]

    def at(self, place: Boundary, first: int, stop: int) -> list[SongPiece]:
        """Return what both songs have in their files where `first` to `stop` from the centre is heard.

        Of a song that changes its tempo it is known within some milliseconds; its echoes count as well.
        """
        frames = stop - first
        middle = first + frames // 2
        a_middle = round(float(place.left_frames(np.array([middle]))[0]))
        a_slack = SLACK_FRAMES if place.course is None else round(BENT_SLACK_S * self._rate_hz)
        places = [(a_middle, a_slack)]
        if place.echo_frames and middle > 0:
            # What is repeated was heard in the last beat before the centre.
            places.append((middle % place.echo_frames - place.echo_frames, SLACK_FRAMES))
        found = [
            SongPiece(
                audio=self.left(place, at - frames // 2 - slack, at - frames // 2 + frames + slack),
                slack=slack,
            )
            for at, slack in places
        ]
        entered = self.entered(place, first - SLACK_FRAMES, stop + SLACK_FRAMES)
        return [*found, SongPiece(audio=entered, slack=SLACK_FRAMES)]

    def _read(self, audio_hash: str, at_s: float, first: int, stop: int) -> FloatArray:
        frame = round(at_s * self._rate_hz)
        return self._reader.read(self._songs[audio_hash], frame + first, frame + stop)


def fade_level_db(
    heard: FloatArray, a: FloatArray, b: FloatArray, lead: int, before: int, rate_hz: int
) -> float:
    """Return the K-weighted level inside a fade over what A and B lead to expect, in dB; a dip is negative.

    heard, a, b: `(lead + fade + lead, 2)`, the stream, and both songs alone over the same time. The fade's
    middle is `before` frames after its beginning. A counts by cos^2, B by sin^2 of an angle that is 45
    degrees in the middle: what an equal-power fade of unrelated sounds holds. The songs' gains in the
    stream are found where each sounds alone. nan where that cannot be told.
    """
    fade = len(heard) - 2 * lead
    if fade < 4 * HOP_FRAMES:
        return float("nan")
    gain_a = _power(heard[:lead]) / max(_power(a[:lead]), 1e-10)
    gain_b = _power(heard[-lead:]) / max(_power(b[-lead:]), 1e-10)
    if min(_power(a[:lead]), _power(b[-lead:])) < 1e-8 or max(gain_a, gain_b) > 1e3:
        return float("nan")
    powers = [k_weighted_power(np.ascontiguousarray(part), rate_hz, HOP_FRAMES) for part in (heard, a, b)]
    first, stop = lead // HOP_FRAMES, (lead + fade) // HOP_FRAMES
    inside, of_a, of_b = (power[first:stop] for power in powers)
    angle = _angle(len(inside), before / fade)
    expected = gain_a * of_a * np.cos(angle) ** 2 + gain_b * of_b * np.sin(angle) ** 2
    return float(10 * np.log10((inside.mean() + 1e-12) / (expected.mean() + 1e-12)))


def _angle(hops: int, middle: float) -> DoubleArray:
    place = (np.arange(hops) + 0.5) / hops
    return np.interp(place, [0.0, min(max(middle, 1e-3), 1 - 1e-3), 1.0], [0.0, np.pi / 4, np.pi / 2])


def _power(audio: FloatArray) -> float:
    return float(np.mean(np.square(audio, dtype=np.float64)))
