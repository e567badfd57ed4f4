"""A playlist says what players need, and is read again as it was written."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from stream.outputs.hls.playlist import ListedSegment, MediaPlaylist, read_media_playlist

BEGAN = datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)


def listed(number: int, run: int = 3, length_s: float = 2.0, title: str = "") -> ListedSegment:
    return ListedSegment(
        number=number,
        run=run,
        init=f"aac-128-init-{run}.mp4",
        file=f"aac-128-{number}.m4s",
        length_s=length_s,
        at=BEGAN + timedelta(seconds=2 * number),
        title=title,
    )


def playlist(*segments: ListedSegment, keep_s: float = 1000) -> MediaPlaylist:
    made = MediaPlaylist(target_s=2)
    for segment in segments:
        made = made.with_segment(segment, keep_s)
    return made


def test_a_playlist_is_read_as_it_was_written() -> None:
    written = playlist(
        listed(7), listed(8, title="Ä, b - C: d"), listed(9, run=4, length_s=1.25), listed(10, 4)
    )
    assert read_media_playlist(written.text(), 2) == written


def test_it_says_what_was_before_and_never_that_it_ends() -> None:
    lines = playlist(listed(7), listed(8, run=4), listed(9, run=4)).text().splitlines()
    assert lines[0] == "#EXTM3U"
    assert "#EXT-X-MEDIA-SEQUENCE:7" in lines and "#EXT-X-DISCONTINUITY-SEQUENCE:3" in lines
    assert "#EXT-X-TARGETDURATION:2" in lines and "#EXT-X-VERSION:7" in lines
    assert lines[lines.index("aac-128-7.m4s") + 1 :] == [
        "#EXT-X-DISCONTINUITY",
        '#EXT-X-MAP:URI="aac-128-init-4.mp4"',
        "#EXT-X-PROGRAM-DATE-TIME:2026-01-02T03:04:21.678+00:00",
        "#EXTINF:2.000000,",
        "aac-128-8.m4s",
        "#EXT-X-PROGRAM-DATE-TIME:2026-01-02T03:04:23.678+00:00",
        "#EXTINF:2.000000,",
        "aac-128-9.m4s",
    ]
    assert "ENDLIST" not in "".join(lines)


def test_a_discontinuity_that_has_left_the_list_is_counted() -> None:
    made = playlist(*[listed(number, run=3 + (number > 2)) for number in range(1, 9)], keep_s=8)
    text = made.text()
    assert [segment.number for segment in made.segments] == [5, 6, 7, 8]
    assert "#EXT-X-DISCONTINUITY-SEQUENCE:4" in text and "#EXT-X-DISCONTINUITY\n" not in text
    assert '#EXT-X-MAP:URI="aac-128-init-4.mp4"' in text, "the first one's is said even so"


def test_three_are_listed_however_little_is_to_be_kept() -> None:
    assert len(playlist(*map(listed, range(9)), keep_s=1).segments) == 3


def test_no_segment_is_longer_than_the_playlist_says_of_all() -> None:
    text = playlist(listed(1, length_s=5.6), listed(2)).text()
    assert "#EXT-X-TARGETDURATION:6" in text, "one of a run with longer segments is listed still"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "#EXTM3U\n",
        "a.m4s",
        "#EXTINF:2,\na.m4s",
        "#EXT-X-MEDIA-SEQUENCE:x\n#EXTINF:2,\na.m4s",
        "\0\n\ufffd",
    ],
)
def test_what_is_none_is_a_list_without_segments(text: str) -> None:
    assert read_media_playlist(text, 2) == MediaPlaylist(target_s=2)


def test_half_a_playlist_is_none() -> None:
    text = playlist(listed(1), listed(2)).text()
    assert not read_media_playlist(text.replace("#EXT-X-MEDIA-SEQUENCE:1\n", ""), 2).segments
    assert replace(read_media_playlist(text, 2), target_s=3) != read_media_playlist(text, 2)
