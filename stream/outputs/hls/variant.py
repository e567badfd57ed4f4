"""A variant is the stream in one codec at one bit rate, as a player may choose among several."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

HlsCodec = Literal["aac", "flac", "opus"]
HLS_CODECS: tuple[HlsCodec, ...] = get_args(HlsCodec)

_SAID: dict[HlsCodec, str] = {"aac": "mp4a.40.2", "flac": "fLaC", "opus": "Opus"}
"""What a playlist calls them (RFC 6381, and the registrations in ISO/IEC 14496-12)."""
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


def master_playlist(variants: Sequence[HlsVariant], rate_hz: int) -> str:
    """Return the playlist that names the others (RFC 8216, 4.3.4); the first is where a player begins."""
    lines = ["#EXTM3U", "#EXT-X-VERSION:7", "#EXT-X-INDEPENDENT-SEGMENTS"]
    for variant in variants:
        lines += [
            f'#EXT-X-STREAM-INF:BANDWIDTH={variant.peak_bps(rate_hz)},CODECS="{_SAID[variant.codec]}"',
            playlist_name(variant),
        ]
    return "\n".join([*lines, ""])


def playlist_name(variant: HlsVariant) -> str:
    """Return what the playlist of a variant's segments is called."""
    return f"{variant.name}.m3u8"
