"""This module runs `endlos serve`, with a log line for each change of an output and a faded end."""

import logging
import sys
from pathlib import Path

from stream.outputs.output import OutputStatus
from tools.running.ending import EndedError, Ending
from tools.running.live import LiveSettings, live_stream
from tools.terminal import printable

_log = logging.getLogger("endlos")

_LOOK_S = 1.0


def serve_source(source: Path | None, settings: LiveSettings) -> None:
    """Serve a pool, music or the demo songs until a signal ends it; `KeyboardInterrupt` after Ctrl-C.

    Raises `EndlosError` when there is nothing to serve, or an output cannot ever work.
    """
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.WARNING,
        format="%(asctime)s %(levelname)s %(message)s",
    )
    _log.setLevel(logging.WARNING if settings.quiet else logging.INFO)
    with Ending() as ending:
        try:
            _serve(source, settings, ending)
        except EndedError:
            # Not an error: it was ended while it still prepared.
            _log.info("ended")
    if ending.by_interrupt:
        raise KeyboardInterrupt


def _serve(source: Path | None, settings: LiveSettings, ending: Ending) -> None:
    _log.info("opening %s", "the demo songs" if source is None else source)
    with live_stream(source, settings, check=ending.check, notice=ending.check, tell=_log.info) as live:
        session = live.session
        for web in session.webs:
            _log.info("serving %s", web.url)
        seen: dict[str, str] = {}
        while not ending.wanted:
            session.check()
            for status in session.moment().outputs:
                _log_change(status, seen)
            ending.wait(_LOOK_S)
        _log.info("ending")
    _log.info("ended")


def _log_change(status: OutputStatus, seen: dict[str, str]) -> None:
    if seen.get(status.name) == status.state:
        return
    seen[status.name] = status.state
    detail = f" ({printable(status.detail)})" if status.detail else ""
    level = logging.WARNING if status.state == "reconnecting" else logging.INFO
    _log.log(level, "%s: %s%s", status.name, status.state, detail)
