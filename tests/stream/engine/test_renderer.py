"""The renderer is exact where nothing is joined, alike for every block size, and joins as logged."""

import itertools
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soxr

from model.base.arrays import FloatArray
from model.base.errors import EndlosError
from stream.choosing.generation import Generation
from stream.choosing.planner import Planner
from stream.choosing.ready.ahead import Ahead
from stream.choosing.ready.plan_ahead import PlanDepth
from stream.choosing.ready.step_source import Immediate
from stream.choosing.settings import PlannerSettings
from stream.engine.decisions import Decision
from stream.engine.renderer import Renderer
from stream.joins.join_planner import JoinPlanner
from stream.joins.levels import CEILING, song_gain_db
from stream.joins.settings import SoundSettings
from tests.support.pools import make_generation, make_pool, noise_song, with_beat

RATE_HZ = 44_100


@pytest.fixture(scope="module")
def songs() -> list[FloatArray]:
    return [noise_song(12, 0), noise_song(9, 1), noise_song(10.3, 2)]


@pytest.fixture(scope="module")
def generation(tmp_path_factory: pytest.TempPathFactory, songs: list[FloatArray]) -> Generation:
    return make_generation(make_pool(tmp_path_factory.mktemp("renderer"), songs))


def make_renderer(
    generation: Generation, *, log: list[Decision] | None = None, fade_s: float = 0.2, **settings: object
) -> Renderer:
    planner = Planner(generation, PlannerSettings(**settings))  # type: ignore[arg-type]
    return Renderer(
        Immediate(planner),
        JoinPlanner(SoundSettings(engine_rate_hz=RATE_HZ, fade_s=fade_s)),
        on_decision=(log if log is not None else []).append,
    )


def test_natural_is_the_song_bit_for_bit_times_its_gain(tmp_path: Path) -> None:
    song = noise_song(8.7, 4)
    generation = make_generation(make_pool(tmp_path, [song], true_peak_db=-8.0))
    log: list[Decision] = []
    renderer = make_renderer(generation, strategy="natural", log=log)
    rendered = renderer.render(len(song) + RATE_HZ)
    gain = np.float32(10 ** (4.0 / 20))
    # At its end the song is joined to its beginning.
    place = next(place for place, decision in enumerate(log) if decision.plan)
    until = log[place].t_out_frames - log[place].fade_frames
    assert until >= len(song) - renderer.reach_frames
    np.testing.assert_array_equal(rendered[:until], song[:until] * gain)
    assert all(d.step.natural and d.fade_frames == 0 for d in log[1:place])
    cuts = [0, *generation.pool.start_sample[1:].tolist()]
    assert [d.t_out_frames for d in log[:place]] == cuts


@pytest.mark.parametrize("strategy", ["model", "random"])
def test_every_block_size_gives_the_same_samples(generation: Generation, strategy: str) -> None:
    frames = 30 * RATE_HZ
    whole = make_renderer(generation, strategy=strategy, seed=2).render(frames)
    for block in (7, 256, 8192, 1_000_000):
        renderer = make_renderer(generation, strategy=strategy, seed=2)
        blocks = [renderer.render(min(block, frames - done)) for done in range(0, frames, block)]
        np.testing.assert_array_equal(np.concatenate(blocks), whole)
    single = make_renderer(generation, strategy=strategy, seed=2)
    ones = np.concatenate([single.render(1) for _ in range(2 * RATE_HZ)])
    np.testing.assert_array_equal(ones, whole[: len(ones)])


