"""This module runs `endlos serve`, with a log line for each change of an output and a faded end."""

import logging
import sys
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from stream.engine.decisions import DecisionLog
from stream.engine.settings import EngineSettings
from stream.outputs.output import OutputStatus
from stream.service.session import OutputSettings, Session, require_places
from tools.running.ending import EndedError, Ending
from tools.running.latency import card_timing, parse_latency
from tools.running.preparing import prepare, require_model
from tools.terminal import printable

_log = logging.getLogger("endlos")

_LOOK_S = 1.0


@dataclass(frozen=True, kw_only=True)
class ServeSettings:
    """What `endlos serve` was asked for."""

    engine: EngineSettings
    outputs: OutputSettings
    latency: str | None = None
    """The sound card's latency, as `--latency` takes it; None is a safe default."""
    block_frames: int | None = None
    log: Path | None = None
    """File for the decision log."""
    quiet: bool = False
    """Log warnings only."""


def serve_source(source: Path | None, settings: ServeSettings) -> None:
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


def _serve(source: Path | None, settings: ServeSettings, ending: Ending) -> None:
    parse_latency(settings.latency)
    require_places(settings.outputs)
    require_model(settings.engine)
    outputs = settings.outputs
    if outputs.sound_card:
        timing = card_timing(
            settings.latency,
            settings.block_frames,
            outputs.device,
            settings.engine.engine_rate_hz,
            _log.info,
            ending.check,
        )
        outputs = replace(outputs, timing=timing)
    with ExitStack() as opened:
        _log.info("opening %s", "the demo songs" if source is None else source)
        prepared = prepare(source, ending.check, _log.info)
        opened.callback(prepared.close)
        decisions = opened.enter_context(DecisionLog(settings.log.expanduser())) if settings.log else None
        engine = prepared.open_engine(settings.engine, ending.check, decisions)
        session = Session(engine, outputs, decisions)
        opened.callback(session.close)
        session.start()
        if session.web is not None:
            _log.info("serving %s", session.web.url)
        seen: dict[str, str] = {}
        while not ending.wanted:
            session.check()
            for status in session.statuses():
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
