"""Each kind of join is a plan that survives the log, and sounds the same for any blocks."""

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
from stream.joins.join_plan import JoinPlan, Leaving
from stream.joins.join_planner import JoinPlanner
from stream.joins.kinds.plain_fade import PlainFade
from stream.joins.kinds.quick_change import QuickChange
from stream.joins.kinds.registry import JOIN_KINDS, read_join
from stream.joins.kinds.tempo_blend import TempoBlend
from stream.joins.levels import Release
from stream.joins.settings import SoundSettings
from stream.joins.sound import JoinSound, Silence, SongSound
from tests.support.beaten import (
    RATE_HZ,
    beaten_generation,
    beaten_song,
    judged,
    known_timeline,
    steady_beats,
)
from tests.support.pools import with_beat, with_traits

SECONDS = 40.0
A_BPM, B_BPM = 123.0, 120.0
A_CHUNK, B_CHUNK, OFF_CHUNK = 4, 22, 42
"""A is left at 10 s, B is entered at 4 s, and so is a song whose timeline is half a beat off."""


@pytest.fixture(scope="module")
def generation(tmp_path_factory: pytest.TempPathFactory) -> Generation:
    """Songs with chunks of 2 s; A's beats stand 20 ms too late in its timeline."""
    beats = [steady_beats(SECONDS, A_BPM, 0.1), steady_beats(SECONDS, B_BPM, 0.012)]
    songs = [beaten_song(SECONDS, beats_s, seed) for seed, beats_s in enumerate([*beats, beats[1]])]
    late_s = (0.02, 0.0, 0.5 * 60.0 / B_BPM)
    told = [
        known_timeline(SECONDS, beats_s + late)
        for beats_s, late in zip([*beats, beats[1]], late_s, strict=True)
    ]
    return beaten_generation(tmp_path_factory.mktemp("kinds"), songs, told)


def door(kind: JoinKind) -> Door:
    return Door(kind=kind, overlap_s=8.0, overlap_bars=4, tempo_factor=B_BPM / A_BPM)


def planned(generation: Generation, given: Door, entry: int = B_CHUNK) -> JoinPlan:
    settings = SoundSettings(engine_rate_hz=RATE_HZ, target_lufs=None)
    step = Step(
        after=generation.chunk(A_CHUNK),
        chunk=generation.chunk(entry),
        natural=False,
        rung="full",
        door=given,
    )
    return JoinPlanner(settings).plan(step, Leaving(chunk=generation.chunk(A_CHUNK), release=Release()))


def song(chunk: Chunk, frame: int) -> SongSound:
    return SongSound(lambda start, stop: chunk.generation.reader.read(chunk.song_index, start, stop), frame)


def opened(generation: Generation, plan: JoinPlan) -> JoinSound:
    outgoing = song(generation.chunk(A_CHUNK), plan.begin_frame)
    return plan.open(
        outgoing, song(generation.chunk(B_CHUNK), plan.first_frame + plan.enters_frames), RATE_HZ
    )


def read(generation: Generation, row: int, start: int, frames: int) -> FloatArray:
    return generation.reader.read(int(generation.pool.chunk_song[row]), start, start + frames)


@pytest.mark.parametrize("kind", list(JoinKind))
def test_a_kind_survives_the_log_goes_on_as_b_and_knows_no_blocks(
    generation: Generation, kind: JoinKind
) -> None:
    plan = planned(generation, door(kind))
    assert plan.kind is kind
    again = read_join(json.loads(json.dumps(plan.as_json())))
    assert again == plan and type(again) is JOIN_KINDS[kind].plan_type
    frames = plan.fade_frames + RATE_HZ
    whole = opened(generation, plan).pull(frames)
    sizes = np.random.default_rng(1).integers(1, 9_000, 1_000)
    sound, pieces, done = opened(generation, again), [], 0
    while done < frames:
        pieces.append(sound.pull(int(min(sizes[len(pieces)], frames - done))))
        done += len(pieces[-1])
    np.testing.assert_array_equal(np.concatenate(pieces), whole)
    after = plan.enter_frame + plan.after_frames
    np.testing.assert_array_equal(whole[plan.fade_frames :], read(generation, B_CHUNK, after, RATE_HZ))


