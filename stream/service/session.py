"""A session is one running stream, with its engine, its pacer and the outputs that hear it."""

import secrets
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from model.base.arrays import FloatArray
from model.base.errors import EndlosError, OutputError
from stream.engine.decisions import DecisionLog
from stream.engine.engine import Engine, NowPlaying
from stream.outputs.devices import find_device
from stream.outputs.encoding.codecs import CODECS, Codec, extension
from stream.outputs.http import Broadcast
from stream.outputs.icecast import IcecastOutput, IcecastTarget
from stream.outputs.output import Output, OutputStatus, status_of
from stream.outputs.pacer import Pacer
from stream.outputs.soundcard import CardTiming, SoundCard
from stream.pool.pool import Song
from stream.service.app import create_app
from stream.service.server import DEFAULT_HOST, HttpAddress, WebServer

_FURTHER_PORTS = 20
_MOMENTS = 256


@dataclass(frozen=True, kw_only=True)
class OutputSettings:
    """Where the stream is to be heard; at least one place."""

    sound_card: bool = False
    device: str | int | None = None
    """The sound card; None is the default one."""
    volume_db: float = 0.0
    """The sound card's volume."""
    timing: CardTiming = field(default_factory=CardTiming)
    """The sound card's latency and blocks."""
    http: HttpAddress | None = None
    codecs: Sequence[Codec] = ("mp3",)
    """What is served over HTTP, each at `/stream.<its extension>`."""
    icecast: Sequence[IcecastTarget] = field(default_factory=tuple)

    def __post_init__(self) -> None:
        if not self.sound_card and self.http is None and not self.icecast:
            raise EndlosError("the stream goes nowhere; give --http, --icecast or --device")
        _require_once(
            (f"/stream.{extension(codec)}" for codec in self.codecs), "give each codec to --codec once"
        )
        _require_once((target.url for target in self.icecast), "give each mount to --icecast once")


def _require_once(places: Iterable[str], todo: str) -> None:
    """Refuse two streams at one place: the one would be encoded for nobody."""
    for place, times in Counter(places).items():
        if times > 1:
            raise EndlosError(f"{place} is asked for {times} times; {todo}")


def require_places(settings: OutputSettings) -> None:
    """Raise what can be said before any music is prepared: no such sound card, a port in use."""
    if settings.sound_card:
        find_device(settings.device)
    if settings.http is not None and settings.http.fixed:
        WebServer(create_app(dict, (), {}), settings.http.host, settings.http.port).close()


