"""The log of a service is one line for each event, for whoever reads it, without a secret."""

import io
import json
import logging
import os
import sys
import threading
import warnings
from collections.abc import Callable

import pytest
import typer

from model.base.aside import MOST_LINES_WAITING
from model.base.errors import EndlosError
from tools.running.logs import JsonLines, LogFormat, TextLines, service_log


def logged(
    monkeypatch: pytest.MonkeyPatch, log_format: LogFormat, act: Callable[[], None], *, quiet: bool = False
) -> list[str]:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    with service_log(log_format, quiet=quiet):
        act()
    return stream.getvalue().splitlines()


def test_a_json_line_says_when_how_bad_what_and_of_which_output(monkeypatch: pytest.MonkeyPatch) -> None:
    def act() -> None:
        log = logging.getLogger("endlos")
        about = {"event": "output", "output": "http mp3", "state": "playing"}
        log.info("%s: playing", "http mp3", extra=about)
        logging.getLogger("stream.anything").warning("one\ntwo «%s»", "ü")
        logging.getLogger("stream.anything").info("not so important")

    first, second = map(json.loads, logged(monkeypatch, "json", act))
    assert first.pop("time").endswith("+00:00")
    assert first == {
        "level": "info",
        "event": "output",
        "message": "http mp3: playing",
        "logger": "endlos",
        "output": "http mp3",
        "state": "playing",
    }
    assert (second["level"], second["event"], second["message"]) == ("warning", "message", "one\ntwo «ü»")


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_no_line_shows_a_password(monkeypatch: pytest.MonkeyPatch, log_format: LogFormat) -> None:
    def act() -> None:
        try:
            raise OSError("icecast://source:hidden@host/x.mp3")
        except OSError:
            logging.getLogger("av").exception("cannot open %s", "icecast://source:hidden@host/x.mp3")

    shown = "\n".join(logged(monkeypatch, log_format, act))
    assert "icecast://source:***@host/x.mp3" in shown
    assert "hidden" not in shown and "Traceback" in shown


def test_warnings_of_python_and_failed_threads_are_lines_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def act() -> None:
        warnings.warn("something is old", stacklevel=1)

        def fail() -> None:
            raise ValueError("odd")

        thread = threading.Thread(target=fail, name="the fifth")
        thread.start()
        thread.join()

    old, failed = map(json.loads, logged(monkeypatch, "json", act))
    assert old["logger"] == "py.warnings" and "something is old" in old["message"]
    assert failed["level"] == "error" and "the fifth" in failed["message"]
    assert "ValueError" in failed["traceback"]


def test_what_ends_the_command_is_a_line_in_json_and_a_sentence_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def expected() -> None:
        raise EndlosError("there is no music; name some")

    def unexpected() -> None:
        raise ZeroDivisionError("oh")

    for act, traced in ((expected, False), (unexpected, True)):
        stream = io.StringIO()
        monkeypatch.setattr(sys, "stderr", stream)
        with pytest.raises(typer.Exit) as ended, service_log("json", quiet=True):
            act()
        assert ended.value.exit_code == 1
        (line,) = map(json.loads, stream.getvalue().splitlines())
        assert line["event"] == "failed" and line["level"] == "critical"
        assert ("traceback" in line) == traced
    with pytest.raises(EndlosError), service_log("text", quiet=True):
        expected()


def test_in_the_journal_a_line_begins_with_its_severity(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as stream:
        here = os.fstat(stream.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{here.st_dev}:{here.st_ino}")
        monkeypatch.setattr(sys, "stderr", stream)
        with service_log("text", quiet=False):
            logging.getLogger("endlos").info("playing")
            logging.getLogger("endlos").warning("gone\nfor good")
    with os.fdopen(reading) as stream:
        assert stream.read() == "<6>playing\n<4>gone\n<4>for good\n"


def test_elsewhere_a_line_says_the_time_and_quiet_means_warnings(monkeypatch: pytest.MonkeyPatch) -> None:
    # That of whoever started the tests is another stream.
    monkeypatch.setenv("JOURNAL_STREAM", "1:2")

    def act() -> None:
        logging.getLogger("endlos").info("playing")
        logging.getLogger("endlos").warning("gone")

    (line,) = logged(monkeypatch, "text", act, quiet=True)
    assert line.endswith(" WARNING gone") and line[:2] == "20"
    handlers = logging.getLogger().handlers
    assert not [one for one in handlers if isinstance(one.formatter, JsonLines | TextLines)]


def test_a_log_that_nobody_reads_holds_nobody_up_and_says_what_is_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reading, writing = os.pipe()
    said, many = "x" * 1_000, 2 * MOST_LINES_WAITING
    with os.fdopen(writing, "w") as stream, os.fdopen(reading) as found:
        monkeypatch.setattr(sys, "stderr", stream)
        with service_log("json", quiet=True):
            # Far more than a pipe and what may wait hold: were it waited for who reads, this would not end.
            for _ in range(many):
                logging.getLogger("stream.anything").warning(said)
            messages: list[str] = []
            while not messages or messages[-1] == said:
                messages.append(json.loads(found.readline())["message"])
    assert messages[-1] == f"{many - len(messages) + 1} lines of the log are lost: nobody took them"
    assert len(messages) > MOST_LINES_WAITING
