"""A file that was cut off is said to hold less than it states; one that states no length is not."""

from pathlib import Path

import mutagen.id3
import numpy as np
import pytest
import soundfile

from model.base.arrays import DoubleArray
from stream.audio.decode import decode_song
from stream.audio.stated import frames_before_the_cut

RATE_HZ = 22_050


@pytest.mark.parametrize("channels", [2, 6])
@pytest.mark.parametrize("name", ["cut.wav", "cut.aiff", "cut.au", "cut.w64", "cut.caf", "RF64.wav"])
def test_a_file_that_was_cut_off_is_said_to_hold_less_than_it_states(
    tmp_path: Path, name: str, channels: int
) -> None:
    path = written(tmp_path / name, channels)
    assert decode_song(path).left_out == ()
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    decoded = decode_song(path)
    assert len(decoded.samples) == pytest.approx(4 * RATE_HZ, abs=512)
    assert decoded.left_out == ("4 of the 8 s that it states: they are not there",)


@pytest.mark.parametrize("tagged", [False, True])
@pytest.mark.parametrize("mode", ["CONSTANT", "VARIABLE"])
def test_of_an_mp3_that_states_its_bytes_what_is_missing_is_told(
    tmp_path: Path, mode: str, tagged: bool
) -> None:
    path = tmp_path / "cut.mp3"
    soundfile.write(path, noise(2), RATE_HZ, bitrate_mode=mode)
    if tagged:
        tags = mutagen.id3.ID3()
        tags.add(mutagen.id3.APIC(encoding=0, mime="image/png", type=3, desc="", data=bytes(300_000)))
        tags.save(path)
    assert decode_song(path).left_out == ()
    whole, sound_bytes = path.read_bytes(), path.stat().st_size - 300_000 * tagged
    path.write_bytes(whole[: len(whole) - sound_bytes // 2])
    (told,) = decode_song(path).left_out
    assert told == "4 of the 8 s that it states: they are not there"


def test_no_real_song_is_said_to_lack_anything(shared_music: Path) -> None:
    paths = sorted(path for path in shared_music.rglob("*.*") if path.suffix in (".mp3", ".wav", ".flac"))
    assert len(paths) > 20
    # One states 88 bytes more than it has.
    assert [path for path in paths if frames_before_the_cut(path, 10**6) > 1.001 * 10**6] == []


@pytest.mark.parametrize("stated", [0, 0x7FFF_F000, 0xFFFF_FFFF])
def test_of_what_was_written_to_a_pipe_nothing_is_missed(tmp_path: Path, stated: int) -> None:
    path = written(tmp_path / "piped.wav")
    data = bytearray(path.read_bytes())
    at = data.index(b"data") + 4
    data[at : at + 4] = stated.to_bytes(4, "little")
    path.write_bytes(data)
    decoded = decode_song(path)
    assert len(decoded.samples) == 8 * RATE_HZ and decoded.left_out == ()


def written(path: Path, channels: int = 2) -> Path:
    """Eight seconds of noise."""
    kind = {"RF64.wav": "RF64"}.get(path.name)
    soundfile.write(path, noise(channels), RATE_HZ, subtype="PCM_16", format=kind)
    return path


def noise(channels: int) -> DoubleArray:
    return np.random.default_rng(0).normal(0.0, 0.1, (8 * RATE_HZ, channels))
