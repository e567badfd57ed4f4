"""The interface for programs is built when it is first asked for, so that the stream begins without it."""

import importlib
import threading
from typing import TYPE_CHECKING

from stream.service.controls import Controls
from stream.service.events import EventFeed, Seen

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from stream.service.access import PageAccess
    from stream.service.api.asked import Kept


class Interface:
    """What programs may ask of one stream, wherever it is served; any thread."""

    def __init__(self, controls: Controls) -> None:
        self._controls = controls
        self._lock = threading.Lock()
        self._kept: Kept | None = None
        self.events = EventFeed(self._seen)

    def prepare(self) -> None:
        """Load all that it needs, which for a moment no other thread runs beside."""
        self._all_kept()
        importlib.import_module("stream.service.api.application")
        importlib.import_module("stream.service.metrics")

    def served(self, access: "PageAccess") -> "ASGIApp":
        """Return the application for one address, to be mounted at `/api` behind a gate."""
        # With asyncio, which a stream that nobody asks over HTTP does without.
        from stream.service.lazily import Lazily

        return Lazily(lambda: self._build(access))

    def close(self) -> None:
        """End whoever listens to events, and what is still computed."""
        self.events.close()
        with self._lock:
            if self._kept is not None:
                self._kept.worker.close()

    # FastAPI and pydantic are imported by these alone.

    def _build(self, access: "PageAccess") -> "ASGIApp":
        from stream.service.api.application import create_api
        from stream.service.api.asked import Asked

        return create_api(
            Asked(controls=self._controls, access=access, events=self.events, kept=self._all_kept())
        )

    def _seen(self) -> Seen:
        from stream.service.api.told import seen

        return seen(self._controls, self._all_kept().shelf)

    def _all_kept(self) -> "Kept":
        from stream.service.api.asked import Kept

        with self._lock:
            if self._kept is None:
                self._kept = Kept()
            return self._kept
