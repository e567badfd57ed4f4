"""The feed fades, is silent when nothing comes, and accounts for every frame."""

import numpy as np
import pytest

from model.base.arrays import FloatArray
from stream.outputs.feed import FADE_S, RING_S, STARVED_AFTER_S, EncoderFeed
from stream.outputs.output import AUDIBLE, audible

RATE_HZ = 1000
FADE = round(FADE_S * RATE_HZ)


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def ones(frames: int) -> np.ndarray:
    return np.ones((frames, 2), dtype=np.float32)


def drain(feed: EncoderFeed) -> np.ndarray:
    blocks = [np.zeros((0, 2), dtype=np.float32)]
    while (block := feed.take()) is not None:
        blocks.append(block)
    return np.concatenate(blocks)


@pytest.mark.parametrize("block_frames", [1, 7, 64, 500, 1000])
def test_all_but_the_fades_passes_bit_for_bit(block_frames: int) -> None:
    sound = np.random.default_rng(0).normal(size=(1000, 2)).astype(np.float32)
    feed = EncoderFeed(RATE_HZ, Clock())
    heard = []
    for start in range(0, len(sound), block_frames):
        feed.offer(sound[start : start + block_frames])
        heard.append(drain(feed))
    heard.append(feed.finish())
    result = np.concatenate(heard)
    assert result.shape == sound.shape
    assert np.array_equal(result[FADE:-FADE], sound[FADE:-FADE])
    rising = (np.arange(FADE) / FADE).astype(np.float32)[:, np.newaxis]
    assert np.array_equal(result[:FADE], sound[:FADE] * rising)
    assert np.allclose(result[-FADE:], sound[-FADE:] * np.linspace(1, 0, FADE)[:, np.newaxis], atol=1e-6)
    assert feed.dropped_frames == 0


def test_what_does_not_fit_is_dropped_and_counted() -> None:
    feed = EncoderFeed(RATE_HZ, Clock())
    capacity = round(RING_S * RATE_HZ)
    assert feed.space_frames() == capacity
    feed.offer(ones(capacity - 10))
    feed.offer(ones(30))
    assert feed.space_frames() == 0
    assert feed.dropped_frames == 20
    assert feed.buffered_s == RING_S
    feed.restart()
    assert feed.dropped_frames == capacity + 20
    assert feed.space_frames() == capacity
    assert feed.take() is None


def test_a_restart_fades_in_fresh_sound() -> None:
    feed = EncoderFeed(RATE_HZ, Clock())
    feed.offer(ones(500))
    drain(feed)
    feed.offer(2 * ones(500))
    feed.restart()
    feed.offer(3 * ones(500))
    heard = drain(feed)
    assert heard[0, 0] == 0
    assert np.all(np.diff(heard[:FADE, 0]) > 0)
    assert np.all(heard[FADE:] == 3)


def test_when_nothing_comes_it_fades_out_and_silence_follows_at_the_clocks_pace() -> None:
    clock = Clock()
    feed = EncoderFeed(RATE_HZ, clock)
    feed.offer(ones(500))
    drain(feed)
    clock.now_s += STARVED_AFTER_S * 0.9
    assert feed.take() is None
    clock.now_s += STARVED_AFTER_S * 0.1 + 0.001
    block = feed.take()
    assert block is not None
    assert np.all(np.diff(block[:FADE, 0]) < 0), "faded out"
    assert not block[FADE:].any()
    silence = len(block) - FADE
    for step_s in (0.25, 0.5, 0.033):
        clock.now_s += step_s
        block = feed.take()
        assert block is not None
        assert not block.any()
        silence += len(block)
    assert silence == feed.silence_frames == pytest.approx((STARVED_AFTER_S + 0.784) * RATE_HZ, abs=1)
    feed.offer(ones(500))
    heard = drain(feed)
    assert heard[0, 0] == 0, "and what comes then fades in"
    assert heard[-1, 0] == 1


def test_silence_comes_in_pieces_and_not_frame_by_frame() -> None:
    clock = Clock()
    feed = EncoderFeed(RATE_HZ, clock)
    clock.now_s += STARVED_AFTER_S
    assert feed.take() is not None
    pieces = 0
    for _ in range(1000):
        clock.now_s += 0.001
        pieces += feed.take() is not None
    assert 10 < pieces <= 50
    assert feed.silence_frames == pytest.approx((STARVED_AFTER_S + 1) * RATE_HZ, abs=20)


def test_what_counts_as_audible() -> None:
    assert not audible(np.zeros((0, 2), dtype=np.float32))
    assert not audible(np.full((10, 2), AUDIBLE, dtype=np.float32))
    assert audible(np.array([[0, 0], [0, -2 * AUDIBLE]], dtype=np.float32))


def test_a_title_begins_with_its_sound_to_the_frame() -> None:
    feed = EncoderFeed(RATE_HZ)
    fade = round(FADE_S * RATE_HZ)
    count = np.arange(1, 3 * RATE_HZ + 1, dtype=np.float32)
    sound = np.stack([count, -count], axis=1)
    feed.entitle("first", 0)
    feed.entitle("second", RATE_HZ + 100)
    taken: dict[str, list[FloatArray]] = {}
    for start in range(0, len(sound), RATE_HZ // 4):
        feed.offer(sound[start : start + RATE_HZ // 4])
        while (block := feed.take()) is not None:
            taken.setdefault(feed.title, []).append(block)
    first, second = (np.concatenate(taken[name]) for name in ("first", "second"))
    assert len(first) == RATE_HZ + 100
    assert second[0, 0] == count[RATE_HZ + 100]
    assert len(first) + len(second) == len(sound) - fade


def test_the_title_of_sound_that_was_thrown_away_is_told_with_what_follows() -> None:
    feed = EncoderFeed(RATE_HZ)
    feed.entitle("first", 0)
    feed.entitle("second", RATE_HZ // 2)
    feed.offer(np.ones((RATE_HZ, 2), dtype=np.float32))
    feed.restart()
    feed.offer(np.ones((RATE_HZ, 2), dtype=np.float32))
    assert feed.take() is not None
    assert feed.title == "second"
