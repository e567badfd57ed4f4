"""The file output writes exact samples, the same bytes for any block size, and nothing half-written."""

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import av
import numpy as np
import pytest
import soundfile

from model.base.errors import OutputError
from stream.outputs.audio_file import EXTENSIONS, MAX_WAV_BYTES, open_audio_file
from stream.outputs.encoding.audio_tags import AudioTags, is_marked
from tests.support.heard import RATE_HZ, decode, music, residual_db


def write(path: Path, sound: np.ndarray, block_frames: int = 4096, bits: int | None = None) -> int:
    with open_audio_file(path, RATE_HZ, bits) as file:
        for start in range(0, len(sound), block_frames):
            file.write(sound[start : start + block_frames])
    return file.clipped_samples


@pytest.mark.parametrize("extension", [".wav", ".flac"])
@pytest.mark.parametrize("bits", [16, 24])
def test_pcm_is_rounded_to_the_nearest_and_clipped(
    tmp_path: Path, extension: str, bits: Literal[16, 24]
) -> None:
    full = 2 ** (bits - 1)
    # Half steps and their neighbours, full scale, and beyond it.
    steps = np.array(
        [0, 0.4, 0.5, 0.6, 1.5, 2.5, -0.5, -0.6, full - 1, full, 1.5 * full, -full, -1.01 * full]
    )
    sound = np.stack([steps, -steps], axis=1).astype(np.float32) / np.float32(full)
    path = tmp_path / f"out{extension}"
    clipped = write(path, sound, bits=bits)
    stored, rate_hz = soundfile.read(path, dtype="int32")
    assert rate_hz == RATE_HZ
    assert soundfile.info(path).subtype == f"PCM_{bits}"
    exact = [min(max(round(float(x) * full), -full), full - 1) for x in sound.reshape(-1)]
    assert (stored.reshape(-1) >> (32 - bits)).tolist() == exact
    assert clipped == 4


@pytest.mark.parametrize("extension", [".wav", ".flac", ".mp3"])
def test_the_bytes_do_not_depend_on_the_blocks_or_the_hour(tmp_path: Path, extension: str) -> None:
    sound = music(1.2)
    files = set()
    for number, block_frames in enumerate((1000, 37, 8192, len(sound))):
        path = tmp_path / f"{number}{extension}"
        write(path, sound, block_frames)
        files.add(path.read_bytes())
    assert len(files) == 1


@pytest.mark.parametrize(
    ("extension", "codec", "bound_db"),
    [(".mp3", "mp3", -60), (".ogg", "vorbis", -28), (".opus", "opus", -26)],
)
def test_lossy_files_hold_the_sound_in_full_length(
    tmp_path: Path, extension: str, codec: str, bound_db: float
) -> None:
    sound = music(4)
    path = tmp_path / f"out{extension}"
    write(path, sound)
    heard, rate_hz = decode(path.read_bytes())
    assert rate_hz == (48_000 if codec == "opus" else RATE_HZ)
    assert abs(len(heard) / rate_hz - 4) < 0.05
    assert residual_db(sound, heard, rate_hz) < bound_db
    assert soundfile.info(path).duration == pytest.approx(4, abs=0.03)


def test_the_bit_rate_is_heeded(tmp_path: Path) -> None:
    sizes = []
    for kbps in (64, 256):
        path = tmp_path / f"{kbps}.mp3"
        with open_audio_file(path, RATE_HZ, bitrate_kbps=kbps) as file:
            file.write(music(2))
        sizes.append(path.stat().st_size)
    assert sizes[1] == pytest.approx(4 * sizes[0], rel=0.1)


@pytest.mark.parametrize(
    ("name", "bits", "kbps", "sentence"),
    [
        ("a.mp3", 16, None, "asked for with 16 bits; .mp3 files have a bit rate instead"),
        ("a.opus", 24, 128, "asked for with 24 bits; .opus files have a bit rate instead"),
        ("a.wav", 20, None, "asked for with 20 bits; expected 16 or 24"),
        ("a.wav", None, 128, "asked for with 128 kbit/s; .wav files have bits instead"),
        ("a.flac", 16, 128, "asked for with 128 kbit/s; .flac files have bits instead"),
        ("a.mp3", None, 100, "asked for with 100 kbit/s; expected 32, 40, .* or 320"),
        ("a.ogg", None, 32, "asked for with 32 kbit/s; expected 64 to 500"),
        ("a.opus", None, 512, "asked for with 512 kbit/s; expected 6 to 510"),
    ],
)
def test_what_a_format_cannot_have_is_not_passed_over(
    tmp_path: Path, name: str, bits: int | None, kbps: int | None, sentence: str
) -> None:
    with pytest.raises(OutputError, match=sentence):
        open_audio_file(tmp_path / name, RATE_HZ, bits, kbps)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_an_exception_leaves_the_old_file_and_no_other(tmp_path: Path, extension: str) -> None:
    path = tmp_path / f"out{extension}"
    path.write_bytes(b"from before")
    with pytest.raises(KeyboardInterrupt), open_audio_file(path, RATE_HZ) as file:
        file.write(music(1))
        raise KeyboardInterrupt
    assert path.read_bytes() == b"from before"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_what_was_written_before_a_failure_can_be_kept(tmp_path: Path, extension: str) -> None:
    path = tmp_path / f"out{extension}"
    path.write_bytes(b"from before")
    with pytest.raises(RuntimeError), open_audio_file(path, RATE_HZ) as file:
        assert file.keep_incomplete() is None, "there is nothing yet"
        file.write(music(2))
        kept = file.keep_incomplete()
        raise RuntimeError
    assert kept == tmp_path / f"out.incomplete{extension}"
    assert path.read_bytes() == b"from before" and sorted(tmp_path.iterdir()) == sorted([path, kept])
    assert soundfile.info(kept).duration == pytest.approx(2.0, abs=0.1)


