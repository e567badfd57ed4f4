"""The join planner puts beats on one grid and matches levels, the same however it is asked."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model.base.arrays import FloatArray
from model.base.errors import EndlosError
from stream.choosing.generation import Chunk, Generation
from stream.choosing.step import Step
from stream.doors.door import Door, JoinKind
from stream.joins import join_planner
from stream.joins.beat_fit import beat_fit
from stream.joins.join_plan import JoinPlan, Leaving
from stream.joins.join_planner import JoinPlanner
from stream.joins.kinds.registry import read_join
from stream.joins.levels import Release, k_weighted_power, loudness_lufs
from stream.joins.settings import SoundSettings
from tests.support.pools import make_generation, make_pool, noise_song, with_beat
from tools.songs.loudness import integrated_lufs

RATE_HZ = 44_100
PERIOD_S = 0.5


def beaten(seconds: float, first_s: float, level: float, seed: int) -> FloatArray:
    """A song with a struck sound every half second, the first one at `first_s`."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    since_s = (time_s - first_s) % PERIOD_S
    sound = rng.normal(0.0, level, len(time_s)) * (0.05 + np.exp(-since_s / 0.03))
    return np.repeat(sound[:, None], 2, axis=1).astype(np.float32)


@pytest.fixture(scope="module")
def generation(tmp_path_factory: pytest.TempPathFactory) -> Generation:
    """Two songs of chunks of 1.5 s: beats 20 ms behind the cuts of the first, 170 ms in the second."""
    songs = [beaten(12, 0.02, 0.2, 1), beaten(12, 0.17, 0.1, 2)]
    pool = make_pool(tmp_path_factory.mktemp("joining"), songs)
    count, second = len(pool), pool.chunk_song == 1
    first_beat_s = np.where(second, 0.17, 0.02).astype(np.float32)
    traits = replace(
        pool.traits,
        tempo_bpm=np.full(count, 120.0, dtype=np.float32),
        beat_confidence=np.ones(count, dtype=np.float32),
        beats_per_bar=np.full(count, 4, dtype=np.int64),
        start_beat_s=first_beat_s,
        end_beat_s=(PERIOD_S - first_beat_s).astype(np.float32),
        start_bar_beat=np.where(second, 2.0, 0.0).astype(np.float32),
        end_bar_beat=np.where(second, 2.0, 0.0).astype(np.float32),
    )
    return make_generation(replace(pool, traits=traits))


def planner(fade_s: float = 0.5) -> JoinPlanner:
    return JoinPlanner(SoundSettings(engine_rate_hz=RATE_HZ, fade_s=fade_s, target_lufs=None))


def step(generation: Generation, a: int, b: int) -> Step:
    return Step(after=generation.chunk(a), chunk=generation.chunk(b), natural=False, rung="full")


def test_beats_fall_on_one_grid(generation: Generation) -> None:
    first, second = 2, int(np.searchsorted(generation.pool.chunk_song, 1)) + 3
    for a, b, expected_ms in ((first, second, -150.0), (second, first, 150.0), (first, first + 3, 0.0)):
        plan = planner().plan(step(generation, a, b), Leaving(chunk=generation.chunk(a), release=Release()))
        assert 1e3 * plan.shift_frames / RATE_HZ == pytest.approx(expected_ms, abs=3.0)
        assert plan.terms["beat_error_ms"] == pytest.approx(0.0, abs=3.0)
        assert plan.terms["tempo_ratio"] == pytest.approx(1.0)
    fit = beat_fit(generation.chunk(first), generation.chunk(second))
    assert fit is not None
    assert fit.bar_offset_beats(-0.15) == pytest.approx(1.7, abs=1e-3)


def test_the_louder_song_is_matched_and_let_go(generation: Generation) -> None:
    a, b = int(np.searchsorted(generation.pool.chunk_song, 1)) + 3, 2
    plan = planner().plan(step(generation, a, b), Leaving(chunk=generation.chunk(a), release=Release()))
    # Beside the seam are beats of one song and pauses of the other: about 6 dB, within a beat's worth.
    assert -9.0 <= plan.match_db < -3.0
    assert plan.release_frames == pytest.approx(-plan.match_db / 0.5 * RATE_HZ, abs=1)
    left = Release(offset_db=2.0, start_frame=0, frames=100 * RATE_HZ)
    matched = planner().plan(step(generation, a, b), Leaving(chunk=generation.chunk(a), release=left))
    difference_db = plan.terms["level_difference_db"]
    assert difference_db is not None
    residual_db = left.db_at(plan.leave_frame)
    assert matched.match_db == pytest.approx(difference_db + residual_db)


