"""The repeat rules block what was played lately or often, and let phrases begin where they can last."""

import numpy as np
import pytest

from stream.choosing.history import Course
from stream.choosing.phrases import NOWHERE, Phrases
from stream.choosing.played import PlayCounts
from stream.choosing.repeats import GRACE_PLAYS, MOST_SHARES, entries
from stream.index.edge_index import NEVER

CHUNKS, WINDOW, STEPS = 400, 60, 500


@pytest.mark.parametrize("seed", range(5))
def test_entries_are_what_the_rules_say_of_each_chunk(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = np.arange(CHUNKS)
    first_exit = np.minimum(rows + rng.integers(0, 5, CHUNKS), CHUNKS - 1)
    first_exit[rng.random(CHUNKS) < 0.1] = NOWHERE
    phrases = Phrases(
        first_exit=first_exit.astype(np.int32),
        last_exit=first_exit.astype(np.int32),
        entry=rng.random(CHUNKS) < 0.9,
        goes_on=np.ones(CHUNKS, dtype=np.bool_),
    )
    course, heard = Course.new(CHUNKS), np.sort(rng.permutation(CHUNKS)[:150])
    counts = PlayCounts(last_played=rng.integers(0, STEPS, 150), plays=rng.integers(1, 8, 150))
    course.played.put(heard, counts)
    course.steps = STEPS
    left_out = rng.random(CHUNKS) < 0.05
    found = entries(course, phrases, left_out, window=WINDOW, after=17)
    most = MOST_SHARES * int(course.plays[~left_out].sum()) / np.count_nonzero(~left_out) + GRACE_PLAYS
    for row in rows.tolist():
        last, plays = int(course.last_played[row]), int(course.plays[row])
        lately = last != NEVER and STEPS - 1 - last <= WINDOW
        assert found.blocked[row] == (left_out[row] or lately or plays + 1 > most or row == 17)
        lasts = first_exit[row] != NOWHERE and not found.blocked[row : first_exit[row] + 1].any()
        assert found.allowed[row] == (lasts and phrases.entry[row])
    assert found.allowed.any() and not found.reasons
