"""No part of a file is lost without a word, whether it is chained, lies, or has further tracks."""

import io
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from model.base.arrays import FloatArray
from stream.audio.decode import decode_song
from stream.audio.sections import LEAST_UNREAD_BYTES, SectionFile, find_sections
from stream.audio.song_file import seeks_check_out
from tests.support.any_format import encode, level_at

RATE_HZ = 44_100
SECONDS = 3.0
FIRST_HZ, SECOND_HZ = 500.0, 1_700.0


def tone(hz: float, rate_hz: int = RATE_HZ, channels: int = 2) -> FloatArray:
    t = np.arange(int(rate_hz * SECONDS)) / rate_hz
    return np.repeat((0.4 * np.sin(2 * np.pi * hz * t)).astype(np.float32)[:, None], channels, axis=1)


def codes(seed: int, frames: int = 30_000) -> np.ndarray:
    return np.random.default_rng(seed).integers(-(2**15), 2**15, (frames, 2)).astype(np.int16)


def written(folder: Path, name: str, audio: np.ndarray, **options: str) -> bytes:
    soundfile.write(folder / name, audio, RATE_HZ, **options)
    return (folder / name).read_bytes()


def put(folder: Path, name: str, data: bytes) -> Path:
    (folder / name).write_bytes(data)
    return folder / name


def as_floats(*parts: np.ndarray) -> FloatArray:
    return np.concatenate(parts) / np.float32(2**15)


def hears_one_after_the_other(path: Path, rate_hz: int = RATE_HZ, within_s: float = 0.2) -> None:
    """It has the first tone for its first half, the second for its second, and nothing left out."""
    decoded = decode_song(path)
    audio = decoded.samples[:, 0]
    assert decoded.sample_rate_hz == rate_hz
    assert len(audio) / rate_hz == pytest.approx(2 * SECONDS, abs=within_s)
    first, second = audio[: len(audio) // 2], audio[len(audio) // 2 :]
    assert level_at(first, FIRST_HZ, rate_hz) == pytest.approx(0.4, rel=0.1)
    assert level_at(second, SECOND_HZ, rate_hz) == pytest.approx(0.4, rel=0.1)
    assert level_at(first, SECOND_HZ, rate_hz) < 0.02
    assert not any("part" in said or "bytes" in said for said in decoded.left_out)


OGG = {
    "vorbis": ("vorbis", {"strict": "experimental"}),
    "opus": ("libopus", {}),
    "flac": ("flac", {}),
}


def ogg(folder: Path, kind: str, hz: float, rate_hz: int, channels: int) -> bytes:
    if kind == "vorbis":
        soundfile.write(folder / "v.ogg", tone(hz, rate_hz, channels), rate_hz, format="OGG")
        return (folder / "v.ogg").read_bytes()
    codec, options = OGG[kind]
    layout = "stereo" if channels == 2 else "mono"
    encode(folder / "o.ogg", codec, tone(hz, rate_hz, channels), rate_hz, layout=layout, **options)
    return (folder / "o.ogg").read_bytes()


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (("vorbis", 44_100, 2), ("vorbis", 44_100, 2)),
        (("vorbis", 44_100, 2), ("vorbis", 48_000, 1)),
        (("opus", 48_000, 2), ("opus", 48_000, 2)),
        (("flac", 44_100, 2), ("flac", 48_000, 2)),
        (("opus", 48_000, 2), ("flac", 44_100, 1)),
        (("vorbis", 44_100, 1), ("opus", 48_000, 2)),
    ],
)
def test_every_link_of_a_chained_ogg_is_taken(
    tmp_path: Path, first: tuple[str, int, int], second: tuple[str, int, int]
) -> None:
    data = [
        ogg(tmp_path, kind, hz, rate_hz, channels)
        for (kind, rate_hz, channels), hz in ((first, FIRST_HZ), (second, SECOND_HZ))
    ]
    path = put(tmp_path, "chained.ogg", b"".join(data))
    assert len(find_sections(path).sections) == 2
    hears_one_after_the_other(path, first[1])
    assert not seeks_check_out(path, decode_song(path).samples, 0)