@contextmanager
def room_for(size_bytes: int) -> Iterator[None]:
    """Let no file grow beyond a size: what a full disk does, without one."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("extension", EXTENSIONS)
@pytest.mark.parametrize("seconds", [0.4, 6])
def test_a_full_disk_is_one_sentence_and_leaves_nothing(
    tmp_path: Path, extension: str, seconds: float
) -> None:
    # The short sound fails at the end, in the flush; the long one in the middle.
    path = tmp_path / f"out{extension}"
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, (round(seconds * RATE_HZ), 2)).astype(np.float32)
    with (
        room_for(1000),
        pytest.raises(OutputError, match=r"out\.\w+ cannot be written \(.+\); free some space"),
    ):
        write(path, noise)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("extension", EXTENSIONS)
@pytest.mark.parametrize("at_the_end", [False, True])
def test_what_a_full_disk_had_room_for_can_be_kept(tmp_path: Path, extension: str, at_the_end: bool) -> None:
    whole, path = tmp_path / f"whole{extension}", tmp_path / f"out{extension}"
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, (4 * RATE_HZ, 2)).astype(np.float32)
    write(whole, noise)
    expected, _ = decode(whole.read_bytes())
    room = whole.stat().st_size - 5000 if at_the_end else whole.stat().st_size // 2
    with (
        pytest.raises(OutputError, match="free some space"),
        open_audio_file(path, RATE_HZ) as file,
        room_for(room),
    ):
        try:
            for start in range(0, len(noise), 4096):
                file.write(noise[start : start + 4096])
            file.close()
        finally:
            kept = file.keep_incomplete()
    assert kept == tmp_path / f"out.incomplete{extension}" and kept.stat().st_size <= room
    assert sorted(tmp_path.iterdir()) == sorted([whole, kept])
    heard, _ = decode(kept.read_bytes())
    assert len(heard) > (2.8 if at_the_end else 0.9) * RATE_HZ
    # How a lossy one ends depends on what follows.
    heard = heard[: len(heard) - 4096]
    assert np.array_equal(heard, expected[: len(heard)])
    assert soundfile.info(kept).duration == pytest.approx(len(heard) / RATE_HZ, abs=0.6)


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_a_file_says_what_is_in_it_and_who_wrote_it(tmp_path: Path, extension: str) -> None:
    sound, tags = music(1), AudioTags(title="Stück “ü” 東", artist="Ä & Co, B", comment="Made of: x; y" * 500)
    plain, tagged = tmp_path / f"plain{extension}", tmp_path / f"tagged{extension}"
    write(plain, sound)
    with open_audio_file(tagged, RATE_HZ, tags=tags) as file:
        file.write(sound)
    with av.open(str(tagged)) as opened:
        told = {**opened.metadata, **opened.streams[0].metadata}
        told = {name.lower(): value for name, value in told.items()}
    assert {name: told[name] for name in ("title", "artist", "comment")} == vars(tags)
    assert is_marked(plain) and is_marked(tagged)
    assert np.array_equal(decode(plain.read_bytes())[0], decode(tagged.read_bytes())[0])
    (tmp_path / "other.wav").write_bytes(b"RIFF")
    assert not is_marked(tmp_path / "other.wav")


def test_what_cannot_be_written_is_refused_before_anything_is(tmp_path: Path) -> None:
    for path, sentence in [
        (tmp_path / "out.aiff", "has no known audio extension; expected one of .wav, .flac"),
        (tmp_path / "out", "has no known audio extension"),
        (tmp_path / "none" / "out.wav", "there is no folder"),
        (tmp_path / ("x" * 300 + ".wav"), "cannot be written"),
    ]:
        with pytest.raises(OutputError, match=sentence):
            open_audio_file(path, RATE_HZ)
    folder = tmp_path / "folder.wav"
    folder.mkdir()
    with pytest.raises(OutputError, match="it is a folder"):
        open_audio_file(folder, RATE_HZ)
    with pytest.raises(OutputError, match="longer than 4 GiB"):
        open_audio_file(tmp_path / "long.wav", RATE_HZ, frames=MAX_WAV_BYTES // 6 + 1)
    with pytest.raises(OutputError, match="cannot be encoded at 12345 Hz"):
        open_audio_file(tmp_path / "odd.mp3", 12_345)
    assert list(tmp_path.iterdir()) == [folder]


def test_no_permission_is_one_sentence(tmp_path: Path) -> None:
    # Not even root may make files among the kernel's own.
    folder = Path("/proc") if os.geteuid() == 0 else tmp_path
    if folder == tmp_path:
        tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match=r"out\.wav cannot be written \(.+\); "):
        open_audio_file(folder / "out.wav", RATE_HZ)
