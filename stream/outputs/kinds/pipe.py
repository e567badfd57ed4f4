"""The pipe output hands samples to another program, through standard output or a named pipe."""

import os
import select
import stat
import struct
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal, cast, get_args

import numpy as np
import soxr

from model.base.arrays import FloatArray
from model.base.errors import OutputError
from model.base.files import what_to_do
from stream.outputs.encoding.pcm import whole_samples
from stream.outputs.fed import explain
from stream.outputs.place import OutputKind, OutputUri, Place, Tap, did_you_mean
from stream.outputs.written import EndOfWritingError, WrittenOutput, file_place

PipeFormat = Literal["s16le", "f32le", "wav"]
PIPE_FORMATS: tuple[PipeFormat, ...] = get_args(PipeFormat)
LEAST_RATE_HZ, MOST_RATE_HZ = 8_000, 192_000
_FORM = "pipe:PATH[?format=s16le&rate=48000]"
_STANDARD = "-"
# What may be written to a pipe without waiting, once it is said to have room (POSIX).
_AT_ONCE_BYTES = 4096
_POLL_S = 0.25
_OPEN_END = 0xFFFFFFFF
"""The length of a WAV stream whose end nobody knows."""


@dataclass(frozen=True, kw_only=True)
class PipeSettings(Place):
    """Which pipe to write into, and what stands in it."""

    path: Path | None = None
    """A named pipe, made where there is none; None: standard output."""
    sample_format: PipeFormat = "s16le"
    """`wav` is s16le behind a header, which each reader gets."""
    rate_hz_asked: int | None = None
    """How many frames a second; None: as many as the engine's."""

    def __post_init__(self) -> None:
        rate_hz = self.rate_hz_asked
        if rate_hz is not None and not LEAST_RATE_HZ <= rate_hz <= MOST_RATE_HZ:
            raise OutputError(
                f"{self.name} is asked for at {rate_hz} Hz; expected {LEAST_RATE_HZ} to {MOST_RATE_HZ}"
            )

    @property
    def name(self) -> str:
        """What it is called in status and log."""
        return f"pipe:{_STANDARD if self.path is None else self.path}"

    def open(self, tap: Tap) -> Sequence["PipeOutput"]:
        """Return the output that writes there."""
        return [PipeOutput(self, tap.engine_rate_hz)]

    def takes(self) -> Sequence[str]:
        """Return the pipe."""
        return ["standard output" if self.path is None else file_place(self.path)]

    def require(self) -> None:
        """Take standard output for the sound alone, or make the named pipe; refuse where that cannot be."""
        if self.path is None:
            taken_standard_output()
        else:
            make_pipe(self.path.expanduser())


class PipeOutput(WrittenOutput):
    """Writes samples into a pipe; without a reader they go nowhere, and nothing waits for one.

    A named pipe may get its readers one after the other; standard output has one, and ends with it.
    """

    kind = "pipe"

    def __init__(self, settings: PipeSettings, engine_rate_hz: int) -> None:
        super().__init__(settings.name, engine_rate_hz)
        self._path = None if settings.path is None else settings.path.expanduser()
        self._format = settings.sample_format
        self._rate_hz = settings.rate_hz_asked or engine_rate_hz
        self._resampler = (
            soxr.ResampleStream(engine_rate_hz, self._rate_hz, 2, dtype="float32")
            if self._rate_hz != engine_rate_hz
            else None
        )
        self._pipe: int | None = None
        self._read = False
        self._trouble = ""
        self._written_bytes = 0

    def _open(self) -> None:
        if self._path is None:
            self._pipe, self._read = taken_standard_output(), True
            if self._format == "wav":
                self._begin(self._pipe)
        else:
            make_pipe(self._path)

    def _write(self, block: FloatArray) -> None:
        if self._resampler is not None:
            block = cast(FloatArray, self._resampler.resample_chunk(np.ascontiguousarray(block)))
        try:
            pipe = self._reader()
            if pipe is not None:
                self._put(pipe, self._samples(block))
        except BrokenPipeError:
            if self._path is None:
                raise EndOfWritingError("who read standard output has gone") from None
            self._hang_up()

    def _size_bytes(self) -> int:
        return self._written_bytes

    def _finish(self, *, failed: bool) -> None:
        self._hang_up()

    def _samples(self, block: FloatArray) -> bytes:
        if self._format == "f32le":
            return block.astype("<f4").tobytes()
        return whole_samples(block, 16).astype("<i2").tobytes()

    def _reader(self) -> int | None:
        """Return the pipe where there is somebody at its other end; a new reader gets the header first."""
        if self._path is None:
            return self._pipe
        read = self._pipe is not None and has_reader(self._pipe)
        if self._pipe is not None and not read and (self._read or not is_pipe_at(self._pipe, self._path)):
            # What was not read goes with it: the next reader is to begin with a whole frame.
            self._hang_up()
        try:
            if self._pipe is None:
                self._pipe = open_writing_end(self._path)
                read = has_reader(self._pipe)
        except (OSError, OutputError) as error:
            self._trouble = explain(error)
            return None
        self._trouble = ""
        before, self._read = self._read, read
        if read and not before:
            self._begin(self._pipe)
        return self._pipe if read else None

    def _begin(self, pipe: int) -> None:
        if self._format == "wav":
            self._put(pipe, wav_header(self._rate_hz))

    def _put(self, pipe: int, data: bytes) -> None:
        """Write all of it, as fast as it is read; the rest is left out where the output is to end."""
        rest = memoryview(data)
        while rest and not self._stop_wanted(pipe):
            with suppress(BlockingIOError):
                written = os.write(pipe, rest[:_AT_ONCE_BYTES])
                self._written_bytes += written
                rest = rest[written:]

    def _stop_wanted(self, pipe: int) -> bool:
        """Wait until there is room in the pipe; return whether the output is to end instead."""
        # Windows has no such question for pipes: there a write waits.
        while sys.platform != "win32" and not select.select([], [pipe], [], _POLL_S)[1]:
            if self.ending:
                return True
        return False

    def _hang_up(self) -> None:
        pipe, self._pipe, self._read = self._pipe, None, False
        if pipe is not None:
            with suppress(OSError):
                os.close(pipe)

    def _listening(self) -> int | None:
        return int(self._read)

    def _detail(self) -> str:
        return self._trouble or ("" if self._read else "nobody reads")