def test_joins_are_where_the_log_says(generation: Generation, songs: list[FloatArray]) -> None:
    """Rebuild the stream from the log alone: between joins it is the song, at the position it names."""
    log: list[Decision] = []
    frames = 90 * RATE_HZ
    stream = make_renderer(generation, strategy="model", seed=4, log=log, min_phrase_s=0.0).render(frames)
    gain = np.float32(10 ** (song_gain_db(generation.pool.songs[0], -16.0) / 20))
    joins = [d for d in log if d.plan or d.before is None]
    assert len(joins) > 10
    released = 0
    for join, following in itertools.pairwise(joins):
        assert following.plan is not None
        after = join.plan.after_frames if join.plan else 0
        start = join.t_out_frames + after
        stop = min(following.t_out_frames - following.plan.before_frames, frames)
        place = round(join.entered_at_s * RATE_HZ) + after
        expected = songs[join.step.chunk.song_index][place : place + stop - start] * gain
        kept = join.plan.release_frames if join.plan else 0
        np.testing.assert_array_equal(stream[start + kept : stop], expected[kept:])
        if join.plan and kept:
            left = np.clip(1.0 - np.arange(len(expected)) / kept, 0.0, 1.0)
            expected = expected * 10 ** (join.plan.match_db * left / 20)[:, None]
            np.testing.assert_allclose(stream[start:stop], expected, rtol=1e-5, atol=1e-7)
            released += 1
    assert released > 3
    assert np.isfinite(stream).all() and np.abs(stream).max() <= CEILING * (1 + 1e-3)


def test_joins_do_not_reach_into_each_other(generation: Generation) -> None:
    log: list[Decision] = []
    beaten = with_beat(generation, 120.0)
    make_renderer(beaten, strategy="random", seed=6, log=log, fade_s=1.0).render(60 * RATE_HZ)
    plans = [(d, d.plan) for d in log if d.plan]
    for (join, plan), (following, next_plan) in itertools.pairwise(plans):
        assert following.t_out_frames - next_plan.before_frames >= join.t_out_frames + plan.after_frames
    assert len({plan.fade_frames for _, plan in plans}) > 1


def test_the_log_names_both_sides_of_a_join(generation: Generation) -> None:
    log: list[Decision] = []
    make_renderer(generation, strategy="model", seed=4, log=log, min_phrase_s=0.0).render(20 * RATE_HZ)
    for decision in log[1:]:
        line = decision.as_json()
        assert decision.before is not None and decision.step.after is decision.before
        left_s, entered_s = line["from"]["end_s"], line["to"]["start_s"]  # type: ignore[index]
        if decision.plan:
            # What is heard of both at the middle of the join: B's start would be that much later.
            off_s = (left_s - decision.before.end_s) - (entered_s - decision.step.chunk.start_s)
            assert 1e3 * off_s == pytest.approx(line["shift_ms"], abs=0.05)
            # A blend begins there, and is told of by its middle.
            door = decision.step.door
            half_s = 0.0 if door is None else 0.5 * door.overlap_s
            assert abs(left_s - decision.before.end_s - half_s) < 0.5
        else:
            assert left_s == entered_s == pytest.approx(decision.before.end_s, abs=1e-4)
        assert line["t_out_s"] == pytest.approx(decision.t_out_frames / RATE_HZ)
        assert line["natural"] == (decision.fade_frames == 0)


def one_sided(seconds: float, side: int, seed: int) -> FloatArray:
    """Noise on one side alone, of which no sample is zero."""
    rng = np.random.default_rng(seed)
    song = np.zeros((round(seconds * RATE_HZ), 2), dtype=np.float32)
    song[:, side] = rng.choice([-1.0, 1.0], len(song)) * rng.uniform(0.02, 0.1, len(song))
    return song


def frames_between(one: Decision, other: Decision) -> int:
    """Return how far apart two joins are; they touch or overlap where that is not above 0."""
    first, second = sorted((one, other), key=lambda decision: decision.t_out_frames)
    assert first.plan is not None and second.plan is not None
    ends = first.t_out_frames + first.plan.after_frames
    return second.t_out_frames - second.plan.before_frames - ends