def test_a_link_that_cannot_be_decoded_is_said_and_the_others_are_taken(tmp_path: Path) -> None:
    one = ogg(tmp_path, "flac", FIRST_HZ, RATE_HZ, 2)
    other = ogg(tmp_path, "flac", SECOND_HZ, RATE_HZ, 2)
    broken = bytearray(one)
    at = broken.index(b"\x7fFLAC")
    broken[at : at + 5] = b"WHAT?"
    decoded = decode_song(put(tmp_path, "a.oga", one + bytes(broken) + other))
    assert decoded.left_out == ("part 2 of the 3 that it consists of",)
    assert len(decoded.samples) == 2 * len(tone(FIRST_HZ))


def test_an_ordinary_ogg_is_one_section(tmp_path: Path) -> None:
    path = put(tmp_path, "a.ogg", ogg(tmp_path, "vorbis", FIRST_HZ, RATE_HZ, 2))
    found = find_sections(path)
    assert [section.whole for section in found.sections] == [True]
    assert decode_song(path).left_out == ()


def flac_that_states(folder: Path, frames: int) -> tuple[Path, FloatArray]:
    """A FLAC whose STREAMINFO states so many frames (36 bits, the lower ones in bytes 21 to 25)."""
    audio = codes(1, 200_000)
    data = bytearray(written(folder, "whole.flac", audio))
    data[21] &= 0xF0
    data[22:26] = struct.pack(">I", frames)
    return put(folder, "a.flac", bytes(data)), as_floats(audio)


@pytest.mark.parametrize("frames", [0, 1, 50_000, 199_000])
def test_a_flac_is_read_to_its_end_whatever_it_states(tmp_path: Path, frames: int) -> None:
    path, audio = flac_that_states(tmp_path, frames)
    decoded = decode_song(path)
    assert np.array_equal(decoded.samples, audio) and decoded.left_out == ()
    assert not seeks_check_out(path, decoded.samples, 0)


def test_a_flac_that_states_more_than_it_holds_is_said(tmp_path: Path) -> None:
    path, audio = flac_that_states(tmp_path, 200_000 + 10 * RATE_HZ)
    decoded = decode_song(path)
    assert np.array_equal(decoded.samples[: len(audio)], audio)
    assert decoded.left_out[0].startswith("10 of the 15 s that it states")


def test_flacs_in_a_row_are_taken(tmp_path: Path) -> None:
    one, other = codes(1), codes(2)
    data = written(tmp_path, "1.flac", one) + written(tmp_path, "2.flac", other)
    assert np.array_equal(decode_song(put(tmp_path, "a.flac", data)).samples, as_floats(one, other))


CHUNKED = {"wav": (b"data", "<I", 0), "aiff": (b"SSND", ">I", 8), "caf": (b"data", ">q", 4)}


@pytest.mark.parametrize("kind", CHUNKED)
def test_a_size_that_says_half_is_not_believed(tmp_path: Path, kind: str) -> None:
    audio = codes(3)
    data = bytearray(written(tmp_path, f"whole.{kind}", audio, subtype="PCM_16"))
    name, size, more = CHUNKED[kind]
    at = data.index(name) + 4
    data[at : at + struct.calcsize(size)] = struct.pack(size, audio.nbytes // 2 + more)
    decoded = decode_song(put(tmp_path, f"a.{kind}", bytes(data)))
    assert np.array_equal(decoded.samples[: len(audio)], as_floats(audio))
    assert len(decoded.samples) == len(audio) and decoded.left_out == ()


def test_chunks_after_lying_audio_are_not_played(tmp_path: Path) -> None:
    audio = codes(3)
    data = bytearray(written(tmp_path, "whole.wav", audio))
    data += b"LIST" + struct.pack("<I", 1_000) + b"INFO" + b"\x55" * 996
    data[4:8] = struct.pack("<I", len(data) - 8)
    at = data.index(b"data") + 4
    data[at : at + 4] = struct.pack("<I", audio.nbytes // 2)
    assert np.array_equal(decode_song(put(tmp_path, "a.wav", bytes(data))).samples, as_floats(audio))


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF])
def test_a_wav_without_a_size_goes_to_its_end(tmp_path: Path, size: int) -> None:
    audio = codes(3)
    data = bytearray(written(tmp_path, "whole.wav", audio))
    at = data.index(b"data") + 4
    data[at : at + 4] = struct.pack("<I", size)
    assert np.array_equal(decode_song(put(tmp_path, "a.wav", bytes(data))).samples, as_floats(audio))


