"""Tags are read from every kind of file that carries them, as mutagen and FFmpeg wrote them."""

import base64
from pathlib import Path

import av
import mutagen
import numpy as np
import pytest
import soundfile
from mutagen.flac import FLAC, Picture
from mutagen.id3 import APIC, TALB, TIT2, TPE1
from mutagen.oggvorbis import OggVorbis
from mutagen.wave import WAVE

from tools.songs.tags import COVER_BYTES, TEXT_LENGTH, Tags, read_tags

COVER = b"\xff\xd8 not really a picture"


def _song(path: Path) -> Path:
    soundfile.write(path, np.zeros((8_000, 2)), 44_100)
    return path


def _picture(data: bytes, kind: int = 3) -> Picture:
    picture = Picture()
    picture.type, picture.mime, picture.data = kind, "image/jpeg", data
    return picture


def test_flac(tmp_path: Path) -> None:
    path = _song(tmp_path / "a.flac")
    file = FLAC(path)
    file.update({"title": "Title", "artist": ["One", "Two"], "album": "Album"})
    file.add_picture(_picture(b"back", kind=4))
    file.add_picture(_picture(COVER))
    file.save()
    assert read_tags(path) == Tags(title="Title", artist="One, Two", album="Album", cover=COVER)


def test_ogg(tmp_path: Path) -> None:
    path = _song(tmp_path / "a.ogg")
    file = OggVorbis(path)
    file.update({"title": "Title", "artist": "Artist", "album": "Album"})
    file["metadata_block_picture"] = base64.b64encode(_picture(COVER).write()).decode()
    file.save()
    assert read_tags(path) == Tags(title="Title", artist="Artist", album="Album", cover=COVER)


@pytest.mark.parametrize("suffix", [".mp3", ".wav"])
def test_id3(tmp_path: Path, suffix: str) -> None:
    path = _song(tmp_path / f"a{suffix}")
    file = WAVE(path) if suffix == ".wav" else mutagen.File(path)
    file.add_tags()
    for frame in (TIT2, TPE1, TALB):
        file.tags.add(frame(encoding=3, text=[f"Grüße {frame.__name__}"]))
    file.tags.add(APIC(encoding=3, mime="image/png", type=3, desc="", data=COVER))
    file.save()
    assert read_tags(path) == Tags(title="Grüße TIT2", artist="Grüße TPE1", album="Grüße TALB", cover=COVER)


@pytest.mark.parametrize(("suffix", "codec"), [(".m4a", "aac"), (".wma", "wmav2")])
def test_containers_of_ffmpeg(tmp_path: Path, suffix: str, codec: str) -> None:
    path = tmp_path / f"a{suffix}"
    with av.open(str(path), "w") as container:
        container.metadata.update({"title": "Title", "artist": "Artist", "album": "Album"})
        stream = container.add_stream(codec, rate=44_100, layout="stereo", bit_rate=128_000)
        frame = av.AudioFrame.from_ndarray(np.zeros((2, 4_096), dtype=np.float32), "fltp", "stereo")
        frame.sample_rate = 44_100
        for packet in (*stream.encode(frame), *stream.encode(None)):
            container.mux(packet)
    tags = read_tags(path)
    assert (tags.title, tags.artist, tags.album) == ("Title", "Artist", "Album")


def test_without_tags_the_title_is_the_stem(tmp_path: Path) -> None:
    assert read_tags(_song(tmp_path / "my song.wav")) == Tags(title="my song")


@pytest.mark.parametrize(
    "content", [b"", b"no audio at all", b"ID3\x04\x00\x00\x7f\x7f\x7f\x7f" + b"\xff" * 500]
)
def test_a_damaged_file_has_its_stem_for_a_title(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "song.mp3"
    path.write_bytes(content)
    assert read_tags(path) == Tags(title="song")


def test_a_missing_file_has_its_stem_for_a_title(tmp_path: Path) -> None:
    assert read_tags(tmp_path / "gone.mp3").title == "gone"


def test_control_characters_and_long_texts_are_tamed(tmp_path: Path) -> None:
    path = _song(tmp_path / "a.flac")
    file = FLAC(path)
    file.update({"title": "One\nTwo\x1b[31m  Three", "artist": "x" * 5_000, "album": " \t "})
    file.save()
    tags = read_tags(path)
    assert tags.title == "One Two [31m Three"
    assert tags.artist == "x" * TEXT_LENGTH
    assert tags.album == ""


def test_a_huge_cover_is_left_out(tmp_path: Path) -> None:
    path = _song(tmp_path / "a.flac")
    file = FLAC(path)
    file["title"] = "Title"
    file.add_picture(_picture(b"x" * (COVER_BYTES + 1)))
    file.save()
    assert read_tags(path) == Tags(title="Title")
