"""The service manager, systemd, is told when the stream sounds, and again and again that it still does.

The protocol is one datagram a message (sd_notify(3)): a few lines, so no library for it.
"""

import os
import socket
import time
from collections.abc import Callable, MutableMapping
from contextlib import suppress

from stream.service.moment import Moment

SILENCE_S = 60.0
"""Longer than this no song is silent; an output that plays and is, tells of a fault."""
_PREPARING_S = 60.0
_PREPARING_EVERY_S = 10.0


class ServiceManager:
    """Whoever started this process and listens; nobody, where it was a person. Belongs to one thread."""

    def __init__(self, environment: MutableMapping[str, str] = os.environ) -> None:
        """Take the address out of the environment: what is started from here is not the service."""
        address = environment.pop("NOTIFY_SOCKET", "")
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self._socket = None
        if self._address and hasattr(socket, "AF_UNIX"):
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self._socket.setblocking(False)
        self._status = ""
        self._prepared_s = float("-inf")

    @property
    def listens(self) -> bool:
        """Whether anybody is told."""
        return self._socket is not None

    def preparing(self) -> None:
        """Ask for more time: the first songs are being analysed. May be called as often as one likes."""
        now_s = time.monotonic()
        if now_s - self._prepared_s >= _PREPARING_EVERY_S:
            self._prepared_s = now_s
            self._send(f"STATUS=preparing the first songs\nEXTEND_TIMEOUT_USEC={_PREPARING_S * 1e6:.0f}")

    def ready(self) -> None:
        """Say that the stream sounds."""
        self._send("READY=1")

    def alive(self) -> None:
        """Feed the watchdog."""
        self._send("WATCHDOG=1")

    def status(self, text: str) -> None:
        """Say how it is, in one line; told once."""
        if text != self._status:
            self._status = text
            self._send(f"STATUS={text}")

    def stopping(self) -> None:
        """Say that the stream fades out."""
        self._send("STOPPING=1\nSTATUS=ending")

    def close(self) -> None:
        """Say nothing more."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _send(self, message: str) -> None:
        if self._socket is not None:
            # Who does not listen is not waited for; the watchdog will tell.
            with suppress(OSError):
                self._socket.sendto(message.encode(), self._address)


class SoundWatch:
    """Looks whether sound still leaves: what keeps the watchdog quiet. Belongs to one thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock_s = clock
        self._began_s = clock()
        self._frames = -1

    def lives(self, moment: Moment) -> bool:
        """Return whether the engine was pulled since the last look, and what plays can be heard.

        A stream that somebody has paused lives. An output whose server is away is nothing that a new start
        would mend, and does not count.
        """
        moved = moment.pacing.frames != self._frames
        self._frames = moment.pacing.frames
        if moment.paused:
            return True
        playing = [status for status in moment.outputs if status.state in ("playing", "behind")]
        # What was never heard is silent for as long as there was anything to hear.
        never_s = self._clock_s() - self._began_s
        silent_s = [never_s if one.audible_ago_s is None else one.audible_ago_s for one in playing]
        return moved and min(silent_s, default=0.0) < SILENCE_S


def service_status(moment: Moment) -> str:
    """Return what `systemctl status` shows: what plays, and how many outputs are well."""
    wanted = [output for output in moment.health.outputs if not output.ended]
    well = sum(output.healthy for output in wanted)
    return f"{'paused' if moment.paused else moment.title}; {well} of {len(wanted)} outputs well"
