"""The planner keeps repeat rules, runs naturally, draws by its seed, and goes on when scores fail."""

import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.bench_planning import made_up
from model.base.arrays import DoubleArray, FloatArray
from model.base.errors import EndlosError
from stream.choosing.generation import Generation
from stream.choosing.planner import Planner
from stream.choosing.settings import PlannerSettings
from stream.choosing.step import Step
from stream.choosing.weighing.weights import CostWeights
from stream.doors.settings import DoorSettings
from stream.pool.feedback import LabelledJoin
from stream.scoring.matrix_scorer import MatrixScorer
from tests.support.pools import MadeUpScorer, make_generation, make_pool, noise_song, with_opened

SHORT = DoorSettings(blend_bars=0, plain_fade_s=0.0)
"""No song sounds on while the next one plays."""


@pytest.fixture(scope="module")
def generation(tmp_path_factory: pytest.TempPathFactory) -> Generation:
    songs = [noise_song(15, 0), noise_song(12, 1), noise_song(9, 2)]
    return make_generation(make_pool(tmp_path_factory.mktemp("planner"), songs))


def walk(planner: Planner, steps: int) -> list[Step]:
    walked = []
    for _ in range(steps):
        step = planner.next()
        planner.deliver(step)
        walked.append(step)
    return walked


def rows(steps: list[Step]) -> list[int]:
    return [step.chunk.row for step in steps]