def test_after_a_soft_end_a_loud_song_comes_in_softly_and_no_intro_is_boosted_as_much(tmp_path: Path) -> None:
    soft = make_generation(make_pool(tmp_path, [0.03 * noise_song(9, 0), noise_song(9, 0)]))
    into_loud = planner().plan(step(soft, 2, 8), Leaving(chunk=soft.chunk(2), release=Release()))
    into_soft = planner().plan(step(soft, 8, 2), Leaving(chunk=soft.chunk(8), release=Release()))
    assert into_loud.match_db == -12.0 and into_loud.release_frames == 24 * RATE_HZ
    assert into_soft.match_db == 6.0


def test_a_plan_is_the_same_prepared_or_not_and_survives_the_log(generation: Generation) -> None:
    wanted = step(generation, 2, 12)
    prepared = planner()
    prepared.prepare(wanted)
    plans = [
        source.plan(wanted, Leaving(chunk=generation.chunk(2), release=Release()))
        for source in (prepared, planner())
    ]
    assert plans[0] == plans[1]
    assert read_join(json.loads(json.dumps(plans[0].as_json()))) == plans[0]
    with pytest.raises(EndlosError, match="cannot be read"):
        read_join({"leave_frame": 1})


def test_songs_are_blended_and_one_song_is_spliced(generation: Generation) -> None:
    second = int(np.searchsorted(generation.pool.chunk_song, 1)) + 3
    across, within = (
        planner(1.5).plan(step(generation, 2, b), Leaving(chunk=generation.chunk(2), release=Release()))
        for b in (second, 5)
    )
    # Chunks are of 1.5 s, and the half of one bounds what a fade takes of it.
    room = round(0.75 * RATE_HZ) - abs(across.shift_frames) - round(0.09 * RATE_HZ)
    assert room <= across.before_frames == across.after_frames <= 0.75 * RATE_HZ
    assert within.fade_frames < 0.2 * RATE_HZ
    # Where less may be faded, the place is still chosen.
    short = planner(0.3).plan(
        step(generation, 2, second), Leaving(chunk=generation.chunk(2), release=Release())
    )
    assert short.before_frames == short.after_frames == round(0.15 * RATE_HZ)
    assert short.terms["attack_cost_db"] is not None


def test_a_join_at_once_begins_at_once(generation: Generation) -> None:
    at = round(4.111 * RATE_HZ)
    for b in (9, 12, 14):
        plan = planner().plan(
            step(generation, 2, b), Leaving(chunk=generation.chunk(2), release=Release(), at_once=at)
        )
        assert at <= plan.begin_frame
        assert plan.leave_frame <= at + 0.16 * RATE_HZ
        assert plan.fade_frames <= 0.1 * RATE_HZ


def test_a_join_at_once_waits_for_no_beat_that_is_far(generation: Generation) -> None:
    grids_ms = []
    for at in np.arange(3.1, 4.3, 0.037):
        plan = planner().plan(
            step(generation, 2, 12),
            Leaving(chunk=generation.chunk(2), release=Release(), at_once=round(at * RATE_HZ)),
        )
        grid_ms = plan.terms["grid_ms"]
        assert abs(plan.shift_frames) <= 0.03 * RATE_HZ
        if grid_ms is not None:
            assert 0.0 <= grid_ms <= 30.0
            grids_ms.append(grid_ms)
    # Of the places from one beat to the next, half a second later, few lie as near before it.
    assert 1 <= len(grids_ms) < 8


def test_a_plan_lies_where_its_shift_says_and_takes_half_of_a_chunk_at_most(generation: Generation) -> None:
    source = planner(3.0)
    for a, b in ((2, 12), (3, 14), (13, 4), (9, 5), (1, 6)):
        plan = source.plan(step(generation, a, b), Leaving(chunk=generation.chunk(a), release=Release()))
        a_start, cut = generation.reader.chunk_span(a)
        b_start, b_stop = generation.reader.chunk_span(b)
        # B's start comes so much later than A's cut: seen from the middle, where both are heard.
        assert (plan.leave_frame - cut) - (plan.enter_frame - b_start) == plan.shift_frames
        assert plan.begin_frame >= cut - (cut - a_start) // 2
        assert plan.enter_frame + plan.after_frames <= b_start + (b_stop - b_start) // 2


