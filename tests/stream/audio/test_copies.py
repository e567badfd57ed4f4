"""A damaged byte of a decoded copy is an error, and nothing of it is heard."""

import logging
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from model.base.errors import DecodeError
from stream.audio.copies import DecodedCopy, copy_bytes, has_copy, write_decoded_copy
from stream.audio.spans import SpanReader
from stream.pool.pool import decoded_copy
from tests.stream.audio.test_spans import noise, pool_of


@pytest.mark.parametrize("frames", [1, 4_095, 4_096, 4_097, 30_000])
def test_any_span_is_what_was_written(tmp_path: Path, frames: int) -> None:
    audio = noise(44_100, 1.0)[:frames]
    path = tmp_path / "copy.npy"
    write_decoded_copy(audio, path)
    assert path.stat().st_size == copy_bytes(frames)
    assert has_copy(path, frames) and not has_copy(path, frames + 1) and not has_copy(tmp_path / "no", frames)
    assert np.array_equal(np.load(path), audio), "any reader of .npy files reads it"
    copy = DecodedCopy(path, frames)
    random = np.random.default_rng(1)
    for start, stop in [(0, frames), (frames - 1, frames), *np.sort(random.integers(0, frames + 1, (50, 2)))]:
        assert np.array_equal(copy.read(int(start), int(stop)), audio[start:stop])
    copy.close()
    copy.close()


def test_a_damaged_byte_anywhere_is_found(tmp_path: Path) -> None:
    path = tmp_path / "copy.npy"
    write_decoded_copy(noise(44_100, 0.25), path)
    whole = path.read_bytes()
    frames = 11_025
    for place in [*range(0, 128, 7), *range(128, len(whole), 997), len(whole) - 1]:
        damaged = bytearray(whole)
        damaged[place] ^= 1 << (place % 8)
        path.write_bytes(damaged)
        with pytest.raises(DecodeError, match=r"copy\.npy is damaged .*; run"):
            DecodedCopy(path, frames).read(0, frames)
    for length in (0, 1, 127, 128, 5_000, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(DecodeError, match="is damaged"):
            DecodedCopy(path, frames)
    path.write_bytes(whole)
    with pytest.raises(DecodeError, match="another form or length"):
        DecodedCopy(path, frames - 1)


@pytest.mark.parametrize("damage", ["shortened", "noise", "zeros"])
@pytest.mark.parametrize("engine_hz", [44_100, 48_000])
def test_a_copy_that_breaks_while_it_plays_is_heard_from_the_song(
    tmp_path: Path, engine_hz: int, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    audio = noise(44_100, 6.0)
    soundfile.write(tmp_path / "a.wav", audio, 44_100, subtype="FLOAT")
    pool = pool_of(tmp_path, [tmp_path / "a.wav"], seekable=False)
    copy = decoded_copy(tmp_path, "hash0")
    write_decoded_copy(audio, copy)
    truth = SpanReader(pool, engine_hz).read(0, 0, 6 * engine_hz)
    reader = SpanReader(pool, engine_hz, cache_bytes=1)
    reader.check(0)
    assert np.array_equal(reader.read(0, 0, engine_hz), truth[:engine_hz])
    if damage == "shortened":
        os.truncate(copy, 200_000)
    else:
        random = np.random.default_rng(3)
        with copy.open("r+b") as file:
            file.seek(1_000_000)
            file.write(random.bytes(500_000) if damage == "noise" else bytes(500_000))
    with caplog.at_level(logging.WARNING):
        for start in (2 * engine_hz, 0, 4 * engine_hz):
            found = reader.read(0, start, start + 2 * engine_hz)
            assert np.array_equal(found, truth[start : start + 2 * engine_hz])
    assert caplog.text.count("is damaged") == 1
