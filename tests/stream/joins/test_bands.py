"""A banded fade hands over band after band, keeps levels, and leaves alone what does not change."""

import numpy as np

from model.base.arrays import FloatArray
from stream.joins.bands import BandedFade, HandOver
from stream.joins.sound import JoinSound, Silence, SongSound, Sound

RATE_HZ = 44_100
FRAMES = 4 * RATE_HZ
EARLY, LATE = HandOver.at_once(RATE_HZ, 3 * RATE_HZ // 2), HandOver.at_once(3 * RATE_HZ, 7 * RATE_HZ // 2)


def sound(audio: FloatArray) -> SongSound:
    padded = np.concatenate([audio, np.zeros((RATE_HZ, 2), dtype=np.float32)])
    return SongSound(lambda start, stop: padded[start:stop], 0)


def fade(outgoing: Sound, incoming: Sound, bands: list[HandOver]) -> JoinSound:
    made = BandedFade(outgoing, incoming, frames=FRAMES, enters_frame=0, bands=bands, rate_hz=RATE_HZ)
    return JoinSound(made.make, FRAMES, incoming)


def tones() -> FloatArray:
    time_s = np.arange(FRAMES + RATE_HZ) / RATE_HZ
    mixed = sum(0.1 * np.sin(2 * np.pi * hz * time_s) for hz in (60.0, 800.0, 6_000.0))
    return np.repeat(np.asarray(mixed)[:, None], 2, axis=1).astype(np.float32)


def level_db(audio: FloatArray, hz: float) -> float:
    window = np.hanning(len(audio))
    wave = np.exp(-2j * np.pi * hz * np.arange(len(audio)) / RATE_HZ)
    return float(20 * np.log10(2 * abs((audio[:, 0] * window * wave).sum()) / window.sum() + 1e-9))


def test_each_band_goes_at_its_time_and_the_others_stay() -> None:
    made = fade(sound(tones()), Silence(), [LATE, LATE, EARLY]).pull(FRAMES)
    np.testing.assert_array_equal(made[: RATE_HZ - 2_000], tones()[: RATE_HZ - 2_000])
    between = made[2 * RATE_HZ : 2 * RATE_HZ + RATE_HZ // 2]
    assert [round(level_db(between, hz), 1) for hz in (60.0, 800.0)] == [-20.0, -20.0]
    assert level_db(between, 6_000.0) < -70.0
    assert np.abs(made[-RATE_HZ // 4 :]).max() == 0.0


def test_together_two_songs_keep_the_level_of_each_band_and_what_comes_is_left_alone() -> None:
    rng = np.random.default_rng(0)
    a, b = (rng.normal(0.0, 0.1, (FRAMES + RATE_HZ, 2)).astype(np.float32) for _ in range(2))
    joined = fade(sound(a), sound(b), [LATE, HandOver.at_once(RATE_HZ, 3 * RATE_HZ), EARLY])
    made = joined.pull(FRAMES + 100)
    power = np.square(np.abs(np.fft.rfft(made[:FRAMES].reshape(-1, RATE_HZ // 2, 2), axis=1))).sum(axis=2)
    for low, high, most_db in ((0, 80, 1.5), (130, 1_200, 0.8), (1_300, 10_000, 0.8)):
        levels_db = 10 * np.log10(power[:, low:high].mean(axis=1))
        assert np.abs(levels_db - np.median(levels_db)).max() < most_db
    np.testing.assert_array_equal(made[-2_000:], b[FRAMES + 100 - 2_000 : FRAMES + 100])


def test_blocks_of_any_size_are_the_same() -> None:
    a, b = tones(), tones()[::-1].copy()
    whole = fade(sound(a), sound(b), [LATE, LATE, EARLY]).pull(FRAMES)
    joined = fade(sound(a), sound(b), [LATE, LATE, EARLY])
    pieces = [joined.pull(int(size)) for size in np.random.default_rng(1).integers(1, 9_000, 30)]
    made = np.concatenate(pieces)
    np.testing.assert_array_equal(made[:FRAMES], whole[: len(made)])
