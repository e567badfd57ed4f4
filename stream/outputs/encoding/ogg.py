"""This module reads the pages of an Ogg stream for where a listener may join, and what is needed first."""


class OggPages:
    """Cuts a byte stream at Ogg page borders (RFC 3533) and sets the header pages aside."""

    def __init__(self) -> None:
        self.header = bytearray()
        self._in_header = True
        self._rest = b""

    def split(self, data: bytes) -> bytes:
        """Return the whole pages that are complete now, without the header's."""
        data = self._rest + data
        position = 0
        audio_from: int | None = None if self._in_header else 0
        while True:
            size = _page_size(data, position)
            if size is None or position + size > len(data):
                break
            if self._in_header:
                # Granule position 0 marks the pages that carry no audio yet.
                if data[position + 6 : position + 14] == bytes(8):
                    self.header += data[position : position + size]
                else:
                    self._in_header = False
                    audio_from = position
            position += size
        self._rest = data[position:]
        return b"" if audio_from is None else data[audio_from:position]


def _page_size(data: bytes, start: int) -> int | None:
    """Return the length of the page at `start`, or None while its header is incomplete."""
    if len(data) < start + 27:
        return None
    segments = data[start + 26]
    if len(data) < start + 27 + segments:
        return None
    return 27 + segments + sum(data[start + 27 : start + 27 + segments])
