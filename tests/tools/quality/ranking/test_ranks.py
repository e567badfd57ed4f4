"""Ranking figures equal counting by hand, for every pool, with ties and with songs drawn anew."""

import itertools
import math

import numpy as np
import pytest

from model.base.arrays import BoolArray, FloatArray, IntArray
from model.base.errors import EndlosError
from tools.quality.ranking.ranks import POOLS, RankingFigures, difference, ranking_figures

SONGS = (9, 12, 5, 1, 3)
SONG = np.repeat(np.arange(len(SONGS)), SONGS)


def _successor(song: IntArray) -> IntArray:
    following = np.arange(1, len(song) + 1)
    following[np.append(song[1:] != song[:-1], True)] = -1
    return following


SUCCESSOR = _successor(SONG)


def _scores(seed: int, levels: int) -> FloatArray:
    """Few levels: many ties."""
    rng = np.random.default_rng(seed)
    return (rng.integers(0, levels, (len(SONG), len(SONG))) / levels).astype(np.float32)


def _alike(seed: int) -> BoolArray:
    found = np.random.default_rng(seed).random((len(SONG), len(SONG))) < 0.15
    return found | found.T


def _members(pool: str, query: int) -> list[int]:
    members = []
    for other in range(len(SONG)):
        same = SONG[other] == SONG[query]
        inside = {
            "all": True,
            "cross": not same,
            "same": same,
            "near": same and abs(other - query) <= 8,
        }[pool]
        if other not in (query, SUCCESSOR[query]) and inside:
            members.append(other)
    return members


def _expected(above: int, level: int, among: int) -> dict[str, float]:
    """The figures of one query as the mean over every place that the true one may take among its equals."""
    places = [above + 1 + ahead for ahead in range(level + 1)]
    return {
        "top_1": float(np.mean([place <= 1 for place in places])),
        "top_10": float(np.mean([place <= 10 for place in places])),
        "mrr": float(np.mean([1 / place for place in places])),
        "normalised_rank": float(np.mean([(place - 1) / among for place in places])),
        "auc": float(np.mean([1 - (place - 1) / among for place in places])),
        "candidates": among + 1,
    }


def _over_songs(found: list[tuple[int, dict[str, float]]]) -> dict[str, float]:
    means = {metric: float(np.mean([value[metric] for _, value in found])) for metric in found[0][1]}
    by_song = [
        np.mean([value["auc"] for other, value in found if other == song])
        for song in {one for one, _ in found}
    ]
    return means | {"auc": float(np.mean(by_song))}


@pytest.mark.parametrize("levels", [3, 10_000])
@pytest.mark.parametrize("pool", POOLS)
def test_each_pool_is_what_counting_by_hand_gives(pool: str, levels: int) -> None:
    scores = _scores(1, levels)
    counted = []
    for query in np.flatnonzero(SUCCESSOR >= 0).tolist():
        members = _members(pool, query)
        true = scores[query, SUCCESSOR[query]]
        above = sum(scores[query, other] > true for other in members)
        level = sum(scores[query, other] == true for other in members)
        if members:
            counted.append((int(SONG[query]), _expected(above, level, len(members))))
    found = ranking_figures(scores, SONG, SUCCESSOR).pools[pool]
    for metric, value in _over_songs(counted).items():
        assert found[metric].value == pytest.approx(value, abs=1e-12), metric


@pytest.mark.parametrize("pool", POOLS)
def test_near_identical_chunks_count_as_right(pool: str) -> None:
    scores, alike = _scores(2, 10_000), _alike(3)
    tied, ceiling = [], []
    for query in np.flatnonzero(SUCCESSOR >= 0).tolist():
        members, true = _members(pool, query), SUCCESSOR[query]
        right = [other for other in members if alike[true, other]]
        wrong = [other for other in members if not alike[true, other]]
        if wrong:
            best = max(scores[query, other] for other in [true, *right])
            value = _expected(sum(scores[query, other] > best for other in wrong), 0, len(wrong))
            value["auc"] = float(np.mean([scores[query, other] < scores[query, true] for other in wrong]))
            tied.append((int(SONG[query]), value))
        if members:
            ceiling.append((int(SONG[query]), _expected(0, len(right), len(members))))
    found = ranking_figures(scores, SONG, SUCCESSOR, duplicates=alike)
    assert found.tie_aware is not None
    assert found.ceiling is not None
    for counted, given in ((tied, found.tie_aware), (ceiling, found.ceiling)):
        for metric, expected in _over_songs(counted).items():
            assert given[pool][metric].value == pytest.approx(expected, abs=1e-12), metric


def test_order_is_the_score_forth_against_the_score_back() -> None:
    scores = _scores(4, 3)
    rows = np.flatnonzero(SUCCESSOR >= 0)
    right = [
        float(np.sign(float(scores[row, row + 1]) - float(scores[row + 1, row])) / 2 + 0.5) for row in rows
    ]
    order = ranking_figures(scores, SONG, SUCCESSOR).order
    assert order is not None
    assert order.value == pytest.approx(np.mean(right))


