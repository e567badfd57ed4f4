"""The events of a stream stand in a short ring, from which every listener reads at its own place.

One thread looks at the stream once a second, and at once where it is told that something has changed; it
runs only while somebody listens, and a while longer, so that who comes back in time misses nothing.
"""

import logging
import secrets
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stream.service.loop_event import LoopEvent

_log = logging.getLogger(__name__)

MOST_EVENT_LISTENERS = 64
MOST_OF_ADDRESS = 16
RING_EVENTS = 512
"""So many are kept, which are some minutes; a listener that is further behind is dropped."""
LOOK_S = 1.0
LINGER_S = 60.0
"""For so long the watch goes on when nobody listens any more."""
RESET = "reset"
"""The event that says: what you missed is gone, ask for all anew."""
_WARN_INTERVAL_S = 60.0


@dataclass(frozen=True, kw_only=True)
class Fact:
    """Something of the stream that listeners are told when it changes."""

    name: str
    """Of its events."""
    key: object
    """What has to differ for a new event."""
    tell: Callable[[bool], str]
    """Gives its JSON, in one line; called with whether addresses of outputs may stand in it."""
    again_s: float | None = None
    """It is told anew after so long, also when nothing has changed; None: never."""


@dataclass(frozen=True, kw_only=True)
class Happening:
    """Something that happened once: told to who listens at that time, and to nobody who comes later."""

    name: str
    """Of its event."""
    number: int
    """Grows from each to the next of its name."""
    tell: Callable[[bool], str]
    """As that of a fact."""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """All that one look at the stream has found."""

    facts: Sequence[Fact]
    happenings: Sequence[Happening] = ()
    """The latest, oldest first: more may have happened since the look before than one."""


@dataclass(frozen=True, kw_only=True)
class Event:
    """One event, as it is kept."""

    number: int
    name: str
    at_home: str
    """Its JSON for who is on this machine."""
    abroad: str
    """The same without addresses of outputs."""