@pytest.mark.parametrize(("longest_s", "target_lufs"), [(0.05, -20.0), (0.3, -25.0), (3.0, None)])
def test_the_log_tells_what_was_faded(tmp_path: Path, longest_s: float, target_lufs: float | None) -> None:
    """One song sounds on the left alone, the other on the right: where both sound, it fades."""
    sounds = [one_sided(12, 0, 1), 0.7 * one_sided(15, 1, 2)]
    generation = make_generation(make_pool(tmp_path, sounds, chunk_s=2.0))
    log: list[Decision] = []
    renderer = Renderer(
        Immediate(Planner(generation, PlannerSettings(strategy="random", seed=5))),
        JoinPlanner(SoundSettings(engine_rate_hz=RATE_HZ, fade_s=longest_s, target_lufs=target_lufs)),
        on_decision=log.append,
    )
    pieces = []
    for _ in range(12):
        pieces.append(renderer.render(5 * RATE_HZ))
        # A join that begins at once may fade unevenly.
        renderer.jump()
    stream = np.concatenate(pieces)
    rendered = stream.sum(axis=1)
    borders = np.flatnonzero(np.diff((stream != 0.0).all(axis=1))) + 1
    fade_frames, uneven, released = [], 0, 0
    for decision in log:
        plan, before, chunk = decision.plan, decision.before, decision.step.chunk
        if plan is None or before is None or not decision.step.leaves_song:
            continue
        if decision.t_out_frames > len(stream) - RATE_HZ:
            continue
        # Who leaves amid a join hears more than two.
        joins = [other for other in log if other.plan is not None and other is not decision]
        if min(map(partial(frames_between, decision), joins)) <= 0:
            continue
        line = decision.as_json()
        place = int(np.searchsorted(borders, decision.t_out_frames))
        begin, end = borders[place - 1], borders[place]
        assert line["fade_s"] == pytest.approx((end - begin) / RATE_HZ, abs=1e-9)
        assert line["t_out_frames"] - begin == plan.before_frames
        assert line["join"] == plan.as_json()
        # From there on it is the next song, as loud as is told.
        entered = round(line["to"]["start_s"] * RATE_HZ) + end - decision.t_out_frames  # type: ignore[index]
        song = sounds[chunk.song_index].sum(axis=1)
        gain_db = 20 * np.log10(rendered[end] / song[entered])
        assert gain_db == pytest.approx(decision.gain_db + line["match_db"], abs=1e-3)  # type: ignore[operator]
        assert line["gain_db"] == pytest.approx(0.0 if target_lufs is None else target_lufs + 20.0, abs=1e-5)
        assert line["release_s"] == pytest.approx(abs(plan.match_db) / 0.5, abs=1e-4)
        assert line["settings"] == {
            "engine_rate_hz": RATE_HZ,
            "fade_s": longest_s,
            "reach_frames": renderer.reach_frames,
            "target_lufs": target_lufs,
        }
        fade_frames.append(end - begin)
        uneven += plan.before_frames != plan.after_frames
        released += plan.release_frames > 0
    assert len(fade_frames) > 5 and max(fade_frames) <= longest_s * RATE_HZ
    assert uneven and released


def test_loud_songs_do_not_exceed_the_ceiling_at_joins(tmp_path: Path) -> None:
    time_s = np.arange(8 * RATE_HZ) / RATE_HZ
    songs = []
    for number, hz in enumerate((220.0, 331.0)):
        wave = np.sign(np.sin(2 * np.pi * hz * time_s)) * 0.89
        songs.append(np.stack([wave, wave if number else -wave], axis=1).astype(np.float32))
    generation = make_generation(make_pool(tmp_path, songs, loudness_lufs=-16.0, true_peak_db=-1.0))
    stream = make_renderer(generation, strategy="random", seed=1).render(40 * RATE_HZ)
    assert np.abs(stream).max() <= CEILING * (1 + 2e-4)


def test_a_fade_longer_than_the_chunks_is_shortened(generation: Generation) -> None:
    log: list[Decision] = []
    frames = 20 * RATE_HZ
    renderer = make_renderer(generation, strategy="random", seed=1, log=log, fade_s=8.0)
    assert np.isfinite(renderer.render(frames)).all()
    fades = {d.fade_frames for d in log if d.fade_frames}
    # Half of either chunk of 1.5 s.
    assert fades and max(fades) <= 1.5 * RATE_HZ


