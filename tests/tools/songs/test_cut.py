"""The cutter's kernel equals pydub itself, and chunks keep what they promise."""

import os
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from model.base.arrays import FloatArray
from model.base.errors import EndlosError
from stream.audio.decode import decode
from tools.songs.cut import CutSettings, cut_song
from tools.songs.power import song_powers, window_power
from tools.songs.silence import FULL_SCALE, Int16Array, detect_silence, detect_silence_pydub, to_int16

RATE_HZ = 8_000
EXCERPT_S = 6
"""Of each real song, when not all of it is asked for: pydub needs about 40 us a millisecond."""
RATES_HZ = (7_919, 8_000, 11_025, 22_050, 32_000, 44_100, 48_000)


def tone(seconds: float, level_db: float, rate_hz: int = RATE_HZ) -> FloatArray:
    """A 440 Hz sine of the given RMS level, stereo."""
    t = np.arange(round(seconds * rate_hz)) / rate_hz
    wave = np.sqrt(2) * 10 ** (level_db / 20) * np.sin(2 * np.pi * 440 * t)
    return np.repeat(wave.astype(np.float32)[:, None], 2, axis=1)


def noise(seconds: float, level_db: float, seed: int = 0, rate_hz: int = RATE_HZ) -> FloatArray:
    rng = np.random.default_rng(seed)
    return (10 ** (level_db / 20) * rng.standard_normal((round(seconds * rate_hz), 2))).astype(np.float32)


