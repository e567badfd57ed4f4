"""The towers' batches are drawn seams and the joins that listeners judged."""

import numpy as np

from model.learning.drawn_seams import Seams, Variation
from model.learning.song_set import GRID_S, SongSet
from model.learning.song_sides import sides


def add_judged(seams: Seams, songs: SongSet, rng: np.random.Generator, most: int) -> Seams:
    """Return `seams` and those of up to `most` judged joins, each join as a song of its own.

    A liked join is a seam like any other. A disliked one brings the two seams that it was made of, so that
    its start is a wrong candidate for its end, of the same song. Joins at the ends of songs are left out.
    """
    length = round(Variation.longest_s / GRID_S)
    cuts: list[tuple[int, int, int, int]] = []
    song: list[int] = []
    for number in rng.permutation(len(songs.judged))[:most].tolist():
        join = songs.judged[number]
        end, start = (join.from_song, join.from_row), (join.to_song, join.to_row)
        pairs = [(*end, *start)] if join.liked else [(*end, *end), (*start, *start)]
        rows = [(len(songs.grids[pair[0]]), pair[1]) for pair in pairs]
        rows += [(len(songs.grids[pair[2]]), pair[3]) for pair in pairs]
        if all(length // 4 <= row <= size - length // 4 for size, row in rows):
            cuts += pairs
            song += [int(seams.song.max()) + 1 + number] * len(pairs)
    if not cuts:
        return seams
    lengths = np.array([length])
    tails = [sides(songs.grids[cut[0]], np.array([cut[1]]), lengths, tail=True) for cut in cuts]
    heads = [sides(songs.grids[cut[2]], np.array([cut[3]]), lengths, tail=False) for cut in cuts]
    return Seams(
        tails=np.concatenate([seams.tails, *tails]),
        heads=np.concatenate([seams.heads, *heads]),
        song=np.concatenate([seams.song, song]),
    )
