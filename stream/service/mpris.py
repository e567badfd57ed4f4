"""The desktop's media keys, and whatever shows what plays, reach the stream over the session bus (MPRIS 2.2).

The only module of what plays that needs dbus-fast (the extra `desktop`): who imports it minds its absence.
"""

import asyncio
import math
import os
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Annotated, Any, Protocol, Self

from dbus_fast import BusType, NameFlag, PropertyAccess, RequestNameReply, Variant
from dbus_fast.aio import MessageBus
from dbus_fast.annotations import DBusBool, DBusDouble, DBusInt64, DBusObjectPath, DBusSignature, DBusStr
from dbus_fast.service import ServiceInterface, dbus_method, dbus_property, dbus_signal

from stream.outputs.titles import one_line
from stream.pool.covers import Cover
from stream.pool.songs import Song
from stream.service.moment import Moment, song_title

_NAME = "org.mpris.MediaPlayer2.endlos"
_PATH = "/org/mpris/MediaPlayer2"
_LOOK_S = 0.5
_JUMP_S = 1.0
"""A position that is further from where it would have come to is told as a jump."""
_CLOSE_S = 2.0
_READ = PropertyAccess.READ
DBusTexts = Annotated[list[str], DBusSignature("as")]
DBusMetadata = Annotated[dict[str, Variant], DBusSignature("a{sv}")]


class MediaControls(Protocol):
    """What may be done with a stream; every method is called by the thread of the media keys."""

    def moment(self) -> Moment:
        """Return how all is now."""

    def skip(self) -> None:
        """Go on to another piece."""

    def set_pause(self, paused: bool) -> None:
        """Stand still, or go on."""

    def change_volume(self, by_db: float) -> None:
        """Make it louder or softer."""


def session_bus(environment: Mapping[str, str] = os.environ) -> str | None:
    """Return the address of the session bus; None where there is none."""
    address = environment.get("DBUS_SESSION_BUS_ADDRESS")
    if address:
        return address
    socket = Path(environment.get("XDG_RUNTIME_DIR") or "/nonexistent") / "bus"
    return f"unix:path={socket}" if socket.exists() else None


class MediaKeys:
    """One stream on the session bus, from a thread of its own; a context manager.

    Without a bus, or when it goes away, nothing happens and nothing is said.
    """

    def __init__(self, controls: MediaControls, cover: Callable[[Song], Cover | None]) -> None:
        """cover: of a song, called by the thread of the media keys."""
        self._controls = controls
        self._cover = cover
        self._loop = asyncio.new_event_loop()
        self._ended = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="media keys", daemon=True)

    def __enter__(self) -> Self:
        if session_bus() is not None:
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._thread.is_alive():
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._ended.set)
            self._thread.join(_CLOSE_S)

    def _run(self) -> None:
        with TemporaryDirectory(prefix="endlos-cover-") as folder:
            # Whatever a bus may do, the music goes on.
            with suppress(Exception):
                self._loop.run_until_complete(self._serve(Path(folder)))
            self._loop.close()

    async def _serve(self, folder: Path) -> None:
        bus = await MessageBus(bus_address=session_bus(), bus_type=BusType.SESSION).connect()
        try:
            player = _PlayerInterface(self._controls, _CoverFile(folder, self._cover))
            bus.export(_PATH, _RootInterface())
            bus.export(_PATH, player)
            reply = await bus.request_name(_NAME, NameFlag.DO_NOT_QUEUE)
            if reply is not RequestNameReply.PRIMARY_OWNER:
                # Another endlos plays; players are told apart so, says the specification.
                await bus.request_name(f"{_NAME}.instance{os.getpid()}")
            while bus.connected and not self._ended.is_set():
                player.look()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._ended.wait(), _LOOK_S)
        finally:
            bus.disconnect()


class _CoverFile:
    """The cover of the song that plays, as a file that the desktop can open."""

    def __init__(self, folder: Path, cover: Callable[[Song], Cover | None]) -> None:
        self._folder = folder
        self._cover = cover
        self._song_id: int | None = None
        self._file: Path | None = None

    def address_of(self, song: Song) -> str | None:
        """Return where its cover is; None where it has none."""
        if song.song_id != self._song_id:
            self._song_id = song.song_id
            if self._file is not None:
                self._file.unlink(missing_ok=True)
            self._file = None
            with suppress(Exception):
                cover = self._cover(song)
                if cover is not None:
                    ending = cover.content_type.rpartition("/")[2]
                    self._file = self._folder / f"{song.song_id}.{ending}"
                    self._file.write_bytes(cover.data)
        return None if self._file is None else self._file.as_uri()


class _RootInterface(ServiceInterface):
    """What the player is."""

    def __init__(self) -> None:
        super().__init__("org.mpris.MediaPlayer2")

    @dbus_method()
    def Raise(self) -> None:  # noqa: N802
        """Have no window."""

    @dbus_method()
    def Quit(self) -> None:  # noqa: N802
        """Stay: whoever started it ends it."""

    @dbus_property(_READ)
    def CanQuit(self) -> DBusBool:  # noqa: N802
        return False

    @dbus_property(_READ)
    def CanRaise(self) -> DBusBool:  # noqa: N802
        return False

    @dbus_property(_READ)
    def HasTrackList(self) -> DBusBool:  # noqa: N802
        return False

    @dbus_property(_READ)
    def Identity(self) -> DBusStr:  # noqa: N802
        return "endlos"

    @dbus_property(_READ)
    def SupportedUriSchemes(self) -> DBusTexts:  # noqa: N802
        return []

    @dbus_property(_READ)
    def SupportedMimeTypes(self) -> DBusTexts:  # noqa: N802
        return []