def bursts(seed: int, pieces: int, channels: int) -> Int16Array:
    """16 bit noise whose level jumps, so that thresholds are crossed at any place, even within a slice."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, 4_000, pieces)
    levels = np.repeat(rng.choice([0, 1, 2, 40, 600, 5_000, 40_000], pieces), lengths)
    signal = levels[:, None] * rng.uniform(-1, 1, (len(levels), channels))
    return np.clip(np.rint(signal), -FULL_SCALE, FULL_SCALE - 1).astype(np.int16)


# --- silent ranges ---


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    pieces=st.integers(0, 8),
    channels=st.integers(1, 3),
    rate_hz=st.sampled_from(RATES_HZ),
    silence_ms=st.sampled_from([1, 2, 7, 50, 100, 300, 1_000]),
    silence_db=st.sampled_from([-90.5, -90.0, -60.0, -34.7, -20.0, -16.0, -3.0, 0.0]),
    seek_step_ms=st.sampled_from([1, 1, 1, 3, 10, 401]),
)
def test_ranges_equal_pydubs(
    seed: int,
    pieces: int,
    channels: int,
    rate_hz: int,
    silence_ms: int,
    silence_db: float,
    seek_step_ms: int,
) -> None:
    audio = bursts(seed, pieces, channels) if pieces else np.empty((0, channels), dtype=np.int16)
    arguments = (audio, rate_hz, silence_ms, silence_db, seek_step_ms)
    np.testing.assert_array_equal(detect_silence(*arguments), detect_silence_pydub(*arguments))


@settings(max_examples=100, deadline=None)
@given(
    samples=hnp.arrays(np.int16, st.tuples(st.integers(0, 60), st.integers(1, 2))),
    rate_hz=st.sampled_from([500, 1_000, 8_000, 11_025, 44_100]),
    silence_ms=st.integers(1, 4),
    silence_db=st.floats(-96, 0),
)
def test_ranges_equal_pydubs_in_a_few_samples(
    samples: Int16Array, rate_hz: int, silence_ms: int, silence_db: float
) -> None:
    arguments = (samples, rate_hz, silence_ms, silence_db)
    np.testing.assert_array_equal(detect_silence(*arguments), detect_silence_pydub(*arguments))


def test_a_level_exactly_at_the_threshold_is_silent() -> None:
    """-6.0206 dBFS is half of full scale; pydub's RMS is an integer, so half a step above still counts."""
    half_db = 20 * np.log10(0.5) + 1e-9
    at_half = np.full((RATE_HZ, 2), FULL_SCALE // 2, dtype=np.int16)
    half_a_step_above = at_half.copy()
    half_a_step_above[::2] += 1
    a_step_above = at_half + np.int16(1)
    for audio, found in ((at_half, 1), (half_a_step_above, 1), (a_step_above, 0)):
        assert len(detect_silence(audio, RATE_HZ, 300, half_db)) == found
        assert len(detect_silence_pydub(audio, RATE_HZ, 300, half_db)) == found


def test_a_gap_between_tones_is_found_to_the_millisecond() -> None:
    audio = np.concatenate([tone(1, -6), np.zeros((RATE_HZ // 2, 2), np.float32), tone(1, -6)])
    ranges = detect_silence(to_int16(audio), RATE_HZ, 300, -90.0)
    assert ranges.tolist() == [[1_000, 1_500]]


def test_16_bit_clips_and_rounds() -> None:
    audio = np.array([[0.0, 1.0, -1.0, 3e38, -7.0, 1.4 / FULL_SCALE, -1.6 / FULL_SCALE]], dtype=np.float32)
    assert to_int16(audio).tolist() == [[0, 32_767, -32_768, 32_767, -32_768, 1, -2]]


@pytest.mark.parametrize(
    ("rate_hz", "silence_ms", "silence_db", "seek_step_ms"),
    [(0, 300, -16.0, 1), (8_000, 0, -16.0, 1), (8_000, 300, float("nan"), 1), (8_000, 300, -16.0, 0)],
)
def test_arguments_out_of_range_are_refused(
    rate_hz: int, silence_ms: int, silence_db: float, seek_step_ms: int
) -> None:
    audio = np.zeros((10, 2), dtype=np.int16)
    for detect in (detect_silence, detect_silence_pydub):
        with pytest.raises(EndlosError, match="cannot be looked for"):
            detect(audio, rate_hz, silence_ms, silence_db, seek_step_ms)
        with pytest.raises(EndlosError, match="int16"):
            detect(np.zeros((10, 2), dtype=np.float32), 8_000, 300, -16.0)


def test_real_songs_have_the_same_ranges_as_pydub_finds(shared_music: Path) -> None:
    """An excerpt of every eighth song, at its own place in each; `ENDLOS_FULL=1`: all of every song."""
    songs = sorted(path for path in (shared_music / "library").rglob("*") if path.is_file())
    whole = os.environ.get("ENDLOS_FULL") == "1"
    songs = songs if whole else songs[::8]
    assert songs
    rng = np.random.default_rng(0)
    found = 0
    for path in songs:
        audio, rate_hz = decode(path)
        if not whole:
            start = int(rng.integers(len(audio) - EXCERPT_S * rate_hz))
            audio = audio[start : start + EXCERPT_S * rate_hz]
        arguments = (to_int16(audio), rate_hz, 300, -16.0)
        ours, pydubs = detect_silence(*arguments), detect_silence_pydub(*arguments)
        np.testing.assert_array_equal(ours, pydubs, err_msg=path.name)
        found += len(ours)
    assert found > len(songs)


# --- chunks ---


@settings(max_examples=120, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    pieces=st.integers(1, 30),
    rate_hz=st.sampled_from([997, 8_000, 11_025]),
    silence_db=st.floats(-70, 0),
    silence_ms=st.integers(1, 600),
    min_chunk_s=st.floats(0.05, 2),
    stretch=st.floats(2, 5),
    chunk_s=st.floats(0.01, 20),
    cut=st.sampled_from(["silence", "silence", "equal"]),
)
def test_chunks_tile_what_is_audible_within_floor_and_ceiling(
    seed: int,
    pieces: int,
    rate_hz: int,
    silence_db: float,
    silence_ms: int,
    min_chunk_s: float,
    stretch: float,
    chunk_s: float,
    cut: Literal["silence", "equal"],
) -> None:
    audio = bursts(seed, pieces, 2).astype(np.float32) / np.float32(FULL_SCALE)
    result = cut_song(
        audio,
        rate_hz,
        CutSettings(
            cut=cut,
            silence_db=silence_db,
            silence_ms=silence_ms,
            min_chunk_s=min_chunk_s,
            max_chunk_s=stretch * min_chunk_s,
            chunk_s=chunk_s,
        ),
    )
    window = round(rate_hz / 100)
    padded = np.pad(audio.astype(np.float64), ((0, -len(audio) % window), (0, 0)))
    windows = padded.reshape(-1, 2 * window)
    counts = np.full(len(windows), 2 * window)
    counts[-1] -= 2 * (len(padded) - len(audio))
    power = (windows**2).sum(axis=1) / counts
    level = power[power > 1e-6].mean() if (power > 1e-6).any() else 0.0
    audible = np.flatnonzero((power > 1e-6) & (power > 1e-3 * level))
    floor_s = min_chunk_s if cut == "silence" else min(min_chunk_s, chunk_s)
    floor, part = round(floor_s * rate_hz), round(chunk_s * rate_hz)
    start = audible[0] * window if len(audible) else 0
    stop = min((audible[-1] + 1) * window, len(audio)) if len(audible) else 0
    assert result.note
    if stop - start < max(1, floor):
        assert len(result.bounds) == 0
        return
    assert (result.bounds[0], result.bounds[-1]) == (start, stop)
    lengths = np.diff(result.bounds)
    assert lengths.min() >= floor
    if cut == "silence":
        assert lengths.max() <= max(round(stretch * min_chunk_s * rate_hz), 2 * floor)
    else:
        assert (lengths[:-1] == part).all()
        assert lengths[-1] < part + floor


def test_cuts_are_in_the_middle_of_the_silences() -> None:
    quiet = tone(1, -50)
    audio = np.concatenate([tone(3, -10), quiet, tone(4, -10), quiet, tone(3, -10)])
    result = cut_song(audio, RATE_HZ, CutSettings())
    assert (result.bounds / RATE_HZ).tolist() == pytest.approx([0, 3.5, 8.5, 12], abs=0.005)
    assert result.note == "silence at -16 dBFS; 2 cuts in silences, 0 where it is quietest"


def test_both_cutters_cut_alike() -> None:
    audio = np.concatenate(
        [noise(3, level_db, seed) for seed, level_db in enumerate((-12, -30, -14, -40, -9))]
    )
    ours = cut_song(audio, RATE_HZ, CutSettings(cutter="numba"))
    pydubs = cut_song(audio, RATE_HZ, CutSettings(cutter="pydub"))
    np.testing.assert_array_equal(ours.bounds, pydubs.bounds)
    assert ours.note == pydubs.note


@pytest.mark.parametrize("offset", [0.003, 0.1, -0.1])
@pytest.mark.parametrize("cut", ["silence", "equal"])
def test_dead_air_with_an_offset_is_dead_air(cut: Literal["silence", "equal"], offset: float) -> None:
    """Of a converter that was out of balance: nobody hears it, in the music or beside it."""
    gap = np.zeros((3 * RATE_HZ, 2), dtype=np.float32)
    plain = np.concatenate([gap, tone(12, -20), gap])
    expected = cut_song(plain, RATE_HZ, CutSettings(cut=cut)).bounds
    assert (expected[0], expected[-1]) == (3 * RATE_HZ, 15 * RATE_HZ)
    shifted = plain + np.array([offset, 0.7 * offset], dtype=np.float32)
    found = cut_song(shifted, RATE_HZ, CutSettings(cut=cut)).bounds
    assert (found[0], found[-1]) == (expected[0], expected[-1])
    assert cut_song(gap + np.float32(offset), RATE_HZ, CutSettings(cut=cut)).note == "silent"


def test_low_tones_are_no_offset() -> None:
    t = np.arange(20 * RATE_HZ) / RATE_HZ
    for hz in (20.0, 30.0, 41.2, 50.0):
        low = np.repeat((0.1 * np.sin(2 * np.pi * hz * t)).astype(np.float32)[:, None], 2, axis=1)
        powers = song_powers(low, RATE_HZ // 100)
        assert np.array_equal(powers.heard, window_power(low, RATE_HZ // 100))
        assert np.array_equal(powers.whole, window_power(low, RATE_HZ // 100))


def test_dead_air_belongs_to_no_chunk() -> None:
    hiss = noise(2, -70)
    audio = np.concatenate([hiss, tone(6, -30), hiss, tone(6, -30), hiss])
    for cut in ("silence", "equal"):
        result = cut_song(audio, RATE_HZ, CutSettings(cut=cut))
        assert (result.bounds[[0, -1]] / RATE_HZ).tolist() == [2, 16]


def test_a_short_chunk_joins_its_shorter_neighbour() -> None:
    gap = tone(0.4, -50)
    audio = np.concatenate([tone(5, -10), gap, tone(0.5, -10), gap, tone(2.6, -10)])
    result = cut_song(audio, RATE_HZ, CutSettings(min_chunk_s=1, max_chunk_s=10))
    assert (result.bounds / RATE_HZ).tolist() == pytest.approx([0, 5.2, 8.9], abs=0.005)


def test_a_song_without_silence_is_split_where_it_is_quietest() -> None:
    audio = tone(20, -6)
    dips_s = (5.6, 9.3, 15.4)
    for dip_s in dips_s:
        audio[round((dip_s - 0.03) * RATE_HZ) : round((dip_s + 0.03) * RATE_HZ)] *= 0.5
    result = cut_song(audio, RATE_HZ, CutSettings())
    assert (result.bounds / RATE_HZ).tolist() == pytest.approx([0, *dips_s, 20], abs=0.02)
    assert result.note.endswith("0 cuts in silences, 3 where it is quietest")


def test_a_song_within_the_ceiling_stays_whole() -> None:
    result = cut_song(tone(14.9, -6), RATE_HZ, CutSettings())
    assert (result.bounds / RATE_HZ).tolist() == pytest.approx([0, 14.9])


def test_a_quiet_song_is_cut_relative_to_its_own_level() -> None:
    """30 dB below what -16 dBFS expects: the same cuts as at full level, and the note says why."""
    loud = np.concatenate(
        [noise(4, -10, 1), noise(1, -28, 2), noise(4, -10, 3), noise(1, -28, 4), noise(4, -10, 5)]
    )
    quiet = loud * np.float32(10 ** (-30 / 20))
    expected = cut_song(loud, RATE_HZ, CutSettings())
    result = cut_song(quiet, RATE_HZ, CutSettings())
    np.testing.assert_allclose(result.bounds / RATE_HZ, expected.bounds / RATE_HZ, atol=0.05)
    assert result.note == (
        "-16 dBFS calls 100 % of it silent: cut at -41 dBFS, 0.3 dB below its own level; "
        "2 cuts in silences, 0 where it is quietest"
    )


def test_a_song_made_of_real_silences_keeps_them() -> None:
    rest = np.zeros((4 * RATE_HZ, 2), np.float32)
    audio = np.concatenate([tone(1, -10), rest, tone(1, -10), rest, tone(1, -10)])
    result = cut_song(audio, RATE_HZ, CutSettings())
    assert (result.bounds / RATE_HZ).tolist() == pytest.approx([0, 3, 8, 11], abs=0.005)
    assert "-16 dBFS calls 75 % of it silent: cut at -60 dBFS" in result.note


def test_equal_chunks_and_their_remainder() -> None:
    settings_ = CutSettings(cut="equal", chunk_s=3)
    in_s = [(cut_song(tone(s, -6), RATE_HZ, settings_).bounds / RATE_HZ).tolist() for s in (9, 11.5, 10, 2.5)]
    assert in_s == [[0, 3, 6, 9], [0, 3, 6, 9, 11.5], [0, 3, 6, 10], [0, 2.5]]


def test_equal_chunks_may_be_shorter_than_the_floor() -> None:
    result = cut_song(tone(2.5, -6), RATE_HZ, CutSettings(cut="equal", chunk_s=1, min_chunk_s=2))
    assert (result.bounds / RATE_HZ).tolist() == [0, 1, 2.5]


@pytest.mark.parametrize("cut", ["silence", "equal"])
@pytest.mark.parametrize(
    "audio",
    [
        np.zeros((0, 2), np.float32),
        np.zeros((RATE_HZ, 2), np.float32),
        np.full((RATE_HZ, 2), np.nan, np.float32),
    ],
)
def test_a_silent_song_gives_no_chunk(cut: Literal["silence", "equal"], audio: FloatArray) -> None:
    result = cut_song(audio, RATE_HZ, CutSettings(cut=cut))
    assert (len(result.bounds), result.note) == (0, "silent")


@pytest.mark.parametrize("cut", ["silence", "equal"])
@pytest.mark.parametrize("frames", [1, 80, RATE_HZ])
def test_a_song_too_short_gives_no_chunk_and_says_so(cut: Literal["silence", "equal"], frames: int) -> None:
    result = cut_song(noise(frames / RATE_HZ, -6), RATE_HZ, CutSettings(cut=cut))
    assert len(result.bounds) == 0
    assert result.note == (
        f"{frames / RATE_HZ:.2f} s audible, shorter than the shortest chunk of 2 s; "
        "to have it, build the pool with a lower --min-chunk-s"
    )


def test_equal_chunks_below_the_floor_name_their_own_option() -> None:
    settings = CutSettings(cut="equal", chunk_s=1)
    note = cut_song(noise(0.5, -6), RATE_HZ, settings).note
    assert note.endswith("shortest chunk of 1 s; to have it, build the pool with a lower --chunk-s")


def test_samples_that_are_no_number_count_as_silence_and_stay_as_they_are() -> None:
    audio = np.concatenate([tone(3, -10), tone(1, -50), tone(3, -10)])
    broken = audio.copy()
    broken[round(3.2 * RATE_HZ) : round(3.8 * RATE_HZ)] = [np.nan, -np.inf]
    before = broken.copy()
    result = cut_song(broken, RATE_HZ, CutSettings())
    np.testing.assert_array_equal(result.bounds, cut_song(audio, RATE_HZ, CutSettings()).bounds)
    np.testing.assert_array_equal(broken, before)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"cut": "bars"}, "no cut 'bars'"),
        ({"cutter": "sox"}, "no cutter 'sox'"),
        ({"silence_db": 3.0}, "up to 0 dBFS"),
        ({"silence_db": float("nan")}, "up to 0 dBFS"),
        ({"silence_ms": 0}, "1 ms or more"),
        ({"chunk_s": 0.0}, "above 0"),
        ({"min_chunk_s": float("inf")}, "above 0"),
        ({"min_chunk_s": 3.0, "max_chunk_s": 5.0}, "at least twice the shortest, 6 s"),
    ],
)
def test_settings_out_of_range_are_refused(fields: dict[str, Any], sentence: str) -> None:
    with pytest.raises(EndlosError, match=sentence):
        CutSettings(**fields)


def test_every_real_song_gives_musical_chunks(shared_music: Path) -> None:
    """The defaults on the loudest, the quietest and a middling master: phrases, mostly cut at silences."""
    for name in (
        "various/chill_mateus-reis_citychill.ogg",
        "various/electronic_heroofthewinds_synthgroove.ogg",
        "similar/holizna-a_autumn.mp3",
    ):
        audio, rate_hz = decode(shared_music / "library" / name)
        result = cut_song(audio, rate_hz, CutSettings())
        lengths_s = np.diff(result.bounds) / rate_hz
        assert lengths_s.min() >= 2.0, name
        assert 2.0 <= np.median(lengths_s) <= 8.0, name
        assert lengths_s.max() <= 15.0, name


def test_a_song_ends_where_it_has_died_away() -> None:
    times_s = np.arange(30 * RATE_HZ) / RATE_HZ
    fade = np.interp(times_s, [0.0, 1.0, 20.0, 30.0], [-60.0, 0.0, 0.0, -60.0])
    tone = 0.3 * 10 ** (fade / 20) * np.sin(2 * np.pi * 220 * times_s)
    result = cut_song(np.stack([tone, tone], axis=1).astype(np.float32), RATE_HZ, CutSettings(cut="equal"))
    assert result.bounds[0] / RATE_HZ == pytest.approx(0.5, abs=0.1)
    assert result.bounds[-1] / RATE_HZ == pytest.approx(25.0, abs=0.6)
