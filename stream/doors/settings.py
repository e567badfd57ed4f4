"""These settings say how far songs are bent to one another, and for how long they sound together."""

from dataclasses import dataclass, replace

from model.base.errors import EndlosError

LEAST_FADE_S = 2.0
"""Songs that have less for each other than this meet as well as they can."""
MOST_STRETCH = 0.08
"""More is heard, of any song."""


@dataclass(frozen=True, kw_only=True)
class DoorSettings:
    """How one song may become another."""

    stretch: float = 0.08
    """A song that is left is played at most this share faster or slower to meet the next one's tempo."""
    blend_bars: int = 16
    """Two songs whose beats meet sound together for at most so many bars; 0: their beats are not brought
    together."""
    plain_fade_s: float = 12.0
    """Two songs fade into each other for so long where nothing is to be put on a beat."""

    def shortened(self, factor: float) -> "DoorSettings":
        """Return settings by which songs sound together for a share of the time; they do not for longer."""
        share = min(1.0, factor)
        fade_s = share * self.plain_fade_s
        return replace(
            self,
            blend_bars=int(share * self.blend_bars),
            plain_fade_s=fade_s if fade_s >= LEAST_FADE_S else 0.0,
        )

    def __post_init__(self) -> None:
        if not 0.0 <= self.stretch <= MOST_STRETCH:
            raise EndlosError(
                f"stretch is {self.stretch}, expected 0 to {MOST_STRETCH} (a share of the tempo)"
            )
        if not 0 <= self.blend_bars <= 64:
            raise EndlosError(f"blend_bars is {self.blend_bars}, expected 0 to 64 bars")
        if self.plain_fade_s != 0.0 and not LEAST_FADE_S <= self.plain_fade_s <= 20.0:
            raise EndlosError(
                f"plain_fade_s is {self.plain_fade_s}, expected 0 or {LEAST_FADE_S:g} to 20 seconds"
            )