class EventFeed:
    """Watches and keeps; every method belongs to any thread."""

    def __init__(
        self, look: Callable[[], Seen], *, look_s: float = LOOK_S, linger_s: float = LINGER_S
    ) -> None:
        """look: says how all is now; called by the watching thread alone."""
        self._look = look
        self._look_s = look_s
        self._linger_s = linger_s
        self._changed = threading.Condition()
        # Guarded by the condition.
        self._run = ""
        self._ring: deque[Event] = deque(maxlen=RING_EVENTS)
        self._lasting: dict[str, Event] = {}
        self._next_number = 0
        self._listeners: set[EventListener] = set()
        self._of_address: Counter[str] = Counter()
        self._dropped = 0
        self._watching = self._wanted = self._closed = False

    @property
    def closed(self) -> bool:
        """Whether nothing more will come."""
        return self._closed

    @property
    def listeners(self) -> int:
        """How many listen."""
        return len(self._listeners)

    @property
    def dropped(self) -> int:
        """How many listeners were too slow, and dropped."""
        return self._dropped

    @property
    def watching(self) -> bool:
        """Whether the stream is looked at."""
        return self._watching

    def join(self, address: str, last_id: str | None = None) -> "EventListener | None":
        """Take a listener in; None where there is no room. For a running event loop.

        last_id: of the last event that it had before; None: it comes new.
        """
        with self._changed:
            full = (
                len(self._listeners) >= MOST_EVENT_LISTENERS or self._of_address[address] >= MOST_OF_ADDRESS
            )
            if full or self._closed:
                return None
            if not self._watching:
                self._begin()
            # With asyncio, which a stream that nobody asks over HTTP does without.
            from stream.service.loop_event import LoopEvent

            listener = EventListener(self, address, LoopEvent(), self._start_of(last_id))
            self._listeners.add(listener)
            self._of_address[address] += 1
            # Who comes new waits for nothing.
            self._wanted = True
            self._changed.notify_all()
            return listener

    def leave(self, listener: "EventListener", *, dropped: bool = False) -> None:
        """Let a listener go; dropped: because it was too slow."""
        with self._changed:
            if listener in self._listeners:
                self._listeners.remove(listener)
                self._of_address[listener.address] -= 1
                self._of_address += Counter()
                self._dropped += dropped

    def wake(self) -> None:
        """Have the stream looked at now, because something has changed."""
        with self._changed:
            self._wanted = True
            self._changed.notify_all()

    def close(self) -> None:
        """End: who listens is told so, the watch is over."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            listeners = list(self._listeners)
        for listener in listeners:
            listener.rouse()

    def read(self, position: int) -> list[Event] | None:
        """Return the events from a position of the ring on; None where they are gone."""
        with self._changed:
            first = self._next_number - len(self._ring)
            if position < first:
                return None
            return [event for event in self._ring if event.number >= position]

    def id_of(self, number: int) -> str:
        """Return what an event is called outside: it tells also of which watch it is."""
        return f"{self._run}-{number}"

    # The condition is held.

    def _begin(self) -> None:
        """Begin a watch: what an earlier one told is forgotten, and its ids are unknown."""
        self._run = secrets.token_hex(4)
        self._ring.clear()
        self._lasting.clear()
        self._watching = True
        threading.Thread(target=self._watch, name="events", daemon=True).start()

    def _start_of(self, last_id: str | None) -> "_Start":
        run, _, number = (last_id or "").rpartition("-")
        if run == self._run and number.isascii() and number.isdigit() and len(number) < 16:
            position = int(number) + 1
            if self._next_number - len(self._ring) <= position <= self._next_number:
                return _Start(position=position, first=())
        lasting = sorted(self._lasting.values(), key=lambda event: event.number)
        reset = Event(number=self._next_number - 1, name=RESET, at_home="{}", abroad="{}")
        return _Start(position=self._next_number, first=([reset] if last_id else []) + lasting)

    def _keep(self, told: "_Told") -> None:
        event = Event(number=self._next_number, name=told.name, at_home=told.at_home, abroad=told.abroad)
        self._next_number += 1
        self._ring.append(event)
        if told.lasts:
            self._lasting[event.name] = event

    # The watching thread.

    def _watch(self) -> None:
        memory = _Memory()
        listened_s, warned_s = time.monotonic(), -_WARN_INTERVAL_S
        while True:
            told: Sequence[_Told] = ()
            try:
                told = memory.news(self._look())
            except Exception:  # what fails now may be well in a second
                if time.monotonic() - warned_s >= _WARN_INTERVAL_S:
                    warned_s = time.monotonic()
                    _log.exception("the stream cannot be looked at for its events")
            with self._changed:
                for each in told:
                    self._keep(each)
                for listener in self._listeners if told else ():
                    listener.rouse()
                if self._listeners:
                    listened_s = time.monotonic()
                if self._closed or time.monotonic() - listened_s >= self._linger_s:
                    self._watching = False
                    return
                self._changed.wait_for(lambda: self._wanted or self._closed, timeout=self._look_s)
                self._wanted = False


@dataclass(frozen=True, kw_only=True)
class _Told:
    """What is to become an event, with its JSON."""

    name: str
    lasts: bool
    """Whether who comes new is told it as well."""
    at_home: str
    abroad: str

    @classmethod
    def of(cls, told: Fact | Happening, *, lasts: bool) -> "_Told":
        return cls(name=told.name, lasts=lasts, at_home=told.tell(True), abroad=told.tell(False))


class _Memory:
    """What was told already."""

    def __init__(self) -> None:
        self._keys: dict[str, object] = {}
        self._told_s: dict[str, float] = {}
        self._numbers: dict[str, int] | None = None

    def news(self, seen: Seen) -> Sequence[_Told]:
        """Return what has changed, is to be told again, or has happened since the look before."""
        now_s = time.monotonic()
        found = []
        for fact in seen.facts:
            changed = fact.name not in self._keys or self._keys[fact.name] != fact.key
            again = fact.again_s is not None and now_s - self._told_s.get(fact.name, now_s) >= fact.again_s
            self._keys[fact.name] = fact.key
            if changed or again:
                self._told_s[fact.name] = now_s
                found.append(_Told.of(fact, lasts=True))
        before, self._numbers = self._numbers, dict(self._numbers or {})
        for happening in seen.happenings:
            # At the first look nothing is new: it is over.
            if before is not None and happening.number > before.get(happening.name, -1):
                found.append(_Told.of(happening, lasts=False))
            self._numbers[happening.name] = happening.number
        return found


@dataclass(frozen=True, kw_only=True)
class _Start:
    """Where a listener begins."""

    position: int
    """Of the ring."""
    first: Sequence[Event]
    """What it is told before."""


class EventListener:
    """One place in a feed; all but `rouse` belongs to its event loop."""

    def __init__(self, feed: EventFeed, address: str, roused: "LoopEvent", start: _Start) -> None:
        self.address = address
        self.lost = False
        """Whether it fell so far behind that what it needs next is gone."""
        self._feed = feed
        self._position = start.position
        self._first: Sequence[Event] = start.first
        self._roused = roused

    def rouse(self) -> None:
        """Have `wait` return; any thread."""
        self._roused.set()

    async def wait(self, timeout_s: float) -> None:
        """Return when there may be events, or when it is over, at the latest after `timeout_s`."""
        await self._roused.wait(timeout_s)

    def take(self) -> Sequence[Event]:
        """Return the events that came since, in order."""
        first, self._first = self._first, ()
        found = self._feed.read(self._position)
        if found is None:
            self.lost = True
            return ()
        if found:
            self._position = found[-1].number + 1
        # Of what it is told to begin with, nothing is told twice.
        return [*first, *found]
