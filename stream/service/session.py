"""A session is one running stream, with its engine, its pacer and the outputs that hear it."""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from model.base.arrays import FloatArray
from model.base.errors import OutputError
from stream.choosing.journey.steering import NOT_STEERED, Steering
from stream.engine.decisions import DecisionLog
from stream.engine.engine import Engine, NowPlaying
from stream.engine.past import JoinRecord
from stream.outputs.address import HttpAddress
from stream.outputs.output import LOWEST_VOLUME_DB, Output, OutputStatus, lag_of, status_of
from stream.outputs.pacer import START_LEAD_S, Pacer
from stream.outputs.place import Tap
from stream.outputs.settings import OutputSettings
from stream.pool.feedback import SongOpinion
from stream.pool.songs import Song
from stream.service.announcing.announcement import Announcement, read_announcement
from stream.service.announcing.announcer import Announcer, InterruptedMusic
from stream.service.interface import Interface
from stream.service.moment import Moment, stream_title
from stream.service.sleep import SleepTimer

if TYPE_CHECKING:
    from stream.service.server import WebServer

_MOMENTS = 256


class Session:
    """A stream with everything that belongs to it; methods belong to the main thread.

    A port that is in use, or an output that cannot be made, is an `OutputError` here already.
    """

    def __init__(self, engine: Engine, settings: OutputSettings, log: DecisionLog | None = None) -> None:
        self.engine = engine
        self._log = log
        # Written by the pacer's thread: what was rendered lately, so that what is heard now can be told.
        self._rendered: deque[NowPlaying] = deque([engine.now()], maxlen=_MOMENTS)
        self._title = ""
        self._entitled: Song | None = None
        """The song that was looked at last for its title."""
        self._sleep = SleepTimer(engine.engine_rate_hz)
        music = InterruptedMusic(
            play=self._play, time_frames=self._time_frames, fade_frames=self._fade_frames
        )
        self._announcer = Announcer(music, engine.engine_rate_hz, self._note_announcement)
        tap = Tap(engine_rate_hz=engine.engine_rate_hz, card_paced=settings.card_paced)
        self.outputs: list[Output] = [output for place in settings.places for output in place.open(tap)]
        leaders = (output.as_leader() for output in self.outputs)
        self.leader = next((leader for leader in leaders if leader is not None), None)
        self._pacer = Pacer(
            self._render, self.outputs, engine.engine_rate_hz, leader=self.leader, lead_s=START_LEAD_S
        )
        self.streams: list[str] = []
        """What players can be pointed at, below the page."""
        self._interface = Interface(self)
        self.webs: list[WebServer] = []
        addresses = [address for place in settings.places if (address := place.address()) is not None]
        if addresses:
            self._open_webs(addresses)

    def start(self) -> None:
        """Begin to sound; `OutputError` when an output cannot start, with all others closed again."""
        self._note_steering(NOT_STEERED)
        self._pacer.start()
        for web in self.webs:
            web.start()

    def close(self) -> None:
        """Fade out, end every output, close the songs."""
        self._pacer.stop()
        self._note("stop")
        self._close_webs()
        self.engine.close()

    def check(self) -> None:
        """Raise what has ended the stream, if anything has."""
        if self._pacer.wait(0.0):
            raise OutputError("the stream has ended by itself; start endlos again")
        for web in self.webs:
            if not web.alive:
                raise OutputError(f"the web server on {web.url} has ended by itself; start endlos again")

    def skip(self) -> None:
        """Go on to another piece at once. Any thread."""
        self._pacer.skip(self.engine.skip)

    def judge(self, *, liked: bool) -> bool:
        """Remember what the listener thinks of the last join that was heard; False before the first.

        Raises `PoolError` when the pool cannot be written. Any thread.
        """
        join = self.moment().playing.join
        if join is not None:
            self.engine.judge(join, liked=liked)
        return join is not None

    @property
    def steering(self) -> Steering:
        """What the listener wants at this moment."""
        return self.engine.steering

    def steer(self, steering: Steering) -> None:
        """Choose as a listener wants it from the next decision on (`Engine.steer`). Any thread."""
        before = self.engine.steering
        self.engine.steer(steering)
        self._note_steering(before)

    def judge_song(self, audio_hash: str, opinion: SongOpinion | None) -> None:
        """Remember what a listener thinks of a song, and choose accordingly (`Engine.judge_song`)."""
        before = self.engine.steering
        self.engine.judge_song(audio_hash, opinion)
        self._note_steering(before)

    def joins(self) -> Sequence[JoinRecord]:
        """Return the latest joins that were heard, newest last. Any thread."""
        heard_s = self.moment().playing.time_s
        return [join for join in self.engine.joins() if join.time_s is not None and join.time_s <= heard_s]

    def upcoming(self) -> JoinRecord | None:
        """Return the join that is heard next, rendered or not; None while none is planned. Any thread."""
        heard_s = self.moment().playing.time_s
        rendered = (join for join in self.engine.joins() if join.time_s is not None and join.time_s > heard_s)
        join = next(rendered, None) or self.engine.upcoming()
        if join is None or join.time_s is None:
            return join
        return replace(join, in_s=max(0.0, join.time_s - heard_s))

    def judge_join(self, n: int, liked: bool | None) -> JoinRecord:
        """Remember what a listener thinks of a join (`Engine.judge_join`). Any thread."""
        return self.engine.judge_join(n, liked)

    def preview(self, n: int) -> FloatArray:
        """Return a join with what is around it, to be heard again (`Engine.preview`). Any thread."""
        return self.engine.preview(n)

    def say(self, path: Path, *, name: str | None = None) -> None:
        """Play a recording between two pieces, within about half a minute, the music faded out meanwhile.

        name: what it is called in the log; None: as its file. Raises `EndlosError` where it cannot be read or
        is too long, `TooManyWaitError` where too many wait. Any thread; it takes as long as decoding takes.
        """
        engine = self.engine
        self._announcer.say(read_announcement(path, engine.engine_rate_hz, engine.target_lufs, name=name))

    def pause(self) -> None:
        """Stand still, or go on."""
        self.set_pause(not self._pacer.paused)

    def set_pause(self, paused: bool) -> None:
        """Stand still, or go on; who was going to sleep is so no more. Any thread."""
        self._sleep.set(None)
        if paused != self._pacer.paused:
            self._pacer.pause(paused)
            self._note("pause" if paused else "resume")
        self._interface.events.wake()

    def sleep(self, in_s: float | None) -> None:
        """Fade out in so many seconds, and pause then; None: go on. Any thread."""
        self._sleep.set(in_s)

    def _note(self, event: str, told: Mapping[str, object] | None = None) -> None:
        if self._log is not None:
            self._log.event(event, self.engine.now().time_frames, self.engine.engine_rate_hz, told)

    def _note_steering(self, before: Steering) -> None:
        changed = self.engine.steering.since(before)
        if changed:
            self._note("steer", changed)

    @property
    def paused(self) -> bool:
        """Whether the stream stands still."""
        return self._pacer.paused

    def change_volume(self, by_db: float) -> None:
        """Make the sound card louder or softer; other outputs leave that to who listens."""
        status = None if self.leader is None else status_of(self.leader)
        if status is not None and status.volume_db is not None:
            self._pacer.set_volume(min(max(LOWEST_VOLUME_DB, status.volume_db + by_db), 0.0))

    def statuses(self) -> list[OutputStatus]:
        """Return how the outputs are. Any thread."""
        return [status_of(output) for output in self.outputs]

    def playing(self) -> NowPlaying:
        """Return what is heard, where the sound card is, else at the first output. Any thread."""
        return self._playing(lag_of(self.leader or self.outputs[0]))

    def _playing(self, lag_s: float) -> NowPlaying:
        rendered = list(self._rendered)
        return _heard(rendered, rendered[-1].time_s - lag_s)

    def moment(self) -> Moment:
        """Return how all is now. Any thread."""
        statuses = self.statuses()
        leading = None
        for output, status in zip(self.outputs, statuses, strict=True):
            leading = status if output is self.leader else leading
        heard = leading or statuses[0]
        return Moment(
            playing=self._playing(heard.buffered_s + heard.latency_s),
            paused=self.paused,
            outputs=statuses,
            leading=leading,
            pacing=self._pacer.status(),
            since_pause_s=self._pacer.since_pause_s(),
            decisions=self.engine.tally.figures(),
            sleep_in_s=self._sleep.in_s,
        )

    def _note_announcement(self, announcement: Announcement) -> None:
        self._note("say", {"name": announcement.name, "frames": len(announcement.audio)})

    def _time_frames(self) -> int:
        return self.engine.now().time_frames

    def _fade_frames(self, from_frames: int) -> int | None:
        # A blend that has begun is no longer the coming join, and its middle may be seconds ahead.
        joins = (*self.engine.joins()[-1:], self.engine.upcoming())
        times_s = [join.time_s for join in joins if join is not None and join.time_s is not None]
        middles = [round(time_s * self.engine.engine_rate_hz) for time_s in times_s]
        return min((middle for middle in middles if middle >= from_frames), default=None)

    def _render(self, frames: int) -> FloatArray:
        block = self._sleep.faded(self._announcer.render(frames))
        if self._sleep.over():
            self.set_pause(True)
        return block

    def _play(self, frames: int, before: int) -> FloatArray:
        """Render music that stands in its block behind so many other frames."""
        began = self._rendered[-1]
        block = self.engine.render(frames)
        now = self.engine.now()
        self._rendered.append(now)
        if not self._title:
            # A stream that goes on amid a join begins with what that leaves.
            self._entitle(began.song, before)
        # The middle of a join, and the choice of what follows after it, may be in the same frames.
        for moment in (began, now):
            entered = moment.entered_frames - began.time_frames
            # What begins where these frames end may be an announcement: the title comes with the next music.
            if entered < frames:
                self._entitle(moment.song, before + max(0, entered))
        return block

    def _entitle(self, song: Song, after_frames: int) -> None:
        if song is self._entitled:
            return
        self._entitled, title = song, stream_title(song)
        if title != self._title:
            self._title = title
            self._pacer.entitle(title, after_frames)

    def _open_webs(self, addresses: Sequence[HttpAddress]) -> None:
        """Bind each address; Starlette and uvicorn are imported here, not where nothing asks over HTTP."""
        from stream.service.app import create_app
        from stream.service.limits import RateLimit
        from stream.service.server import WebServer

        limit = RateLimit()
        routes = [route for output in self.outputs for route in output.routes()]
        self.streams = [route.path[1:] for route in routes if route.content_type]
        try:
            for address in addresses:
                app = create_app(self.moment, routes, self.skip, address, self._interface, limit)
                self.webs.append(WebServer(app, address))
        except OutputError:
            self._close_webs()
            raise
        if self.leader is not None:
            # A sound card does not wait for as long as it takes to load it later.
            self._interface.prepare()

    def _close_webs(self) -> None:
        self._interface.close()
        for web in self.webs:
            web.close()


def _heard(rendered: Sequence[NowPlaying], heard_s: float) -> NowPlaying:
    """Return what is heard at a time of the stream: a piece from the middle of its join on, as titles say.

    At that middle something may be said, and as long as it is, time stands still.
    """
    latest = next((now for now in reversed(rendered) if now.time_s <= heard_s), rendered[0])
    if latest.entered_frames < latest.time_frames:
        return latest
    for before in reversed(rendered):
        if before.entered_frames < min(latest.entered_frames, before.time_frames):
            went_on_s = latest.time_s - before.time_s
            return replace(
                before,
                position_s=before.position_s + went_on_s,
                time_frames=latest.time_frames,
                time_s=latest.time_s,
            )
    return latest
