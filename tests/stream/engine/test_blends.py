"""A stream of blends can be left at any moment, comes out again from its log, and knows no blocks."""

import json

import numpy as np
import pytest

from model.base.arrays import FloatArray
from stream.choosing.generation import Generation
from stream.choosing.step import Step
from stream.doors.door import Door, JoinKind
from stream.engine.decisions import Decision
from stream.engine.given_steps import GivenSteps, KnownJoins
from stream.engine.logged import check_decisions
from stream.engine.renderer import Renderer
from stream.joins.join_planner import JoinPlanner
from stream.joins.kinds.registry import read_join
from stream.joins.settings import SoundSettings
from tests.support.beaten import RATE_HZ, beaten_generation, beaten_song, known_timeline, steady_beats

SOUND = SoundSettings(engine_rate_hz=RATE_HZ, target_lufs=None)
SECONDS = 40.0
A_EXIT, B_ENTRY, C_ENTRY = 0, 6, 11
"""Of each song the first chunk, or the second, from 8 to 16 s."""
BLEND = Door(kind=JoinKind.TEMPO_BLEND, overlap_s=8.0, overlap_bars=4, tempo_factor=0.98)


@pytest.fixture(scope="module")
def generation(tmp_path_factory: pytest.TempPathFactory) -> Generation:
    """Three songs with chunks of 8 s; the third is one tone."""
    beats = [steady_beats(SECONDS, bpm, 0.012) for bpm in (123.0, 120.0, 120.0)]
    songs = [beaten_song(SECONDS, beats_s, seed) for seed, beats_s in enumerate(beats)]
    time_s = np.arange(len(songs[2])) / RATE_HZ
    songs[2] = np.repeat(0.2 * np.sin(2 * np.pi * 3_000.0 * time_s)[:, None], 2, axis=1).astype(np.float32)
    told = [known_timeline(SECONDS, beats_s) for beats_s in beats]
    return beaten_generation(tmp_path_factory.mktemp("blends"), songs, told, chunk_s=8.0)


def steps(generation: Generation) -> list[Step]:
    """A's first chunk, a blend to B, and another one to C."""
    a, b, c = (generation.chunk(row) for row in (A_EXIT, B_ENTRY, C_ENTRY))
    return [
        Step(after=None, chunk=a, natural=False, rung="start"),
        Step(after=a, chunk=b, natural=False, rung="full", door=BLEND),
        Step(after=b, chunk=c, natural=False, rung="full", door=BLEND),
    ]


def played(
    generation: Generation, given: GivenSteps, jump_frames: int | None, blocks: list[int]
) -> tuple[FloatArray, list[Decision]]:
    log: list[Decision] = []
    renderer = Renderer(given, given, on_decision=log.append)
    pieces, done = [], 0
    for block in blocks:
        if jump_frames is not None and done == jump_frames:
            renderer.jump()
        pieces.append(renderer.render(block))
        done += block
    return np.concatenate(pieces), log


def tone_frames(stream: FloatArray, since: int) -> int:
    """How long after a frame the tone of C is heard, at half its level."""
    mono = stream[since : since + RATE_HZ].mean(axis=1)
    tone = np.exp(-2j * np.pi * 3_000.0 * np.arange(len(mono)) / RATE_HZ)
    heard = np.abs(np.convolve(mono * tone, np.ones(441) / 441, "valid"))
    return int(np.flatnonzero(heard > 0.05)[0])


@pytest.mark.parametrize("jump_s", [4.7, 8.5, 11.8])
def test_a_skip_amid_a_blend_is_heard_at_once_and_comes_out_again(
    generation: Generation, jump_s: float
) -> None:
    """While A changes its tempo alone, as B begins, and when half of it is over."""
    jump = round(jump_s * RATE_HZ)
    whole, log = played(
        generation, GivenSteps(steps(generation), JoinPlanner(SOUND)), jump, [jump, 4 * RATE_HZ]
    )
    assert [decision.plan and decision.plan.kind for decision in log[1:]] == ["tempo_blend", "splice"]
    blend, skip = log[1], log[2]
    assert blend.plan is not None and skip.plan is not None and skip.jump_frames is not None
    begins = blend.t_out_frames - blend.plan.before_frames
    assert begins < jump < begins + blend.plan.fade_frames
    assert tone_frames(whole, jump) < 0.16 * RATE_HZ
    # Nothing of the blend is left, and nothing jumps.
    tone = generation.reader.read(2, skip.plan.enter_frame, skip.plan.enter_frame + RATE_HZ)
    np.testing.assert_array_equal(whole[skip.t_out_frames + RATE_HZ // 4 :][:100], tone[RATE_HZ // 4 :][:100])
    around = whole[jump - 100 : jump + 20_000]
    assert np.abs(np.diff(around, axis=0)).max() < 1.2 * np.abs(np.diff(whole[:jump], axis=0)).max()
    # The log gives the same again, in blocks of any size.
    lines = json.loads(json.dumps([decision.as_json() for decision in log]))
    check_decisions(lines, [])
    bent = json.loads(json.dumps(lines))
    bent[1]["join"]["heard_frames"][5] += 20_000
    with pytest.raises(ValueError, match="course"):
        check_decisions(bent, [])
    known = KnownJoins(SOUND, log[0].reach_frames)
    again = steps(generation)
    for step, line in zip(again, lines, strict=True):
        known.plans[step] = None if line["join"] is None else read_join(line["join"])
    at = (
        skip.jump_frames
        - Renderer(
            GivenSteps(steps(generation), JoinPlanner(SOUND)),
            JoinPlanner(SOUND),
            on_decision=lambda told: None,
        ).ahead_frames
    )
    sizes = [*[1_000] * (at // 1_000), at % 1_000, *[4_097] * 40]
    pieces, _ = played(generation, GivenSteps(again, known), at, sizes)
    count = min(len(pieces), len(whole))
    np.testing.assert_array_equal(pieces[:count], whole[:count])


def test_a_blend_may_begin_before_the_last_one_is_over(generation: Generation) -> None:
    """B changes its tempo for C while A is still heard."""
    stream, log = played(generation, GivenSteps(steps(generation), JoinPlanner(SOUND)), None, [27 * RATE_HZ])
    first, second = (decision.plan for decision in log[1:])
    assert first is not None and second is not None
    ends = log[1].t_out_frames + first.after_frames
    assert log[2].t_out_frames - second.before_frames < ends
    plain, _ = played(
        generation, GivenSteps(steps(generation), JoinPlanner(SOUND)), None, [4_777] * (27 * RATE_HZ // 4_777)
    )
    np.testing.assert_array_equal(plain, stream[: len(plain)])
    after = log[2].t_out_frames + second.after_frames
    entered = second.enter_frame + second.after_frames
    tone = generation.reader.read(2, entered, entered + RATE_HZ)
    np.testing.assert_array_equal(stream[after : after + RATE_HZ], second.release.applied(tone, entered))