def test_in_a_tempo_blend_the_beats_of_both_fall_together_and_b_is_untouched(generation: Generation) -> None:
    plan = planned(generation, door(JoinKind.TEMPO_BLEND))
    assert isinstance(plan, TempoBlend)
    assert plan.tempo_factor == pytest.approx(B_BPM / A_BPM, abs=2e-3)
    # The timeline was wrong by 20 ms, and the attacks have told.
    assert plan.terms["onset_ms"] == pytest.approx(-20.0, abs=4.0)
    heard = np.array(plan.heard_frames) + plan.begin_frame
    a_beats, b_beats = steady_beats(SECONDS, A_BPM, 0.1), steady_beats(SECONDS, B_BPM, 0.012)
    sounds = np.interp(a_beats * RATE_HZ, heard, plan.played_frames) / RATE_HZ
    b_starts_s = 4.0 - plan.ramp_frames / RATE_HZ
    for beat_s in sounds[(sounds > plan.ramp_frames / RATE_HZ + 0.1) & (sounds < plan.fade_frames / RATE_HZ)]:
        assert np.abs(b_beats - b_starts_s - beat_s).min() < 0.006
    # The lows change hands in the beat before a downbeat of B.
    down_s = plan.lows[1] / RATE_HZ + b_starts_s
    assert (down_s + 0.988) % 2.0 == pytest.approx(1.0, abs=1e-3)
    assert plan.lows[1] - plan.lows[0] == pytest.approx(RATE_HZ * 60 / B_BPM, abs=2)
    # A's tempo changes evenly, from its own on.
    tempi = np.diff(plan.heard_frames) / np.diff(plan.played_frames)
    assert tempi[0] == pytest.approx(1.0, abs=2e-3) and (np.diff(tempi[:16]) <= 1e-3).all()


def test_beats_that_lie_half_way_between_the_attacks_are_moved_to_them(generation: Generation) -> None:
    found = judged(generation, A_CHUNK, OFF_CHUNK)
    assert found.kind is JoinKind.TEMPO_BLEND
    plan = planned(generation, found, OFF_CHUNK)
    assert isinstance(plan, TempoBlend)
    heard = np.array(plan.heard_frames) + plan.begin_frame
    # Where the struck sounds are, whatever the timelines say.
    a_beats, b_beats = steady_beats(SECONDS, A_BPM, 0.1), steady_beats(SECONDS, B_BPM, 0.012)
    sounds = np.interp(a_beats * RATE_HZ, heard, plan.played_frames) / RATE_HZ
    b_starts_s = (plan.enter_frame - plan.before_frames) / RATE_HZ
    inside = (sounds > plan.ramp_frames / RATE_HZ + 0.1) & (sounds < plan.fade_frames / RATE_HZ)
    for beat_s in sounds[inside]:
        assert np.abs(b_beats - b_starts_s - beat_s).min() < 0.006


def test_beats_that_nothing_says_how_to_move_are_not_laid_over_each_other(generation: Generation) -> None:
    """Both lie between their attacks: as well together as half a beat apart, and on no beat."""
    step = Step(
        after=generation.chunk(OFF_CHUNK + 6),
        chunk=generation.chunk(OFF_CHUNK),
        natural=False,
        rung="full",
        door=door(JoinKind.TEMPO_BLEND),
    )
    planner = JoinPlanner(SoundSettings(engine_rate_hz=RATE_HZ, target_lufs=None))
    plan = planner.plan(step, Leaving(chunk=generation.chunk(OFF_CHUNK + 6), release=Release()))
    assert plan.kind is JoinKind.PLAIN_FADE


