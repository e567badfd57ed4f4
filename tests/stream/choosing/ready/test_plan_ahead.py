"""These tests plan ahead without threads and without waiting, as what happens goes in and work comes out."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.bench_planning import made_up
from model.base.errors import EndlosError
from stream.choosing.bans import FIRST_WAIT_S, NothingReadableError
from stream.choosing.generation import Chunk, Generation
from stream.choosing.journey.steering import Steering
from stream.choosing.ready.plan_ahead import (
    KEPT_S,
    LEAVE_S,
    MAX_DEPTH,
    PATIENCE_S,
    REFRESH_S,
    PlanAhead,
    PlanDepth,
    PlanWork,
)
from stream.choosing.step import Step

BEGAN_S = 1_000.0


@pytest.fixture(scope="module")
def generation() -> Generation:
    made = made_up(songs=3, chunks=8, chunk_s=2.0, seed=3, width=16)
    # Chunk n is as long as no other.
    ends = made.pool.start_sample + 44_100 + 441 * np.arange(len(made.index))
    return replace(made, pool=replace(made.pool, end_sample=ends))


def step(after: Chunk | None, chunk: Chunk, *, ready_at_s: float = BEGAN_S) -> Step:
    natural = after is not None and after.row + 1 == chunk.row
    return Step(after=after, chunk=chunk, natural=natural, rung="full", ready_at_s=ready_at_s)


def begun(generation: Generation, *, depth: int = 2, row: int = 0) -> PlanAhead:
    return PlanAhead(step(None, generation.chunk(row)), depth=PlanDepth(steps=depth), now_s=BEGAN_S)


def fill(plan: PlanAhead, at: Chunk, rows: list[int], now_s: float = BEGAN_S) -> PlanWork:
    """Plan steps from `at` on to these rows, as they are asked for; return the last work."""
    for row in rows:
        work = plan.work(now_s)
        assert work.deadline_s is not None
        following = step(at, at.generation.chunk(row))
        plan.planned(following, work)
        at = following.chunk
    return work


def hashes(generation: Generation) -> list[str]:
    return [song.audio_hash for song in generation.pool.songs]


def test_steps_come_in_the_order_in_which_they_were_planned(generation: Generation) -> None:
    plan = begun(generation, depth=4)
    first = plan.take(None, BEGAN_S)
    fill(plan, first.chunk, [1, 2, 11])
    taken = [first]
    for row, now_s in ((1, 1_001.0), (2, 1_002.5), (11, 1_003.0)):
        taken.append(plan.take(taken[-1].chunk, now_s))
        assert taken[-1].chunk.row == row and taken[-1].margin_s == now_s - BEGAN_S
    delivered = plan.work(1_003.0).delivered
    assert [one.chunk.row for one in delivered] == [1, 2, 11], "the first was handed out with the first work"
    assert plan.work(1_003.0).delivered == (), "each step is delivered once"


def test_enough_is_planned_when_one_of_so_many_steps_leaves_the_song(generation: Generation) -> None:
    plan = begun(generation, depth=3)
    at = plan.take(None, BEGAN_S).chunk
    fill(plan, at, [1, 2])
    assert plan.has_work
    fill(plan, generation.chunk(2), [9])
    assert plan.ready == 3 and not plan.has_work and plan.work(BEGAN_S).deadline_s is None
    # The last one planned before leads into the other song: what is left goes on within it.
    plan.take(at, BEGAN_S)
    assert plan.has_work


def test_the_search_for_a_step_that_leaves_ends_somewhere(generation: Generation) -> None:
    plan = begun(generation, depth=2)
    at = plan.take(None, BEGAN_S).chunk
    fill(plan, at, [row % 8 for row in range(1, MAX_DEPTH + 1)])
    assert plan.ready == MAX_DEPTH and plan.work(BEGAN_S).deadline_s is None


def test_a_step_must_be_ready_when_all_before_it_have_been_heard(generation: Generation) -> None:
    plan, now_s = begun(generation, depth=4), BEGAN_S
    rows = [0, 1, 10, 11, 5, 6, 20, 21, 22, 3, 4]
    lengths_s = [generation.chunk(row).end_s - generation.chunk(row).start_s for row in rows]
    assert len(set(np.round(lengths_s, 4))) == len(rows)
    at = previous = plan.take(None, now_s).chunk
    planned, deadlines_s = 1, []
    for taken in range(1, 7):
        while plan.has_work:
            work = plan.work(now_s)
            if work.deadline_s is not None:
                deadlines_s.append(work.deadline_s)
                following = step(previous, generation.chunk(rows[planned]))
                plan.planned(following, work)
                previous, planned = following.chunk, planned + 1
        # Each chunk begins to sound when the one before it is over.
        now_s += lengths_s[taken - 1]
        at = plan.take(at, now_s).chunk
        assert at.row == rows[taken]
    assert len(deadlines_s) > 6
    np.testing.assert_allclose(deadlines_s, BEGAN_S + np.cumsum(lengths_s)[: len(deadlines_s)], atol=1e-6)


def test_a_jump_takes_the_first_planned_step_that_leaves(generation: Generation) -> None:
    plan = begun(generation, depth=4)
    at = plan.take(None, BEGAN_S).chunk
    fill(plan, at, [1, 2, 11, 12])
    upcoming = plan.peek()
    assert upcoming is not None and upcoming.chunk.row == 11
    assert plan.take(at, BEGAN_S, jump=True).chunk is upcoming.chunk
    assert plan.peek() is not None


def test_who_wants_to_leave_has_a_step_planned_for_it_after_what_is_heard_at_once(
    generation: Generation,
) -> None:
    plan = begun(generation, depth=2)
    at = plan.take(None, BEGAN_S).chunk
    fill(plan, at, [1, 2, 3, 4, 5])
    assert not plan.leaves(BEGAN_S) and not plan.leaves(BEGAN_S + LEAVE_S / 2)
    work = plan.work(BEGAN_S + LEAVE_S / 2)
    assert work.leave and work.anchor is not None and work.deadline_s == BEGAN_S + LEAVE_S
    kept = plan.ready
    assert work.anchor.row == kept < 5
    plan.planned(step(work.anchor, generation.chunk(17)), work)
    assert plan.leaves(BEGAN_S + LEAVE_S / 2) and not plan.work(BEGAN_S + LEAVE_S / 2).leave
    assert plan.take(at, BEGAN_S + LEAVE_S / 2, jump=True).chunk.row == 17
    assert not plan.work(BEGAN_S + 1.0).leave, "it has left"


def test_in_the_only_song_who_wants_to_leave_goes_elsewhere_in_it(generation: Generation) -> None:
    plan = begun(generation, depth=2)
    at = plan.take(None, BEGAN_S).chunk
    assert not plan.leaves(BEGAN_S)
    fill(plan, at, [5])
    assert plan.leaves(BEGAN_S)
    taken = plan.take(at, BEGAN_S, jump=True)
    assert (taken.rung, taken.chunk.row) == ("full", 5)


def test_who_wants_to_leave_waits_no_longer_than_that(generation: Generation) -> None:
    plan = begun(generation, depth=2)
    at = plan.take(None, BEGAN_S).chunk
    fill(plan, at, [1, 2, 3])
    assert not plan.leaves(BEGAN_S) and plan.leaves(BEGAN_S + LEAVE_S)
    assert plan.take(at, BEGAN_S + LEAVE_S, jump=True).rung == "any"


def test_a_join_that_comes_first_is_what_the_listener_wanted(generation: Generation) -> None:
    plan = begun(generation, depth=2)
    at = plan.take(None, BEGAN_S).chunk
    assert not plan.leaves(BEGAN_S)
    work = plan.work(BEGAN_S)
    plan.planned(step(at, generation.chunk(6)), work)
    at = plan.take(at, BEGAN_S + 1.0).chunk
    assert at.row == 6 and not plan.work(BEGAN_S + 1.0).leave


def test_what_is_not_ready_in_time_goes_on_in_the_song_and_is_planned_anew(generation: Generation) -> None:
    plan = begun(generation)
    at = plan.take(None, BEGAN_S).chunk
    late = plan.work(BEGAN_S)
    fallback = plan.take(at, 1_001.0)
    assert (fallback.rung, fallback.natural, fallback.chunk.row) == ("natural", True, 1)
    # What was asked for before leads on from a chunk that is over.
    plan.planned(step(at, generation.chunk(5)), late)
    assert plan.ready == 0
    work = plan.work(1_001.0)
    assert work.anchor is fallback.chunk and [one.chunk.row for one in work.delivered] == [1]
    assert plan.work(1_001.0).anchor is None, "a plan starts anew once"
    # At the end of a song, and where another is asked for, it is the next one.
    for row, jump in ((7, False), (3, True)):
        fallback = plan.take(generation.chunk(row), 1_002.0, jump=jump)
        assert (fallback.rung, fallback.natural, fallback.chunk.row) == ("any", False, 8)


def test_a_plan_for_another_chunk_is_not_followed(generation: Generation) -> None:
    plan = begun(generation)
    at = plan.take(None, BEGAN_S).chunk
    fill(plan, at, [1, 9])
    assert plan.take(generation.chunk(4), 1_001.0).chunk.row == 5
    assert plan.ready == 0
    with pytest.raises(EndlosError, match="begun already"):
        plan.take(None, 1_001.0)


def test_a_song_that_cannot_be_read_is_left_out_for_a_while(generation: Generation) -> None:
    plan = begun(generation)
    at = plan.take(None, BEGAN_S).chunk
    fill(plan, at, [1, 9])
    late, second = plan.work(BEGAN_S), hashes(generation)[1]
    plan.ban(second, at, BEGAN_S)
    plan.planned(step(generation.chunk(9), generation.chunk(10)), late)
    assert plan.ready == 0
    work = plan.work(BEGAN_S)
    assert work.left_out == {second} and work.anchor is at
    # The song after the one that is banned.
    assert plan.take(generation.chunk(7), BEGAN_S).chunk.row == 16
    assert plan.work(BEGAN_S + FIRST_WAIT_S).left_out == frozenset()


def test_silence_is_told_once_and_ends_the_stream_in_the_end(
    generation: Generation, caplog: pytest.LogCaptureFixture
) -> None:
    plan = begun(generation)
    at, now_s = plan.take(None, BEGAN_S).chunk, BEGAN_S

    def lose_all() -> None:
        for audio_hash in hashes(generation):
            plan.ban(audio_hash, at, now_s)

    lose_all()
    for _ in range(3):
        with pytest.raises(NothingReadableError, match="at this moment"):
            plan.take(at, now_s)
    # A song that can be tried, but not read either, ends no silence.
    now_s += FIRST_WAIT_S
    plan.take(at, now_s)
    lose_all()
    now_s = BEGAN_S + PATIENCE_S - 0.1
    lose_all()
    with pytest.raises(NothingReadableError):
        plan.take(at, now_s)
    now_s += 0.2
    with pytest.raises(EndlosError, match="any more") as ended:
        plan.take(at, now_s)
    assert not isinstance(ended.value, NothingReadableError)
    assert sum("the stream is silent" in record.getMessage() for record in caplog.records) == 1
    # Once one can be read again, a silence begins anew.
    plan.renewed()
    plan.take(at, now_s)
    plan.take(at, now_s)
    lose_all()
    with pytest.raises(NothingReadableError):
        plan.take(at, now_s)
    assert sum("the stream is silent" in record.getMessage() for record in caplog.records) == 2


def test_a_newer_pool_is_looked_for_now_and_then(generation: Generation) -> None:
    plan = begun(generation)
    looked_s = [now_s for now_s in np.arange(BEGAN_S, BEGAN_S + 10, 0.5) if plan.work(now_s).look_for_newer]
    assert looked_s == [BEGAN_S + REFRESH_S * n for n in range(1, 5)]
    assert plan.idle_s(looked_s[-1] + 0.5) == REFRESH_S - 0.5 and plan.idle_s(BEGAN_S + 100) == 0.0
    plan.ban(hashes(generation)[0], generation.chunk(0), BEGAN_S)
    # Whoever built it has just read the songs.
    plan.renewed()
    assert plan.work(BEGAN_S).left_out == frozenset()


def test_steering_plans_anew_what_is_not_heard_at_once(generation: Generation) -> None:
    plan = begun(generation, depth=6)
    at = plan.take(None, BEGAN_S).chunk
    work = fill(plan, at, [1, 2, 3, 11])
    on_its_way = plan.work(BEGAN_S)
    assert work.steering is None and on_its_way.steering is None
    wanted = Steering(phrase_factor=2.0)
    plan.steer(wanted, BEGAN_S)
    # The chunks are about 1 s long: those that begin in 1.0, 2.0 and 3.0 s are kept up to KEPT_S.
    lengths_s = np.cumsum([generation.chunk(row).end_s - generation.chunk(row).start_s for row in range(4)])
    kept = int(np.count_nonzero(lengths_s < KEPT_S))
    assert 0 < kept < 4 and plan.ready == kept
    plan.planned(step(generation.chunk(11), generation.chunk(12)), on_its_way)
    assert plan.ready == kept, "it belongs to the plan that was thrown away"
    told = plan.work(BEGAN_S)
    assert told.steering is wanted and told.anchor is not None and told.anchor.row == kept
    assert told.deadline_s == pytest.approx(BEGAN_S + lengths_s[kept])
    again = plan.work(BEGAN_S)
    assert again.steering is None and again.anchor is None
    # What was kept is taken as it was planned.
    assert plan.take(at, BEGAN_S + 1.0).chunk.row == 1


def test_steering_while_it_stands_still_keeps_no_more_than_one_step(generation: Generation) -> None:
    plan = begun(generation, depth=6)
    at = plan.take(None, BEGAN_S).chunk
    rows = [1, 2, 3, 4, 5, 6, 7, 15]
    fill(plan, at, rows)
    plan.steer(Steering(phrase_factor=2.0), BEGAN_S + 600.0)
    assert 1 <= plan.ready <= 1 + KEPT_S


def test_steering_before_the_first_step_is_taken_keeps_it(generation: Generation) -> None:
    plan = begun(generation)
    plan.steer(Steering(phrase_factor=2.0), BEGAN_S + 20.0)
    work = plan.work(BEGAN_S + 20.0)
    assert work.anchor is not None and work.anchor.row == 0
    assert plan.take(None, BEGAN_S + 20.0).chunk is work.anchor


def test_steering_after_a_song_was_lost_goes_on_from_where_the_stream_stands(generation: Generation) -> None:
    plan = begun(generation)
    at = plan.take(None, BEGAN_S).chunk
    fill(plan, at, [9])
    lost = plan.take(at, BEGAN_S + 1.0)
    plan.ban(lost.chunk.song.audio_hash, at, BEGAN_S + 1.0)
    plan.steer(Steering(phrase_factor=2.0), BEGAN_S + 1.0)
    assert plan.work(BEGAN_S + 1.0).anchor is at


def test_no_fallback_leads_into_a_muted_song_where_there_is_another(generation: Generation) -> None:
    plan = begun(generation, row=7)
    at = plan.take(None, BEGAN_S).chunk
    plan.steer(Steering(muted=frozenset(hashes(generation)[1:2])), BEGAN_S)
    assert plan.take(at, BEGAN_S + 5.0, jump=True).chunk.song_index == 2


def test_who_steers_without_pause_gets_the_steps_that_are_needed_at_once(generation: Generation) -> None:
    """Each change comes while a step is chosen by the one before."""
    plan = begun(generation, depth=8)
    at = plan.take(None, BEGAN_S).chunk
    for number, kept in enumerate([1, 2, 2]):
        work = plan.work(BEGAN_S)
        plan.steer(Steering(phrase_factor=1.0 + 0.01 * number), BEGAN_S)
        following = step(at, generation.chunk(number + 1))
        plan.planned(following, work)
        # Chunks are a little longer than 1 s: after the first and two more the next is due after KEPT_S.
        assert plan.ready == kept
        if kept == number + 1:
            at = following.chunk
            assert plan.work(BEGAN_S).anchor is at
    late = plan.work(BEGAN_S)
    plan.ban(hashes(generation)[2], at, BEGAN_S)
    plan.planned(step(at, generation.chunk(17)), late)
    assert plan.ready == 0, "a song that was lost is no wish of the listener"
