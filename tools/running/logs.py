"""The log of a service has a line for each event, for a person, for the journal, or as JSON for a program."""

import json
import logging
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any, Literal, TextIO

import typer

from model.base.aside import LinesAside
from tools.config.addresses import masked
from tools.terminal import sentence, write_past_buffers

LogFormat = Literal["text", "json"]

_log = logging.getLogger("endlos")
_TEXT = "%(asctime)s %(levelname)s %(message)s"
# As syslog counts, which the journal reads at the beginning of a line.
_SEVERITIES = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))
_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "event"}


class JsonLines(logging.Formatter):
    """One JSON object a line: time, level, event, message, logger, and what the event is about."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line; what a record was given as `extra` stands beside the rest."""
        told: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": getattr(record, "event", "message"),
            "message": masked(record.getMessage()),
            "logger": record.name,
        }
        told |= {name: value for name, value in vars(record).items() if name not in _OWN}
        if record.exc_info:
            told["traceback"] = masked(self.formatException(record.exc_info))
        return json.dumps(told, ensure_ascii=False, default=str)


class TextLines(logging.Formatter):
    """One line for a person; in the journal, which keeps the time itself, with its severity instead."""

    def __init__(self, *, journal: bool) -> None:
        super().__init__("%(message)s" if journal else _TEXT)
        self._journal = journal

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, and behind it a traceback where there is one."""
        text = masked(super().format(record))
        if not self._journal:
            return text
        severity = next((number for level, number in _SEVERITIES if record.levelno >= level), 7)
        return "\n".join(f"<{severity}>{line}" for line in text.splitlines())


class LogAside(logging.Handler):
    """Writes records on standard error in a thread of its own, so that no thread waits for who reads them."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream
        self._lines = LinesAside(partial(write_past_buffers, stream), "log", lost=self._tell_lost)

    def emit(self, record: logging.LogRecord) -> None:
        """Have a record written; of those for which there was no room, a line tells later."""
        try:
            self._lines.put(self.format(record) + "\n")
        except Exception:  # what cannot be put into words must not end who wanted to say it
            self.handleError(record)

    def _tell_lost(self, lines: int) -> None:
        text = f"{lines} lines of the log are lost: nobody took them"
        record = _log.makeRecord(_log.name, logging.WARNING, __file__, 0, text, (), None)
        write_past_buffers(self._stream, self.format(record) + "\n")

    def close(self) -> None:
        """Write what waits, for as long as somebody takes it."""
        self._lines.close()
        super().close()


@contextmanager
def service_log(log_format: LogFormat, *, quiet: bool) -> Iterator[None]:
    """Write all that is logged on standard error meanwhile, warnings of Python and failed threads too.

    In JSON also what ends the command is such a line; it then exits 1. quiet: warnings only.
    """
    handler = LogAside(sys.stderr)
    as_json = log_format == "json"
    handler.setFormatter(JsonLines() if as_json else TextLines(journal=_into_the_journal()))
    root = logging.getLogger()
    threads = threading.excepthook
    root.addHandler(handler)
    _log.setLevel(logging.WARNING if quiet else logging.INFO)
    logging.captureWarnings(True)
    threading.excepthook = _log_thread
    try:
        yield
    except (typer.Exit, typer.Abort):
        raise
    except Exception as error:
        if not as_json:
            raise
        _log.critical("%s", sentence(error), extra={"event": "failed"}, exc_info=_unexpected(error))
        raise typer.Exit(1) from None
    finally:
        threading.excepthook = threads
        logging.captureWarnings(False)
        root.removeHandler(handler)
        handler.close()


def _log_thread(failed: threading.ExceptHookArgs) -> None:
    name = "a thread" if failed.thread is None else f"the thread {failed.thread.name}"
    if failed.exc_value is not None and not isinstance(failed.exc_value, SystemExit):
        _log.error("%s has failed: %r", name, failed.exc_value, exc_info=failed.exc_value)


def _unexpected(error: Exception) -> Exception | None:
    """Return an error whose traceback somebody will want to see."""
    from model.base.errors import EndlosError

    return None if isinstance(error, EndlosError | OSError) else error


def _into_the_journal() -> bool:
    """Whether standard error is what systemd said it is: a stream into the journal."""
    device, _, inode = os.environ.get("JOURNAL_STREAM", "").partition(":")
    try:
        here = os.fstat(sys.stderr.fileno())
    except (OSError, ValueError):
        return False
    return (device, inode) == (str(here.st_dev), str(here.st_ino))
