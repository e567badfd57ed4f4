"""Tags are taken from whichever reader has them, and what is broken costs itself alone."""

import base64
import io
import random
import struct
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from mutagen.apev2 import APEv2
from mutagen.asf import ASF, ASFByteArrayAttribute
from mutagen.flac import FLAC, Picture
from mutagen.id3 import APIC, ID3, TIT2, TPE1, TPE2
from mutagen.mp4 import MP4
from mutagen.oggvorbis import OggVorbis

from tools.songs.tags import Tags, read_tags

RATE_HZ = 44_100
JPEG = b"\xff\xd8\xff\xe0" + bytes(range(200))
WHOLE = {"title": "Title", "artist": "Artist", "album": "Album"}


def _by_libav(
    path: Path, codec: str, metadata: dict[str, str], stream_metadata: dict[str, str] | None = None
) -> Path:
    with av.open(str(path), "w") as container:
        container.metadata.update(metadata)
        stream = container.add_stream(codec, rate=48_000, layout="stereo", bit_rate=128_000)
        assert isinstance(stream, av.AudioStream)
        stream.metadata.update(stream_metadata or {})
        frame = av.AudioFrame.from_ndarray(np.zeros((2, 19_200), dtype=np.float32), "fltp", "stereo")
        frame.sample_rate = 48_000
        for packet in (*stream.encode(frame), *stream.encode(None)):
            container.mux(packet)
    return path