def test_a_fade_ends_within_the_first_half_of_a_short_chunk(tmp_path: Path) -> None:
    short = make_generation(
        make_pool(tmp_path, [beaten(6, 0.05, 0.2, 1), beaten(6, 0.02, 0.2, 2)], chunk_s=1.0)
    )
    source, later = planner(3.0), 0
    for a, b in ((2, 8), (1, 9), (3, 10), (4, 7), (8, 1), (9, 2), (7, 3), (10, 4)):
        plan = source.plan(step(short, a, b), Leaving(chunk=short.chunk(a), release=Release()))
        assert plan.enter_frame + plan.after_frames <= short.reader.chunk_span(b)[0] + RATE_HZ // 2
        later += plan.shift_frames > 0
    assert later > 0


def test_no_more_plans_are_kept_than_told(generation: Generation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(join_planner, "KEPT_PLANS", 2)
    asked: list[tuple[int, int]] = []
    source = planner()
    plan = source._plan

    def noting(
        kind: JoinKind, before: Chunk, chunk: Chunk, door: Door | None, at_once: int | None
    ) -> JoinPlan:
        asked.append((before.row, chunk.row))
        return plan(kind, before, chunk, door, at_once)

    monkeypatch.setattr(source, "_plan", noting)
    for a, b in ((2, 12), (2, 13), (2, 12), (2, 14), (2, 14), (2, 12)):
        source.prepare(step(generation, a, b))
    # The oldest is forgotten, and made again.
    assert asked == [(2, 12), (2, 13), (2, 14), (2, 12)]


def test_a_song_that_is_gone_is_planned_as_silence(tmp_path: Path) -> None:
    generation = make_generation(make_pool(tmp_path, [noise_song(9, 0), noise_song(9, 1)]))
    generation.pool.songs[1].path.unlink()
    plan = planner().plan(step(generation, 1, 8), Leaving(chunk=generation.chunk(1), release=Release()))
    assert abs(plan.match_db) <= 6.0


def test_a_release_is_the_same_for_every_span_and_ends() -> None:
    audio = np.random.default_rng(3).normal(0, 0.1, (50_000, 2)).astype(np.float32)
    release = Release(offset_db=-4.0, start_frame=100, frames=30_000)
    whole = release.applied(audio, 0)
    np.testing.assert_array_equal(
        np.concatenate([release.applied(audio[a : a + 7], a) for a in range(0, 50_000, 7)]), whole
    )
    np.testing.assert_array_equal(whole[30_100:], audio[30_100:])
    np.testing.assert_allclose(whole[:100], audio[:100] * 10 ** (-4 / 20), rtol=1e-6)
    np.testing.assert_allclose(whole[15_100], audio[15_100] * 10 ** (-2 / 20), rtol=1e-6)
    assert (release.db_at(0), release.db_at(15_100), release.db_at(30_100)) == (-4.0, -2.0, 0.0)
    assert Release().applied(audio, 0) is audio


def test_loudness_of_hops_is_that_of_bs1770() -> None:
    audio = noise_song(3.0, 0)
    power = k_weighted_power(audio, RATE_HZ, 128)
    assert loudness_lufs(power) == pytest.approx(integrated_lufs(audio, RATE_HZ), abs=0.1)
    assert loudness_lufs(np.zeros(5)) == loudness_lufs(np.full(5, 1e-12)) == -70.0


def test_a_blend_brings_together_what_is_heard_before_and_after_it(tmp_path: Path) -> None:
    first = noise_song(9, 0)
    cut, half = round(3.0 * RATE_HZ), round(0.72 * RATE_HZ)
    first[cut - half : cut + half] *= np.float32(0.05)
    generation = make_generation(make_pool(tmp_path, [first, noise_song(9, 1)]))
    assert generation.reader.chunk_span(1)[1] == cut
    other = int(np.searchsorted(generation.pool.chunk_song, 1)) + 2
    beaten = with_beat(generation, 120.0)
    blend, splice, beatless = (
        planner(1.5)
        .plan(step(songs, 1, row), Leaving(chunk=songs.chunk(1), release=Release()))
        .terms["level_difference_db"]
        for songs, row in ((generation, other), (beaten, 4), (generation, 4))
    )
    assert blend == pytest.approx(0.0, abs=2.0) and beatless == pytest.approx(0.0, abs=2.0)
    assert splice is not None
    assert splice < -15.0
