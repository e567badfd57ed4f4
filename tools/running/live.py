"""A live stream is an engine with its outputs, as `play` and `serve` both open it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from stream.choosing.generation import Generation
from stream.engine.decisions import DecisionLog, log_held
from stream.engine.settings import EngineSettings
from stream.outputs.settings import OutputSettings
from stream.service.resume import ResumeFile
from stream.service.session import Session
from tools.running.latency import measuring_card
from tools.running.preparing import Prepared, prepare, require_model
from tools.work.footprint import settling, share_heap


@dataclass(frozen=True, kw_only=True)
class LiveSettings:
    """What a live stream is made of, and where it goes."""

    engine: EngineSettings
    outputs: OutputSettings
    log: Path | None = None
    """File for the decision log; what is there is set aside."""
    watch: bool | None = None
    """Whether songs are taken up that are added, changed or removed; None: of music, not of a pool."""
    resume: bool = False
    """Whether to go on where the last stream of the pool stood, rather than anew."""
    quiet: bool = False
    """Say warnings only."""


@dataclass(frozen=True, kw_only=True)
class Live:
    """A stream that sounds, and the pool that it comes from."""

    session: Session
    prepared: Prepared


@contextmanager
def live_stream(
    source: Path | None,
    settings: LiveSettings,
    *,
    check: Callable[[], None],
    notice: Callable[[], None],
    tell: Callable[[str], None],
) -> Iterator[Live]:
    """Open a pool, music or the demo songs, and let it sound; faded out and closed at the end.

    check, notice: called again and again while it takes time; what they raise ends it. tell: called with
    what is about to take a while. Raises `EndlosError` when there is nothing to play, or an output cannot
    ever work.
    """
    require_model(settings.engine)
    with ExitStack() as opened:
        if settings.log is not None:
            opened.enter_context(log_held(settings.log.expanduser()))
        share_heap()
        outputs = settings.outputs.measured(measuring_card(settings.engine.engine_rate_hz, tell, check))
        prepared = prepare(source, notice, tell, watch=settings.watch)
        opened.callback(prepared.close)
        log = None
        if settings.log is not None:
            log = opened.enter_context(DecisionLog(settings.log.expanduser(), live=True))
            if log.kept is not None:
                tell(f"the decision log that was there is kept as {log.kept}")
        place = opened.enter_context(closing(ResumeFile(prepared.pool)))
        recall = place.recall if settings.resume else _begin_anew
        session = Session(prepared.open_engine(settings.engine, notice, log, recall), outputs, log)
        opened.callback(session.close)
        session.start()
        opened.enter_context(settling())
        opened.enter_context(place.kept(lambda: session.engine.standing(session.playing())))
        yield Live(session=session, prepared=prepared)


def _begin_anew(generation: Generation) -> None:
    """Recall nothing."""
