"""This module writes stream titles between the bytes of audio, by SHOUTcast's ICY protocol."""

from stream.outputs.titles import icy_text

ICY_INTERVAL_BYTES = 16_000
"""Bytes from one title to the next."""

_UNIT_BYTES = 16
_MAX_BYTES = 255 * _UNIT_BYTES


class IcyTitles:
    """Sets stream titles between the bytes of one listener."""

    def __init__(self, interval_bytes: int = ICY_INTERVAL_BYTES) -> None:
        self._interval_bytes = interval_bytes
        self._left_bytes = interval_bytes
        self._said: str | None = None

    def weave(self, data: bytes, title: str) -> bytes:
        """Return `data`, which has one title, with it after each interval; an empty one where it is said."""
        parts = []
        begin = 0
        while len(data) - begin >= self._left_bytes:
            parts += [data[begin : begin + self._left_bytes], self._block(title)]
            begin += self._left_bytes
            self._left_bytes = self._interval_bytes
        self._left_bytes -= len(data) - begin
        return b"".join([*parts, data[begin:]])

    def _block(self, title: str) -> bytes:
        if title == self._said:
            return b"\0"
        self._said = title
        # Players look for "';" as the end, and the length counts units of 16 bytes in one byte.
        text = icy_text(title).encode(errors="replace")[: _MAX_BYTES - len(b"StreamTitle='';")]
        block = b"StreamTitle='" + text.decode(errors="ignore").encode() + b"';"
        units = -(-len(block) // _UNIT_BYTES)
        return bytes([units]) + block.ljust(units * _UNIT_BYTES, b"\0")
