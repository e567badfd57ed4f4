"""Encoders make bytes that a player hears and may join where promised, and refuse the rest."""

import tracemalloc

import numpy as np
import pytest

from model.base.errors import OutputError
from stream.outputs.encoding.codecs import CODECS, OPUS_RATE_HZ, Codec
from stream.outputs.encoding.encoder import StreamEncoder
from tests.support.heard import RATE_HZ, decode, music, residual_db

KBPS: dict[Codec, int] = {"mp3": 128, "opus": 96, "vorbis": 128, "aac": 128, "flac": 0}
# How far what is heard may be from what was given. Measured on this sound: -77, -27, -30, -34, -79 dB.
RESIDUAL_DB: dict[Codec, float] = {"mp3": -60, "opus": -24, "vorbis": -26, "aac": -30, "flac": -75}


def encode(codec: Codec, sound: np.ndarray, block_frames: int) -> tuple[StreamEncoder, list[bytes]]:
    encoder = StreamEncoder(codec, RATE_HZ, KBPS[codec])
    pieces = [encoder.encode(sound[i : i + block_frames]) for i in range(0, len(sound), block_frames)]
    return encoder, [*pieces, encoder.flush()]


@pytest.mark.parametrize("codec", CODECS)
def test_what_is_heard_is_what_was_given(codec: Codec) -> None:
    sound = music(6)
    encoder, pieces = encode(codec, sound, 3001)
    heard, rate_hz = decode(encoder.header + b"".join(pieces))
    assert rate_hz == (OPUS_RATE_HZ if codec == "opus" else RATE_HZ)
    assert len(heard) >= len(sound) / RATE_HZ * rate_hz - 1
    assert residual_db(sound, heard, rate_hz) < RESIDUAL_DB[codec]


@pytest.mark.parametrize("codec", CODECS)
def test_a_listener_joins_late(codec: Codec) -> None:
    sound = music(6)
    encoder, pieces = encode(codec, sound, 2205)
    tail = pieces[len(pieces) // 2 :]
    heard, rate_hz = decode(encoder.header + b"".join(tail))
    assert 2.0 < len(heard) / rate_hz < 4.5
    assert residual_db(sound, heard, rate_hz) < RESIDUAL_DB[codec]


@pytest.mark.parametrize("codec", CODECS)
def test_every_piece_begins_where_a_listener_may_join(codec: Codec) -> None:
    encoder, pieces = encode(codec, music(2), 441)
    begins = {piece[:4] if encoder.header else piece[:2] for piece in pieces if piece}
    if encoder.header:
        assert begins == {b"OggS"}
        assert encoder.header.startswith(b"OggS")
    else:
        # The sync word of an MPEG audio frame, and of an ADTS frame.
        assert begins == {b"\xff\xfb" if codec == "mp3" else b"\xff\xf1"}


@pytest.mark.parametrize("codec", CODECS)
def test_the_block_size_does_not_matter(codec: Codec) -> None:
    sound = music(1.5)
    heard = []
    for block_frames in (1000, 7, len(sound)):
        encoder, pieces = encode(codec, sound[:20_000] if block_frames == 7 else sound, block_frames)
        heard.append(decode(encoder.header + b"".join(pieces))[0])
    assert np.array_equal(heard[0], heard[2])
    # The short one ends differently; up to there it is the same.
    assert np.array_equal(heard[0][:12_000], heard[1][:12_000])


@pytest.mark.parametrize("codec", CODECS)
def test_memory_is_bounded(codec: Codec) -> None:
    encoder = StreamEncoder(codec, RATE_HZ, KBPS[codec])
    block = music(0.5)
    for _ in range(4):
        encoder.encode(block)
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    for _ in range(20):
        encoder.encode(block)
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # 10 s are 3.5 MB of float PCM, or 160 kB of MP3.
    assert after - before < 60_000


@pytest.mark.parametrize("codec", CODECS)
def test_what_is_no_number_is_encoded_as_something(codec: Codec) -> None:
    sound = music(1.5)
    for n, wrong in enumerate([np.nan, np.inf, -np.inf, 1e30]):
        sound[20_000 + n * 10 : 20_005 + n * 10] = wrong
    encoder, pieces = encode(codec, sound, 1024)
    heard, rate_hz = decode(encoder.header + b"".join(pieces))
    assert len(heard) / rate_hz > 1.4
    assert np.isfinite(heard).all()


def test_silence_and_full_scale_are_encoded() -> None:
    for codec in CODECS:
        for level in (0.0, 1.0):
            encoder, pieces = encode(codec, np.full((RATE_HZ // 2, 2), level, dtype=np.float32), 1024)
            assert np.isfinite(decode(encoder.header + b"".join(pieces))[0]).all()


def test_what_cannot_be_encoded_is_refused_in_one_sentence(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(OutputError, match="wav is no codec of endlos; use one of mp3"):
        StreamEncoder("wav", RATE_HZ, 128)  # type: ignore[arg-type]
    with pytest.raises(OutputError, match="opus at 48000 Hz and 9000 kbit/s cannot be encoded"):
        StreamEncoder("opus", RATE_HZ, 9000)
    with pytest.raises(OutputError, match="mp3 at 12345 Hz"):
        StreamEncoder("mp3", 12_345, 128)
    assert capfd.readouterr() == ("", "")