def settings(**changes: object) -> PlannerSettings:
    plain = PlannerSettings(seed=3, min_phrase_s=0.0, doors=SHORT)
    return replace(plain, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("strategy", ["model", "random"])
def test_no_chunk_comes_back_within_the_window(generation: Generation, strategy: str) -> None:
    planner = Planner(generation, settings(strategy=strategy, no_repeat_share=0.5))
    walked = rows(walk(planner, 300))
    window = len(generation.index) // 2
    for place, row in enumerate(walked):
        assert row not in walked[max(0, place - window) : place]
    assert set(walked) == set(range(len(generation.index)))


def test_the_same_seed_walks_the_same_way_and_another_does_not(generation: Generation) -> None:
    def go(seed: int) -> list[int]:
        return rows(walk(Planner(generation, settings(seed=seed)), 60))

    assert go(5) == go(5)
    assert go(5) != go(6)


def test_planning_ahead_changes_no_choice(generation: Generation) -> None:
    immediate = rows(walk(Planner(generation, PlannerSettings(seed=1)), 80))
    planner = Planner(generation, PlannerSettings(seed=1))
    planned = [planner.next() for _ in range(5)]
    ahead = []
    while len(ahead) < 80:
        step = planned.pop(0)
        planner.deliver(step)
        ahead.append(step.chunk.row)
        planned.append(planner.next())
    assert ahead == immediate


@pytest.mark.parametrize("seed", range(8))
def test_what_is_still_planned_after_a_jump_counts_as_played(generation: Generation, seed: int) -> None:
    planner = Planner(generation, settings(strategy="random", no_repeat_share=0.7, seed=seed))
    planned = [planner.next() for _ in range(6)]
    planner.deliver(planned[0])
    # The renderer jumps over two of them; two wait to be played.
    planner.deliver(planned[3])
    later = rows([planner.next() for _ in range(6)])
    assert not set(rows([planned[0], *planned[3:]])) & set(later)
    for step in planned[4:]:
        planner.deliver(step)
    assert planner.next().chunk.row not in [*rows(planned[3:]), *later]


def joins_of(steps: list[Step]) -> list[Step]:
    return [step for step in steps if step.after is not None and not step.natural]


def test_top_one_takes_the_best_allowed(generation: Generation) -> None:
    joins = joins_of(walk(Planner(generation, settings(top_k=1, max_phrase_s=3.1)), 120))
    scored = [step for step in joins if step.rung == "full"]
    assert len(scored) > 20
    for step in scored:
        assert step.rank == 1 and step.score is not None
        parts = sum(value for name, value in step.terms.items() if name != "total")
        assert step.terms["total"] == pytest.approx(parts, abs=1e-3)


def test_a_phrase_lasts_as_long_as_asked_and_no_longer(generation: Generation) -> None:
    planner = Planner(generation, settings(min_phrase_s=4.0, max_phrase_s=6.0, no_repeat_share=0.0))
    steps = walk(planner, 300)
    assert len(joins_of(steps)) > 40
    phrase_s = steps[0].length_s
    for before, step in itertools.pairwise(steps):
        ended = generation.index.successor[before.chunk.row] < 0
        if step.ends_phrase and not ended:
            assert 4.0 <= phrase_s <= 6.0 + 1e-6
        phrase_s = step.length_s if step.ends_phrase else phrase_s + step.length_s


def matrix_of(generation: Generation, matrix: FloatArray) -> Generation:
    """A model whose scores are all known."""
    return with_opened(generation, scorer=MatrixScorer(matrix))


ONLY_THE_MODEL = CostWeights(
    **dict.fromkeys(("coverage", "hub", "next", "before", "next_bands", "before_bands"), 0.0),
    **dict.fromkeys(("door", "late", "arc"), 0.0),
)


def test_the_best_exit_of_the_phrase_is_taken(generation: Generation) -> None:
    """One pair of chunks is far better than all others: it is taken wherever the phrase can reach it."""
    count = len(generation.index)
    matrix = np.full((count, count), 0.1, dtype=np.float32)
    matrix[4, 13] = 0.999
    plain = settings(top_k=1, max_phrase_s=9.0, joins_ahead=0, weights=ONLY_THE_MODEL)
    for start in range(5):
        planner = Planner(matrix_of(generation, matrix), plain, generation.chunk(start))
        assert rows(walk(planner, 6 - start)) == [*range(start, 5), 13]


def test_a_good_join_into_a_dead_end_is_left_for_one_that_leads_on(generation: Generation) -> None:
    count, index = len(generation.index), generation.index
    matrix = np.full((count, count), 0.5, dtype=np.float32)
    # From song 0, the end of song 1 is a little better; but from there no join is any good.
    end = int(np.flatnonzero(index.song == 1)[-1])
    matrix[index.song == 0, end] = 0.6
    matrix[end] = 0.001

    def first_join(joins_ahead: int) -> Step:
        chosen = settings(
            top_k=1,
            joins_ahead=joins_ahead,
            max_phrase_s=3.1,
            other_songs=1.0,
            discount=0.9,
            weights=ONLY_THE_MODEL,
        )
        planner = Planner(matrix_of(generation, matrix), chosen, generation.chunk(0))
        return joins_of(walk(planner, 6))[0]

    assert first_join(0).chunk.row == end
    assert first_join(2).chunk.row != end


def test_a_song_goes_on_where_no_join_within_it_is_as_good(generation: Generation) -> None:
    """Log-odds of going on are 0: what a model calls less likely than not within a song is not joined."""
    same = generation.index.song[:, None] == generation.index.song
    chosen = settings(max_phrase_s=3.1, no_repeat_share=0.0, weights=ONLY_THE_MODEL)

    def go(within: float) -> list[Step]:
        matrix = np.where(same, within, 0.5).astype(np.float32)
        return walk(Planner(matrix_of(generation, matrix), chosen), 300)

    ends = [step for step in go(0.45) if step.ends_phrase]
    assert all(step.natural or step.leaves_song for step in ends)
    onward = [step for step in ends if step.renews]
    assert len(onward) > 50
    for step in onward:
        assert step.score is None and step.terms["straight_on"] == ONLY_THE_MODEL.straight_on
        parts = sum(value for name, value in step.terms.items() if name != "total")
        assert step.terms["total"] == pytest.approx(parts, abs=1e-3)
    spliced = [step for step in go(0.9) if step.ends_phrase]
    assert sum(not step.natural and not step.leaves_song for step in spliced) > 50


def known_logits(generation: Generation, logits: DoubleArray) -> Generation:
    """A model that gives these log-odds to each join, `(N, N)`."""
    return matrix_of(generation, (1.0 / (1.0 + np.exp(-logits))).astype(np.float32))


def single_chunks(**changes: object) -> PlannerSettings:
    """Every chunk is a phrase of its own, and the best join is taken."""
    plain: dict[str, object] = {"top_k": 1, "max_phrase_s": 0.1, "no_repeat_share": 0.0}
    return settings(**(plain | {"weights": ONLY_THE_MODEL} | changes))


def test_each_join_ahead_sees_one_more_dead_end(generation: Generation) -> None:
    """The better a join from chunk 0 is, the sooner it leads nowhere: 2 at once, 8 after three more."""
    logits = np.full((len(generation.index), len(generation.index)), -4.0)
    logits[0, [2, 4, 6, 8]] = 2.0, 1.5, 1.2, 1.0
    for chain in ([4, 12], [6, 14, 16], [8, 19, 21, 23]):
        for exit_row, entry_row in itertools.pairwise(chain):
            logits[exit_row, entry_row] = 3.0
    known = known_logits(generation, logits)

    def first(joins_ahead: int, discount: float = 0.5) -> int:
        chosen = single_chunks(joins_ahead=joins_ahead, discount=discount)
        return walk(Planner(known, chosen, generation.chunk(0)), 2)[1].chunk.row

    assert [first(joins_ahead) for joins_ahead in range(4)] == [2, 4, 6, 8]
    assert first(3, discount=0.0) == 2


@pytest.mark.parametrize("joins_ahead", [0, 1, 2, 3])
def test_what_lies_ahead_is_the_best_of_all_ways(generation: Generation, joins_ahead: int) -> None:
    count, discount = len(generation.index), 0.7
    logits = np.random.default_rng(8).normal(-1.0, 2.0, (count, count))
    chosen = single_chunks(joins_ahead=joins_ahead, discount=discount)
    step = walk(Planner(known_logits(generation, logits), chosen, generation.chunk(0)), 2)[1]
    # What may not be: staying, a join within a song that is worth less than to go on, and going back to
    # where the stream is. Going on is no join, and worth what it is.
    same = generation.index.song[:, None] == generation.index.song
    joins = np.where(same & (logits < ONLY_THE_MODEL.straight_on), -np.inf, logits)
    np.fill_diagonal(joins, -np.inf)
    before = np.flatnonzero(generation.index.successor >= 0)
    joins[before, before + 1] = ONLY_THE_MODEL.straight_on
    joins[:, 0] = -np.inf
    # Nor back into its song, once that is left.
    joins[np.ix_(generation.index.song != 0, generation.index.song == 0)] = -np.inf
    ahead = np.zeros(count)
    for _ in range(joins_ahead):
        leaving = (joins + discount * ahead).max(axis=1)
        ahead = leaving - leaving.mean()
    totals = joins[0] + discount * ahead
    assert step.chunk.row == int(totals.argmax())
    assert step.terms["future"] == pytest.approx(discount * ahead[step.chunk.row], abs=1e-3)
    assert step.terms["total"] == pytest.approx(totals.max(), abs=1e-3)


def test_a_chunk_that_all_like_is_left_for_one_that_this_one_likes(generation: Generation) -> None:
    count = len(generation.index)
    logits = np.full((count, count), -2.0)
    logits[:, 13] = 2.0
    logits[0, 15] = 1.7
    known = known_logits(generation, logits)

    def first(hub: float) -> Step:
        chosen = single_chunks(joins_ahead=0, weights=replace(ONLY_THE_MODEL, hub=hub))
        return walk(Planner(known, chosen, generation.chunk(0)), 2)[1]

    assert first(0.0).chunk.row == 13
    chosen = first(CostWeights().hub)
    assert chosen.chunk.row == 15
    # The two best of the 24 scores of each chunk count: of 13 both, of 15 one.
    levels = np.full(count, -2.0)
    levels[[13, 15]] = 2.0, (1.7 - 2.0) / 2
    level = levels[15] - levels.mean()
    assert chosen.terms["hub"] == pytest.approx(-CostWeights().hub * level, abs=1e-3)
    assert chosen.terms["total"] == pytest.approx(1.7 - CostWeights().hub * level, abs=1e-3)
    assert first(0.01).terms["hub"] == pytest.approx(-0.01 * (levels[13] - levels.mean()), abs=1e-3)


def test_a_hub_is_chosen_less_often_with_its_term(generation: Generation) -> None:
    count = len(generation.index)
    logits = np.random.default_rng(4).normal(-1.0, 1.0, (count, count))
    logits[:, 13] += 2.0
    known = known_logits(generation, logits)

    def chosen_from(hub: float) -> int:
        chosen = single_chunks(joins_ahead=0, weights=replace(ONLY_THE_MODEL, hub=hub))
        firsts = [walk(Planner(known, chosen, generation.chunk(start)), 2)[1] for start in range(count)]
        return rows(firsts).count(13)

    assert chosen_from(CostWeights().hub) < 0.7 * chosen_from(0.0)


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5])
def test_the_window_is_as_long_as_told_and_no_longer(generation: Generation, share: float) -> None:
    walked = rows(walk(Planner(generation, settings(strategy="random", no_repeat_share=share)), 1_500))
    window = int(share * len(generation.index))
    last: dict[int, int] = {}
    shortest = len(walked)
    for place, row in enumerate(walked):
        shortest = min(shortest, place - last.get(row, -len(walked)))
        last[row] = place
    # The chunk that plays, and `window` before it: the first that may come back is the one before those.
    assert shortest == window + 2