def test_an_au_that_states_less_is_read_to_its_end(tmp_path: Path) -> None:
    audio = codes(3)
    data = bytearray(written(tmp_path, "whole.au", audio, subtype="PCM_16"))
    data[8:12] = struct.pack(">I", 40_000)
    assert np.array_equal(decode_song(put(tmp_path, "a.au", bytes(data))).samples, as_floats(audio))


def test_wavs_in_a_row_are_taken_whatever_their_rates(tmp_path: Path) -> None:
    one, other = codes(1), codes(2)
    path = put(tmp_path, "a.wav", written(tmp_path, "1.wav", one) + written(tmp_path, "2.wav", other))
    assert np.array_equal(decode_song(path).samples, as_floats(one, other))
    soundfile.write(tmp_path / "3.wav", tone(FIRST_HZ), RATE_HZ)
    soundfile.write(tmp_path / "4.wav", tone(SECOND_HZ, 32_000, 1), 32_000)
    parts = [(tmp_path / name).read_bytes() for name in ("3.wav", "4.wav")]
    hears_one_after_the_other(put(tmp_path, "b.wav", b"".join(parts)))


def test_what_follows_the_audio_is_said_unless_it_is_a_tag(tmp_path: Path) -> None:
    plain = written(tmp_path, "whole.wav", codes(3))
    junk = bytes(range(1, 201)) * (LEAST_UNREAD_BYTES // 100)
    decoded = decode_song(put(tmp_path, "a.wav", plain + junk))
    assert decoded.left_out == (f"{len(junk)} bytes after the end of its audio",)
    assert len(decoded.samples) == 30_000
    size = len(junk)
    syncsafe = bytes(size >> shift & 127 for shift in (21, 14, 7, 0))
    tag = b"ID3\x04\x00\x00" + syncsafe + junk + b"TAG" + bytes(125)
    assert decode_song(put(tmp_path, "b.wav", plain + tag)).left_out == ()
    assert decode_song(put(tmp_path, "c.wav", plain + bytes(size))).left_out == ()


def mp3(folder: Path, hz: float, rate_hz: int = RATE_HZ, channels: int = 2) -> bytes:
    layout = "stereo" if channels == 2 else "mono"
    encode(folder / "m.mp3", "libmp3lame", tone(hz, rate_hz, channels), rate_hz, layout=layout)
    return (folder / "m.mp3").read_bytes()


@pytest.mark.parametrize(("rate_hz", "channels"), [(44_100, 2), (48_000, 2), (44_100, 1)])
def test_mp3s_in_a_row_are_taken(tmp_path: Path, rate_hz: int, channels: int) -> None:
    data = mp3(tmp_path, FIRST_HZ) + mp3(tmp_path, SECOND_HZ, rate_hz, channels)
    hears_one_after_the_other(put(tmp_path, "a.mp3", data))


@pytest.mark.parametrize("rate_hz", [44_100, 48_000])
def test_bare_aac_in_a_row_is_taken(tmp_path: Path, rate_hz: int) -> None:
    encode(tmp_path / "1.aac", "aac", tone(FIRST_HZ), RATE_HZ)
    encode(tmp_path / "2.aac", "aac", tone(SECOND_HZ, rate_hz), rate_hz)
    data = (tmp_path / "1.aac").read_bytes() + (tmp_path / "2.aac").read_bytes()
    hears_one_after_the_other(put(tmp_path, "a.aac", data))


@pytest.mark.parametrize("share", [0, 4])
def test_an_mp3_is_read_to_its_end_whatever_its_xing_header_says(tmp_path: Path, share: int) -> None:
    data = bytearray(mp3(tmp_path, FIRST_HZ))
    whole = len(decode_song(put(tmp_path, "whole.mp3", bytes(data))).samples)
    at = max(data.find(b"Xing"), data.find(b"Info")) + 8
    (frames,) = struct.unpack(">I", data[at : at + 4])
    data[at : at + 4] = struct.pack(">I", frames // share if share else 0)
    decoded = decode_song(put(tmp_path, "a.mp3", bytes(data)))
    assert abs(len(decoded.samples) - whole) < 4 * 1_152 and decoded.left_out == ()


@pytest.mark.parametrize(("name", "codec"), [("a.mka", "flac"), ("a.m4a", "aac")])
def test_further_tracks_are_said(tmp_path: Path, name: str, codec: str) -> None:
    first, second = tmp_path / f"1.{name}", tmp_path / f"2.{name}"
    encode(first, codec, tone(FIRST_HZ), RATE_HZ)
    encode(second, codec, tone(SECOND_HZ), RATE_HZ)
    path = tmp_path / name
    with av.open(str(path), "w") as out, av.open(str(first)) as one, av.open(str(second)) as other:
        sources = [(file, out.add_stream_from_template(file.streams.audio[0])) for file in (one, other)]
        for file, stream in sources:
            for packet in file.demux(file.streams.audio[0]):
                if packet.dts is not None:
                    packet.stream = stream
                    out.mux(packet)
    decoded = decode_song(path)
    assert level_at(decoded.samples[:, 0], FIRST_HZ, RATE_HZ) == pytest.approx(0.4, rel=0.1)
    assert decoded.left_out == ("1 of its 2 audio tracks: the first is taken",)


def test_a_section_reads_like_a_file(tmp_path: Path) -> None:
    """Any order of seeks and reads gives what a file of the same bytes gives."""
    data = np.random.default_rng(0).bytes(5_000)
    wav = bytearray(written(tmp_path, "1.wav", codes(1, 500)))
    at = wav.index(b"data") + 4
    wav[at : at + 4] = struct.pack("<I", 400)
    path = put(tmp_path, "a.wav", bytes(wav) + data)
    section = find_sections(path).sections[0]
    assert section.patches
    truth = bytearray(path.read_bytes()[section.start : section.stop])
    for offset, patch in section.patches:
        truth[offset : offset + len(patch)] = patch
    expected, random = io.BytesIO(bytes(truth)), np.random.default_rng(1)
    with SectionFile(section) as file:
        for _ in range(300):
            size = int(random.integers(-1, 200))
            offset, whence = int(random.integers(0, 100)), int(random.integers(0, 3))
            assert file.seek(offset, whence) == expected.seek(offset, whence)
            assert file.read(size) == expected.read(size)
            assert file.tell() == expected.tell()


@pytest.mark.parametrize("kind", ["ogg", "wav", "aiff", "caf", "au", "flac", "mp3", "m4a", "wv", "dsf"])
def test_any_bytes_after_the_magic_end(tmp_path: Path, kind: str) -> None:
    """Whatever follows the first bytes, looking for sections ends, and nothing but sections comes of it."""
    magic = {
        "ogg": b"OggS\0\x02",
        "wav": b"RIFF\xff\xff\0\0WAVE",
        "aiff": b"FORM\0\0\xff\xffAIFF",
        "caf": b"caff\0\1\0\0",
        "au": b".snd",
    }.get(kind, b"")
    for seed in range(200):
        random = np.random.default_rng(seed)
        body = random.bytes(int(random.integers(0, 400)))
        chunk = b"data" if kind in ("wav", "caf") else b"SSND"
        path = put(tmp_path, f"a.{kind}", magic + chunk * int(random.integers(0, 3)) + body)
        found = find_sections(path)
        assert found.sections and 0 <= found.unread_bytes <= path.stat().st_size
        assert all(0 <= section.start <= section.stop <= path.stat().st_size for section in found.sections)


def test_what_ffmpeg_cuts_into_segments_is_read(tmp_path: Path, ffmpeg: Callable[..., None]) -> None:
    """`-f segment` writes FLACs that state no length."""
    audio = codes(5, 10 * RATE_HZ)
    soundfile.write(tmp_path / "whole.flac", audio, RATE_HZ)
    ffmpeg("-i", tmp_path / "whole.flac", "-f", "segment", "-segment_time", "4", tmp_path / "part%d.flac")
    parts = [decode_song(path) for path in sorted(tmp_path.glob("part*.flac"))]
    assert len(parts) > 1
    assert np.array_equal(np.concatenate([part.samples for part in parts]), as_floats(audio))


@pytest.fixture
def ffmpeg() -> Callable[..., None]:
    def run(*words: str | Path) -> None:
        subprocess.run(["ffmpeg", "-v", "error", "-nostdin", "-y", *map(str, words)], check=True, timeout=120)

    try:
        subprocess.run(["ffmpeg", "-version"], capture_output=True, check=True, timeout=60)
    except FileNotFoundError:
        pytest.skip("ffmpeg is not installed; install it to test what it cuts into segments")
    return run
