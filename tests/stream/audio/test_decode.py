"""The decoder reads every format as written, seeks true, and names a bad file in one sentence."""

import os
import subprocess
import sys
import wave
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from model.base.errors import DecodeError
from stream.audio.decode import decode, probe
from stream.audio.song_file import SongFile, seeks_check_out
from tests.support.any_format import LEVELS, TONES_HZ, busy, encode, level_at, tones


@pytest.mark.parametrize("width_bytes", [1, 2, 3, 4])
def test_integer_wav_arrives_exactly(tmp_path: Path, width_bytes: int) -> None:
    bits = 8 * width_bytes
    random = np.random.default_rng(width_bytes)
    codes = random.integers(-(2 ** (bits - 1)), 2 ** (bits - 1), (3_000, 2), dtype=np.int64)
    stored = codes + 128 if width_bytes == 1 else codes
    data = b"".join(
        int(code).to_bytes(width_bytes, "little", signed=width_bytes > 1) for code in stored.ravel()
    )
    with wave.open(str(tmp_path / "a.wav"), "wb") as file:
        file.setparams((2, width_bytes, 44_100, 0, "NONE", ""))
        file.writeframes(data)
    audio, rate_hz = decode(tmp_path / "a.wav")
    assert rate_hz == 44_100 and audio.dtype == np.float32
    assert np.array_equal(audio, (codes / 2.0 ** (bits - 1)).astype(np.float32))


@pytest.mark.parametrize("subtype", ["FLOAT", "DOUBLE"])
def test_float_wav_keeps_what_is_over_full_scale(tmp_path: Path, subtype: str) -> None:
    audio = np.random.default_rng(0).uniform(-3, 3, (1_000, 2)).astype(np.float32)
    audio[7] = np.nan, np.inf
    soundfile.write(tmp_path / "a.wav", audio, 44_100, subtype=subtype)
    audio[7] = 0.0
    assert np.array_equal(decode(tmp_path / "a.wav")[0], audio)


