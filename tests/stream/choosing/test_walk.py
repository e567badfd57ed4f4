"""The walk takes chunks bucket by bucket, best first, bridges what is empty, and always knows its place."""

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model.base.array_files import ArrayFile
from model.base.errors import EndlosError, ModelError
from model.base.stored_rows import StoredRows
from model.features.seam import SEAM_VALUES, SeamSides, seam_sides, seam_terms
from model.saved.second_stage import carried_second_stage
from model.saved.walk import class_vectors
from stream.choosing.generation import Generation
from stream.choosing.planner import Planner
from stream.choosing.settings import PlannerSettings
from stream.choosing.step import Step
from stream.choosing.weighing.weights import CostWeights
from stream.engine.decisions import Decision
from stream.index.edge_index import NO_SUCCESSOR
from stream.index.metrics import STEPS_PER_NAT
from stream.index.vector_index import EmbeddingIndex
from stream.joins.settings import SoundSettings
from stream.pool.feedback import LabelledJoin
from stream.scoring.buckets import Buckets
from stream.scoring.ladder import EVEN_DB, SPREAD_DB
from tests.support.pools import make_generation, make_pool, noise_song, with_opened
from tests.support.spectra import with_spectra

WALK = (0, 1, 1, 2, 4, 3)
"""Class 4 has no chunk; class 1 is visited twice in a row."""
CLASSES = 6
NOTHING_ELSE = CostWeights(
    **{name: 0.0 for name in vars(CostWeights()) if not name.endswith(("_most", "percent", "free_db"))}
)


def sorted_into(generation: Generation, bucket: "np.ndarray[tuple[int, ...], np.dtype[np.int64]]") -> Buckets:
    rng = np.random.default_rng(0)
    return Buckets(
        bucket=bucket,
        likely=np.log(rng.uniform(0.2, 1.0, len(bucket))).astype(np.float32),
        sizes=np.bincount(bucket, minlength=CLASSES),
        walk=np.array(WALK),
    )


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Generation:
    songs = [noise_song(15, 0), noise_song(12, 1), noise_song(9, 2)]
    return make_generation(make_pool(tmp_path_factory.mktemp("walk"), songs))


@pytest.fixture(scope="module")
def generation(plain: Generation) -> Generation:
    """24 chunks in turn in the buckets 0 to 3, so that a song never goes on into the next bucket but one."""
    return with_opened(plain, buckets=sorted_into(plain, np.arange(len(plain.index)) * 7 % 4))


def settings(**changes: object) -> PlannerSettings:
    return replace(PlannerSettings(seed=3, walk=True, no_repeat_share=0.1), **changes)  # type: ignore[arg-type]


def walked(planner: Planner, steps: int) -> list[Step]:
    found = []
    for _ in range(steps):
        found.append(planner.next())
        planner.deliver(found[-1])
    return found


def places(steps: list[Step]) -> list[int | None]:
    return [None if step.stop is None else step.stop.place for step in steps]


def test_buckets_are_sorted_by_their_most_likely_class() -> None:
    logits = np.random.default_rng(1).normal(0.0, 2.0, (40, CLASSES)).astype(np.float32)
    nats = class_vectors(logits, WALK).starts
    vectors = EmbeddingIndex.quantised(nats, nats, metric="product", key="test")
    found = Buckets.of(vectors, WALK)
    # Nearly equal ones may change places by being kept in 8 bits.
    clear = np.diff(np.sort(nats, axis=1)[:, -2:], axis=1)[:, 0] > 1 / STEPS_PER_NAT
    np.testing.assert_array_equal(found.bucket[clear], logits.argmax(axis=1)[clear])
    np.testing.assert_allclose(found.likely, nats.max(axis=1), atol=0.51 / STEPS_PER_NAT)
    assert found.sizes.tolist() == [int((found.bucket == one).sum()) for one in range(CLASSES)]
    assert found.empty == int((found.sizes == 0).sum())


def test_it_goes_through_the_buckets_in_their_order_and_round_again(generation: Generation) -> None:
    steps = walked(Planner(generation, settings()), 30)
    buckets = generation.opened.buckets
    assert buckets is not None
    # Place 4 of the walk is class 4, which no chunk falls into.
    assert places(steps) == [place for _ in range(6) for place in (0, 1, 2, 3, 5)]
    for step in steps:
        assert step.stop is not None and step.rung == "walk"
        assert buckets.bucket[step.chunk.row] == step.stop.bucket == WALK[step.stop.place]
        assert step.score == pytest.approx(np.exp(buckets.likely[step.chunk.row]))
        assert step.natural == (
            step.after is not None and step.chunk.row == generation.index.successor[step.after.row]
        )
        assert step.stop.empty == (step.stop.place == 5)
    bridged = [step for step in steps if step.stop is not None and step.stop.empty]
    assert all("bridged a bucket that no chunk falls into" in step.reasons for step in bridged)


