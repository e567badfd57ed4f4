"""This module writes stream titles between the bytes of audio, by SHOUTcast's ICY protocol."""

from collections.abc import Callable

from stream.outputs.titles import icy_text

ICY_INTERVAL_BYTES = 16_000
"""Bytes from one title to the next."""

_UNIT_BYTES = 16
_MAX_BYTES = 255 * _UNIT_BYTES


class IcyTitles:
    """Sets stream titles between the bytes of one listener."""

    def __init__(self, title: Callable[[], str], interval_bytes: int = ICY_INTERVAL_BYTES) -> None:
        self._title = title
        self._interval_bytes = interval_bytes
        self._left_bytes = interval_bytes
        self._said: str | None = None

    def weave(self, data: bytes) -> bytes:
        """Return `data` with a title after each interval; an empty one where it has not changed."""
        woven = bytearray()
        while len(data) >= self._left_bytes:
            woven += data[: self._left_bytes]
            data = data[self._left_bytes :]
            self._left_bytes = self._interval_bytes
            woven += self._block()
        self._left_bytes -= len(data)
        return bytes(woven + data)

    def _block(self) -> bytes:
        title = self._title()
        if title == self._said:
            return b"\0"
        self._said = title
        # Players look for "';" as the end, and the length counts units of 16 bytes in one byte.
        text = icy_text(title).encode(errors="replace")[: _MAX_BYTES - len(b"StreamTitle='';")]
        block = b"StreamTitle='" + text.decode(errors="ignore").encode() + b"';"
        units = -(-len(block) // _UNIT_BYTES)
        return bytes([units]) + block.ljust(units * _UNIT_BYTES, b"\0")
