"""A ban leaves a song out whose file could not be read, and tries it again ever more rarely."""

from dataclasses import dataclass

from model.base.errors import EndlosError

FIRST_WAIT_S = 1.0
LONGEST_WAIT_S = 60.0
FORGIVEN_S = 600.0
"""A song that could be read for this long since it was last tried begins anew with the first wait."""


class NothingReadableError(EndlosError):
    """No song can be read at this moment; a stream that sounds already falls silent and asks again."""


@dataclass(frozen=True, kw_only=True)
class _Ban:
    until_s: float
    wait_s: float


class Bans:
    """Which songs (by audio hash) are left out at a time, in seconds of whatever clock; not locked.

    A network drive that is gone for a moment, or a file that is being written anew, must not take a song out
    of the stream for good: each ban ends by itself, after twice as long as the one before.
    """

    def __init__(self) -> None:
        self._bans: dict[str, _Ban] = {}

    def add(self, audio_hash: str, now_s: float) -> None:
        """Leave a song out, for longer each time; while it is left out already, nothing changes."""
        ban = self._bans.get(audio_hash)
        if ban is not None and now_s < ban.until_s:
            return
        wait_s = FIRST_WAIT_S
        if ban is not None and now_s < ban.until_s + FORGIVEN_S:
            wait_s = min(2 * ban.wait_s, LONGEST_WAIT_S)
        self._bans[audio_hash] = _Ban(until_s=now_s + wait_s, wait_s=wait_s)

    def current(self, now_s: float) -> frozenset[str]:
        """Return the songs that are left out then."""
        return frozenset(audio_hash for audio_hash, ban in self._bans.items() if now_s < ban.until_s)

    def clear(self) -> None:
        """Try every song again: the pool has been built anew."""
        self._bans.clear()
