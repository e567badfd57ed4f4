"""This module says how the stream sounds, by its rate, the longest short fade and the loudness of songs."""

from dataclasses import dataclass

from model.base.errors import EndlosError

ENGINE_RATES_HZ = (44_100, 48_000)


@dataclass(frozen=True, kw_only=True)
class SoundSettings:
    """How the stream sounds: how songs are joined, and at which level they are played."""

    engine_rate_hz: int = 44_100
    fade_s: float = 1.5
    """The longest splice or short blend; other joins are as long as their kind."""
    target_lufs: float | None = -16.0
    """Songs are brought to this loudness, as far as their peaks allow; None leaves them as they are."""

    def __post_init__(self) -> None:
        if self.engine_rate_hz not in ENGINE_RATES_HZ:
            raise EndlosError(f"the engine runs at 44100 or 48000 Hz, not at {self.engine_rate_hz}")
        if not 0.0 <= self.fade_s <= 20.0:
            raise EndlosError(f"fade_s is {self.fade_s}, expected 0 to 20 seconds")
        if self.target_lufs is not None and not -40.0 <= self.target_lufs <= 0.0:
            raise EndlosError(f"target_lufs is {self.target_lufs}, expected -40 to 0")


def suited_rate_hz(output_rate_hz: int) -> int:
    """Return the engine's rate that suits an output of a rate of its own: that, or else the usual one."""
    if output_rate_hz in ENGINE_RATES_HZ:
        return output_rate_hz
    return SoundSettings.engine_rate_hz
