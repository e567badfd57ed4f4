"""A file that was cut off is said to hold less than it states; one that states no length is not."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from stream.audio.decode import decode_song

RATE_HZ = 22_050


@pytest.mark.parametrize("name", ["cut.wav", "cut.aiff", "cut.au"])
def test_a_file_that_was_cut_off_is_said_to_hold_less_than_it_states(tmp_path: Path, name: str) -> None:
    path = written(tmp_path / name)
    assert decode_song(path).left_out == ()
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    decoded = decode_song(path)
    assert len(decoded.samples) == pytest.approx(4 * RATE_HZ, abs=64)
    assert decoded.left_out == ("4 of the 8 s that it states: they are not there",)


@pytest.mark.parametrize("stated", [0, 0x7FFF_F000, 0xFFFF_FFFF])
def test_of_what_was_written_to_a_pipe_nothing_is_missed(tmp_path: Path, stated: int) -> None:
    path = written(tmp_path / "piped.wav")
    data = bytearray(path.read_bytes())
    at = data.index(b"data") + 4
    data[at : at + 4] = stated.to_bytes(4, "little")
    path.write_bytes(data)
    decoded = decode_song(path)
    assert len(decoded.samples) == 8 * RATE_HZ and decoded.left_out == ()


def written(path: Path) -> Path:
    """Eight seconds of noise."""
    noise = np.random.default_rng(0).normal(0.0, 0.1, (8 * RATE_HZ, 2))
    soundfile.write(path, noise, RATE_HZ, subtype="PCM_16")
    return path