class _PlayerInterface(ServiceInterface):
    """What plays, and what may be done with it."""

    def __init__(self, controls: MediaControls, covers: _CoverFile) -> None:
        super().__init__("org.mpris.MediaPlayer2.Player")
        self._controls = controls
        self._covers = covers
        self._moment = controls.moment()
        self._looked_s = asyncio.get_running_loop().time()
        self._told = self._properties()

    def look(self) -> None:
        """Tell whoever listens what has changed since the last look."""
        before, before_s = self._moment, self._looked_s
        self._refresh()
        now, passed_s = self._moment, self._looked_s - before_s
        properties = self._properties()
        changed = {name: value for name, value in properties.items() if self._told.get(name) != value}
        self._told = properties
        if changed:
            self.emit_properties_changed(changed)
        if now.playing.song.song_id == before.playing.song.song_id and not (now.paused or before.paused):
            due_s = before.playing.position_s + passed_s
            if abs(now.playing.position_s - due_s) > _JUMP_S:
                self.Seeked()

    def _refresh(self) -> None:
        self._moment = self._controls.moment()
        self._looked_s = asyncio.get_running_loop().time()

    def _properties(self) -> dict[str, Any]:
        return {
            "PlaybackStatus": "Paused" if self._moment.paused else "Playing",
            "Metadata": self._metadata(),
            "Volume": self._volume(),
        }

    def _metadata(self) -> dict[str, Variant]:
        song = self._moment.playing.song
        told = {
            "mpris:trackid": Variant("o", f"/org/endlos/song/{song.song_id}"),
            "mpris:length": Variant("x", round(1e6 * song.frames / song.sample_rate_hz)),
            "xesam:title": Variant("s", song_title(song)),
        }
        if song.artist:
            told["xesam:artist"] = Variant("as", [one_line(song.artist)])
        if song.album:
            told["xesam:album"] = Variant("s", one_line(song.album))
        art = self._covers.address_of(song)
        if art is not None:
            told["mpris:artUrl"] = Variant("s", art)
        return told

    def _volume(self) -> float:
        leading = self._moment.leading
        level_db = 0.0 if leading is None or leading.volume_db is None else leading.volume_db
        return float(10 ** (level_db / 20))

    @dbus_method()
    def Next(self) -> None:  # noqa: N802
        self._controls.skip()

    @dbus_method()
    def Previous(self) -> None:  # noqa: N802
        """Stay: an endless stream has no way back."""

    @dbus_method()
    def Play(self) -> None:  # noqa: N802
        self._pause(False)

    @dbus_method()
    def Pause(self) -> None:  # noqa: N802
        self._pause(True)

    @dbus_method()
    def Stop(self) -> None:  # noqa: N802
        self._pause(True)

    @dbus_method()
    def PlayPause(self) -> None:  # noqa: N802
        self._pause(not self._controls.moment().paused)

    @dbus_method()
    def Seek(self, offset: DBusInt64) -> None:  # noqa: N802
        """Stay: what may be sought says `CanSeek`."""

    @dbus_method()
    def SetPosition(self, track: DBusObjectPath, position: DBusInt64) -> None:  # noqa: N802
        """Stay: what may be sought says `CanSeek`."""

    @dbus_method()
    def OpenUri(self, uri: DBusStr) -> None:  # noqa: N802
        """Stay: what plays comes from the pool."""

    @dbus_signal("Seeked")
    def Seeked(self) -> DBusInt64:  # noqa: N802
        return round(1e6 * self._moment.playing.position_s)

    @dbus_property(_READ)
    def PlaybackStatus(self) -> DBusStr:  # noqa: N802
        self._refresh()
        return "Paused" if self._moment.paused else "Playing"

    @dbus_property(_READ)
    def Metadata(self) -> DBusMetadata:  # noqa: N802
        return self._metadata()

    @dbus_property(_READ)
    def Position(self) -> DBusInt64:  # noqa: N802
        return round(1e6 * self._controls.moment().playing.position_s)

    @dbus_property()
    def Volume(self) -> DBusDouble:  # noqa: N802
        return self._volume()

    @Volume.setter
    def _set_volume(self, wanted: DBusDouble) -> None:
        if math.isfinite(wanted):
            self._controls.change_volume(20 * math.log10(max(wanted, 1e-3) / self._volume()))

    @dbus_property()
    def Rate(self) -> DBusDouble:  # noqa: N802
        return 1.0

    @Rate.setter
    def _set_rate(self, wanted: DBusDouble) -> None:
        """Stay at 1, which the specification asks for."""

    @dbus_property(_READ)
    def MinimumRate(self) -> DBusDouble:  # noqa: N802
        return 1.0

    @dbus_property(_READ)
    def MaximumRate(self) -> DBusDouble:  # noqa: N802
        return 1.0

    @dbus_property(_READ)
    def CanGoNext(self) -> DBusBool:  # noqa: N802
        return True

    @dbus_property(_READ)
    def CanGoPrevious(self) -> DBusBool:  # noqa: N802
        return False

    @dbus_property(_READ)
    def CanPlay(self) -> DBusBool:  # noqa: N802
        return True

    @dbus_property(_READ)
    def CanPause(self) -> DBusBool:  # noqa: N802
        return True

    @dbus_property(_READ)
    def CanSeek(self) -> DBusBool:  # noqa: N802
        return False

    @dbus_property(_READ)
    def CanControl(self) -> DBusBool:  # noqa: N802
        return True

    def _pause(self, paused: bool) -> None:
        self._controls.set_pause(paused)
        # Told at once: who pressed the key looks at it.
        self.look()
