"""A click is found, and told from a drum and from what a song has of its own."""

import numpy as np
import pytest

from tests.tools.quality.joins.measuring.test_measures import RATE_HZ, drums, noise
from tools.quality.joins.measuring.clicks import SongPiece, clicks_around, find_clicks, is_of_song


def test_a_click_is_found_and_a_drum_is_not() -> None:
    rng = np.random.default_rng(3)
    tone = 0.2 * np.sin(2 * np.pi * 220 * np.arange(RATE_HZ) / RATE_HZ)
    clean = (tone[:, None] + rng.normal(0, 1e-4, (RATE_HZ, 2))).astype(np.float32)
    assert not find_clicks(clean, 10_000, 30_000, RATE_HZ)
    spoiled = clean.copy()
    spoiled[20_000:] += 0.05
    assert [click.frame for click in find_clicks(spoiled, 15_000, 25_000, RATE_HZ)] == [20_000]
    drummed = clean + drums(1.0, 0.25, 0.2)
    assert not find_clicks(drummed, 0, RATE_HZ, RATE_HZ)


@pytest.mark.parametrize("slack", [2, 441])
@pytest.mark.parametrize("late", [0, 2, 300])
@pytest.mark.parametrize("gain", [0.2, 1.0])
def test_a_song_has_a_click_where_its_wave_goes_the_same_way(slack: int, late: int, gain: float) -> None:
    song = 0.2 * noise(0.5, 0.1, 4)
    song[10_000] += 0.5
    stream = gain * np.roll(song, late, axis=0)
    [click] = find_clicks(stream, 9_500, 10_800, RATE_HZ)
    first, stop = clicks_around(click, RATE_HZ)
    heard = SongPiece(audio=song[first - slack : stop + slack], slack=slack)
    assert is_of_song(stream[first:stop], click.side, [heard]) is (late <= slack)
    silent = SongPiece(audio=np.zeros_like(heard.audio), slack=slack)
    assert not is_of_song(stream[first:stop], click.side, [silent])
