"""Outlines tell which songs are one recording, such as copies, other encodings and other editions."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from model.base.arrays import BoolArray, IntArray
from tools.pools.generations import Copy
from tools.pools.store import StoredSong
from tools.songs.outline import OUTLINE_STEP_S, Outline

MOST_DIFFERENT_BITS = 0.3
"""Of the bits of two outlines of one recording; of two recordings about half differ."""
LEAST_SHARED = 0.75
"""So much of the longer song has to be in the other."""
NEW = -1
"""A song that was not compared with the others yet."""
_ENDINGS = np.uint32(1 << 20)
"""Values are told apart by this remainder, where only those of new songs are looked up."""
_BLOCK_STEPS = 64
"""Steps, about three seconds, whose bits are compared together."""
SHORTEST_S = 5.0
"""Less is too little to tell."""
_PART_VALUES = 1 << 22
"""So many values are looked up at once."""
_MOST_ALIKE = 24
"""Of a value that is more common, no more of its places are looked at."""
_LEAST_VOTES = 2
_SLACK = 3
"""Steps around a likely offset that are tried."""


def same_recordings(outlines: Sequence[Outline], known: IntArray | None = None) -> IntArray:
    """Return `(n,)` int64: for each song the first song that is the same recording, itself where none is.

    known: the same of songs that were compared with each other before, and `NEW` for the others, which alone
    are looked for; None: all are new.
    """
    known = np.full(len(outlines), NEW) if known is None else known
    first: IntArray = np.where(known == NEW, np.arange(len(outlines)), known)
    for one, other, offset in _likely(outlines, known == NEW):
        if first[one] != first[other] and _is_same(outlines[one], outlines[other], offset):
            first[first == max(first[one], first[other])] = min(first[one], first[other])
    return first


def without_copies(
    songs: Sequence[StoredSong],
    compared: Mapping[int, int],
    outlines_of: Callable[[Sequence[StoredSong]], Sequence[Outline]],
    standing: Callable[[StoredSong], Any],
    fidelity: Callable[[StoredSong], Any],
) -> tuple[list[StoredSong], list[Copy]]:
    """Return the songs that are played, in their order, and the copies that are not.

    compared: of songs that were compared with each other before, by their numbers in the database, the song
    that is played in its place. standing, fidelity: of one recording the song is played of which the first
    gives the most; where several do, the second, which reads files, is asked of those; then the first song.
    """
    known = _known(songs, compared)
    news = bool((known == NEW).any())
    first: list[int] = (same_recordings(outlines_of(songs), known) if news else known).tolist()
    # The same audio is the same recording, however short it is.
    names: dict[str, int] = {}
    for number, song in enumerate(songs):
        same, own = _first_of(first, names.setdefault(song.audio_hash, number)), _first_of(first, number)
        first[max(same, own)] = min(same, own)
    groups = [_first_of(first, number) for number in range(len(songs))]
    members: dict[int, list[StoredSong]] = {}
    for song, group in zip(songs, groups, strict=True):
        members.setdefault(group, []).append(song)
    played = {group: _best(alike, standing, fidelity) for group, alike in members.items()}
    chosen = [played[group] for group in groups]
    return (
        [song for song, of in zip(songs, chosen, strict=True) if song is of],
        [Copy(song=song, of=of) for song, of in zip(songs, chosen, strict=True) if song is not of],
    )


def _best(
    alike: Sequence[StoredSong],
    standing: Callable[[StoredSong], Any],
    fidelity: Callable[[StoredSong], Any],
) -> StoredSong:
    if len(alike) == 1:
        return alike[0]
    most = max(map(standing, alike))
    first = [song for song in alike if standing(song) == most]
    return first[0] if len(first) == 1 else max(first, key=fidelity)


def _known(songs: Sequence[StoredSong], compared: Mapping[int, int]) -> IntArray:
    """Return for each song the first of its recording, as it was found before, or `NEW`.

    Of a recording that has lost a song the others are new: they may have been one through that song alone.
    """
    lost = compared.keys() - {song.song_id for song in songs}
    parted = {compared[song_id] for song_id in lost}
    first: dict[int, int] = {}
    known = np.full(len(songs), NEW)
    for number, song in enumerate(songs):
        played = compared.get(song.song_id)
        if played is not None and played not in parted:
            known[number] = first.setdefault(played, number)
    return known


def _first_of(first: list[int], number: int) -> int:
    """Return the first of a song's group; `first` leads there, and straight on from now on."""
    while first[number] != first[first[number]]:
        first[number] = first[first[number]]
    return first[number]


