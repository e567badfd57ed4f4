"""This module runs `endlos play`, with its preparing, keys, status line and faded end."""

import time
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from model.base.errors import EndlosError
from model.saved.contract import chosen_model
from stream.choosing.settings import PlannerSettings
from stream.engine.decisions import DecisionLog
from stream.engine.settings import EngineSettings
from stream.outputs.devices import find_device, has_sound_card
from stream.outputs.output import status_of
from stream.service.server import HttpAddress
from stream.service.session import (
    OutputSettings,
    Session,
    new_seed,
    parse_address,
    parse_device,
    require_places,
)
from tools.running.ending import EndedError, Ending
from tools.running.keys import Keys, open_keys
from tools.running.latency import card_timing, parse_latency
from tools.running.preparing import Prepared, prepare, require_model
from tools.running.status_line import StatusLine, status_text
from tools.terminal import clock

VOLUME_STEP_DB = 2.0
KEYS_HELP = "space pause, n next, l like and d dislike the last join, + - volume, q quit"
_REFRESH_S = 0.2
_RATE_HZ, _OTHER_RATE_HZ = 44_100, 48_000


@dataclass(frozen=True, kw_only=True)
class PlaySettings:
    """What `endlos play` was asked for."""

    model: Path | None = None
    device: str | None = None
    seed: int | None = None
    """None: another stream each time."""
    volume_db: float = 0.0
    latency: str | None = None
    """As `--latency` takes it; None is a safe default."""
    block_frames: int | None = None
    http: str | None = None
    """Where to serve instead of playing on the sound card."""
    log: Path | None = None
    """File for the decision log."""
    simulate_slow_ms: float = 0.0
    quiet: bool = False

    def __post_init__(self) -> None:
        if not -60.0 <= self.volume_db <= 0.0:
            raise EndlosError(f"the volume is {self.volume_db:g} dB; give -60 to 0")


def play_source(source: Path | None, settings: PlaySettings) -> None:
    """Play a pool, music or the demo songs until it is ended; `KeyboardInterrupt` after Ctrl-C.

    Raises `EndlosError` when there is nothing to play, or nowhere to play it.
    """
    with StatusLine(settings.quiet) as line, Ending() as ending:
        try:
            _play(source, settings, line, ending)
        except EndedError:
            # Not an error; what was begun has been cleared away on the way here.
            line.clear()
    if ending.by_interrupt:
        raise KeyboardInterrupt


def _play(source: Path | None, settings: PlaySettings, line: "StatusLine", ending: Ending) -> None:
    parse_latency(settings.latency)
    outputs = _outputs(settings)
    require_places(outputs)
    chosen = EngineSettings(
        planner=PlannerSettings(seed=new_seed() if settings.seed is None else settings.seed),
        model=chosen_model(settings.model),
        engine_rate_hz=_card_rate_hz(outputs),
        simulate_slow_ms=settings.simulate_slow_ms,
    )
    require_model(chosen)
    if outputs.sound_card:
        timing = card_timing(
            settings.latency,
            settings.block_frames,
            outputs.device,
            chosen.engine_rate_hz,
            line.note,
            ending.check,
        )
        outputs = replace(outputs, timing=timing)
    with ExitStack() as opened:
        began_s = time.monotonic()

        def notice() -> None:
            ending.check()
            line.show(f"preparing the first songs, {clock(time.monotonic() - began_s)}")

        prepared = prepare(source, notice, line.note)
        opened.callback(prepared.close)
        log = opened.enter_context(DecisionLog(settings.log.expanduser())) if settings.log else None
        session = Session(prepared.open_engine(chosen, notice, log), outputs, log)
        opened.callback(session.close)
        session.start()
        line.note(_greeting(session, asked_for_http=settings.http is not None))
        keys = opened.enter_context(open_keys())
        _run(session, prepared, keys, line, ending)
        line.clear()


def _outputs(settings: PlaySettings) -> OutputSettings:
    if settings.http is not None:
        return OutputSettings(http=parse_address(settings.http))
    if settings.device is not None or has_sound_card():
        device = settings.device
        return OutputSettings(sound_card=True, device=parse_device(device), volume_db=settings.volume_db)
    return OutputSettings(http=HttpAddress(fixed=False))


def _card_rate_hz(outputs: OutputSettings) -> int:
    """Return the engine's rate that suits the sound card: some systems take only the device's own."""
    if outputs.sound_card and find_device(outputs.device).default_rate_hz == _OTHER_RATE_HZ:
        return _OTHER_RATE_HZ
    return _RATE_HZ


def _greeting(session: Session, *, asked_for_http: bool) -> str:
    if session.card is not None:
        return f"playing on {status_of(session.card).detail} - {KEYS_HELP}"
    assert session.web is not None
    why = "" if asked_for_http else "there is no sound card; "
    return f"{why}serving {session.web.url} - open it in a browser, or play {session.web.url}stream.mp3"


def _run(session: Session, prepared: Prepared, keys: Keys, line: "StatusLine", ending: Ending) -> None:
    building = prepared.build is not None
    while not ending.wanted:
        session.check()
        if building and prepared.build is not None and not prepared.build.running:
            building = False
            failure = prepared.build.failure()
            if failure is not None:
                line.note(f"{failure} ({prepared.build.log} names them)")
        line.show(status_text(session))
        for key in keys.read(_REFRESH_S):
            if key in "qQ":
                return
            _press(session, key, line)


def _press(session: Session, key: str, line: "StatusLine") -> None:
    if key == " ":
        session.pause()
    elif key in "nN":
        session.skip()
    elif key in "lLdD":
        _judge(session, line, liked=key in "lL")
    elif key in "+=":
        session.change_volume(VOLUME_STEP_DB)
    elif key in "-_":
        session.change_volume(-VOLUME_STEP_DB)


def _judge(session: Session, line: "StatusLine", *, liked: bool) -> None:
    try:
        if not session.judge(liked=liked):
            line.note("there was no join yet")
            return
    except EndlosError as error:
        line.note(str(error))
        return
    line.note("noted: that join may come more often" if liked else "noted: that join does not come back")
