"""Rendering writes a stream into an audio file, and keeps what it has where it fails on the way."""

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from model.base.arrays import FloatArray
from stream.outputs.audio_file import AudioFileWriter
from tools.terminal import clock


def write_stream(
    writer: AudioFileWriter,
    blocks: Iterable[FloatArray],
    rate_hz: int,
    told: Callable[[float], None] = lambda done_s: None,
) -> None:
    """Write all blocks `(frames, 2)` float32, and finish the file.

    told: how many seconds are written. After a failure of the stream or of the disk what was written is kept
    (`AudioFileWriter.keep_incomplete`), and standard error says where before the reason is raised.
    """
    with _kept(writer, rate_hz):
        for block in blocks:
            writer.write(block)
            told(writer.frames / rate_hz)
        writer.close()


@contextmanager
def _kept(writer: AudioFileWriter, rate_hz: int) -> Iterator[None]:
    try:
        yield
    except Exception:
        rendered = clock(writer.frames / rate_hz)
        kept = writer.keep_incomplete()
        if kept is not None:
            print(
                f"endlos: the {rendered} that were rendered before it failed are in {kept}", file=sys.stderr
            )
        elif writer.frames:
            print(f"endlos: the {rendered} that were rendered could not be kept", file=sys.stderr)
        raise
