"""The greedy choice takes the best chunk that is left, again and again, and no chunk twice."""

import numpy as np
import pytest

from model.base.arrays import FloatArray
from model.base.errors import EndlosError, ModelError
from stream.choosing.generation import Generation
from stream.choosing.greedy import greedy_steps
from stream.pool.pool import Pool
from tests.support.pools import make_generation, make_pool, noise_song, table_scorer, with_opened


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Pool:
    songs = [noise_song(seconds, seed) for seed, seconds in enumerate((6, 4.5, 7.5))]
    return make_pool(tmp_path_factory.mktemp("greedy"), songs)


def scored(pool: Pool, table: FloatArray) -> Generation:
    return with_opened(make_generation(pool), scorer=table_scorer(table))


def best_order(table: FloatArray, first: int, length: int) -> list[int]:
    """The report's rule, word for word."""
    order = [first]
    while len(order) < length:
        candidates = sorted(range(len(table)), key=lambda row: (-table[order[-1], row], row))
        order.append(next(row for row in candidates if row not in order))
    return order


@pytest.mark.parametrize("seed", range(4))
def test_each_is_the_best_that_is_left(pool: Pool, seed: int) -> None:
    table = np.random.default_rng(seed).random((len(pool), len(pool))).astype(np.float32)
    if seed == 3:
        # Of equals the first.
        table = np.round(table, 1)
    told: list[int] = []
    steps = greedy_steps(scored(pool, table), seed, len(pool), told.append)
    rows = [step.chunk.row for step in steps]
    assert rows == best_order(table, seed, len(pool))
    assert sorted(rows) == list(range(len(pool))), "each once"
    assert told == list(range(1, len(pool) + 1))
    assert (steps[0].after, steps[0].score, steps[0].rank) == (None, None, None)
    for number, (before, step) in enumerate(zip(rows[:-1], steps[1:], strict=True), 1):
        row = step.chunk.row
        assert step.after is not None and step.after.row == before
        assert step.score == pytest.approx(table[before, row])
        others = [table[before, other] for other in range(len(pool)) if other != before]
        assert step.rank == 1 + sum(score > table[before, row] for score in others)
        assert (step.considered, step.candidates) == (len(pool) - number, len(pool))
        assert step.natural == (row == before + 1 and pool.chunk_song[row] == pool.chunk_song[before])


def test_a_chunk_does_not_follow_itself_however_well_it_would(pool: Pool) -> None:
    steps = greedy_steps(scored(pool, np.eye(len(pool), dtype=np.float32)), 2, 3)
    assert [(step.chunk.row, step.rank) for step in steps] == [(2, None), (0, 1), (1, 1)]


def test_what_cannot_be_chosen_is_told(pool: Pool) -> None:
    generation = scored(pool, np.ones((len(pool), len(pool)), dtype=np.float32))
    assert len(greedy_steps(generation, 0, 1)) == 1
    for length in (0, len(pool) + 1):
        with pytest.raises(EndlosError, match=f"--length is {length}, expected 1 to {len(pool)}: each of"):
            greedy_steps(generation, 0, length)
    with pytest.raises(ModelError, match="does not say of each chunk"):
        greedy_steps(with_opened(generation, scorer=None), 0, 2)
    broken = scored(pool, np.full((len(pool), len(pool)), np.nan, dtype=np.float32))
    with pytest.raises(ModelError, match="scores that are not numbers"):
        greedy_steps(broken, 0, 2)