def test_no_fade_at_all_can_be_asked_for(generation: Generation) -> None:
    log: list[Decision] = []
    renderer = make_renderer(generation, strategy="random", seed=1, log=log, fade_s=0.0)
    assert len(renderer.render(20 * RATE_HZ)) == 20 * RATE_HZ
    plans = [d.plan for d in log if d.plan]
    assert len(plans) > 5 and not any(plan.fade_frames for plan in plans)


def test_jumping_leaves_at_once_and_is_logged(generation: Generation) -> None:
    log: list[Decision] = []
    renderer = make_renderer(generation, strategy="natural", log=log)
    renderer.render(RATE_HZ)
    renderer.jump()
    renderer.render(round(0.25 * RATE_HZ))
    assert log[-1].step.chunk.song_index == 1 and not log[-1].step.natural
    plan = log[-1].plan
    assert plan is not None and log[-1].as_json()["jumped"]
    assert log[-1].jump_frames == RATE_HZ + renderer.ahead_frames
    assert log[-1].t_out_frames - plan.before_frames > RATE_HZ
    assert log[-1].t_out_frames <= 1.17 * RATE_HZ
    assert log[-1].left_at_s == pytest.approx(log[-1].t_out_frames / RATE_HZ)


def test_a_vanished_file_is_left_and_the_stream_goes_on(tmp_path: Path, songs: list[FloatArray]) -> None:
    generation = make_generation(make_pool(tmp_path, songs))
    renderer = make_renderer(generation, strategy="random", seed=3)
    renderer.render(5 * RATE_HZ)
    gone = generation.pool.songs[1].path
    gone.unlink()
    generation.reader.close()
    renderer.render(60 * RATE_HZ)
    assert list(renderer.lost) == [gone] and "gone" in renderer.lost[gone]
    for song in generation.pool.songs:
        song.path.unlink(missing_ok=True)
    generation.reader.close()
    with pytest.raises(EndlosError, match="none of the songs can be read"):
        renderer.render(120 * RATE_HZ)


def test_another_engine_rate_plays_the_resampled_song(tmp_path: Path) -> None:
    song = noise_song(6, 5, sample_rate_hz=32_000)
    generation = make_generation(make_pool(tmp_path, [song], sample_rate_hz=32_000))
    rendered = make_renderer(generation, strategy="natural").render(5 * RATE_HZ)
    gain = 10 ** (song_gain_db(generation.pool.songs[0], -16.0) / 20)
    expected = soxr.resample(song, 32_000, RATE_HZ, quality="VHQ")[: 5 * RATE_HZ] * gain
    # soxr treats the very first frames of a signal in a way of its own, where a stream has silence before.
    np.testing.assert_allclose(rendered[8:], expected[8:], atol=2e-5)


def test_planned_ahead_sounds_like_planned_when_asked(generation: Generation) -> None:
    settings = PlannerSettings(seed=9)
    source = Ahead(Planner(generation, settings), depth=PlanDepth(steps=3))
    log: list[Decision] = []
    live = Renderer(
        source, JoinPlanner(SoundSettings(engine_rate_hz=RATE_HZ, fade_s=0.2)), on_decision=log.append
    )
    expected = make_renderer(generation, seed=9).render(40 * RATE_HZ)
    blocks = []
    for _ in range(40):
        # The pacer would take a second for each of these; here the plan only has to be there.
        while source.peek() is None:
            pass
        blocks.append(live.render(RATE_HZ))
    source.close()
    assert not {"natural", "any"} & {d.step.rung for d in log}
    np.testing.assert_array_equal(np.concatenate(blocks), expected)
    assert all(d.step.margin_s is not None and d.step.margin_s >= 0 for d in log)
