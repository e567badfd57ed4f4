"""LAME gives the same sound as FFmpeg's encoder, whole frames, the exact length, and no leaks."""

import ctypes
import gc
import io
import sys

import av
import numpy as np
import pytest

from stream.outputs.encoding import encoder, lame
from stream.outputs.encoding.encoder import StreamEncoder, open_coder
from stream.outputs.encoding.lame import LameCoder, WholeFrames, system_lame
from stream.outputs.encoding.libav import LibavCoder
from tests.support.heard import RATE_HZ, decode, music, residual_db


@pytest.fixture
def library() -> ctypes.CDLL:
    found = system_lame()
    if found is None:
        pytest.skip("no LAME: install libmp3lame0 (Debian), lame (Fedora, Arch, Homebrew)")
    return found


def write(coder: LameCoder | LibavCoder, sound: np.ndarray, block_frames: int) -> None:
    for start in range(0, len(sound), block_frames):
        coder.encode(sound[start : start + block_frames])
    coder.close()
    coder.close()


@pytest.mark.parametrize("live", [True, False])
def test_what_is_heard_is_what_the_other_encoder_lets_be_heard(library: ctypes.CDLL, live: bool) -> None:
    sound = music(4)
    files = [io.BytesIO(), io.BytesIO()]
    write(LameCoder(library, files[0], RATE_HZ, 128, live=live), sound, 4096)
    write(LibavCoder(files[1], "mp3", RATE_HZ, 128, live=live), sound, 4096)
    ours, theirs = (decode(file.getvalue())[0] for file in files)
    assert residual_db(sound, ours, RATE_HZ) < -60
    length = min(len(ours), len(theirs))
    error = np.square(ours[:length] - theirs[:length]).mean() / np.square(theirs).mean()
    assert 10 * np.log10(error + 1e-20) < -40


def test_a_file_is_as_long_as_the_sound(library: ctypes.CDLL) -> None:
    for frames in (RATE_HZ, RATE_HZ + 1, 5):
        sound = music(2)[:frames]
        file = io.BytesIO()
        write(LameCoder(library, file, RATE_HZ, 192, live=False), sound, 1000)
        assert b"LAME" in file.getvalue()[:400]
        assert len(decode(file.getvalue())[0]) == frames


def test_pieces_end_where_frames_end(library: ctypes.CDLL) -> None:
    encoder = StreamEncoder("mp3", RATE_HZ, 160)
    sound = music(3)
    ends, data = [], b""
    for start in range(0, len(sound), 3000):
        data += encoder.encode(sound[start : start + 3000])
        ends.append(len(data))
    data += encoder.flush()
    # FFmpeg's parser finds the frames by itself.
    with av.open(io.BytesIO(data)) as container:
        places = [packet.pos for packet in container.demux(audio=0) if packet.size]
    assert set(ends) <= {*places, len(data)}
    assert len(set(ends)) > 20


@pytest.mark.parametrize("rate_hz", [44_100, 48_000])
@pytest.mark.parametrize("kbps", [64, 112, 320])
def test_every_bit_rate_is_cut_into_frames(library: ctypes.CDLL, rate_hz: int, kbps: int) -> None:
    encoder = StreamEncoder("mp3", rate_hz, kbps)
    pieces = [encoder.encode(music(0.1, seed)) for seed in range(20)] + [encoder.flush()]
    assert all(piece.startswith(b"\xff\xfb") for piece in pieces if piece)
    assert sum(map(len, pieces)) * 8 == pytest.approx(kbps * 1000 * (2.0 * 44_100 / rate_hz), rel=0.06)


def test_a_bit_rate_that_does_not_exist_is_the_nearest(library: ctypes.CDLL) -> None:
    encoder = StreamEncoder("mp3", RATE_HZ, 100)
    data = encoder.encode(music(2)) + encoder.flush()
    assert len(data) * 8 / 2 == pytest.approx(96_000, rel=0.06)


def test_what_is_left_half_way_is_freed(library: ctypes.CDLL, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[int | None] = []
    closed: list[int | None] = []

    def init() -> int | None:
        opened.append(library.lame_init())
        return opened[-1]

    def close(handle: ctypes.c_void_p) -> None:
        closed.append(handle.value)
        library.lame_close(handle)

    class Spied:
        lame_init = staticmethod(init)
        lame_close = staticmethod(close)

        def __getattr__(self, name: str) -> object:
            return getattr(library, name)

    coder = LameCoder(Spied(), io.BytesIO(), RATE_HZ, 128, live=True)  # type: ignore[arg-type]
    coder.encode(music(0.5))
    del coder
    gc.collect()
    with pytest.raises(ValueError, match="no such rate"):
        LameCoder(Spied(), io.BytesIO(), 12_345, 128, live=True)  # type: ignore[arg-type]
    gc.collect()
    assert len(opened) == 2 and closed == opened  # once each; the second may lie where the first lay


def test_without_the_system_s_lame_ffmpeg_s_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoder, "system_lame", lambda: None)
    assert isinstance(open_coder(io.BytesIO(), "mp3", RATE_HZ, 128, live=True), LibavCoder)
    sound = music(2)
    stream = StreamEncoder("mp3", RATE_HZ, 128)
    heard, rate_hz = decode(stream.encode(sound) + stream.flush())
    assert residual_db(sound, heard, rate_hz) < -60


def test_a_library_that_is_missing_or_too_old_is_left_aside(monkeypatch: pytest.MonkeyPatch) -> None:
    # The C library is one, but not LAME.
    for names in ((), ("libnothing-of-this-name.so.0",), ("libc.so.6",)):
        monkeypatch.setattr(lame, "_NAMES", {sys.platform: names})
        assert system_lame.__wrapped__() is None


def test_frames_are_cut_by_their_padding_bit() -> None:
    # 1,152 samples at 128 kbit/s and 44,100 Hz: 417 bytes, or 418 with the padding bit.
    frames = [
        b"\xff\xfb" + bytes([0x92 if padded else 0x90]) + bytes(414 + padded) for padded in (0, 1, 1, 0)
    ]
    data = b"".join(frames)
    assert [len(frame) for frame in frames] == [417, 418, 418, 417]
    for step in (1, 3, 417, 1000, len(data)):
        cutter = WholeFrames(frame_samples=1152, bitrate_kbps=128, rate_hz=44_100)
        pieces = [cutter.split(data[i : i + step]) for i in range(0, len(data), step)]
        assert b"".join(pieces) == data
        whole = {0, 417, 835, 1253, 1670}
        assert {sum(map(len, pieces[: n + 1])) for n in range(len(pieces))} <= whole