def test_a_plain_fade_begins_at_the_cut_and_is_as_long_as_there_is_music(generation: Generation) -> None:
    plan = planned(generation, Door(kind=JoinKind.PLAIN_FADE, overlap_s=12.0))
    moved = round(RATE_HZ * (plan.terms["beat_move_ms"] or 0.0) / 1e3)
    assert plan.begin_frame == 10 * RATE_HZ + moved and abs(moved) <= 0.5 * 60.0 / A_BPM * RATE_HZ
    assert plan.enter_frame - plan.before_frames == 4 * RATE_HZ
    assert plan.fade_frames == 12 * RATE_HZ
    # At half the time the highs are all B's, and the lows all A's yet.
    assert isinstance(plan, PlainFade) and plan.highs[1] < plan.lows[0]
    frames = plan.lows[0] - plan.highs[1]
    made = opened(generation, plan).pull(plan.lows[0])[plan.highs[1] :, 0]
    a = read(generation, A_CHUNK, plan.begin_frame + plan.highs[1], frames)[:, 0]
    b = read(generation, B_CHUNK, plan.first_frame + plan.highs[1], frames)[:, 0]
    hz = np.fft.rfftfreq(frames, 1.0 / RATE_HZ)
    of_made, of_a, of_b = (np.fft.rfft(np.hanning(frames) * heard) for heard in (made, a, b))
    for band, own in ((hz > 5_000.0, of_b), (hz < 80.0, of_a)):
        assert np.square(np.abs(of_made - own)[band]).sum() < 1e-3 * np.square(np.abs(own)[band]).sum()


def test_a_plain_fade_leaves_a_before_it_falls_silent_and_ends_where_b_sounds_as_it_goes_on(
    tmp_path: Path,
) -> None:
    left, entered = (beaten_song(SECONDS, np.empty(0), seed) for seed in (5, 6))
    # A takes a breath at its cut, B some seconds after its start.
    left[round(9.5 * RATE_HZ) : round(10.2 * RATE_HZ)] *= 0.05
    entered[round(15.5 * RATE_HZ) : round(16.3 * RATE_HZ)] *= 0.05
    known = known_timeline(SECONDS, np.empty(0))
    plan = planned(
        beaten_generation(tmp_path, [left, entered], [known, known]),
        Door(kind=JoinKind.PLAIN_FADE, overlap_s=12.0),
    )
    assert 9.4 * RATE_HZ < plan.begin_frame < 9.65 * RATE_HZ
    assert 15.0 * RATE_HZ < plan.enter_frame + plan.after_frames < 15.25 * RATE_HZ
    assert abs(plan.terms["level_difference_db"] or 0.0) < 1.5


def test_behind_a_quick_change_a_dies_away_in_echoes_without_lows(generation: Generation) -> None:
    plan = planned(generation, door(JoinKind.QUICK_CHANGE))
    made = opened(generation, plan).pull(plan.fade_frames)
    b = read(generation, B_CHUNK, plan.enter_frame, plan.after_frames)
    echoes = np.square(made[plan.before_frames :] - b).mean(axis=1)
    beat = RATE_HZ // 2
    levels = 10 * np.log10([echoes[at : at + beat].mean() + 1e-12 for at in range(0, 6 * beat, beat)])
    np.testing.assert_allclose(np.diff(levels), 20 * np.log10(0.55), atol=0.5)
    dry = plan.enters_frames - 600
    np.testing.assert_allclose(made[:dry], read(generation, A_CHUNK, plan.begin_frame, dry), atol=1e-7)