@pytest.mark.parametrize("levels", [2, 10_000])
@pytest.mark.parametrize("pieces", [3, 4, 6])
def test_pieces_are_in_order_when_no_permutation_sums_higher(pieces: int, levels: int) -> None:
    scores = _scores(5, levels)
    # So that some windows come out right.
    scores[np.flatnonzero(SUCCESSOR >= 0), SUCCESSOR[SUCCESSOR >= 0]] += 0.5
    shares = []
    for start in range(len(SONG) - pieces + 1):
        if SONG[start] != SONG[start + pieces - 1]:
            continue
        sums = {
            order: sum(float(scores[start + one, start + two]) for one, two in itertools.pairwise(order))
            for order in itertools.permutations(range(pieces))
        }
        true, best = sums[tuple(range(pieces))], max(sums.values())
        ways = sum(math.isclose(value, best, abs_tol=1e-9) for value in sums.values())
        shares.append(math.isclose(true, best, abs_tol=1e-9) / ways)
    assert 0 < np.mean(shares) < 1
    found = ranking_figures(scores, SONG, SUCCESSOR, pieces=[pieces]).ordering[pieces]
    assert found.value == pytest.approx(np.mean(shares), abs=1e-12)


def test_constant_scores_are_worth_what_guessing_is_worth() -> None:
    found = ranking_figures(np.zeros((len(SONG), len(SONG)), np.float32), SONG, SUCCESSOR)
    everything = found.pools["all"]
    assert everything["auc"].value == pytest.approx(0.5)
    assert everything["top_1"].value == pytest.approx(1 / (len(SONG) - 1))
    assert found.order is not None
    assert found.order.value == pytest.approx(0.5)
    assert found.ordering[3].value == pytest.approx(1 / 6)
    assert found.ordering[4].value == pytest.approx(1 / 24)


def test_the_interval_holds_what_drawing_songs_one_by_one_gives() -> None:
    scores = _scores(6, 10_000)
    found = ranking_figures(scores, SONG, SUCCESSOR, resamples=4_000)
    sums, counts = found.per_song["all/mrr"]
    rng = np.random.default_rng(9)
    drawn = []
    for _ in range(4_000):
        songs = rng.integers(0, len(sums), len(sums))
        drawn.append(sums[songs].sum() / counts[songs].sum())
    low, high = np.quantile(drawn, [0.025, 0.975])
    mrr = found.pools["all"]["mrr"]
    assert mrr.low == pytest.approx(low, rel=0.05)
    assert mrr.high == pytest.approx(high, rel=0.05)
    assert mrr.low < mrr.value < mrr.high


def test_the_same_seed_gives_the_same_figures() -> None:
    scores = _scores(7, 100)
    one, same, other = (
        ranking_figures(scores, SONG, SUCCESSOR, seed=seed, resamples=20).plain() for seed in (1, 1, 2)
    )
    assert one == same
    assert one != other


def test_a_difference_draws_the_same_songs_for_both() -> None:
    scores = _scores(8, 10_000)
    better = scores.copy()
    better[np.flatnonzero(SUCCESSOR >= 0), SUCCESSOR[SUCCESSOR >= 0]] += 0.3
    high, low = (ranking_figures(given, SONG, SUCCESSOR) for given in (better, scores))
    gain = difference(high, low, "all/mrr")
    assert gain.value == pytest.approx(high.pools["all"]["mrr"].value - low.pools["all"]["mrr"].value)
    assert 0 < gain.low < gain.value < gain.high
    none = difference(high, high, "all/auc")
    assert (none.value, none.low, none.high) == (0, 0, 0)


def test_only_chosen_chunks_ask_and_all_are_candidates() -> None:
    scores = _scores(9, 10_000)
    found: RankingFigures = ranking_figures(scores, SONG, SUCCESSOR, queries=SONG == 1)
    row_figures = []
    for query in np.flatnonzero((SONG == 1) & (SUCCESSOR >= 0)):
        others = np.delete(scores[query], query)
        row_figures.append(1 / (1 + (others > scores[query, query + 1]).sum()))
    assert (found.queries, found.candidates, found.songs) == (11, len(SONG) - 1, 1)
    mrr = found.pools["all"]["mrr"]
    assert mrr.value == pytest.approx(np.mean(row_figures))
    # One song: nothing to draw from.
    assert mrr.low == mrr.high == pytest.approx(mrr.value)


def test_what_cannot_be_measured_is_refused() -> None:
    scores = _scores(10, 10)
    with pytest.raises(EndlosError, match="songs of two chunks"):
        ranking_figures(scores, np.arange(len(SONG)), np.full(len(SONG), -1))
    scores[3, 5] = np.nan
    with pytest.raises(EndlosError, match="chunk 3"):
        ranking_figures(scores, SONG, SUCCESSOR)
