"""This module runs `endlos serve`, with a log line for each change of an output and a faded end."""

import logging
from pathlib import Path

from stream.outputs.output import OutputStatus, is_over
from tools.running.ending import EndedError, Ending
from tools.running.live import LiveSettings, live_stream
from tools.running.service_manager import ServiceManager, SoundWatch, service_status
from tools.terminal import printable

_log = logging.getLogger("endlos")

_LOOK_S = 1.0


def serve_source(source: Path | None, settings: LiveSettings) -> None:
    """Serve a pool, music or the demo songs until a signal ends it; `KeyboardInterrupt` after Ctrl-C.

    Raises `EndlosError` when there is nothing to serve, or an output cannot ever work. What it says goes to
    the log (`tools.running.logs`), and to systemd where that has started it.
    """
    manager = ServiceManager()
    with Ending() as ending:
        try:
            _serve(source, settings, ending, manager)
        except EndedError:
            # Not an error: it was ended while it still prepared.
            _note("ended", "ended")
        finally:
            manager.close()
    if ending.by_interrupt:
        raise KeyboardInterrupt


def _serve(source: Path | None, settings: LiveSettings, ending: Ending, manager: ServiceManager) -> None:
    def check() -> None:
        ending.check()
        manager.preparing()

    _note("opening", f"opening {'the demo songs' if source is None else source}")
    with live_stream(source, settings, check=check, notice=check, tell=_log.info) as live:
        session = live.session
        for web in session.webs:
            _note("serving", f"serving {web.url}", url=web.url)
        manager.ready()
        seen: dict[str, str] = {}
        watch = SoundWatch()
        while not (ending.wanted or is_over(statuses := session.statuses())):
            session.check()
            failure = live.prepared.look()
            if failure is not None:
                _log.warning("%s", printable(failure))
            for status in statuses:
                _log_change(status, seen)
            if manager.listens:
                moment = session.moment()
                if watch.lives(moment):
                    manager.alive()
                manager.status(service_status(moment))
            ending.wait(_LOOK_S)
        manager.stopping()
        _note("ending", "ending")
    _note("ended", "ended")


def _note(event: str, text: str, **more: object) -> None:
    _log.info("%s", text, extra={"event": event, **more})


def _log_change(status: OutputStatus, seen: dict[str, str]) -> None:
    if seen.get(status.name) == status.state:
        return
    seen[status.name] = status.state
    detail = f" ({printable(status.detail)})" if status.detail else ""
    _log.log(
        logging.WARNING if status.state == "reconnecting" else logging.INFO,
        "%s: %s%s",
        status.name,
        status.state,
        detail,
        extra={
            "event": "output",
            "output": status.name,
            "state": status.state,
            "detail": status.detail,
            "reconnects": status.reconnects,
        },
    )
