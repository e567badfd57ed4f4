"""The scan finds the songs in music folders and leaves the rest out."""

import os
import shutil
import struct
import subprocess
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from model.base.errors import PoolError
from tests.support.any_format import encode, tones
from tools.pools.scan import AUDIO_SUFFIXES, scan


def _touch(path: Path, content: bytes = b"x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_finds_audio_files_in_order_and_nothing_else(tmp_path: Path) -> None:
    for name in ("b.MP3", "a.flac", "deep/er/c.ogg", "deep/d.m4a", "notes.txt", "cover.jpg", "pool.npy"):
        _touch(tmp_path / name)
    for name in (".hidden.mp3", ".trash/e.mp3"):
        _touch(tmp_path / name)
    found = scan([tmp_path])
    assert [file.name for file in found.files] == ["a.flac", "b.MP3", "deep/d.m4a", "deep/er/c.ogg"]
    assert found.failures == ()
    assert all(file.root == tmp_path and file.path.is_file() for file in found.files)


def test_size_and_time_are_the_files_own(tmp_path: Path) -> None:
    path = _touch(tmp_path / "a.wav", b"12345")
    os.utime(path, ns=(1_000_000_007, 2_000_000_009))
    (file,) = scan([tmp_path]).files
    assert (file.size_bytes, file.mtime_ns) == (5, 2_000_000_009)


def test_folders_keep_the_order_in_which_they_were_given(tmp_path: Path) -> None:
    for name in ("one/z.wav", "two/a.wav"):
        _touch(tmp_path / name)
    found = scan([tmp_path / "one", tmp_path / "two"])
    assert [file.name for file in found.files] == ["z.wav", "a.wav"]


def test_a_file_reached_twice_is_taken_once(tmp_path: Path) -> None:
    song = _touch(tmp_path / "sub" / "a.wav")
    (tmp_path / "same.wav").symlink_to(song)
    assert len(scan([tmp_path, tmp_path / "sub", song]).files) == 1


def test_a_loop_of_links_ends(tmp_path: Path) -> None:
    _touch(tmp_path / "a.wav")
    (tmp_path / "loop").symlink_to(tmp_path, target_is_directory=True)
    assert [file.name for file in scan([tmp_path]).files] == ["a.wav"]


def test_linked_folders_are_followed(tmp_path: Path) -> None:
    _touch(tmp_path / "elsewhere" / "a.wav")
    music = tmp_path / "music"
    music.mkdir()
    (music / "link").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    assert [file.name for file in scan([music]).files] == ["link/a.wav"]


def test_a_single_file_is_taken_whatever_its_suffix(tmp_path: Path) -> None:
    song = _touch(tmp_path / "song.bin")
    (file,) = scan([song]).files
    assert (file.root, file.name) == (tmp_path, "song.bin")


def test_dots_in_a_path_are_resolved(tmp_path: Path) -> None:
    _touch(tmp_path / "music" / "a.wav")
    (file,) = scan([tmp_path / "music" / ".." / "music"]).files
    assert file.root == tmp_path / "music"


def test_a_broken_link_is_named(tmp_path: Path) -> None:
    _touch(tmp_path / "a.wav")
    (tmp_path / "gone.mp3").symlink_to(tmp_path / "nowhere.mp3")
    found = scan([tmp_path])
    assert [file.name for file in found.files] == ["a.wav"]
    ((file, failure),) = found.failures
    assert file.name == "gone.mp3"
    assert failure.kind == "failed"
    assert "cannot be read" in failure.reason


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_named_and_never_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp3")
    ((_, failure),) = scan([tmp_path]).failures
    assert "not a regular file" in failure.reason


def test_a_name_that_is_no_text_is_named(tmp_path: Path) -> None:
    try:
        _touch(Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe.mp3")))
    except OSError:
        pytest.skip("this file system takes only valid UTF-8 names")
    ((file, failure),) = scan([tmp_path]).failures
    assert "UTF-8" in failure.reason
    file.name.encode()


def test_a_missing_path_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PoolError, match="nowhere does not exist; give a folder of music"):
        scan([tmp_path / "nowhere"])


# What a name does not tell

UNKNOWN = {"b.eac3": "a.eac3", "d.xyz": "a.flac", "without": "a.mp3", "a.mkv": "a.mka", "a.dts": "a.dts"}


@pytest.mark.parametrize("name", UNKNOWN)
def test_what_can_be_decoded_is_taken_whatever_its_suffix(tmp_path: Path, name: str) -> None:
    made = tmp_path / UNKNOWN[name]
    if name == "a.dts":
        _by_ffmpeg(made)
    else:
        codecs = {".eac3": "eac3", ".flac": "flac", ".mp3": "libmp3lame", ".mka": "flac"}
        encode(made, codecs[made.suffix], tones(48_000, 2.0), 48_000)
    made.rename(tmp_path / name)
    found = scan([tmp_path])
    assert [file.name for file in found.files] == [name] and found.no_audio == ()


def _by_ffmpeg(path: Path) -> None:
    """DTS, which PyAV decodes and cannot encode."""
    source = ("-f", "lavfi", "-i", "sine=500:d=2:r=48000", "-ac", "2", "-strict", "-2", "-c:a", "dca")
    if shutil.which("ffmpeg") is None:
        pytest.skip("ffmpeg is not installed; install it to make a DTS file")
    subprocess.run(["ffmpeg", "-v", "error", *source, str(path)], check=True, timeout=120)


def test_a_dsd_file_is_taken(tmp_path: Path) -> None:
    (tmp_path / "a.dsf").write_bytes(dsd(2.0))
    assert [file.name for file in scan([tmp_path]).files] == ["a.dsf"]


def dsd(seconds: float) -> bytes:
    """A DSF file: one bit of noise for each sample, at 64 times 44.1 kHz, two channels."""
    block, bits = 4_096, int(seconds * 2_822_400)
    count = -(-bits // 8 // block)
    body = np.random.default_rng(0).bytes(2 * count * block)
    form = struct.pack("<4sQIIIIIIQII", b"fmt ", 52, 1, 0, 2, 2, 2_822_400, 1, bits, block, 0)
    head = struct.pack("<4sQQQ", b"DSD ", 28, 28 + len(form) + 12 + len(body), 0)
    return head + form + struct.pack("<4sQ", b"data", 12 + len(body)) + body


def test_the_rest_is_named_by_kind(tmp_path: Path) -> None:
    _touch(tmp_path / "a.wav")
    for name in ("cover.JPG", "back.jpg", "notes.txt", "old.xyz", "README"):
        _touch(tmp_path / name, b"nothing that sounds " * 500)
    _touch(tmp_path / "zeros.vm", bytes(9_000))
    _touch(tmp_path / "noise.bin", np.random.default_rng(1).bytes(100_000))
    found = scan([tmp_path])
    assert [file.name for file in found.files] == ["a.wav"]
    assert {kind.suffix: kind.files for kind in found.no_audio} == {
        ".jpg": 2,
        ".txt": 1,
        ".xyz": 1,
        "": 1,
        ".vm": 1,
        ".bin": 1,
    }
    assert found.no_audio[0].suffix == ".jpg"


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    _touch(tmp_path / "a.wav")
    os.mkfifo(tmp_path / "pipe")
    assert [file.name for file in scan([tmp_path]).files] == ["a.wav"]


@pytest.mark.parametrize("suffix", sorted(AUDIO_SUFFIXES))
def test_the_list_of_suffixes_is_what_the_decoders_read(tmp_path: Path, suffix: str) -> None:
    """No suffix stands there whose files nothing here opens."""
    formats = {name.split("/")[0].lower() for name in soundfile.available_formats()}
    readers = {".wave": "wav", ".aif": "aiff", ".aifc": "aiff", ".snd": "au", ".oga": "ogg", ".opus": "ogg"}
    ours = {
        ".m4b": "mov",
        ".m4a": "mov",
        ".mp4": "mov",
        ".mka": "matroska",
        ".webm": "matroska",
        ".wma": "asf",
    }
    known = {part for name in av.formats_available for part in name.split(",")} | formats
    assert readers.get(suffix, ours.get(suffix, suffix[1:])) in known
