"""What was played is what arrays of all chunks would say of it, whoever copies it and whenever it settles."""

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stream.choosing.played import MOST_RECENT, Played
from stream.index.edge_index import NEVER

CHUNKS = 12


@given(
    st.lists(st.tuples(st.sampled_from(["add", "put", "settle", "copy", "look"]), st.integers(0, CHUNKS - 1)))
)
def test_it_is_what_arrays_would_say(doings: list[tuple[str, int]]) -> None:
    played, last_played, plays = Played(CHUNKS), np.full(CHUNKS, NEVER), np.zeros(CHUNKS, dtype=np.int64)
    begun = Played(CHUNKS)
    for step, (doing, row) in enumerate(doings):
        if doing == "add":
            played.add(row, step)
            last_played[row] = step
            plays[row] += 1
        elif doing == "put":
            rows = np.array([row, (row + 5) % CHUNKS, row])
            known = played.of(rows)
            played.put(rows, replace(known, plays=known.plays + np.array([7, 1, 3])))
            plays[row] += 3
            plays[(row + 5) % CHUNKS] += 1
        elif doing == "settle":
            played.settle()
        elif doing == "copy":
            # What the first does from here on is nothing to the second.
            before, played = played, played.copy()
            before.add(row, step)
        else:
            np.testing.assert_array_equal(played.plays, plays)
    for found, expected in ((played.last_played, last_played), (played.plays, plays)):
        np.testing.assert_array_equal(found, expected)
        assert not found.flags.writeable
    known = np.flatnonzero((plays > 0) | (last_played != NEVER))
    np.testing.assert_array_equal(played.changed_since(begun), known)
    np.testing.assert_array_equal(played.of(np.arange(CHUNKS)).plays, plays)


def test_a_copy_says_what_has_changed_since_it_was_made() -> None:
    played = Played(CHUNKS)
    for step in range(MOST_RECENT + 1):
        played.add(step % 3, step)
    copy = played.copy()
    assert played.is_long and not len(played.changed_since(copy))
    played.add(5, MOST_RECENT + 1)
    played.add(1, MOST_RECENT + 2)
    assert played.changed_since(copy).tolist() == [1, 5]
    played.settle()
    assert played.changed_since(copy).tolist() == [1, 5] and not played.is_long