def shared_part(one: Outline, other: Outline, offset: int) -> float:
    """Return how much of the longer song is the same recording in both, 0 to 1; silence counts for nothing.

    offset: steps from a place in `one` to the same place in `other`.
    """
    start, stop = max(0, -offset), min(len(one), len(other) - offset)
    if stop <= start:
        return 0.0
    ours, theirs = one[start:stop], other[start + offset : stop + offset]
    both = (ours != 0) & (theirs != 0)
    blocks = np.arange(0, len(both), _BLOCK_STEPS)
    different = np.add.reduceat(np.where(both, np.bitwise_count(ours ^ theirs), 0), blocks, dtype=np.int64)
    heard = np.add.reduceat(both, blocks, dtype=np.int64)
    # Block by block: half a song that is the same and half that is not are not the same on the whole.
    same = heard[different <= MOST_DIFFERENT_BITS * 32 * heard].sum()
    return float(same / max(1, int((one != 0).sum()), int((other != 0).sum())))


def _is_same(one: Outline, other: Outline, offset: int) -> bool:
    return any(shared_part(one, other, offset + near) >= LEAST_SHARED for near in range(-_SLACK, _SLACK + 1))


def _likely(outlines: Sequence[Outline], new: BoolArray) -> list[tuple[int, int, int]]:
    """Return pairs of songs that have several values at about the same offset, with that offset in steps.

    new: of each pair one song is, at least.
    """
    longest = max((len(words) for words in outlines), default=0)
    span = 2 * (longest // _SLACK + 1)
    asked_for = np.zeros(_ENDINGS, dtype=np.bool_)
    for number in np.flatnonzero(new).tolist():
        asked_for[outlines[number] % _ENDINGS] = True
    parts = sum(int(asked_for[words % _ENDINGS].sum()) for words in outlines) // _PART_VALUES + 1
    votes = [np.empty(0, dtype=np.int64)]
    for part in range(parts):
        song, place, value = _sorted_values(outlines, asked_for, part, parts)
        for ahead in range(1, _MOST_ALIKE):
            alike = np.flatnonzero(
                (value[ahead:] == value[:-ahead])
                & (song[ahead:] != song[:-ahead])
                & (new[song[ahead:]] | new[song[:-ahead]])
            )
            one, other = song[alike], song[alike + ahead]
            offset = place[alike + ahead] - place[alike] + longest
            votes.append((one * len(outlines) + other) * span + offset // _SLACK)
    found, counts = np.unique(np.concatenate(votes), return_counts=True)
    found, counts = found[counts >= _LEAST_VOTES], counts[counts >= _LEAST_VOTES]
    # Of each pair the likeliest offsets first.
    found = found[np.argsort(-counts, kind="stable")]
    pairs, offsets = found // span, found % span
    return [
        (pair // len(outlines), pair % len(outlines), offset * _SLACK + _SLACK // 2 - longest)
        for pair, offset in zip(pairs.tolist(), offsets.tolist(), strict=True)
    ]


def _sorted_values(
    outlines: Sequence[Outline], asked_for: BoolArray, part: int, parts: int
) -> tuple[IntArray, IntArray, Outline]:
    """Return song, place and value of one part of the values with these endings, by value and song."""
    songs, places = [np.empty(0, dtype=np.int64)], [np.empty(0, dtype=np.int64)]
    values = [np.empty(0, dtype=np.uint32)]
    for number, words in enumerate(outlines):
        if len(words) * OUTLINE_STEP_S >= SHORTEST_S:
            # By the value itself, so that the same ones are in it of every song; 0 is silence.
            mine = (words % np.uint32(parts) == part) & (words != 0) & asked_for[words % _ENDINGS]
            at = np.flatnonzero(mine)
            songs.append(np.full(len(at), number, dtype=np.int64))
            places.append(at)
            values.append(words[at])
    song, place, value = np.concatenate(songs), np.concatenate(places), np.concatenate(values)
    order = np.argsort(value, kind="stable")
    return song[order], place[order], value[order]
