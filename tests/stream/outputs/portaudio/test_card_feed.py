"""The feed of a card hands over the stream as one resampling of the whole would, and loses no frame."""

import numpy as np
import pytest
import soxr

from model.base.arrays import FloatArray
from stream.outputs.card_timing import CardTiming, Latency
from stream.outputs.devices import OutputDevice
from stream.outputs.portaudio.card_feed import RAMP_S, CardFeed

STREAM_HZ = 44_100
RING_S = 0.75


def _noise(seconds: float, seed: int = 0) -> FloatArray:
    noise = np.random.default_rng(seed).uniform(-0.5, 0.5, (round(seconds * STREAM_HZ), 2))
    return noise.astype(np.float32)


def _played(feed: CardFeed, audio: FloatArray, block_frames: int) -> FloatArray:
    """Offer as much as there is room for, in blocks, to a card that takes a tenth of a second at once."""
    heard = []
    at = 0
    while at < len(audio):
        while at < len(audio) and feed.space_frames() > 0:
            block = audio[at : at + min(block_frames, feed.space_frames())]
            assert feed.write(block) == len(block)
            at += len(block)
        heard.append(feed._ring.read(min(feed.card_rate_hz // 10, feed._ring.readable_frames())))
    heard.append(feed._ring.read(feed._ring.readable_frames()))
    return np.concatenate(heard)


@pytest.mark.parametrize("card_rate_hz", [96_000, 192_000, 48_000, 32_000, 22_050])
@pytest.mark.parametrize("block_frames", [256, 1_024, 16_384])
def test_any_blocks_are_one_resampling(card_rate_hz: int, block_frames: int) -> None:
    feed = CardFeed(STREAM_HZ, card_rate_hz, RING_S)
    audio = _noise(3.0)
    heard = _played(feed, audio, block_frames)
    whole = soxr.resample(audio, STREAM_HZ, card_rate_hz)
    # All but what waits in the resampler for more; the gain rises at the beginning.
    assert len(whole) - 0.05 * card_rate_hz < len(heard) <= len(whole)
    begun = round(RAMP_S * card_rate_hz)
    np.testing.assert_array_equal(heard[begun:], whole[begun : len(heard)])
    assert feed.underrun_frames == 0
    assert abs(feed.frames_out - len(heard) * STREAM_HZ / card_rate_hz) < 1


def test_a_card_that_takes_the_rate_gets_every_bit() -> None:
    feed = CardFeed(STREAM_HZ, STREAM_HZ, RING_S)
    audio = _noise(2.0)
    begun = round(RAMP_S * STREAM_HZ)
    np.testing.assert_array_equal(_played(feed, audio, 1_024)[begun:], audio[begun:])


@pytest.mark.parametrize("card_rate_hz", [44_100, 96_000])
def test_what_it_holds_is_what_was_offered(card_rate_hz: int) -> None:
    feed = CardFeed(STREAM_HZ, card_rate_hz, RING_S)
    for number in range(1, 21):
        feed.write(_noise(1_024 / STREAM_HZ))
        assert feed.buffered_s() == pytest.approx(number * 1_024 / STREAM_HZ, abs=1e-4)


@pytest.mark.parametrize("card_rate_hz", [44_100, 96_000])
def test_what_does_not_fit_is_not_taken(card_rate_hz: int) -> None:
    feed = CardFeed(STREAM_HZ, card_rate_hz, RING_S)
    taken = feed.write(_noise(2.0))
    assert 0.9 * RING_S < taken / STREAM_HZ <= RING_S
    assert feed.space_frames() <= 1
    assert feed.ready


@pytest.mark.parametrize(("latency", "latency_s"), [("low", 0.01), ("high", 0.3), (0.25, 0.25), (2.0, 2.0)])
def test_a_card_is_started_with_more_than_it_takes_at_once(latency: Latency, latency_s: float) -> None:
    device = OutputDevice(
        index=0,
        name="card",
        host_api="ALSA",
        max_channels=2,
        default_rate_hz=48_000.0,
        low_latency_s=0.01,
        high_latency_s=0.3,
        is_default=True,
    )
    feed = CardFeed(STREAM_HZ, 48_000, RING_S, held_s=CardTiming(latency_s=latency).held_s(device))
    while not feed.ready:
        assert feed.write(_noise(1_024 / STREAM_HZ)) == 1_024, "there is room for more"
    # 0.35 s at a latency of 0.25 s, 2.53 s at 2 s, with PulseAudio.
    assert feed.buffered_s() > 1.4 * latency_s + 0.15
    assert feed.space_frames() > (RING_S - 0.3) * STREAM_HZ


def test_a_skip_begins_with_the_new_sound_alone() -> None:
    feed = CardFeed(STREAM_HZ, 96_000, RING_S)
    feed.write(_noise(0.5))
    feed._ring.read(9_600)
    assert feed.switch()
    new = _noise(0.5, seed=1)
    feed.write(new)
    heard = feed._ring.read(24_000)
    # After the crossfade nothing is left of what the resampler held of the old.
    np.testing.assert_array_equal(heard[960:], soxr.resample(new, STREAM_HZ, 96_000)[960:24_000])


def test_a_skip_in_a_skip_begins_anew() -> None:
    feed = CardFeed(STREAM_HZ, 96_000, RING_S)
    feed.write(_noise(0.5))
    feed._ring.read(9_600)
    assert feed.switch()
    feed.write(_noise(0.01, seed=2))
    assert feed.switch()
    assert feed.buffered_s() == 0.0


def test_the_counts_of_a_card_go_on_with_the_next() -> None:
    first = CardFeed(STREAM_HZ, STREAM_HZ, RING_S)
    first.write(_noise(0.5))
    first._ring.read(44_100)
    second = CardFeed(STREAM_HZ, 96_000, RING_S, before=first)
    assert (second.frames_out, second.underrun_frames) == (22_050, 22_050)
    second.write(_noise(0.5))
    second._ring.read(9_600)
    assert second.frames_out == 22_050 + 4_410
