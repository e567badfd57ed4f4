"""A disk file takes all that an encoder writes, and is still there as far as it came after a fault."""

import os
from contextlib import suppress
from pathlib import Path


class DiskFile:
    """A file to be written (`stream.outputs.encoding.coder.BinaryFile`); belongs to one thread.

    A fault is kept for whoever writes the file, because libsndfile's callbacks cannot raise. From then on it
    grows no more; what is there already can still be written over, so that a header becomes true.
    """

    def __init__(self, path: Path) -> None:
        """Make the file; `OSError` when that cannot be."""
        # Without a buffer: what is in one when the disk is full would be lost.
        self._file = path.open("wb", buffering=0)
        self.fault: OSError | None = None
        """The first one, such as that of a full disk."""
        self._forgotten = False
        self._begin = 0
        self._position = 0
        self._size = 0

    @property
    def size_bytes(self) -> int:
        """Bytes that the file has. Any thread."""
        return self._begin + self._size

    def begin_here(self) -> None:
        """Have positions count from here: what was written stands before what an encoder knows of."""
        self._begin += self._position
        self._size -= self._position
        self._position = 0

    def write(self, data: bytes) -> int:
        """Take all of `data`, whether there is room for it or not."""
        if not self._forgotten:
            before = self._size
            room = len(data) if self.fault is None else max(0, before - self._position)
            try:
                self._put(memoryview(data)[:room])
            except OSError as error:
                self.fault = self.fault or error
                # Encoders write whole frames and pages; half of one would be taken for damage.
                self._size = before
                with suppress(OSError):
                    self._file.truncate(self._begin + before)
        self._position += len(data)
        return len(data)

    def _put(self, data: memoryview) -> None:
        self._file.seek(self._begin + self._position)
        done = 0
        while done < len(data):
            done += self._file.write(data[done:]) or 0
            self._size = max(self._size, self._position + done)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a position, and return it; the end is that of what could be written."""
        self._position = (0, self._position, self._size)[whence] + offset
        return self._position

    def tell(self) -> int:
        """Return the position."""
        return self._position

    def forget(self) -> None:
        """Write nothing from now on: the encoder has only to come to its end."""
        self._forgotten = True

    def close(self) -> None:
        """Have all of it on the disk itself, and close; `OSError` when that fails, but for a fault told.

        Nothing the second time.
        """
        if self._file.closed:
            return
        try:
            if not self._forgotten:
                os.fsync(self._file.fileno())
        except OSError as error:
            if self.fault is None:
                self.fault = error
                raise
        finally:
            with suppress(OSError):
                self._file.close()
