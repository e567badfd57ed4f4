"""The status line shows what plays, over and over on one line of the terminal, with messages above it."""

import logging
import shutil
import sys

from model.base.aside import LinesAside
from stream.service.moment import Moment, song_title
from tools.terminal import clock, printable, write_past_buffers

_log = logging.getLogger("endlos")


def status_text(moment: Moment, engine_rate_hz: int) -> str:
    """Return the status line: song, position, what comes next and its score, how the output is doing."""
    playing, card = moment.playing, moment.leading
    parts = [f"{moment.title}  {clock(playing.position_s)}"]
    if moment.paused:
        parts[0] = f"paused: {parts[0]}"
    if playing.next_song is not None:
        going_on = playing.next_song.song_id == playing.song.song_id
        score = "" if playing.next_score is None else f" ({playing.next_score:.2f})"
        parts.append(f"next: {'goes on' if going_on else song_title(playing.next_song)}{score}")
    if card is not None:
        if card.volume_db is not None:
            parts.append(f"{card.volume_db:+.0f} dB")
        parts.append(f"underruns {1000 * card.underrun_frames / engine_rate_hz:.0f} ms")
    else:
        parts.append(f"{moment.listeners} listening")
    return " | ".join(parts)


class StatusLine(logging.Handler):
    """One line that is written over and over on a terminal, and messages that stay, above it.

    Takes the log as well while it is entered, so that a warning does not run into the line.
    """

    def __init__(self, quiet: bool) -> None:
        super().__init__(logging.WARNING)
        self._quiet = quiet
        self._live = not quiet and sys.stdout.isatty()
        self._shown = ""
        self._lines: LinesAside | None = None

    def show(self, text: str) -> None:
        """Write the line; nothing where standard output is no terminal."""
        if not self._live:
            return
        from rich.cells import set_cell_size

        columns = shutil.get_terminal_size().columns - 1
        fitted = set_cell_size(printable(text), columns)
        if fitted != self._shown:
            self._shown = fitted
            print(f"\r{fitted}", end="", flush=True)

    def note(self, text: str) -> None:
        """Print a message that stays."""
        if not self._quiet:
            self.clear()
            print(printable(text), flush=True)

    def clear(self) -> None:
        """Wipe the line."""
        if self._shown:
            print("\r" + " " * len(self._shown) + "\r", end="", flush=True)
            self._shown = ""

    def emit(self, record: logging.LogRecord) -> None:
        """Print a warning of the stream on standard error, without waiting for a terminal that is stopped."""
        if self._lines is not None:
            self._lines.put(f"endlos: {printable(record.getMessage())}\n")

    def _warn(self, line: str) -> None:
        self.clear()
        write_past_buffers(sys.stderr, line)

    def __enter__(self) -> "StatusLine":
        self._lines = LinesAside(self._warn, "warnings")
        logging.getLogger().addHandler(self)
        return self

    def __exit__(self, *exception: object) -> None:
        logging.getLogger().removeHandler(self)
        if self._lines is not None:
            self._lines.close()
        self.clear()


class LoggedStatus(StatusLine):
    """No line: messages go to the log, where a program reads them beside all else."""

    def show(self, text: str) -> None:
        """Write nothing."""

    def note(self, text: str) -> None:
        """Log a message."""
        _log.info("%s", text)

    def __enter__(self) -> "LoggedStatus":
        return self

    def __exit__(self, *exception: object) -> None:
        pass