class Session:
    """A stream with everything that belongs to it; methods belong to the main thread.

    A port that is in use, or an output that cannot be made, is an `OutputError` here already.
    """

    def __init__(self, engine: Engine, settings: OutputSettings, log: DecisionLog | None = None) -> None:
        self.engine = engine
        self._log = log
        self.card: SoundCard | None = None
        self.web: WebServer | None = None
        self.broadcasts: dict[str, Broadcast] = {}
        # Written by the pacer's thread: what was rendered lately, so that what is heard now can be told.
        self._moments: deque[NowPlaying] = deque([engine.now()], maxlen=_MOMENTS)
        rate_hz = engine.engine_rate_hz
        self.outputs: list[Output] = []
        if settings.sound_card:
            self.card = SoundCard(
                settings.device,
                rate_hz,
                block_frames=settings.timing.block_frames,
                latency=settings.timing.latency_s,
            )
            self.card.volume_db = settings.volume_db
            self.outputs.append(self.card)
        paced = settings.sound_card
        self.outputs += [
            IcecastOutput(target, rate_hz, self.title, card_paced=paced) for target in settings.icecast
        ]
        if settings.http is not None:
            for codec in settings.codecs:
                broadcast = Broadcast(rate_hz, codec, title=self.title, card_paced=paced)
                self.broadcasts[extension(codec)] = broadcast
                self.outputs.append(broadcast)
        self._pacer = Pacer(self._render, self.outputs, rate_hz, leader=self.card)
        if settings.http is not None:
            self.web = self._bind(settings.http)

    def start(self) -> None:
        """Begin to sound; `OutputError` when an output cannot start, with all others closed again."""
        self._pacer.start()
        if self.web is not None:
            self.web.start()

    def close(self) -> None:
        """Fade out, end every output, close the songs."""
        self._pacer.stop()
        self._note("stop")
        if self.web is not None:
            self.web.close()
        self.engine.close()

    def check(self) -> None:
        """Raise what has ended the stream, if anything has."""
        if self._pacer.wait(0.0):
            raise OutputError("the stream has ended by itself; start endlos again")
        if self.web is not None and not self.web.alive:
            raise OutputError(f"the web server on {self.web.url} has ended by itself; start endlos again")

    def skip(self) -> None:
        """Go on to another piece at once. Any thread."""
        self._pacer.skip(self.engine.skip)

    def judge(self, *, liked: bool) -> bool:
        """Remember what the listener thinks of the last join that was heard; False before the first.

        Raises `PoolError` when the pool cannot be written. Any thread.
        """
        join = self.heard().join
        if join is not None:
            self.engine.judge(join, liked=liked)
        return join is not None

    def pause(self) -> None:
        """Stand still, or go on."""
        self._pacer.pause(not self._pacer.paused)
        self._note("pause" if self._pacer.paused else "resume")

    def _note(self, event: str) -> None:
        if self._log is not None:
            self._log.event(event, self.engine.now().time_frames, self.engine.engine_rate_hz)

    @property
    def paused(self) -> bool:
        """Whether the stream stands still."""
        return self._pacer.paused

    def change_volume(self, by_db: float, lowest_db: float = -60.0) -> None:
        """Make the sound card louder or softer; other outputs leave that to who listens."""
        if self.card is not None:
            self.card.volume_db = max(lowest_db, self.card.volume_db + by_db)

    def statuses(self) -> list[OutputStatus]:
        """Return how each output is doing."""
        return [status_of(output) for output in self.outputs]

    def heard(self) -> NowPlaying:
        """Return what the sound card, else the first output, lets be heard now. Any thread."""
        status = status_of(self.outputs[0])
        moments = list(self._moments)
        heard_s = moments[-1].time_s - status.buffered_s - status.latency_s
        return next((moment for moment in reversed(moments) if moment.time_s <= heard_s), moments[0])

    def title(self) -> str:
        """Return artist and title of what is rendered now. Any thread."""
        return full_title(self.engine.now().song)

    def now(self) -> dict[str, object]:
        """Return what the page shows of what is heard now. Any thread."""
        moment = self.heard()
        song, following = moment.song, moment.next_song
        return {
            "title": song_title(song),
            "artist": song.artist,
            "album": song.album,
            "position_s": moment.position_s,
            "length_s": song.frames / song.sample_rate_hz,
            "next_title": song_title(following) if following else None,
            "next_artist": following.artist if following else None,
            "next_score": moment.next_score,
            "paused": self.paused,
            "time_s": moment.time_s,
            "songs": moment.songs,
            "chunks": moment.chunks,
            "lost": moment.lost,
        }

    def _render(self, frames: int) -> FloatArray:
        block = self.engine.render(frames)
        self._moments.append(self.engine.now())
        return block

    def _bind(self, address: HttpAddress) -> WebServer:
        app = create_app(self.now, self.outputs, self.broadcasts, self.skip, self._pacer.since_pause_s)
        further = 0 if address.fixed else _FURTHER_PORTS
        for port in range(address.port, address.port + further):
            try:
                return WebServer(app, address.host, port)
            except OutputError:
                # In use: the next one is as good.
                continue
        return WebServer(app, address.host, address.port + further)


def new_seed() -> int:
    """Return a seed for another stream each time."""
    return secrets.randbelow(2**31)


def song_title(song: Song) -> str:
    """Return the title, of an untagged song the name of its file."""
    return song.title or Path(song.name).stem


def full_title(song: Song) -> str:
    """Return artist and title."""
    return f"{song.artist} – {song_title(song)}" if song.artist else song_title(song)


def parse_codec(name: str) -> Codec:
    """Read the name of a codec; `EndlosError` when it is none."""
    for codec in CODECS:
        if codec == name:
            return codec
    raise EndlosError(f"there is no codec {name!r}; take one of {', '.join(CODECS)}")


def parse_device(text: str | None) -> str | int | None:
    """Read what `--device` takes: a number, part of a name, or `default`."""
    if text is None or text == "default":
        return None
    return int(text) if text.isascii() and text.isdigit() else text


def parse_address(text: str) -> HttpAddress:
    """Read `HOST:PORT`, `[IPV6]:PORT` or `PORT` (of this machine only); `EndlosError` on anything else."""
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]") if colon else DEFAULT_HOST
    if not host or not port.isascii() or not port.isdigit() or not 0 <= int(port) <= 65_535:
        raise EndlosError(f"{text!r} is no address; expected HOST:PORT, such as 127.0.0.1:8000")
    return HttpAddress(host=host, port=int(port))
