"""This module runs `endlos play`, with its preparing, keys, status line and faded end."""

import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from model.base.errors import EndlosError
from stream.outputs.address import HttpAddress
from stream.outputs.devices import has_sound_card
from stream.outputs.kinds.http import HttpSettings
from stream.outputs.output import is_over
from stream.outputs.place import Place
from stream.pool.covers import read_cover
from stream.pool.pool import open_pool
from stream.service.session import Session
from tools.running.ending import EndedError, Ending
from tools.running.keys import Keys, open_keys
from tools.running.live import Live, LiveSettings, live_stream
from tools.running.status_line import StatusLine, status_text
from tools.terminal import clock

VOLUME_STEP_DB = 2.0
KEYS_HELP = "space pause, n next, l like and d dislike the last join, + - volume, q quit"
_REFRESH_S = 0.2


@dataclass(frozen=True, kw_only=True)
class DefaultPlace:
    """Where the stream goes when nobody said where."""

    place: Place
    why: str
    """Why there, where that is not plain."""

    @classmethod
    def find(cls, card: Place) -> "DefaultPlace":
        """Return the sound card if there is one, else the page at a port of this machine that is free."""
        if has_sound_card():
            return cls(place=card, why="")
        return cls(place=HttpSettings(at=HttpAddress(fixed=False)), why="there is no sound card; ")


def play_source(source: Path | None, settings: LiveSettings, line: StatusLine, why: str = "") -> None:
    """Play a pool, music or the demo songs until it is ended; `KeyboardInterrupt` after Ctrl-C.

    line: where it is told how it goes. why: said before where it plays. Raises `EndlosError` when there is
    nothing to play, or nowhere to.
    """
    with line, Ending() as ending:
        try:
            _play(source, settings, why, line, ending)
        except EndedError:
            # Not an error; what was begun has been cleared away on the way here.
            line.clear()
    if ending.by_interrupt:
        raise KeyboardInterrupt


def _play(source: Path | None, settings: LiveSettings, why: str, line: StatusLine, ending: Ending) -> None:
    began_s = time.monotonic()

    def notice() -> None:
        ending.check()
        line.show(f"preparing the first songs, {clock(time.monotonic() - began_s)}")

    with live_stream(source, settings, check=ending.check, notice=notice, tell=line.note) as live:
        line.note(f"{why}{_greeting(live.session)}")
        with _media_keys(live), open_keys() as keys:
            _run(live, keys, line, ending)
        line.clear()


def _media_keys(live: Live) -> AbstractContextManager[object]:
    """Let the desktop's media keys steer the stream where its extra is installed, and a bus is there."""
    try:
        from stream.service.mpris import MediaKeys
    except ImportError:
        return nullcontext()
    pool = open_pool(live.prepared.pool)
    return MediaKeys(live.session, lambda song: read_cover(pool, song.song_id))


def _greeting(session: Session) -> str:
    moment = session.moment()
    said = []
    if moment.leading is not None:
        said.append(f"playing on {moment.leading.detail} - {KEYS_HELP}")
    for web in session.webs:
        streams = "".join(f", or play {web.url}{name}" for name in session.streams[:1])
        said.append(f"serving {web.url} - open it in a browser{streams}")
    return "; ".join(said) or f"playing to {', '.join(status.name for status in moment.outputs)}"


def _run(live: Live, keys: Keys, line: "StatusLine", ending: Ending) -> None:
    session, prepared = live.session, live.prepared
    while not (ending.wanted or is_over(session.statuses())):
        session.check()
        failure = prepared.look()
        if failure is not None:
            line.note(failure)
        line.show(status_text(session.moment(), session.engine.engine_rate_hz))
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
