"""A variant is the stream in one codec at one bit rate, as a player may choose among several."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

HlsCodec = Literal["aac", "flac", "opus"]
HLS_CODECS: tuple[HlsCodec, ...] = get_args(HlsCodec)

_SAID: dict[HlsCodec, str] = {"aac": "mp4a.40.2", "flac": "fLaC", "opus": "Opus"}
"""What a playlist calls them (RFC 6381, and the registrations in ISO/IEC 14496-12)."""
MASTER = "stream.m3u8"
"""What players are pointed at: the first codec."""
PLAYLIST_MARK = "## made by endlos"
"""A line of every playlist that endlos has written; players take it for a comment."""
_PEAK = 1.3
"""How much larger than the mean a segment may be, with all its boxes."""


@dataclass(frozen=True, kw_only=True)
class HlsVariant:
    """One codec at one bit rate."""

    codec: HlsCodec
    bitrate_kbps: int
    """0 of FLAC, which takes what it needs."""

    @property
    def name(self) -> str:
        """What its files are called: `aac-192`, `flac`."""
        return f"{self.codec}-{self.bitrate_kbps}" if self.bitrate_kbps else self.codec

    def peak_bps(self, rate_hz: int) -> int:
        """Return bits a second that no segment of a stream of that rate goes beyond."""
        kbps = self.bitrate_kbps or rate_hz * 2 * 16 / 1000
        return round(1000 * kbps * _PEAK)


def master_playlists(variants: Sequence[HlsVariant], rate_hz: int) -> Mapping[str, str]:
    """Return the playlists that name the others (RFC 8216, 4.3.4), by the name of their file, one a codec.

    The first codec's is `MASTER`. Never several codecs in one: Chromium 156 goes over to whatever its line is
    good for, and ends with an error where that is another codec.
    """
    lines: dict[str, list[str]] = {}
    for variant in variants:
        name = MASTER if variant.codec == variants[0].codec else f"stream-{variant.codec}.m3u8"
        lines.setdefault(name, ["#EXTM3U", PLAYLIST_MARK, "#EXT-X-VERSION:7", "#EXT-X-INDEPENDENT-SEGMENTS"])
        lines[name] += [
            f'#EXT-X-STREAM-INF:BANDWIDTH={variant.peak_bps(rate_hz)},CODECS="{_SAID[variant.codec]}"',
            playlist_name(variant),
        ]
    return {name: "\n".join([*each, ""]) for name, each in lines.items()}


def playlist_name(variant: HlsVariant) -> str:
    """Return what the playlist of a variant's segments is called."""
    return f"{variant.name}.m3u8"