def test_the_best_of_a_bucket_is_likely_in_it_and_near_what_plays(generation: Generation) -> None:
    chosen = settings(top_k=1, weights=NOTHING_ELSE, other_songs=0.0, no_repeat_share=0.0)
    index, buckets = generation.index, generation.opened.buckets
    assert buckets is not None
    for start in range(len(index)):
        step = walked(Planner(generation, chosen, generation.chunk(start)), 2)[1]
        totals = buckets.likely - (index.distances_db(start) - EVEN_DB) / SPREAD_DB
        totals[(buckets.bucket != 0) | (np.arange(len(index)) == start)] = -np.inf
        assert step.chunk.row == int(totals.argmax()) and step.rank == 1
        assert step.terms["total"] == pytest.approx(totals.max(), abs=1e-3)
        parts = sum(value for name, value in step.terms.items() if name != "total")
        assert step.terms["total"] == pytest.approx(parts, abs=1e-3)


def test_the_seam_is_weighed_as_the_second_stage_weighs_it_where_the_pool_knows_it(
    generation: Generation,
) -> None:
    pool = with_spectra(generation.pool)
    spans_s = np.stack([pool.start_s(), pool.end_s()], axis=1)
    assert pool.spectra is not None
    sides = seam_sides(pool.spectra, spans_s)
    known = replace(generation, pool=replace(pool, sides=sides))
    step = walked(Planner(known, settings(), known.chunk(5)), 2)[1]
    terms = seam_terms(sides.distances_db(5, np.array([step.chunk.row])))[0]
    assert step.terms["seam"] == pytest.approx(float(terms @ carried_second_stage().terms), abs=1e-3)


