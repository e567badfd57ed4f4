"""This module says where a phrase may end, as the first and the last chunk that it may be left after."""

from dataclasses import dataclass

import numpy as np

from model.base.arrays import BoolArray, DoubleArray, IntArray, RowArray
from model.base.kernels import kernel
from stream.choosing.settings import PlannerSettings
from stream.doors.gapless import gapless_successor
from stream.pool.pool import Pool

NOWHERE = -1
SKIPPED_S = 6.0
"""Of a song that is played whole, at most so much is left out at its beginning, and as much at its end."""
LONGEST_OVERLAP_S = 45.0
"""Over no more of its end does the next song begin."""
FADED_DB, FADED_S = 10.0, 20.0
"""Music that is so much softer than its song, which is half as loud, has faded out, in its last seconds."""
LEAST_BEAT_CONFIDENCE = 0.3
USUAL_BAR_BEATS = 4


@dataclass(frozen=True, kw_only=True, eq=False)
class Phrases:
    """The exits of a phrase that begins with each of `N` chunks; row = chunk, in pool order.

    first_exit: `(N,)` int32, the first chunk at whose end the phrase is long enough; `NOWHERE` where the song
    ends before. last_exit: `(N,)` int32, the last chunk before it is too long, or its song is over.
    """

    first_exit: RowArray
    last_exit: RowArray
    entry: BoolArray
    """`(N,)`, where a phrase may begin at all."""
    goes_on: BoolArray
    """`(N,)`, whether a phrase may go on with the next chunk."""

    @classmethod
    def made(cls, pool: Pool, settings: PlannerSettings, factor: float = 1.0) -> "Phrases":
        """Measure the phrases of a pool as the settings want them."""
        return cls.of_whole_songs(pool) if settings.whole_songs else cls.of_pool(pool, settings, factor)

    @classmethod
    def of_whole_songs(cls, pool: Pool) -> "Phrases":
        """Return the phrases of a stream that plays songs whole.

        They begin within `SKIPPED_S` of a song's first chunk, and may be left where what remains fits into
        an overlap.
        """
        rows, song = np.arange(len(pool)), pool.chunk_song
        start_s, end_s = pool.start_s(), pool.end_s()
        first_row, last_row = np.searchsorted(song, song, "left"), np.searchsorted(song, song, "right") - 1
        entry = start_s - start_s[first_row] <= SKIPPED_S
        leaving = end_s >= end_s[last_row] - LONGEST_OVERLAP_S
        # The first of each song, or the row itself where that is later.
        window = np.searchsorted(np.where(leaving, song, song - 0.5), song, "left")
        return cls(
            first_exit=np.maximum(rows, window).astype(np.int32),
            last_exit=last_row.astype(np.int32),
            entry=entry,
            goes_on=np.append(song[1:] == song[:-1], False),
        )

    @classmethod
    def of_pool(cls, pool: Pool, settings: PlannerSettings, factor: float = 1.0) -> "Phrases":
        """Measure every phrase of a pool, each `factor` times as long as by the settings.

        It lasts at least `min_phrase_bars` bars where the beat is known, else `min_phrase_s`; then it may go
        on up to `max_phrase_s`. A song that is shorter is a phrase as a whole, from its first chunk on.
        """
        least_s = factor * settings.min_phrase_s
        # Without a least length in seconds there is none in bars either.
        least_bars = factor * settings.min_phrase_bars if least_s > 0 else 0
        start_s, end_s = pool.start_s(), pool.end_s()
        traits = pool.traits
        known = (traits.tempo_bpm > 0) & (traits.beat_confidence >= LEAST_BEAT_CONFIDENCE)
        bar_beats = np.where(traits.beats_per_bar > 0, traits.beats_per_bar, USUAL_BAR_BEATS)
        bars_s = least_bars * bar_beats * 60.0 / np.where(known, traits.tempo_bpm, 60.0)
        # Cuts lie a little before their beats, and beats a little off.
        wanted_s = np.where(known, 0.98 * bars_s, least_s)
        # A phrase goes on as far as the music does without a gap, and no further than to where it fades out.
        faded = faded_out(pool)
        run = 2 * pool.runs() + faded
        first_row, last_row = np.searchsorted(run, run, "left"), np.searchsorted(run, run, "right") - 1
        wanted_s = np.minimum(wanted_s, end_s[last_row] - start_s[first_row])
        first, last = _exits(run, start_s, end_s, wanted_s, factor * float(settings.max_phrase_s))
        goes_on = np.append(run[1:] == run[:-1], False)
        return cls(first_exit=first, last_exit=last, entry=~faded, goes_on=goes_on)


def faded_out(pool: Pool) -> BoolArray:
    """Return where songs fade out, `(N,)`: their last chunks, from the last that begins in full on.

    Of a song whose last chunk is softer by `FADED_DB` than the song. What is there sounds under the song that
    follows. The end of a track that goes on in the next one is none.
    """
    rows, song, start_s, end_s = np.arange(len(pool)), pool.chunk_song, pool.start_s(), pool.end_s()
    energy = np.power(10.0, 0.1 * pool.loudness_db.astype(np.float64)) * (end_s - start_s)
    usual = np.bincount(song, energy) / np.maximum(np.bincount(song, end_s - start_s), 1e-9)
    last_row = np.searchsorted(song, song, "right") - 1
    softer = 10.0 ** (-0.1 * FADED_DB) * usual[song] * (end_s - start_s)
    fades = (energy < softer)[last_row] & (end_s[last_row] - start_s <= FADED_S)
    full = pool.traits.start_lufs >= pool.songs.numbers("loudness_lufs")[song] - FADED_DB
    # Of a song that nowhere begins in full it is the last chunk alone.
    last_full = np.full(len(usual), len(pool), dtype=np.int64)
    last_full[song[full]] = rows[full]
    faded: BoolArray = fades & (rows >= np.minimum(last_full[song], last_row))
    faded &= rows > np.searchsorted(song, song, "left")
    for row in np.unique(last_row[faded]).tolist():
        if gapless_successor(pool, row) is not None:
            faded[pool.song_rows(int(song[row]))] = False
    return faded


@kernel
def _exits(
    run: IntArray, start_s: DoubleArray, end_s: DoubleArray, wanted_s: DoubleArray, most_s: float
) -> tuple[RowArray, RowArray]:
    count = len(run)
    first, last = np.empty(count, dtype=np.int32), np.empty(count, dtype=np.int32)
    for entry in range(count):
        exit_row = entry
        while end_s[exit_row] - start_s[entry] < wanted_s[entry]:
            if exit_row + 1 == count or run[exit_row + 1] != run[entry]:
                break
            exit_row += 1
        enough = end_s[exit_row] - start_s[entry] >= wanted_s[entry]
        first[entry] = exit_row if enough else NOWHERE
        while (
            exit_row + 1 < count
            and run[exit_row + 1] == run[entry]
            and end_s[exit_row + 1] - start_s[entry] <= most_s
        ):
            exit_row += 1
        last[entry] = exit_row
    return first, last
