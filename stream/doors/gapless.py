"""Two tracks of an album are gapless where the sound of one goes on, sample after sample, in the next."""

import numpy as np

from stream.pool.pool import Pool

_LEAST_LUFS = -50.0
"""What is quieter is a pause between two tracks."""
_MOST_STEP = 4.0
"""The step from one file to the next, in usual steps between samples there."""
_ALIKE_LU = 6.0


def gapless_successor(pool: Pool, row: int) -> int | None:
    """Return the chunk that goes on where this one ends, in the next file of its album; None without one.

    They are files of one album (by its tag) and folder that follow each other by name, nothing was cut off
    their ends, neither is silent there, and the wave goes on: the step from the last sample to the first one
    is like those around it.
    """
    song = int(pool.chunk_song[row])
    if row + 1 != pool.song_rows(song).stop or song + 1 >= len(pool.songs):
        return None
    here, there, entry = pool.songs[song], pool.songs[song + 1], pool.song_rows(song + 1).start
    one_album = here.album and here.album == there.album and here.path.parent == there.path.parent
    whole = int(pool.end_sample[row]) == here.frames and int(pool.start_sample[entry]) == 0
    if not one_album or not whole or here.sample_rate_hz != there.sample_rate_hz:
        return None
    end_lufs, start_lufs = (
        float(pool.traits.of("end_lufs", np.array([row]))[0]),
        float(pool.traits.start_lufs[entry]),
    )
    if min(end_lufs, start_lufs) < _LEAST_LUFS or abs(end_lufs - start_lufs) > _ALIKE_LU:
        return None
    before, after = np.asarray(pool.fingerprints[row])[1], np.asarray(pool.fingerprints[entry])[0]
    steps = np.concatenate([np.diff(before, axis=0), np.diff(after, axis=0)])
    usual = float(np.sqrt(np.square(steps).mean()))
    # As if the wave went straight on.
    foretold = before[-1] + 0.5 * (before[-1] - before[-2] + after[1] - after[0])
    step = float(np.abs(after[0] - foretold).max())
    return entry if step <= _MOST_STEP * max(usual, 1e-5) else None
