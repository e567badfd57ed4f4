"""Beats that a pool does not know fall together where they are heard in both songs, and have one tempo."""

from pathlib import Path

import numpy as np
import pytest

from stream.choosing.generation import Generation
from stream.choosing.step import Step
from stream.doors.door import Door, JoinKind
from stream.doors.side import SOONER_S
from stream.joins.join_plan import JoinPlan, Leaving
from stream.joins.join_planner import JoinPlanner
from stream.joins.levels import Release
from stream.joins.settings import SoundSettings
from tests.support.beaten import RATE_HZ, beaten_generation, beaten_song, known_timeline, steady_beats

SECONDS = 40.0
CHUNK_S = 4.0
A_CHUNK = 4
"""A is left at 20 s, B is entered at 4 s."""
BPM = 108.0


def unknown(folder: Path, a_s: np.ndarray, b_s: np.ndarray, a_seconds: float = SECONDS) -> Generation:
    """Two songs with beats, of which the pool knows none; A may end sooner."""
    songs = [beaten_song(a_seconds, a_s, 1), beaten_song(SECONDS, b_s, 2)]
    told = [known_timeline(seconds, np.empty(0)) for seconds in (a_seconds, SECONDS)]
    return beaten_generation(folder, songs, told, chunk_s=CHUNK_S)


def planned(
    songs: Generation, kind: JoinKind, *, at_once: int | None = None, plays_out: bool = False
) -> JoinPlan:
    b = int(np.searchsorted(songs.pool.chunk_song, 1)) + 1
    step = Step(
        after=songs.chunk(A_CHUNK),
        chunk=songs.chunk(b),
        natural=False,
        rung="full",
        door=Door(kind=kind, overlap_s=10.0, plays_out=plays_out),
    )
    planner = JoinPlanner(SoundSettings(engine_rate_hz=RATE_HZ, target_lufs=None))
    return planner.plan(step, Leaving(chunk=songs.chunk(A_CHUNK), release=Release(), at_once=at_once))


def off_s(plan: JoinPlan, a_s: np.ndarray, b_s: np.ndarray, at_frame: int) -> float:
    """How far the beat of B is from one of A that is next to a frame of the join."""
    of_a = a_s - (plan.begin_frame + at_frame) / RATE_HZ
    of_b = b_s - (plan.first_frame + at_frame) / RATE_HZ
    near = of_b[np.abs(of_b).argmin()]
    return float(np.abs(of_a - near).min())


@pytest.mark.parametrize("apart", [0.0, 0.1, 0.25, 0.4, 0.6, 0.85])
def test_a_plain_fade_begins_so_that_beats_fall_together_through_it(tmp_path: Path, apart: float) -> None:
    a_s, b_s = steady_beats(SECONDS, BPM, 0.1), steady_beats(SECONDS, BPM, 0.1 + apart * 60.0 / BPM)
    plan = planned(unknown(tmp_path, a_s, b_s), JoinKind.PLAIN_FADE)
    assert plan.kind is JoinKind.PLAIN_FADE and plan.fade_frames >= 7 * RATE_HZ
    for at_frame in (0, plan.before_frames, plan.fade_frames):
        assert off_s(plan, a_s, b_s, at_frame) < 0.006
    # B is heard from its start on, and A goes half a beat before or after where it would have.
    assert plan.first_frame == round(CHUNK_S * RATE_HZ)
    unmoved = plan.begin_frame - round(RATE_HZ * (plan.terms["beat_move_ms"] or 0.0) / 1e3)
    assert abs(plan.begin_frame - unmoved) <= 0.5 * 60.0 / BPM * RATE_HZ + 1
    assert 18.0 * RATE_HZ <= unmoved <= 20.0 * RATE_HZ


