"""The file output writes the stream into an audio file while it plays, bit for bit."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from model.base.arrays import FloatArray
from model.base.errors import OutputError
from model.base.kept import held_to_write
from stream.outputs.audio_file import (
    EXTENSIONS,
    AudioFileWriter,
    open_audio_file,
    require_audio_file,
    require_encoding,
)
from stream.outputs.place import OutputKind, OutputUri, Place, Tap
from stream.outputs.written import EndOfWritingError, WrittenOutput, file_place

_FORM = "file:PATH[?bits=16&bitrate=192]"


@dataclass(frozen=True, kw_only=True)
class FileSettings(Place):
    """Which file to write, and how; its extension says the format."""

    path: Path
    bits: int | None = None
    """Of .wav and .flac; None is `DEFAULT_BITS`."""
    bitrate_kbps: int | None = None
    """Of the others; None is the format's own."""

    def __post_init__(self) -> None:
        require_encoding(self.path, self.bits, self.bitrate_kbps)

    def open(self, tap: Tap) -> Sequence["FileOutput"]:
        """Return the output that writes the file."""
        return [FileOutput(self, tap.engine_rate_hz)]

    def takes(self) -> Sequence[str]:
        """Return the file."""
        return [file_place(self.path)]

    def require(self) -> None:
        """Refuse what can be no audio file, has no folder to stand in, or is written by another process."""
        require_audio_file(self.path.expanduser())
        with self.held():
            pass

    def held(self) -> AbstractContextManager[None]:
        """Keep the file to this process; `OutputError` where another one writes it."""
        taken = OutputError(f"{self.path} is written by another endlos; end that one, or choose another file")
        return held_to_write(self.path.expanduser(), taken)

    def writes(self) -> Path:
        """Return the file."""
        return self.path


class FileOutput(WrittenOutput):
    """Writes one audio file, beside its name; it gets that when the stream ends, or it can grow no more.

    What was written before a fault, such as a full disk, is kept under the name that a failed render has; so
    is what a killed run left. A file that has the name by then is set aside.
    """

    kind = "file"

    def __init__(self, settings: FileSettings, engine_rate_hz: int) -> None:
        super().__init__(f"file:{settings.path}", engine_rate_hz)
        self._settings = settings
        self._writer: AudioFileWriter | None = None
        self._held = ExitStack()

    def _open(self) -> None:
        settings = self._settings
        with ExitStack() as held:
            held.enter_context(settings.held())
            self._writer = open_audio_file(
                settings.path.expanduser(),
                self.engine_rate_hz,
                bits=settings.bits,
                bitrate_kbps=settings.bitrate_kbps,
                keep=True,
            )
            self._held = held.pop_all()

    def _write(self, block: FloatArray) -> None:
        writer = cast(AudioFileWriter, self._writer)
        if writer.frames + len(block) > writer.most_frames:
            raise EndOfWritingError("it is as long as such a file can be; a .flac file can be longer")
        writer.write(block)

    def _size_bytes(self) -> int:
        return 0 if self._writer is None else self._writer.size_bytes

    def _finish(self, *, failed: bool) -> None:
        writer = cast(AudioFileWriter, self._writer)
        with self._held:
            if failed:
                self.add_to_fault(_kept(writer))
                return
            try:
                writer.close()
            except OutputError as error:
                raise OutputError(f"{error}{_kept(writer)}") from error


def _kept(writer: AudioFileWriter) -> str:
    """Keep what was written before a fault, and return the end of a sentence about it."""
    kept = writer.keep_incomplete()
    writer.abandon()
    return "" if kept is None else f"; what was written is kept in {kept}"


def file_from_uri(uri: OutputUri) -> FileSettings:
    """Read `file:PATH[?bits=B&bitrate=KBPS]`, or `file:///PATH`; `OutputError` on anything else."""
    options = uri.options("bits", "bitrate")
    path = uri.rest.removeprefix("//")
    if not path:
        raise OutputError(f"{uri.safe} names no file; expected {_FORM}, ending in {', '.join(EXTENSIONS)}")
    return FileSettings(path=Path(path), bits=options.whole("bits"), bitrate_kbps=options.whole("bitrate"))


FILE_KIND = OutputKind(
    scheme="file",
    form=_FORM,
    summary=f"a file: {' '.join(EXTENSIONS)}",
    from_uri=file_from_uri,
    at_path=True,
)
