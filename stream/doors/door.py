"""A door leads from the end of one chunk to the start of another, and says how the two meet there."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class JoinKind(StrEnum):
    """How one piece becomes another; each kind is made by a file of `stream.joins.kinds`."""

    SPLICE = "splice"
    """A short fade where the audio hides it best, within a song."""
    SHORT_BLEND = "short_blend"
    """A fade of seconds about the border of two songs, where one of them has nothing more to give."""
    TEMPO_BLEND = "tempo_blend"
    """Bars of both, beat on beat, one band handed over after the other."""
    QUICK_CHANGE = "quick_change"
    """The new song on its downbeat, over an echo of the old one."""
    PLAIN_FADE = "plain_fade"
    """Seconds of both, where nothing is to be put on a beat."""
    GAPLESS = "gapless"
    """The next track of an album goes on where the one before ends."""


@dataclass(frozen=True, kw_only=True)
class Door:
    """How one chunk goes over into another, as far as it is decided by what a pool knows of both.

    Where they overlap, B sounds from its start on, as it is; A sounds on beyond its end meanwhile, stretched
    so that its beats fall on B's. A splice overlaps for a moment about both, which the audio decides.
    """

    kind: JoinKind
    overlap_s: float = 0.0
    """For so long both sound, in B's time; 0 where the audio decides."""
    overlap_bars: int = 0
    """The same in bars of B; 0 where it is not counted in bars."""
    tempo_factor: float = 1.0
    """A is played so many times as fast where both sound; 1 leaves it as it is."""
    rejected: Mapping[JoinKind, str] = field(default_factory=dict)
    """Other kinds, and why they cannot be or by how much they are worth less, in words."""
    penalties: Mapping[str, float] = field(default_factory=dict)
    """What speaks against the door, by name, in log-odds, none above 0."""
    plays_out: bool = False
    """Whether A is to be heard to its end: a fade, one that stands in for another kind too, begins no sooner
    than that needs, be it after A's cut."""

    @property
    def goes_on_s(self) -> float:
        """For how long A is heard beyond its cut, in B's time; of a quick change echoes alone are."""
        return 0.0 if self.kind is JoinKind.QUICK_CHANGE else self.overlap_s

    @property
    def worth(self) -> float:
        """Return what all that speaks against it amounts to, in log-odds; 0 at best."""
        return sum(self.penalties.values())