@pytest.mark.parametrize("apart", [0.2, 0.45, 0.7, 0.95])
def test_beats_are_met_no_sooner_than_a_join_may_begin_and_while_a_sounds(
    tmp_path: Path, apart: float
) -> None:
    a_s, b_s = steady_beats(SECONDS, BPM, 0.1), steady_beats(SECONDS, BPM, 0.1 + apart * 60.0 / BPM)
    late = unknown(tmp_path / "late", a_s, b_s, 25.5)
    plan = planned(late, JoinKind.PLAIN_FADE)
    assert off_s(plan, a_s, b_s, plan.before_frames) < 0.006
    assert plan.begin_frame + plan.fade_frames <= 25.5 * RATE_HZ
    # From the first frame on that a join may begin at A is in a breath.
    breath = [beaten_song(SECONDS, beats_s, seed) for seed, beats_s in enumerate((a_s, b_s), 1)]
    breath[0][round(18.1 * RATE_HZ) : round(20.3 * RATE_HZ)] *= 0.02
    told = [known_timeline(SECONDS, np.empty(0))] * 2
    plan = planned(beaten_generation(tmp_path / "breath", breath, told, chunk_s=CHUNK_S), JoinKind.PLAIN_FADE)
    assert off_s(plan, a_s, b_s, plan.before_frames) < 0.006
    assert 18.0 * RATE_HZ <= plan.begin_frame < 18.6 * RATE_HZ


def test_of_two_tempi_that_are_nearly_one_beats_fall_together_in_the_middle(tmp_path: Path) -> None:
    a_s, b_s = steady_beats(SECONDS, BPM, 0.1), steady_beats(SECONDS, 1.02 * BPM, 0.3)
    plan = planned(unknown(tmp_path, a_s, b_s), JoinKind.PLAIN_FADE)
    assert off_s(plan, a_s, b_s, plan.before_frames) < 0.012


def test_beats_twice_as_fast_are_met_on_every_second_one(tmp_path: Path) -> None:
    a_s, b_s = steady_beats(SECONDS, 80.0, 0.1), steady_beats(SECONDS, 160.0, 0.22)
    for number, (left, entered) in enumerate(((a_s, b_s), (b_s, a_s))):
        plan = planned(unknown(tmp_path / str(number), left, entered), JoinKind.PLAIN_FADE)
        slow, fast = (a_s - plan.begin_frame / RATE_HZ, b_s - plan.first_frame / RATE_HZ)
        if number:
            slow, fast = (a_s - plan.first_frame / RATE_HZ, b_s - plan.begin_frame / RATE_HZ)
        near = slow[np.abs(slow - plan.before_frames / RATE_HZ).argmin()]
        assert np.abs(fast - near).min() < 0.008


@pytest.mark.parametrize("b_bpm", [1.05 * BPM, 0.75 * BPM])
def test_beats_of_other_tempi_move_nothing(tmp_path: Path, b_bpm: float) -> None:
    a_s, b_s = steady_beats(SECONDS, BPM, 0.1), steady_beats(SECONDS, b_bpm, 0.3)
    none = np.empty(0)
    for number, (left, entered) in enumerate(((a_s, b_s), (a_s, none), (none, b_s))):
        plan = planned(unknown(tmp_path / str(number), left, entered), JoinKind.PLAIN_FADE)
        assert plan.terms["beat_move_ms"] is None and plan.terms["tempo_ratio"] is None


def test_a_song_that_is_to_be_heard_out_still_is(tmp_path: Path) -> None:
    a_s, b_s = steady_beats(SECONDS, BPM, 0.1), steady_beats(SECONDS, BPM, 0.35)
    plan = planned(unknown(tmp_path, a_s, b_s, 32.0), JoinKind.PLAIN_FADE, plays_out=True)
    assert off_s(plan, a_s, b_s, plan.before_frames) < 0.006
    ends = plan.begin_frame + plan.fade_frames
    assert (32.0 - SOONER_S - 60.0 / BPM) * RATE_HZ <= ends <= 32.0 * RATE_HZ


@pytest.mark.parametrize("kind", [JoinKind.SHORT_BLEND, JoinKind.SPLICE])
def test_a_seam_fade_lays_b_on_the_beat_unless_someone_waits(tmp_path: Path, kind: JoinKind) -> None:
    a_s, b_s = steady_beats(SECONDS, BPM, 0.1), steady_beats(SECONDS, BPM, 0.45)
    songs = unknown(tmp_path, a_s, b_s)
    plan = planned(songs, kind)
    assert plan.kind is kind and abs(plan.shift_frames) > 0.1 * RATE_HZ
    assert off_s(plan, a_s, b_s, plan.before_frames) < 0.006
    assert abs(plan.terms["beat_error_ms"] or 0.0) < 6.0
    assert planned(songs, kind, at_once=19 * RATE_HZ).terms["tempo_ratio"] is None