def test_expensive_scores_are_spread_over_the_chunks_of_a_phrase(generation: Generation) -> None:
    scorer = generation.scorer
    assert isinstance(scorer, MadeUpScorer)
    planner = Planner(generation, settings(min_phrase_s=4.0))
    for _ in range(100):
        before = scorer.asked
        planner.deliver(planner.next())
        assert scorer.asked - before <= 1


def test_a_disliked_join_does_not_come_back_and_a_liked_one_does(generation: Generation) -> None:
    pool, count = generation.pool, len(generation.index)
    matrix = np.full((count, count), 0.4, dtype=np.float32)
    matrix[4, 13] = 0.9

    def judged(row: int, label: int) -> LabelledJoin:
        return LabelledJoin(
            from_hash="hash0",
            from_end_sample=int(pool.end_sample[4]) + 1_000,
            to_hash=generation.key(row).audio_hash,
            to_start_sample=int(pool.start_sample[row]) - 1_000,
            label=label,
        )

    chosen = settings(top_k=1, max_phrase_s=0.1, joins_ahead=0, weights=ONLY_THE_MODEL)

    def after(joins: list[LabelledJoin]) -> Step:
        planner = Planner(matrix_of(generation, matrix), chosen, generation.chunk(4), joins)
        return walk(planner, 2)[1]

    assert after([]).chunk.row == 13
    assert after([judged(13, 0)]).chunk.row != 13
    liked = after([judged(13, 0), judged(15, 1)])
    assert liked.chunk.row == 15 and liked.terms["liked"] == ONLY_THE_MODEL.liked