@cache
def taken_standard_output() -> int:
    """Return what was standard output, for the sound alone; what is printed goes to standard error.

    `OutputError` where it is a terminal, or closed.
    """
    try:
        if os.isatty(1):
            raise OutputError(
                "standard output is a terminal; expected a program behind it, such as `... | ffmpeg ...`"
            )
        sys.stdout.flush()
        taken = os.dup(1)
        os.dup2(2, 1)
    except OSError as error:
        raise OutputError(f"standard output cannot be written to ({error.strerror or error})") from error
    return taken


def make_pipe(path: Path) -> None:
    """Make a named pipe where there is none; `OutputError` where it cannot be, or something else is there."""
    if not hasattr(os, "mkfifo"):
        raise OutputError(f"{path} cannot be made: this system has no named pipes; use pipe:{_STANDARD}")
    try:
        with suppress(FileExistsError):
            os.mkfifo(path)
        if not stat.S_ISFIFO(path.stat().st_mode):
            raise OutputError(f"{path} is there and is no pipe; choose another place")
    except OSError as error:
        raise OutputError(
            f"{path} cannot be made ({error.strerror or error}); {what_to_do(error)}"
        ) from error


def open_writing_end(path: Path) -> int:
    """Open a named pipe to write, which is made where there is none, whether anybody reads it or not.

    It has to be open before its reader comes: snapserver 0.26 reads at once, and takes a pipe that nobody has
    open to write for one that is at its end.
    """
    make_pipe(path)
    # Nobody can open one to write without waiting but where somebody has it open to read.
    reading = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        return os.open(path, os.O_WRONLY | os.O_NONBLOCK)
    finally:
        os.close(reading)


def has_reader(pipe: int) -> bool:
    """Return whether anybody has the other end of a pipe open."""
    asked = select.poll()
    asked.register(pipe, 0)
    return not asked.poll(0)


def is_pipe_at(pipe: int, path: Path) -> bool:
    """Return whether a path still leads to an open pipe; a reader may have removed it, and made its own."""
    try:
        return os.path.samestat(os.fstat(pipe), path.stat())
    except OSError:
        return False


def wav_header(rate_hz: int) -> bytes:
    """Return the header of a WAV stream of 16 bits without an end, as ffmpeg and sox write it into a pipe."""
    frame_bytes = 2 * 2
    told = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 2, rate_hz, rate_hz * frame_bytes, frame_bytes, 16)
    return struct.pack("<4sI4s", b"RIFF", _OPEN_END, b"WAVE") + told + struct.pack("<4sI", b"data", _OPEN_END)


def pipe_from_uri(uri: OutputUri) -> PipeSettings:
    """Read `pipe:-` or `pipe:PATH`, with `?format=F&rate=HZ`; `OutputError` on anything else."""
    options = uri.options("format", "rate")
    where = uri.rest.removeprefix("//")
    if not where:
        raise OutputError(f"{uri.safe} names no pipe; expected {_FORM}, or pipe:- for standard output")
    return PipeSettings(
        path=None if where == _STANDARD else Path(where),
        sample_format=_format(options.text("format") or PipeSettings.sample_format),
        rate_hz_asked=options.whole("rate"),
    )


def _format(name: str) -> PipeFormat:
    for each in PIPE_FORMATS:
        if each == name:
            return each
    raise OutputError(
        f"there is no format {name!r} of a pipe{did_you_mean(name, PIPE_FORMATS)}; "
        f"take one of {', '.join(PIPE_FORMATS)}"
    )


PIPE_KIND = OutputKind(
    scheme="pipe",
    form=_FORM,
    summary="samples for another program; PATH - is standard output",
    from_uri=pipe_from_uri,
    at_path=True,
)