@pytest.mark.parametrize("rate_hz", [8_000, 11_025, 22_050, 32_000, 44_100, 48_000, 88_200, 96_000, 192_000])
@pytest.mark.parametrize("suffix", ["wav", "flac"])
def test_every_sample_rate_stays(tmp_path: Path, suffix: str, rate_hz: int) -> None:
    path = tmp_path / f"a.{suffix}"
    codes = np.random.default_rng(1).integers(-(2**15), 2**15, (rate_hz // 50, 2)).astype(np.int16)
    soundfile.write(path, codes, rate_hz)
    audio, found_hz = decode(path)
    info = probe(path)
    assert found_hz == info.sample_rate_hz == rate_hz and info.frames == len(codes)
    assert info.decoder == "soundfile" and info.channels == 2
    assert np.array_equal(audio, codes / np.float32(2**15))


@pytest.mark.parametrize(
    ("suffix", "subtype", "exact"),
    [
        ("aiff", "PCM_24", True),
        ("au", "PCM_16", True),
        ("caf", "PCM_24", True),
        ("w64", "PCM_16", True),
        ("flac", "PCM_24", True),
        ("ogg", "VORBIS", False),
        ("opus", "OPUS", False),
        ("mp3", "MPEG_LAYER_III", False),
    ],
)
@pytest.mark.parametrize("channels", [1, 2])
def test_formats_of_libsndfile(tmp_path: Path, suffix: str, subtype: str, exact: bool, channels: int) -> None:
    path = tmp_path / f"a.{suffix}"
    written = tones(48_000, 2.0)[:, :channels]
    container = "OGG" if suffix == "opus" else None
    soundfile.write(path, written, 48_000, subtype=subtype, format=container)
    audio, rate_hz = decode(path)
    assert rate_hz == 48_000 and probe(path).decoder == "soundfile" and probe(path).channels == channels
    assert abs(len(audio) - len(written)) <= (0 if exact else 2_400)
    for side in (0, 1):
        tone = side if channels == 2 else 0
        assert level_at(audio[:, side], TONES_HZ[tone], rate_hz) == pytest.approx(LEVELS[tone], rel=0.05)
    if exact:
        assert np.allclose(audio, np.broadcast_to(written, audio.shape), atol=2.0**-15)


@pytest.mark.parametrize(
    ("name", "codec", "exact"),
    [
        ("a.m4a", "aac", False),
        ("a.aac", "aac", False),
        ("b.m4a", "alac", True),
        ("a.webm", "libopus", False),
        ("a.wma", "wmav2", False),
        ("a.ac3", "ac3", False),
        ("a.mka", "flac", True),
        ("a.mp4", "aac", False),
    ],
)
def test_formats_of_ffmpeg(tmp_path: Path, name: str, codec: str, exact: bool) -> None:
    path = tmp_path / name
    written = tones(48_000, 2.0)
    encode(path, codec, written, 48_000)
    info = probe(path)
    audio, rate_hz = decode(path)
    assert rate_hz == info.sample_rate_hz == 48_000
    assert info.decoder == "pyav" and info.channels == 2 and info.frames is None
    assert audio.dtype == np.float32 and audio.shape[1] == 2 and audio.flags.c_contiguous
    if exact:
        assert audio.shape == written.shape
        assert np.allclose(audio, written, atol=2.0**-14)
    # a codec's frames pad the end, and a bare stream has nothing that says where to stop
    assert abs(len(audio) - len(written)) < 0.15 * rate_hz
    for side in (0, 1):
        assert level_at(audio[:, side], TONES_HZ[side], rate_hz) == pytest.approx(LEVELS[side], rel=0.05)
    assert not seeks_check_out(path, audio, 0)


def test_mono_of_ffmpeg_is_doubled(tmp_path: Path) -> None:
    encode(tmp_path / "a.m4a", "aac", tones(22_050, 2.0)[:, :1], 22_050, layout="mono")
    audio, rate_hz = decode(tmp_path / "a.m4a")
    assert rate_hz == 22_050 and np.array_equal(audio[:, 0], audio[:, 1])
    assert level_at(audio[:, 0], TONES_HZ[0], rate_hz) == pytest.approx(LEVELS[0], rel=0.05)


# One level each for what stands in front left, front right, centre, ... of a file; the sides by BS.775.
HALF = 0.7071067811865476
SURROUND = {
    3: [(1, 0), (0, 1), (HALF, HALF)],
    4: [(1, 0), (0, 1), (HALF, 0), (0, HALF)],
    5: [(1, 0), (0, 1), (HALF, HALF), (HALF, 0), (0, HALF)],
    6: [(1, 0), (0, 1), (HALF, HALF), (0, 0), (HALF, 0), (0, HALF)],
    7: [(1, 0), (0, 1), (HALF, HALF), (0, 0), (0.5, 0.5), (HALF, 0), (0, HALF)],
    8: [(1, 0), (0, 1), (HALF, HALF), (0, 0), (HALF, 0), (0, HALF), (HALF, 0), (0, HALF)],
}


@pytest.mark.parametrize("channels", SURROUND)
@pytest.mark.parametrize("suffix", ["wav", "flac"])
def test_surround_is_mixed_down(tmp_path: Path, suffix: str, channels: int) -> None:
    path = tmp_path / f"a.{suffix}"
    codes = np.random.default_rng(channels).integers(-(2**15), 2**15, (5_000, channels)).astype(np.int16)
    soundfile.write(path, codes, 48_000)
    audio, rate_hz = decode(path)
    gains = np.array(SURROUND[channels])
    expected = (codes / 2.0**15) @ (gains / gains.sum(axis=0).max())
    assert rate_hz == 48_000 and np.allclose(audio, expected, atol=1e-6)
    assert probe(path).channels == channels and not seeks_check_out(path, audio, 0)


@pytest.mark.parametrize(("name", "codec"), [("a.ogg", "vorbis"), ("b.ogg", "libopus"), ("a.m4a", "aac")])
def test_lossy_surround_knows_its_loudspeakers(tmp_path: Path, name: str, codec: str) -> None:
    # Vorbis and AAC store the centre elsewhere than WAV does.
    t = np.arange(96_000) / 48_000
    speakers_hz = {"FL": 500, "FR": 800, "FC": 1_100, "LFE": 60, "BL": 1_700, "BR": 2_300}
    written = np.stack([0.4 * np.sin(2 * np.pi * hz * t) for hz in speakers_hz.values()], axis=1)
    if codec == "vorbis":
        # FFmpeg's own encoder knows stereo only; libsndfile writes channels as they come, in Vorbis' order.
        soundfile.write(tmp_path / name, written[:, [0, 2, 1, 4, 5, 3]], 48_000, format="OGG")
    else:
        encode(tmp_path / name, codec, written.astype(np.float32), 48_000, layout="5.1")
    audio, _ = decode(tmp_path / name)
    scale = 0.4 / (1 + 2 * HALF)
    for side, heard in ((0, "FL"), (1, "FR")):
        rear = "BL" if side == 0 else "BR"
        for speaker, hz in speakers_hz.items():
            gain = {heard: 1.0, "FC": HALF, rear: HALF}.get(speaker, 0.0)
            assert level_at(audio[:, side], hz, 48_000) == pytest.approx(gain * scale, abs=0.02), speaker


def test_mp3_without_a_xing_header_is_decoded_to_its_end(tmp_path: Path) -> None:
    written = busy(44_100, 20.0)
    written[: 44_100 * 3] = np.random.default_rng(3).uniform(-0.5, 0.5, (44_100 * 3, 2))
    encode(tmp_path / "a.mp3", "libmp3lame", written, 44_100, write_xing="0", q="4", flags="+qscale")
    with soundfile.SoundFile(tmp_path / "a.mp3") as file:
        assert file.frames < 0.9 * len(written), "libsndfile's estimate is right: this test tests nothing"
    audio, _ = decode(tmp_path / "a.mp3")
    assert abs(len(audio) - len(written)) < 4 * 1_152
    assert probe(tmp_path / "a.mp3").decoder == "pyav"
    assert not seeks_check_out(tmp_path / "a.mp3", audio, 0)


def test_mp3_damaged_in_the_middle_keeps_its_second_half(tmp_path: Path) -> None:
    written = busy(44_100, 12.0)
    soundfile.write(tmp_path / "a.mp3", written, 44_100)
    data = bytearray((tmp_path / "a.mp3").read_bytes())
    middle = len(data) // 2
    data[middle : middle + 4_000] = np.random.default_rng(0).bytes(4_000)
    (tmp_path / "a.mp3").write_bytes(data)
    audio, _ = decode(tmp_path / "a.mp3")
    assert abs(len(audio) - len(written)) < 44_100
    assert not seeks_check_out(tmp_path / "a.mp3", audio, 0)


def test_truncated_mp3_gives_what_is_there(tmp_path: Path) -> None:
    written = busy(44_100, 10.0)
    soundfile.write(tmp_path / "whole.mp3", written, 44_100, bitrate_mode="CONSTANT", compression_level=0.5)
    data = (tmp_path / "whole.mp3").read_bytes()
    (tmp_path / "part.mp3").write_bytes(data[: int(0.6 * len(data))])
    whole, _ = decode(tmp_path / "whole.mp3")
    part, rate_hz = decode(tmp_path / "part.mp3")
    assert rate_hz == 44_100 and 0.5 * len(whole) < len(part) < 0.7 * len(whole)
    same = len(part) - 2 * 1_152
    assert np.allclose(part[:same], whole[:same], atol=1e-4)
    assert not seeks_check_out(tmp_path / "part.mp3", part, 0)


@pytest.mark.parametrize("suffix", ["flac", "wav", "m4a"])
def test_other_truncated_files(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    written = busy(44_100, 4.0)
    if suffix == "m4a":
        encode(path, "aac", written, 44_100, movflags="+faststart")
    else:
        soundfile.write(path, written, 44_100)
    data = path.read_bytes()
    path.write_bytes(data[: int(0.6 * len(data))])
    audio, _ = decode(path)
    assert 0.3 * len(written) < len(audio) < 0.9 * len(written)
    assert not seeks_check_out(path, audio, 0) or probe(path).frames == len(audio)


def make_bad(folder: Path, kind: str) -> Path:
    path = folder / "bad.mp3"
    random = np.random.default_rng(0)
    if kind == "text":
        path.write_text("This is not music, it only says so.\n" * 200)
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "noise":
        path.write_bytes(random.bytes(200_000))
    elif kind == "one byte":
        path.write_bytes(b"\xff")
    elif kind == "tag only":
        path.write_bytes(b"ID3\x03\x00\x00\x00\x00\x00\x0a" + b"COMM\x00\x00\x00\x01\x00\x00\x00" * 30)
    elif kind == "no samples":
        path = folder / "bad.wav"
        soundfile.write(path, np.zeros((0, 2)), 44_100)
    elif kind == "playlist":
        path = folder / "bad.m3u8"
        path.write_text(
            "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n"
        )
    elif kind == "picture":
        path = folder / "bad.png"
        with av.open(str(path), "w", format="image2", options={"update": "1"}) as container:
            stream = container.add_stream("png", rate=1)
            assert isinstance(stream, av.VideoStream)
            stream.width = stream.height = 16
            stream.pix_fmt = "rgb24"
            frame = av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
    elif kind == "folder":
        path.mkdir()
    elif kind == "raw":
        path = folder / "bad.raw"
        path.write_bytes(random.bytes(1_000))
    elif kind == "rate":
        path = folder / "bad.wav"
        soundfile.write(path, np.zeros((10, 2)), 7)
    return path


KINDS = [
    "text",
    "empty",
    "noise",
    "one byte",
    "tag only",
    "no samples",
    "playlist",
    "picture",
    "folder",
    "raw",
    "rate",
    "missing",
]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_audio_gives_one_sentence(tmp_path: Path, kind: str) -> None:
    path = make_bad(tmp_path, kind)
    with pytest.raises(DecodeError) as caught:
        decode(path)
    sentence = str(caught.value)
    assert str(path) in sentence and "\n" not in sentence
    assert not seeks_check_out(path, np.ones((10, 2), np.float32), 0)
    if kind not in ("no samples", "rate"):
        with pytest.raises(DecodeError):
            probe(path)


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything; run as another user"
)
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros((10, 2)), 44_100)
    (tmp_path / "a.wav").chmod(0)
    with pytest.raises(DecodeError, match="may not be read"):
        decode(tmp_path / "a.wav")


def test_a_refused_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros((10, 2)), 44_100)

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(DecodeError, match="may not be read"):
        decode(tmp_path / "a.wav")