def test_the_pool_is_covered_evenly() -> None:
    generation = made_up(songs=12, chunks=25, chunk_s=4.0, seed=1)
    steps = walk(Planner(generation, PlannerSettings(seed=1)), 3_600)
    plays = np.bincount(rows(steps), minlength=len(generation.index))
    assert plays.min() > 0 and plays.max() <= 3 * plays.mean()
    assert plays.reshape(12, 25).mean(axis=1).min() > 0.5 * plays.mean()
    ends = [step for step in steps if step.ends_phrase]
    share = sum(step.leaves_song for step in ends) / len(ends)
    assert share == pytest.approx(PlannerSettings().other_songs, abs=0.03)


def test_where_other_songs_are_long_owed_nothing_else_is_considered(generation: Generation) -> None:
    """A model that holds with its own song, as far as it is let: one join in three leaves all the same."""
    index = generation.index
    matrix = np.full((len(index), len(index)), 1e-6, dtype=np.float32)
    matrix[index.song[:, None] == index.song[None, :]] = 1.0 - 1e-6
    chosen = single_chunks(other_songs=0.34, joins_ahead=0)
    joins = joins_of(walk(Planner(matrix_of(generation, matrix), chosen), 400))
    share = sum(step.leaves_song for step in joins) / len(joins)
    assert share == pytest.approx(0.34, abs=0.05)


