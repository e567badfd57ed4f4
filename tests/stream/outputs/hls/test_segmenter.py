"""Segments that follow each other are the stream, with nothing missing, doubled or shifted between them."""

import io
import subprocess
from pathlib import Path

import av
import numpy as np
import pytest

from model.base.errors import OutputError
from stream.outputs.hls.segmenter import Segment, Segmenter
from stream.outputs.hls.variant import HLS_CODECS, HlsCodec, HlsVariant
from tests.support.heard import RATE_HZ, decode, music, residual_db

SOUND = music(7.3)
KBPS = {"aac": 192, "flac": 0, "opus": 128}
BOUND_DB = {"aac": -45, "flac": -75, "opus": -22}


def cut(codec: HlsCodec, block_frames: int = 5000, segment_s: int = 2) -> tuple[bytes, list[Segment]]:
    """Return the init section and all segments of `SOUND`."""
    segmenter = Segmenter(HlsVariant(codec=codec, bitrate_kbps=KBPS[codec]), RATE_HZ, segment_s)
    segments: list[Segment] = []
    for start in range(0, len(SOUND), block_frames):
        segments += segmenter.encode(SOUND[start : start + block_frames])
    return segmenter.init, [*segments, *segmenter.flush()]


@pytest.mark.parametrize("codec", HLS_CODECS)
def test_segments_behind_each_other_are_the_sound(codec: HlsCodec) -> None:
    init, segments = cut(codec)
    heard, rate_hz = decode(init + b"".join(segment.data for segment in segments))
    assert residual_db(SOUND, heard, rate_hz) < BOUND_DB[codec]
    assert len(heard) / rate_hz == pytest.approx(len(SOUND) / RATE_HZ, abs=0.05)
    if codec == "flac":
        whole = np.rint(SOUND.astype(np.float64) * 32768)
        assert np.array_equal(np.rint(heard.astype(np.float64) * 32768), whole)


@pytest.mark.parametrize("codec", HLS_CODECS)
def test_a_player_that_begins_later_is_told_the_same_times(codec: HlsCodec) -> None:
    init, segments = cut(codec)
    for segment in segments:
        with av.open(io.BytesIO(init + segment.data)) as container:
            packets = [packet for packet in container.demux(audio=0) if packet.size]
            assert packets[0].pts is not None and packets[0].time_base is not None
            assert float(packets[0].pts * packets[0].time_base) == pytest.approx(segment.begin_s, abs=1e-6)
            said_s = float(sum(packet.duration or 0 for packet in packets) * packets[0].time_base)
            assert said_s == pytest.approx(segment.length_s, abs=1e-6)
    ends_s = [segment.begin_s + segment.length_s for segment in segments]
    assert [segment.begin_s for segment in segments[1:]] == pytest.approx(ends_s[:-1], abs=1e-9)


def test_segments_are_as_long_as_asked_for_on_average_and_of_all_codecs_at_nearly_the_same_moments() -> None:
    for codec in HLS_CODECS:
        begins_s = [segment.begin_s for segment in cut(codec)[1]]
        assert begins_s == pytest.approx([0, 2, 4, 6], abs=0.11), codec
    assert [segment.length_s for segment in cut("opus")[1][:3]] == [2.0, 2.0, 2.0]


@pytest.mark.parametrize("codec", HLS_CODECS)
def test_the_bytes_do_not_depend_on_the_blocks(codec: HlsCodec) -> None:
    init, segments = cut(codec)
    for block_frames in (773, len(SOUND)):
        assert cut(codec, block_frames) == (init, segments)


@pytest.mark.parametrize("codec", HLS_CODECS)
def test_no_segment_is_larger_than_the_master_playlist_says(codec: HlsCodec) -> None:
    variant = HlsVariant(codec=codec, bitrate_kbps=KBPS[codec])
    for segment in cut(codec)[1][:-1]:
        assert 8 * len(segment.data) / segment.length_s < variant.peak_bps(RATE_HZ)


@pytest.mark.parametrize("codec", HLS_CODECS)
def test_another_ffmpeg_finds_nothing_wrong(codec: HlsCodec, tmp_path: Path) -> None:
    init, segments = cut(codec)
    (tmp_path / "a.mp4").write_bytes(init + b"".join(segment.data for segment in segments))
    told = subprocess.run(
        ["ffprobe", "-v", "warning", "-count_packets", "-show_entries", "stream=nb_read_packets", "a.mp4"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert not told.stderr and "nb_read_packets=" in told.stdout


def test_what_cannot_be_encoded_is_refused_in_one_sentence() -> None:
    with pytest.raises(OutputError, match=r"aac-192 at 12345 Hz cannot be encoded \(.+\); choose another"):
        Segmenter(HlsVariant(codec="aac", bitrate_kbps=192), 12_345, 2)
