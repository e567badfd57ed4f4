"""A media playlist lists the last segments of one variant; what was written before is read, and goes on."""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from stream.outputs.hls.variant import PLAYLIST_MARK

TYPE_OF_PLAYLIST = "application/vnd.apple.mpegurl"


@dataclass(frozen=True, kw_only=True)
class ListedSegment:
    """One segment, as a playlist tells of it."""

    number: int
    """Of the segment among all that ever were; each is one more than the one before."""
    run: int
    """Of the run that it belongs to, which grows; between two is a discontinuity."""
    init: str
    """The file that a player needs before those of this run."""
    file: str
    length_s: float
    at: datetime
    """When its first frame was played, with its time zone."""
    title: str = ""


@dataclass(frozen=True, kw_only=True)
class MediaPlaylist:
    """The segments that a player may ask for now, one after the other without a gap in their numbers."""

    target_s: int
    """No segment is longer, rounded; a player asks again so often."""
    segments: Sequence[ListedSegment] = ()

    def with_segment(self, segment: ListedSegment, keep_s: float) -> "MediaPlaylist":
        """Return the list with one more, which is the last; and without the first, beyond `keep_s`."""
        segments = [*self.segments, segment]
        # Whoever is behind must find three of them (RFC 8216, 6.2.2).
        while len(segments) > 3 and sum(each.length_s for each in segments[1:]) >= keep_s:
            segments.pop(0)
        return replace(self, segments=tuple(segments))

    def text(self) -> str:
        """Return the playlist as a file (RFC 8216); it has no end, so that players ask again for ever."""
        first = self.segments[0]
        lengths_s = [math.floor(segment.length_s + 0.5) for segment in self.segments]
        lines = [
            "#EXTM3U",
            PLAYLIST_MARK,
            "#EXT-X-VERSION:7",
            f"#EXT-X-TARGETDURATION:{max(self.target_s, *lengths_s)}",
            f"#EXT-X-MEDIA-SEQUENCE:{first.number}",
            f"#EXT-X-DISCONTINUITY-SEQUENCE:{first.run}",
            "#EXT-X-INDEPENDENT-SEGMENTS",
        ]
        before: ListedSegment | None = None
        for segment in self.segments:
            if before is None or segment.run != before.run:
                lines += [] if before is None else ["#EXT-X-DISCONTINUITY"]
                lines.append(f'#EXT-X-MAP:URI="{segment.init}"')
            lines.append(
                f"#EXT-X-PROGRAM-DATE-TIME:{segment.at.astimezone(UTC).isoformat('T', 'milliseconds')}"
            )
            lines += [f"#EXTINF:{segment.length_s:.6f},{segment.title}", segment.file]
            before = segment
        return "\n".join([*lines, ""])


def read_media_playlist(text: str, target_s: int) -> MediaPlaylist:
    """Return what `MediaPlaylist.text` wrote; what is not to be understood is a list without segments."""
    try:
        segments = tuple(_segments(text.splitlines()))
    except (ValueError, LookupError):
        segments = ()
    return MediaPlaylist(target_s=target_s, segments=segments)


def _segments(lines: Sequence[str]) -> Iterator[ListedSegment]:
    said: dict[str, str] = {}
    for line in lines:
        if line.startswith("#EXT-X-MAP:"):
            said["map"] = re.findall(r'URI="([^"]*)"', line)[0] if 'URI="' in line else ""
        elif line == "#EXT-X-DISCONTINUITY":
            said["#EXT-X-DISCONTINUITY-SEQUENCE"] = str(int(said["#EXT-X-DISCONTINUITY-SEQUENCE"]) + 1)
        elif line.startswith("#"):
            name, _, value = line.partition(":")
            said[name] = value
        elif line:
            length, _, title = said["#EXTINF"].partition(",")
            yield ListedSegment(
                number=int(said["#EXT-X-MEDIA-SEQUENCE"]),
                run=int(said["#EXT-X-DISCONTINUITY-SEQUENCE"]),
                init=said["map"],
                file=line,
                length_s=float(length),
                at=datetime.fromisoformat(said["#EXT-X-PROGRAM-DATE-TIME"]),
                title=title,
            )
            said["#EXT-X-MEDIA-SEQUENCE"] = str(int(said["#EXT-X-MEDIA-SEQUENCE"]) + 1)
