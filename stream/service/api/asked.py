"""What every part of the interface needs stands here, with how a request is told that it failed."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from fastapi import HTTPException
from starlette.requests import Request

from stream.service.access import PageAccess
from stream.service.api.answers import Fault
from stream.service.api.library import Library, Shelf
from stream.service.api.told import Look
from stream.service.api.waveforms import Waveforms
from stream.service.api.worker import Worker
from stream.service.controls import Controls
from stream.service.events import EventFeed

READ_FAULTS: dict[int | str, dict[str, object]] = {
    status: {"model": Fault, "description": told}
    for status, told in (
        (421, "Asked for by an unknown name."),
        (422, "A value that cannot be meant."),
        (503, "Not at this moment."),
    )
}
CHANGE_FAULTS: dict[int | str, dict[str, object]] = {
    **READ_FAULTS,
    **{
        status: {"model": Fault, "description": told}
        for status, told in (
            (400, "The body is no JSON."),
            (403, "Not from here, or not without the token."),
            (413, "The body is too large."),
            (429, "Too many changes; `Retry-After` says when to try again."),
        )
    },
}
CONFLICT: dict[int | str, dict[str, object]] = {
    409: {"model": Fault, "description": "It goes against what was wanted before."}
}
NOT_THERE: dict[int | str, dict[str, object]] = {
    404: {"model": Fault, "description": "No such song, join or picture."}
}


@dataclass(frozen=True, kw_only=True)
class Kept:
    """What is kept of a pool's songs, for all addresses at which the interface is served."""

    shelf: Shelf = field(default_factory=Shelf)
    waveforms: Waveforms = field(default_factory=Waveforms)
    worker: Worker = field(default_factory=Worker)
    steering: threading.Lock = field(default_factory=threading.Lock)
    """Held by who changes the steering, of which every change is a part."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What the interface is asked about; all of it is for any thread."""

    controls: Controls
    access: PageAccess
    events: EventFeed
    kept: Kept

    def look(self) -> Look:
        """Look at the stream; `PoolError`."""
        return Look.at(self.controls, self.kept.shelf)

    def library(self) -> Library:
        """Return the songs; `PoolError`."""
        return self.kept.shelf.library_of(self.controls.engine.pool)

    def song(self, song_id: str) -> tuple[Library, int]:
        """Return the library and the index of a song in it; 404."""
        library = self.library()
        number = library.pool.song_of(song_id)
        if number is None:
            raise HTTPException(404, "the pool has no such song")
        return library, number

    def addresses(self, request: Request) -> bool:
        """Return whether who asks may be told where the outputs are."""
        return self.access.is_at_home(request)

    def changed(self, change: Callable[[], object]) -> None:
        """Do a change, and have all be told."""
        change()
        self.events.wake()