def test_natural_plays_every_song_in_order_and_comes_round(generation: Generation) -> None:
    planner = Planner(generation, PlannerSettings(strategy="natural"))
    count = len(generation.index)
    assert rows(walk(planner, count + 3)) == [*range(count), 0, 1, 2]


def test_leaving_goes_to_another_song(generation: Generation) -> None:
    for strategy in ("model", "random", "natural"):
        planner = Planner(generation, settings(strategy=strategy))
        walk(planner, 1)
        for _ in range(30):
            step = planner.next(leave=True)
            planner.deliver(step)
            assert step.after is not None and step.leaves_song and not step.natural
            assert step.chunk.song_index != step.after.song_index


def test_leaving_an_only_song_at_least_jumps(tmp_path: Path) -> None:
    alone = make_generation(make_pool(tmp_path, [noise_song(12, 0)]))
    for strategy in ("model", "random"):
        planner = Planner(alone, settings(strategy=strategy))
        walk(planner, 1)
        for _ in range(30):
            step = planner.next(leave=True)
            planner.deliver(step)
            assert step.after is not None and not step.leaves_song and not step.natural
            assert alone.index.successor[step.after.row] != step.chunk.row


def _scored(generation: Generation, score: Callable[[int], FloatArray]) -> Generation:
    return with_opened(generation, scorer=MadeUpScorer(lambda reference, candidates: score(reference)))


def test_a_failing_model_is_replaced_by_spectral_distance(generation: Generation) -> None:
    def broken(row: int) -> FloatArray:
        raise RuntimeError("boom")

    def not_a_number(row: int) -> FloatArray:
        return np.full(len(generation.index), np.nan, dtype=np.float32)

    for score, reason in ((broken, "RuntimeError"), (not_a_number, "not numbers")):
        planner = Planner(_scored(generation, score), settings(top_k=1, no_repeat_share=0.0))
        step = joins_of(walk(planner, 30))[0]
        assert step.rung == "nearest" and reason in step.reasons[0]


def test_the_repeat_rule_never_starves_a_tiny_pool(tmp_path: Path) -> None:
    generation = make_generation(make_pool(tmp_path, [noise_song(3, 0)]))
    planner = Planner(generation, settings(no_repeat_share=0.9))
    walked = rows(walk(planner, 20))
    assert set(walked) == {0, 1}


def test_banned_songs_are_not_played_and_banning_all_says_so(generation: Generation) -> None:
    planner = Planner(generation, settings())
    planner.ban("hash1")
    assert 1 not in {step.chunk.song_index for step in walk(planner, 100)[1:]}
    planner.ban("hash0")
    planner.ban("hash2")
    with pytest.raises(EndlosError, match="none of the songs can be read"):
        planner.next()
    planner.leave_out(frozenset({"hash0", "hash2"}))
    assert {step.chunk.song_index for step in walk(planner, 30)} == {1}


def test_a_new_generation_keeps_what_was_played(generation: Generation, tmp_path: Path) -> None:
    planner = Planner(generation, settings(no_repeat_share=0.6))
    first = walk(planner, 10)
    songs = [noise_song(15, 0), noise_song(12, 1), noise_song(9, 2), noise_song(6, 3)]
    larger = make_generation(make_pool(tmp_path, songs))
    planner.adopt(larger)
    later = walk(planner, 6)
    assert not {step.chunk.key for step in first} & {step.chunk.key for step in later}
    assert later[0].candidates == len(larger.index)


@pytest.mark.parametrize(
    "wrong",
    [
        {"strategy": "best"},
        {"top_k": 0},
        {"temperature": 0.0},
        {"no_repeat_share": 1.0},
        {"max_phrase_s": -1.0},
        {"other_songs": 1.5},
    ],
)
def test_settings_out_of_range_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(EndlosError):
        settings(**wrong)
