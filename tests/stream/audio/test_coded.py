"""The coded audio names a song alike under any tags, and any other sound otherwise."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mutagen
import numpy as np
import pytest
from mutagen.apev2 import APEv2
from mutagen.id3 import APIC, ID3, TIT2, TXXX

import stream.audio.decode_pyav
from model.base.errors import DecodeError
from stream.audio.coded import CodedAudio, hash_coded_audio, read_coded_audio
from stream.audio.decode import decode_song
from stream.audio.decode_pyav import packet_frames
from stream.audio.sections import FileSection
from tests.support.encoded import RATE_HZ, encode
from tests.support.music import tune
from tools.songs.analyse import hear_song

CODECS = {
    "a.mp3": "libmp3lame",
    "a.flac": "flac",
    "a.ogg": "libvorbis",
    "a.opus": "libopus",
    "a.m4a": "aac",
    "a.wav": "pcm_s16le",
    "a.aiff": "pcm_s16be",
    "a.wv": "wavpack",
    "a.tta": "tta",
    "a.wma": "wmav2",
}
COVER = b"\xff\xfb\x90\x64" * 3_000
"""A picture that looks like frames of mp3."""


def _written(path: Path, codec: str, seed: int = 1) -> Path:
    return encode(path, codec, tune(3.0, seed, RATE_HZ))


def _own_tags(path: Path) -> None:
    file: Any = mutagen.File(path)
    if file.tags is None:
        file.add_tags()
    if isinstance(file.tags, ID3):
        file.tags.add(TIT2(text="Another title " * 30))
        file.tags.add(TXXX(desc="REPLAYGAIN_TRACK_GAIN", text="-3.2 dB"))
        file.tags.add(APIC(data=COVER, mime="image/jpeg", type=3, desc=""))
    elif path.suffix == ".m4a":
        file["\xa9nam"] = "Another title " * 30
    else:
        file["Title"] = "Another title " * 30
    file.save()


def _id3(path: Path) -> None:
    tags = ID3()
    tags.add(TIT2(text="x" * 300))
    tags.add(APIC(data=COVER, mime="image/jpeg", type=3, desc=""))
    tags.save(path, v1=2)


def _ape(path: Path) -> None:
    tags = APEv2()
    tags["Title"] = "abc" * 50
    tags["REPLAYGAIN_TRACK_GAIN"] = "-3.2 dB"
    tags.save(str(path))


def _both(path: Path) -> None:
    _ape(path)
    _id3(path)


@pytest.mark.parametrize(
    ("name", "tag"),
    [
        *((name, _own_tags) for name in CODECS),
        *((name, tag) for name in ("a.mp3", "a.flac", "a.tta") for tag in (_id3, _ape, _both)),
        ("a.wv", _ape),
    ],
)
def test_tags_change_nothing(tmp_path: Path, name: str, tag: Callable[[Path], None]) -> None:
    path = _written(tmp_path / name, CODECS[name])
    before, content = hash_coded_audio(path), path.read_bytes()
    tag(path)
    assert path.read_bytes() != content
    assert hash_coded_audio(path) == before


@pytest.mark.parametrize("name", CODECS)
def test_other_audio_has_another_name(tmp_path: Path, name: str) -> None:
    names = {hash_coded_audio(_written(tmp_path / f"{seed}{name}", CODECS[name], seed)) for seed in range(3)}
    assert len(names) == 3


def test_the_rest_of_a_chained_file_counts(tmp_path: Path) -> None:
    parts = [_written(tmp_path / f"{seed}.ogg", "libvorbis", seed).read_bytes() for seed in range(3)]
    paths = [tmp_path / name for name in ("a.ogg", "b.ogg", "c.ogg")]
    for path, content in zip(paths, (parts[0], parts[0] + parts[1], parts[0] + parts[2]), strict=True):
        path.write_bytes(content)
    assert len({hash_coded_audio(path) for path in paths}) == 3


def test_a_byte_of_the_audio_counts(tmp_path: Path) -> None:
    path = _written(tmp_path / "a.wav", "pcm_s16le")
    before = hash_coded_audio(path)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert hash_coded_audio(path) != before


def test_real_songs_keep_their_names_under_other_tags(shared_music: Path, tmp_path: Path) -> None:
    for suffix in (".mp3", ".ogg", ".m4a"):
        source = min(shared_music.rglob(f"*{suffix}"), key=lambda path: path.stat().st_size)
        path = tmp_path / source.name
        shutil.copyfile(source, path)
        _own_tags(path)
        assert hash_coded_audio(path) == hash_coded_audio(source)


def test_what_is_no_audio_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.mp3").write_bytes(b"no audio at all" * 100)
    with pytest.raises(DecodeError, match="has no coded audio"):
        hash_coded_audio(tmp_path / "a.mp3")


@pytest.mark.parametrize("name", CODECS)
def test_packets_last_as_long_as_what_they_hold(tmp_path: Path, name: str) -> None:
    path = _written(tmp_path / name, CODECS[name])
    whole = FileSection(path=path, start=0, stop=path.stat().st_size, whole=True)
    assert read_coded_audio(path).frames == packet_frames(whole)


def test_what_is_no_audio_lasts_for_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.mp3").write_bytes(b"no audio at all" * 100)
    assert read_coded_audio(tmp_path / "a.mp3") == CodedAudio(audio_hash=None, frames=0.0)
    assert read_coded_audio(tmp_path / "gone.mp3") == CodedAudio(audio_hash=None, frames=0.0)


@pytest.mark.parametrize("name", ["a.mp3", "a.flac", "a.ogg", "a.wav"])
def test_a_song_is_read_once_for_its_hash_and_its_length(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = _written(tmp_path / name, CODECS[name])
    expected = decode_song(path)

    def again(section: FileSection) -> float:
        raise AssertionError("its packets are read already")

    monkeypatch.setattr(stream.audio.decode_pyav, "packet_frames", again)
    song = hear_song(path, tmp_path)
    assert song.audio_hash == hash_coded_audio(path)
    assert np.array_equal(song.audio, expected.samples) and song.channels == expected.channels