def test_where_a_quick_change_ends_a_no_wave_is_cut_off() -> None:
    """A is at the crest of a wave where its last beat ends, and B is silent."""
    frames = np.arange(2 * RATE_HZ)
    tone = np.repeat(0.5 * np.cos(2 * np.pi * 1_000.0 * frames / RATE_HZ)[:, None], 2, axis=1)
    plan = QuickChange(
        begin_frame=0,
        before_frames=RATE_HZ // 2,
        after_frames=RATE_HZ,
        leave_frame=RATE_HZ // 2,
        enter_frame=RATE_HZ // 2,
        beat_frames=RATE_HZ // 2,
        come_frames=441,
    )
    outgoing = SongSound(lambda start, stop: tone[start:stop].astype(np.float32), 0)
    steps = np.abs(np.diff(plan.open(outgoing, Silence(), RATE_HZ).pull(plan.fade_frames)[:, 0]))
    assert steps[RATE_HZ // 2 - 500 : RATE_HZ // 2 + 500].max() <= 1.05 * steps[5_000:15_000].max()


def test_a_gapless_join_changes_nothing_not_even_the_level(tmp_path: Path) -> None:
    whole = beaten_song(16.0, steady_beats(16.0, 120.0), 3)
    timeline = known_timeline(8.0, steady_beats(8.0, 120.0))
    tracks = beaten_generation(tmp_path, [whole[: 8 * RATE_HZ], whole[8 * RATE_HZ :]], [timeline, timeline])
    step = Step(
        after=tracks.chunk(3),
        chunk=tracks.chunk(4),
        natural=False,
        rung="full",
        door=Door(kind=JoinKind.GAPLESS),
    )
    planner = JoinPlanner(SoundSettings(engine_rate_hz=RATE_HZ, target_lufs=None))
    release = Release(offset_db=-3.0, start_frame=0, frames=20 * RATE_HZ)
    plan = planner.plan(step, Leaving(chunk=tracks.chunk(3), release=release))
    assert (plan.begin_frame, plan.enter_frame, plan.fade_frames) == (8 * RATE_HZ, 0, 0)
    assert plan.match_db == pytest.approx(release.db_at(8 * RATE_HZ))


def test_what_the_audio_does_not_let_becomes_a_plain_fade_of_seconds(tmp_path: Path) -> None:
    noise = beaten_song(30.0, np.empty(0), 5)
    plain = beaten_generation(tmp_path, [noise, noise], [known_timeline(30.0, np.empty(0))] * 2)
    step = Step(
        after=plain.chunk(4),
        chunk=plain.chunk(16),
        natural=False,
        rung="full",
        door=door(JoinKind.TEMPO_BLEND),
    )
    planner = JoinPlanner(SoundSettings(engine_rate_hz=RATE_HZ, target_lufs=None))
    plan = planner.plan(step, Leaving(chunk=plain.chunk(4), release=Release()))
    assert plan.kind is JoinKind.PLAIN_FADE and plan.fade_frames == 8 * RATE_HZ
    # At the end of its song A has nothing to give: the blend lies about the cut.
    last = Step(
        after=plain.chunk(14),
        chunk=plain.chunk(16),
        natural=False,
        rung="full",
        door=door(JoinKind.PLAIN_FADE),
    )
    assert planner.plan(last, Leaving(chunk=plain.chunk(14), release=Release())).kind is JoinKind.SHORT_BLEND


def test_a_song_that_is_soon_over_begins_to_go_while_it_sounds(tmp_path: Path) -> None:
    noise, known = beaten_song(30.0, np.empty(0), 5), known_timeline(30.0, np.empty(0))
    songs = beaten_generation(tmp_path, [noise, noise], [known, known], chunk_s=6.0)
    found = judged(songs, 4, 7)
    assert found.kind is JoinKind.PLAIN_FADE and found.overlap_s == pytest.approx(3.0)
    step = Step(after=songs.chunk(4), chunk=songs.chunk(7), natural=False, rung="full", door=found)
    planner = JoinPlanner(SoundSettings(engine_rate_hz=RATE_HZ, target_lufs=None))
    plan = planner.plan(step, Leaving(chunk=songs.chunk(4), release=Release()))
    assert (plan.kind, plan.begin_frame) == (JoinKind.PLAIN_FADE, 27 * RATE_HZ)
    assert plan.fade_frames == 3 * RATE_HZ


@pytest.mark.parametrize("kind", [JoinKind.TEMPO_BLEND, JoinKind.PLAIN_FADE])
def test_a_song_that_is_to_be_heard_out_is_whatever_the_audio_does_not_let(
    tmp_path: Path, kind: JoinKind
) -> None:
    noise, known = beaten_song(30.0, np.empty(0), 5), known_timeline(30.0, np.empty(0))
    songs = beaten_generation(tmp_path, [noise, noise], [known, known])
    left = Door(kind=kind, overlap_s=9.0, overlap_bars=4, plays_out=True)
    step = Step(after=songs.chunk(4), chunk=songs.chunk(16), natural=False, rung="full", door=left)
    planner = JoinPlanner(SoundSettings(engine_rate_hz=RATE_HZ, target_lufs=None))
    plan = planner.plan(step, Leaving(chunk=songs.chunk(4), release=Release()))
    # Its chunk ends at 10 s.
    assert (plan.kind, plan.begin_frame) == (JoinKind.PLAIN_FADE, 21 * RATE_HZ)
    assert plan.begin_frame + plan.fade_frames == 30 * RATE_HZ


def test_without_a_beat_a_splice_takes_a_second_unless_it_is_asked_for(generation: Generation) -> None:
    beaten = with_beat(generation, A_BPM)
    beatless = with_traits(generation)
    lengths = {}
    for name, songs, at_once in (
        ("beats", beaten, None),
        ("none", beatless, None),
        ("asked for", beatless, 9 * RATE_HZ),
    ):
        before, after = songs.chunk(A_CHUNK), songs.chunk(A_CHUNK + 4)
        step = Step(after=before, chunk=after, natural=False, rung="full")
        planner = JoinPlanner(SoundSettings(engine_rate_hz=RATE_HZ, target_lufs=None))
        plan = planner.plan(step, Leaving(chunk=before, release=Release(), at_once=at_once))
        assert plan.kind is JoinKind.SPLICE
        lengths[name] = plan.fade_frames / RATE_HZ
    assert lengths["none"] == pytest.approx(1.2, abs=0.01)
    assert lengths["beats"] <= 0.8 and lengths["asked for"] <= 0.1


def test_levels_are_matched_over_the_seconds_and_the_moment_beside_a_join(tmp_path: Path) -> None:
    left, entered = (beaten_song(SECONDS, np.empty(0), 5) for _ in range(2))
    entered[round(4.0 * RATE_HZ) : round(4.4 * RATE_HZ)] *= 0.5
    known = known_timeline(SECONDS, steady_beats(SECONDS, 120.0))
    plan = planned(
        beaten_generation(tmp_path, [left, entered], [known, known]),
        Door(kind=JoinKind.QUICK_CHANGE, overlap_s=2.0),
    )
    over_seconds_db = -10.0 * np.log10((2.6 + 0.4 * 0.25) / 3.0)
    expected_db = 0.5 * (over_seconds_db + 20.0 * np.log10(2.0))
    assert plan.terms["level_difference_db"] == pytest.approx(expected_db, abs=0.15)


def test_a_soft_beginning_is_raised_as_far_as_what_follows_lets_it(tmp_path: Path) -> None:
    left, entered = (beaten_song(SECONDS, np.empty(0), 5) * 10.0 for _ in range(2))
    known = known_timeline(SECONDS, np.empty(0))
    peak_db = 20.0 * np.log10(float(np.abs(entered).max()))
    # B is soft for 14 s: 8 s of the fade, and 6 in which 3 dB are let go.
    entered[: round(18.0 * RATE_HZ)] *= 0.3
    songs = beaten_generation(tmp_path, [left, entered], [known, known])
    plan = planned(songs, Door(kind=JoinKind.PLAIN_FADE, overlap_s=8.0))
    least_db, most_db = -1.0 - 1.0 - peak_db + 3.0, -1.0 - peak_db + 3.2
    assert least_db - 0.1 < (plan.terms["headroom_db"] or 0.0) < most_db


def test_what_is_no_plan_is_told() -> None:
    for fields in ({"leave_frame": 1}, {"kind": "cartwheel"}, {"kind": "splice", "begin_frame": 1}):
        with pytest.raises(EndlosError, match="cannot be read"):
            read_join(fields)


def test_songs_that_are_judged_to_meet_meet(generation: Generation) -> None:
    found = judged(generation, A_CHUNK, B_CHUNK)
    assert found.kind is JoinKind.TEMPO_BLEND
    plan = planned(generation, found)
    assert isinstance(plan, TempoBlend) and plan.bars == found.overlap_bars


def test_no_song_is_raised_above_the_ceiling_for_seconds(generation: Generation) -> None:
    plan = planned(generation, Door(kind=JoinKind.PLAIN_FADE, overlap_s=8.0))
    # The songs' peaks are at the ceiling as they are.
    assert plan.terms["headroom_db"] == pytest.approx(0.0, abs=1e-6)
    louder = replace(plan, terms={**plan.terms, "level_difference_db": 5.0})
    assert louder.levelled(0.0, RATE_HZ).match_db == pytest.approx(0.0, abs=1e-6)
    roomy = replace(louder, terms={**louder.terms, "headroom_db": 3.0})
    assert roomy.levelled(0.0, RATE_HZ).match_db == pytest.approx(3.0)
