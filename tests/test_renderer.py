"""The renderer: exact where nothing is joined, the same for every block size, joins where the log says."""

import itertools
from pathlib import Path

import numpy as np
import pytest
import soxr

from model.errors import EndlosError
from model.kernels import FloatArray
from stream.ahead import Ahead, Immediate
from stream.crossfade import CEILING
from stream.decisions import Decision
from stream.generation import Generation
from stream.planner import Planner, PlannerSettings
from stream.renderer import Renderer, song_gain_db
from tests.pools import make_generation, make_pool, noise_song

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
        engine_rate_hz=RATE_HZ,
        fade_s=fade_s,
        target_lufs=-16.0,
        on_decision=(log if log is not None else []).append,
    )


def test_natural_is_the_song_bit_for_bit_times_its_gain(tmp_path: Path) -> None:
    song = noise_song(8.7, 4)
    generation = make_generation(make_pool(tmp_path, [song], true_peak_db=-20.0))
    log: list[Decision] = []
    renderer = make_renderer(generation, strategy="natural", log=log)
    reach = round(0.105 * RATE_HZ)
    rendered = renderer.render(len(song) - reach)
    gain = np.float32(10 ** (4.0 / 20))
    np.testing.assert_array_equal(rendered, song[: len(song) - reach] * gain)
    assert all(d.step.natural and d.fade_frames == 0 for d in log[1:])
    cuts = [0, *generation.pool.start_sample[1:].tolist()]
    assert [d.t_out_frames for d in log] == cuts[: len(log)]


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
    frames = 60 * RATE_HZ
    stream = make_renderer(generation, strategy="model", seed=4, log=log, min_phrase_s=0.0).render(frames)
    gain = np.float32(10 ** (song_gain_db(generation.pool.songs[0], -16.0) / 20))
    reach = 2 * round(0.105 * RATE_HZ)
    joins = [d for d in log if d.fade_frames or d.before is None]
    assert len(joins) > 10
    for join, following in itertools.pairwise(joins):
        start = join.t_out_frames + reach
        stop = min(following.t_out_frames - reach, frames)
        if stop <= start:
            continue
        place = round(join.step.chunk.start_s * RATE_HZ) + start - join.t_out_frames
        song = songs[join.step.chunk.song_index]
        np.testing.assert_array_equal(stream[start:stop], song[place : place + stop - start] * gain)
    assert np.isfinite(stream).all() and np.abs(stream).max() <= CEILING * (1 + 1e-3)


def test_the_log_names_both_sides_of_a_join(generation: Generation) -> None:
    log: list[Decision] = []
    make_renderer(generation, strategy="model", seed=4, log=log, min_phrase_s=0.0).render(20 * RATE_HZ)
    for decision in log[1:]:
        line = decision.as_json()
        assert decision.before is not None and decision.step.after is decision.before
        assert line["from"]["end_s"] == pytest.approx(decision.before.end_s, abs=1e-4)  # type: ignore[index]
        assert line["t_out_s"] == pytest.approx(decision.t_out_frames / RATE_HZ)
        assert line["natural"] == (decision.fade_frames == 0)


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
    shortest = round(1.5 * RATE_HZ)
    assert fades and max(fades) <= 2 * shortest


def test_jumping_leaves_at_once_and_is_logged(generation: Generation) -> None:
    log: list[Decision] = []
    renderer = make_renderer(generation, strategy="natural", log=log)
    renderer.render(RATE_HZ)
    renderer.jump()
    renderer.render(10)
    assert log[-1].step.chunk.song_index == 1 and not log[-1].step.natural
    reach = round(0.105 * RATE_HZ)
    assert log[-1].t_out_frames == RATE_HZ + reach
    assert log[-1].left_at_s == pytest.approx((RATE_HZ + reach) / RATE_HZ)


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
    source = Ahead(Planner(generation, settings), depth=3)
    log: list[Decision] = []
    live = Renderer(source, engine_rate_hz=RATE_HZ, fade_s=0.2, target_lufs=-16.0, on_decision=log.append)
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