def test_sides_that_cannot_be_read_any_more_are_told_once_and_bands_weigh_the_seam(
    generation: Generation, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    count = len(generation.index)
    path = tmp_path / "sides.bin"
    path.write_bytes(bytes(count * SEAM_VALUES * 2))
    file = ArrayFile.plain(path, np.dtype(np.int16), (count, SEAM_VALUES))
    rows = StoredRows(file, np.arange(count), "build it again")
    known = replace(generation, pool=replace(generation.pool, sides=SeamSides(ends=rows, starts=rows)))
    planner = Planner(known, settings(), known.chunk(5))
    os.truncate(path, 0)
    step = walked(planner, 3)[1]
    expected = -(generation.index.distances_db(5)[step.chunk.row] - EVEN_DB) / SPREAD_DB
    assert step.terms["seam"] == pytest.approx(expected, abs=1e-3)
    (told,) = caplog.messages
    assert "sides.bin cannot be read" in told


def test_a_bucket_is_left_out_while_all_of_it_was_heard_lately(plain: Generation) -> None:
    bucket = np.full(len(plain.index), 1)
    bucket[3] = 0
    generation = with_opened(plain, buckets=replace(sorted_into(plain, bucket), walk=np.array([0, 1])))
    steps = walked(Planner(generation, settings(no_repeat_share=0.25)), 12)
    assert [step.chunk.row == 3 for step in steps] == [True, *[False] * 7, True, *[False] * 3]
    assert steps[2].stop is not None and (steps[2].stop.empty, steps[2].stop.spent) == (0, 1)
    assert "bridged a bucket of which nothing may be played now" in steps[2].reasons


def test_the_same_seed_walks_alike_and_planning_ahead_changes_nothing(generation: Generation) -> None:
    immediate = [step.chunk.row for step in walked(Planner(generation, settings()), 40)]
    planner = Planner(generation, settings())
    planned = [planner.next() for _ in range(5)]
    ahead = []
    while len(ahead) < 40:
        planner.deliver(step := planned.pop(0))
        ahead.append(step.chunk.row)
        planned.append(planner.next())
    assert ahead == immediate
    assert immediate != [step.chunk.row for step in walked(Planner(generation, settings(seed=4)), 40)]


def test_after_a_jump_it_goes_on_where_it_is_heard_to_be(generation: Generation) -> None:
    planner = Planner(generation, settings())
    planned = [planner.next() for _ in range(6)]
    planner.deliver(planned[0])
    # Two planned steps are jumped over, and the others thrown away.
    planner.deliver(planned[3])
    planner.anchor(planned[3].chunk)
    following = planner.next()
    assert places([*planned, following]) == [0, 1, 2, 3, 5, 0, 5]
    # A step that the renderer had to find by itself stands nowhere in the walk: it waits.
    planner.deliver(replace(planned[1], stop=None, rung="natural"))
    planner.anchor(planned[1].chunk)
    assert places([planner.next()]) == [5]


def test_its_place_outlives_a_newer_pool(generation: Generation, plain: Generation) -> None:
    planner = Planner(generation, settings())
    assert places(walked(planner, 3)) == [0, 1, 2]
    newer = with_opened(plain, buckets=sorted_into(plain, np.arange(len(plain.index)) * 5 % 4))
    planner.adopt(newer)
    assert places(walked(planner, 2)) == [3, 5]


def test_songs_that_are_left_out_and_disliked_joins_are_not_taken(generation: Generation) -> None:
    planner = Planner(generation, settings(top_k=1, no_repeat_share=0.0), generation.chunk(2))
    planner.ban("hash0")
    assert all(step.chunk.song_index != 0 for step in walked(planner, 20)[1:])
    planner.leave_out(frozenset())
    assert any(step.chunk.song_index == 0 for step in walked(planner, 60))

    def second(joins: list[LabelledJoin]) -> int:
        chosen = settings(top_k=1, weights=replace(NOTHING_ELSE, liked=20.0), no_repeat_share=0.0)
        return walked(Planner(generation, chosen, generation.chunk(2), joins), 2)[1].chunk.row

    best = second([])
    assert second([judged(generation, 2, best, 0)]) != best
    other = next(row for row in range(0, 24, 4) if row not in (best, 2))
    assert second([judged(generation, 2, other, 1)]) == other


def judged(generation: Generation, from_row: int, to_row: int, label: int) -> LabelledJoin:
    left, entered = generation.key(from_row), generation.key(to_row)
    return LabelledJoin(
        from_hash=left.audio_hash,
        from_end_sample=left.end_sample,
        to_hash=entered.audio_hash,
        to_start_sample=entered.start_sample,
        label=label,
    )


def test_next_leads_to_another_song(generation: Generation) -> None:
    planner = Planner(generation, settings(), generation.chunk(2))
    planner.deliver(planner.next())
    for _ in range(12):
        step = planner.next(leave=True)
        planner.deliver(step)
        assert step.leaves_song and "next was asked for" in step.reasons and step.stop is not None


def test_a_song_goes_on_by_itself_for_as_long_as_a_phrase_may(plain: Generation) -> None:
    """All chunks are in one bucket, and what really follows is liked beyond measure."""
    generation = with_opened(plain, buckets=sorted_into(plain, np.zeros(len(plain.index), dtype=np.int64)))
    following = enumerate(plain.index.successor.tolist())
    joins = [judged(plain, row, after, 1) for row, after in following if after != NO_SUCCESSOR]

    def longest(max_phrase_s: float) -> int:
        chosen = settings(max_phrase_s=max_phrase_s, min_phrase_s=0.0, weights=CostWeights(liked=500.0))
        run = most = 0
        for step in walked(Planner(generation, chosen, joins=joins), 60):
            run = run + 1 if step.natural else 0
            most = max(most, run)
        return most

    # Of chunks of 1.5 s, two last as long as asked; of the songs the longest has ten.
    assert longest(3.1) == 1 and longest(40.0) == 9


def test_nothing_to_play_leads_to_what_was_heard_longest_ago(plain: Generation) -> None:
    pair = with_opened(plain, buckets=sorted_into(plain, np.zeros(len(plain.index), dtype=np.int64)))
    planner = Planner(pair, settings(), pair.chunk(10))
    planner.leave_out(frozenset({"hash0", "hash2"}))
    steps = walked(planner, 30)
    assert all(step.chunk.song_index == 1 for step in steps)


def test_a_walk_without_buckets_is_refused(plain: Generation) -> None:
    with pytest.raises(ModelError, match="sorts nothing into buckets"):
        Planner(plain, settings())
    with pytest.raises(EndlosError, match="strategy random walks through no buckets"):
        settings(strategy="random")


def test_the_log_says_where_in_the_walk_a_step_was(generation: Generation) -> None:
    steps = walked(Planner(generation, settings()), 5)
    decision = Decision(
        n=4,
        step=steps[4],
        before=steps[3].chunk,
        left_at_s=1.0,
        entered_at_s=0.0,
        t_out_frames=9,
        plan=None,
        jump_frames=None,
        gain_db=0.0,
        settings=SoundSettings(),
        reach_frames=0,
    )
    line = json.loads(json.dumps(decision.as_json()))
    assert line["walk"] == {"place": 5, "bucket": 3, "empty": 1, "spent": 0} and line["strategy"] == "walk"