def test_damaged_files_leave_standard_error_alone(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.mp3", busy(44_100, 8.0), 44_100, bitrate_mode="VARIABLE")
    data = bytearray((tmp_path / "a.mp3").read_bytes())
    (tmp_path / "short.mp3").write_bytes(data[: len(data) // 2])
    data[len(data) // 3 : len(data) // 3 + 3_000] = np.random.default_rng(0).bytes(3_000)
    (tmp_path / "holed.mp3").write_bytes(data)
    make_bad(tmp_path, "noise")
    program = """
import sys
from pathlib import Path
from model.base.errors import DecodeError
from stream.audio.decode import decode
from stream.audio.song_file import seeks_check_out
for path in sorted(Path(sys.argv[1]).glob("*.mp3")):
    try:
        audio, _ = decode(path)
        seeks_check_out(path, audio, 0)
        print(path.name, len(audio))
    except DecodeError:
        print(path.name, "refused")
print("the end", file=sys.stderr)
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert done.stderr == "the end\n"
    assert len(done.stdout.splitlines()) == 4


def test_a_name_that_looks_like_an_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = Path("Artist: a song #1 %d ü.m4a")
    encode(Path("plain.m4a"), "aac", tones(44_100, 0.5), 44_100)
    Path("plain.m4a").rename(path)
    assert decode(path)[1] == 44_100


@pytest.mark.parametrize(
    ("suffix", "frames"), [("wav", 90_000), ("wav", 10), ("flac", 90_000), ("aiff", 90_000)]
)
def test_lossless_seeks_check_out(tmp_path: Path, suffix: str, frames: int) -> None:
    path = tmp_path / f"a.{suffix}"
    soundfile.write(path, busy(44_100, 3.0)[:frames], 44_100)
    audio, _ = decode(path)
    assert seeks_check_out(path, audio, 0)
    one_bit_off = audio.copy()
    one_bit_off[-1, 1] = np.nextafter(one_bit_off[-1, 1], np.float32(1))
    assert not seeks_check_out(path, one_bit_off, 0)
    assert not seeks_check_out(path, audio[:-1], 0)
    assert not seeks_check_out(path, np.roll(audio, 1, axis=0), 0)


def test_ogg_seeks_are_never_trusted(tmp_path: Path) -> None:
    for name, subtype in (("a.ogg", "VORBIS"), ("b.ogg", "OPUS")):
        soundfile.write(tmp_path / name, busy(48_000, 3.0), 48_000, format="OGG", subtype=subtype)
        assert not seeks_check_out(tmp_path / name, decode(tmp_path / name)[0], 0)


def test_mp3_spans_read_ahead_for_the_bit_reservoir(tmp_path: Path) -> None:
    path = tmp_path / "a.mp3"
    encode(path, "libmp3lame", busy(44_100, 20.0), 44_100, q="4", flags="+qscale")
    whole, _ = decode(path)
    random = np.random.default_rng(0)
    starts = random.integers(0, len(whole) - 5_700, 150)
    with soundfile.SoundFile(path) as plain:
        wrong = 0
        for start in starts:
            plain.seek(start)
            wrong += not np.array_equal(plain.read(5_000, dtype="float32"), whole[start : start + 5_000])
    assert wrong > 0, "plain seeks are right in this file: this test tests nothing"
    file = SongFile(path)
    for start in starts:
        assert np.array_equal(file.read(start, start + 5_000), whole[start : start + 5_000])
        for back in (0, 600):
            first, stop = start + 5_000 - back, start + 5_050 + back
            assert np.array_equal(file.read(first, stop), whole[first:stop])
    file.close()
    assert seeks_check_out(path, whole, 0)


def test_reading_past_the_end_is_an_error(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros((100, 2)), 44_100)
    file = SongFile(tmp_path / "a.wav")
    with pytest.raises(DecodeError, match="ends before frame 101"):
        file.read(50, 101)
    file.close()
