"""A bit rate that is taken is the one that comes out, and any other is refused."""

import numpy as np
import pytest

from model.base.errors import OutputError
from stream.outputs.encoding.bitrates import require_bitrate
from stream.outputs.encoding.codecs import Codec
from stream.outputs.encoding.encoder import StreamEncoder

RATE_HZ = 44_100
SECONDS = 4


def heard_kbps(codec: Codec, bitrate_kbps: int) -> float:
    """Of noise, which leaves an encoder nothing to save."""
    noise = (0.1 * np.random.default_rng(0).standard_normal((SECONDS * RATE_HZ, 2))).astype(np.float32)
    encoder = StreamEncoder(codec, RATE_HZ, bitrate_kbps)
    return (len(encoder.encode(noise)) + len(encoder.flush())) * 8 / 1000 / SECONDS


def is_taken(codec: Codec, bitrate_kbps: int) -> bool:
    try:
        require_bitrate(codec, bitrate_kbps, "it")
    except OutputError:
        return False
    return True


def test_of_mp3_exactly_those_are_taken_that_come_out() -> None:
    taken = [kbps for kbps in range(8, 513) if is_taken("mp3", kbps)]
    assert len(taken) == 14
    for kbps in taken:
        assert heard_kbps("mp3", kbps) == pytest.approx(kbps, rel=0.015)
    for kbps in (8, 36, 100, 140, 400):
        # What the encoder makes of it is another one.
        assert heard_kbps("mp3", kbps) != pytest.approx(kbps, rel=0.015)


@pytest.mark.parametrize("codec", ["opus", "vorbis", "aac"])
def test_of_other_codecs_those_are_taken_that_come_out_about(codec: Codec) -> None:
    taken = [kbps for kbps in range(1, 1000) if is_taken(codec, kbps)]
    assert taken == list(range(taken[0], taken[-1] + 1))
    for kbps in (taken[0], 128, taken[-1]):
        assert heard_kbps(codec, kbps) == pytest.approx(kbps, rel=0.15)


@pytest.mark.parametrize(
    ("codec", "beyond_kbps"), [("vorbis", 32), ("vorbis", 700), ("aac", 8), ("aac", 500)]
)
def test_what_is_refused_would_have_been_another(codec: Codec, beyond_kbps: int) -> None:
    assert not is_taken(codec, beyond_kbps)
    assert heard_kbps(codec, beyond_kbps) != pytest.approx(beyond_kbps, rel=0.15)


def test_flac_has_none() -> None:
    with pytest.raises(OutputError, match="FLAC takes what it needs"):
        require_bitrate("flac", 320, "it")