def _mp3(path: Path) -> Path:
    soundfile.write(path, np.zeros((RATE_HZ // 2, 2)), RATE_HZ, format="MP3")
    return path


def _flac(path: Path) -> Path:
    soundfile.write(path, np.zeros((8_000, 2)), RATE_HZ, format="FLAC")
    return path


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("a.wav", "pcm_s16le"),
        ("a.mka", "libmp3lame"),
        ("a.webm", "libopus"),
        ("a.caf", "pcm_s16be"),
        ("a.au", "pcm_s16be"),
        ("a.wv", "wavpack"),
        ("a.nut", "pcm_s16le"),
    ],
)
def test_what_ffmpeg_wrote_is_read(tmp_path: Path, name: str, codec: str) -> None:
    assert read_tags(_by_libav(tmp_path / name, codec, WHOLE)) == Tags(**WHOLE)


@pytest.mark.parametrize("kind", ["WAV", "RF64", "CAF", "AIFF", "FLAC", "OGG"])
def test_what_libsndfile_wrote_is_read(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a"
    with soundfile.SoundFile(path, "w", RATE_HZ, 2, format=kind) as file:
        file.title, file.artist, file.album = "Title", "Artist", "Album"
        file.write(np.zeros((8_000, 2)))
    # AIFF has a name and an author, and no place for an album.
    assert read_tags(path) == Tags(title="Title", artist="Artist", album="" if kind == "AIFF" else "Album")


@pytest.mark.parametrize("word", [True, False])
@pytest.mark.parametrize("album_last", [True, False])
def test_the_album_of_matroska_is_not_the_title(tmp_path: Path, word: bool, album_last: bool) -> None:
    tags = {"ALBUM/TITLE": "Album", "ALBUM/ARTIST": "Artist", "TRACK/TITLE": "Title"}
    if album_last:
        tags = dict(reversed(tags.items()))
    path = _by_libav(tmp_path / "a.mka", "libmp3lame", {})
    path.write_bytes(_with_matroska_tags(path.read_bytes(), tags, word=word))
    assert read_tags(path) == Tags(**WHOLE)


def test_the_title_of_the_file_goes_before_that_of_the_album(tmp_path: Path) -> None:
    path = _by_libav(tmp_path / "a.mka", "libmp3lame", {"title": "Title"})
    path.write_bytes(_with_matroska_tags(path.read_bytes(), {"ALBUM/TITLE": "Album"}, word=False))
    tags = read_tags(path)
    assert (tags.title, tags.album) == ("Title", "Album")


@pytest.mark.parametrize(
    "data", [b"", b"\x1a", b"\x1a\x45\xdf\xa3", b"\x1a\x45\xdf\xa3\x80\x18\x53\x80\x67\xff\0"]
)
def test_what_is_hardly_matroska_has_the_name_of_its_file(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "name.mka"
    path.write_bytes(data)
    assert read_tags(path) == Tags(title="name")


def _with_matroska_tags(data: bytes, tags: dict[str, str], *, word: bool) -> bytes:
    """Append tags with targets, which FFmpeg reads and does not write (Matroska specification, Tags)."""

    def element(identifier: str, body: bytes) -> bytes:
        return bytes.fromhex(identifier) + struct.pack(">Q", len(body) | 1 << 56) + body

    written = b""
    for key, value in tags.items():
        kind, name = key.split("/")
        targets = element("68ca", bytes([50 if kind == "ALBUM" else 30]))
        targets += element("63ca", kind.encode()) if word else b""
        simple = element("45a3", name.encode()) + element("4487", value.encode())
        written += element("7373", element("63c0", targets) + element("67c8", simple))
    at = data.index(bytes.fromhex("18538067")) + 4
    size = int.from_bytes(data[at : at + 8], "big") & ~(0xFF << 56)
    whole = element("1254c367", written)
    # Before the first cluster, whose index no one needs here.
    cluster = data.index(bytes.fromhex("1f43b675"))
    longer = struct.pack(">Q", size + len(whole) | 1 << 56)
    return data[:at] + longer + data[at + 8 : cluster] + whole + data[cluster:]


def test_a_track_that_is_described_has_no_title(tmp_path: Path) -> None:
    path = _by_libav(tmp_path / "name.mka", "libmp3lame", {}, {"title": "Stereo"})
    assert read_tags(path).title == "name"


@pytest.mark.parametrize(("title", "page"), [("Grüße", "cp1252"), ("Группа крови", "cp1251")])
def test_riff_info_of_windows_keeps_its_letters(tmp_path: Path, title: str, page: str) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.zeros((8_000, 2)), RATE_HZ)
    text = title.encode(page) + b"\0"
    text += b"\0" * (len(text) % 2)
    info = b"LIST" + struct.pack("<I", 12 + len(text)) + b"INFOINAM" + struct.pack("<I", len(text)) + text
    data = path.read_bytes() + info
    path.write_bytes(data[:4] + struct.pack("<I", len(data) - 8) + data[8:])
    assert read_tags(path).title == title


def test_id3_of_windows_keeps_its_letters(tmp_path: Path) -> None:
    path = _mp3(tmp_path / "a.mp3")
    tags = ID3()
    tags.add(TIT2(encoding=0, text="Группа крови".encode("cp1251").decode("latin-1")))
    tags.add(TPE1(encoding=0, text="Grüße"))
    tags.save(path)
    assert (read_tags(path).title, read_tags(path).artist) == ("Группа крови", "Grüße")


def test_the_artist_of_the_album_stands_in(tmp_path: Path) -> None:
    path = _mp3(tmp_path / "a.mp3")
    tags = ID3()
    tags.add(TPE2(encoding=3, text="Album artist"))
    tags.save(path)
    assert read_tags(path).artist == "Album artist"
    tags.add(TPE1(encoding=3, text="Artist"))
    tags.save(path)
    assert read_tags(path).artist == "Artist"


def test_ape_behind_an_mp3_is_read(tmp_path: Path) -> None:
    path = _mp3(tmp_path / "a.mp3")
    tags = APEv2()
    tags.update({"Title": "Title", "Artist": "Artist", "Album": "Album"})
    tags.save(path)
    assert read_tags(path) == Tags(**WHOLE)


@pytest.mark.parametrize("behind", [b"", b"TAG" + bytes(125)])
def test_id3_at_the_end_is_read(tmp_path: Path, behind: bytes) -> None:
    path = _mp3(tmp_path / "a.mp3")
    written = io.BytesIO()
    tags = ID3()
    tags.add(TIT2(encoding=3, text="Title"))
    tags.save(written, padding=lambda info: 0)
    tag = written.getvalue()
    footer = b"3DI\x04\x00\x10" + tag[6:10]
    path.write_bytes(path.read_bytes() + tag[:5] + b"\x10" + tag[6:] + footer + behind)
    assert read_tags(path).title == "Title"


def test_a_broken_picture_of_flac_costs_the_picture(tmp_path: Path) -> None:
    path = _flac(tmp_path / "a.flac")
    file = FLAC(path)
    file.update(WHOLE)
    file.add_picture(_picture(JPEG))
    file.save()
    data = bytearray(path.read_bytes())
    at = data.index(JPEG)
    data[at - 4 : at] = struct.pack(">I", 0x7FFFFFFF)
    path.write_bytes(data)
    assert read_tags(path) == Tags(**WHOLE)


@pytest.mark.parametrize("block", ["not base64!!", base64.b64encode(b"short").decode()])
def test_a_broken_picture_of_ogg_costs_the_picture(tmp_path: Path, block: str) -> None:
    path = tmp_path / "a.ogg"
    soundfile.write(path, np.zeros((8_000, 2)), RATE_HZ)
    file = OggVorbis(path)
    file.update(WHOLE)
    file["metadata_block_picture"] = [block]
    file.save()
    assert read_tags(path) == Tags(**WHOLE)
    file["metadata_block_picture"] = [block, base64.b64encode(_picture(JPEG).write()).decode()]
    file.save()
    assert read_tags(path) == Tags(**WHOLE, cover=JPEG)
    del file["metadata_block_picture"]
    file["coverart"] = base64.b64encode(JPEG).decode()
    file.save()
    assert read_tags(path) == Tags(**WHOLE, cover=JPEG)


def test_a_broken_picture_of_mp4_costs_the_picture(tmp_path: Path) -> None:
    path = _by_libav(tmp_path / "a.m4a", "aac", WHOLE)
    file = MP4(path)
    file["covr"] = [JPEG]
    file.save()
    assert read_tags(path) == Tags(**WHOLE, cover=JPEG)
    data = path.read_bytes()
    # The size of the atom; what is around it says otherwise.
    at = data.index(b"covr") - 4
    path.write_bytes(data[:at] + struct.pack(">I", 0x7FFFFFFF) + data[at + 4 :])
    tags = read_tags(path)
    assert (tags.title, tags.artist, tags.album) == ("Title", "Artist", "Album")


def test_one_broken_text_costs_that_text(tmp_path: Path) -> None:
    path = _mp3(tmp_path / "a.mp3")
    frames = b""
    for name, body in ((b"TIT2", b"\x03Title"), (b"TPE1", b"\x09\xff\xfe\x00"), (b"TALB", b"\x03Album")):
        frames += name + struct.pack(">I", len(body)) + b"\0\0" + body
    path.write_bytes(b"ID3\x04\x00\x00" + bytes([0, 0, 0, len(frames)]) + frames + path.read_bytes())
    tags = read_tags(path)
    assert (tags.title, tags.album) == ("Title", "Album")


def test_a_link_is_no_picture(tmp_path: Path) -> None:
    path = _mp3(tmp_path / "a.mp3")
    tags = ID3()
    tags.add(APIC(encoding=3, mime="-->", type=3, desc="", data=b"http://127.0.0.1/x.jpg"))
    tags.save(path)
    assert read_tags(path).cover is None
    tags.add(APIC(encoding=3, mime="image/jpeg", type=4, desc="back", data=JPEG))
    tags.save(path)
    assert read_tags(path).cover == JPEG


def test_pictures_of_kinds_that_mutagen_leaves_alone(tmp_path: Path) -> None:
    wma = _by_libav(tmp_path / "a.wma", "wmav2", WHOLE)
    file = ASF(wma)
    text = "image/jpeg\0".encode("utf-16-le") + "\0".encode("utf-16-le")
    file["WM/Picture"] = [ASFByteArrayAttribute(b"\x03" + struct.pack("<I", len(JPEG)) + text + JPEG)]
    file.save()
    assert read_tags(wma) == Tags(**WHOLE, cover=JPEG)


def test_damage_never_raises_and_never_leaves_a_song_without_a_title(tmp_path: Path) -> None:
    chance = random.Random(11)
    made = [
        _by_libav(tmp_path / "a.mka", "libmp3lame", WHOLE),
        _by_libav(tmp_path / "a.m4a", "aac", WHOLE),
        _by_libav(tmp_path / "a.wav", "pcm_s16le", WHOLE),
        _by_libav(tmp_path / "a.wma", "wmav2", WHOLE),
    ]
    flac = _flac(tmp_path / "a.flac")
    file = FLAC(flac)
    file.update(WHOLE)
    file.add_picture(_picture(JPEG))
    file.save()
    for path in (*made, flac):
        data = path.read_bytes()
        for number in range(20):
            damaged = bytearray(data)
            for _ in range(chance.choice([1, 4, 40])):
                damaged[chance.randrange(min(len(data), 4_000))] = chance.randrange(256)
            target = tmp_path / f"damaged {number}{path.suffix}"
            target.write_bytes(damaged[: chance.choice([len(damaged), chance.randrange(len(damaged))])])
            assert read_tags(target).title


def _picture(data: bytes) -> Picture:
    picture = Picture()
    picture.type, picture.mime, picture.data = 3, "image/jpeg", data
    return picture
