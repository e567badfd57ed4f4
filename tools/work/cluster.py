"""A cluster is the workers of a Dask scheduler, each of which holds one item at a time.

Dask itself would let items wait at a worker, and give those up with it that killed it. Here what a worker
holds is known, so that a lost worker blames nobody else, and costs one item.
"""

import logging
import queue
import time
import uuid
import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from model.base.errors import EndlosError
from tools.work.asking import RoomQuestion, work_there
from tools.work.cluster_state import ClusterState, Straggler, WorkerShare
from tools.work.fitness import MarkedSite, Site, marked, why_unfit
from tools.work.workers import Crashed, Item, Room, Work

if TYPE_CHECKING:
    from distributed import Client

_Result = TypeVar("_Result")

_log = logging.getLogger("endlos")

CONNECT_S = 10.0
"""How long a scheduler has to answer."""
WORKERS_S = 60.0
"""How long a scheduler may be without a worker."""
WORKERS_LOOK_S = 1.0
"""How often the workers are looked through."""
FETCH_S = 30.0
"""How long a result may take from its worker to here; one whose worker was lost meanwhile never comes."""
LOSSES = 3
"""Workers that an item may cost before it is given up; for the last it is alone."""


@dataclass(kw_only=True, eq=False)
class _Given:
    """An item, and how often a worker was lost with it."""

    item: Any
    losses: list[str] = field(default_factory=list)


@dataclass(kw_only=True, eq=False)
class _Worker:
    address: str
    held: "_Given | None" = None
    future: Any = None
    since_s: float = 0.0
    fit: bool | None = None
    """None: it is being looked at."""
    items: int = 0
    busy_s: float = 0.0


class Cluster:
    """The workers of a scheduler, as a crew; belongs to one thread."""

    def __init__(self, scheduler: str, site: Site, tell: Callable[[ClusterState], None]) -> None:
        """scheduler: its address, such as `tcp://192.0.2.1:8786`. site: what each worker has to find."""
        self._scheduler = scheduler
        self._site = site
        self._tell = tell

    def run_all(
        self, work: "Work[Item, _Result]", items: Sequence[Item], room: Room
    ) -> Generator[tuple[Item, _Result | Crashed], None, None]:
        """Yield each item with its result, as they are done, about the first items first.

        work: a function of a module that the workers have, too. Closing the iterator lets go of what they
        hold. `EndlosError` when the scheduler does not answer, goes away, or has no worker that may work.
        """
        if not items:
            return
        with _connected(self._scheduler) as client, marked(self._site) as site:
            run = _Run(client, self._scheduler, work, items, room, site, self._tell)
            with closing(run.results()) as results:
                yield from results


@contextmanager
def _connected(scheduler: str) -> Iterator["Client"]:
    client_class = dask_client_class()
    try:
        with warnings.catch_warnings():
            # It warns of other versions of packages that do not matter here; those that do are compared.
            warnings.simplefilter("ignore")
            client = client_class(scheduler, timeout=CONNECT_S, set_as_default=False, name="endlos")
    except (OSError, ValueError, TypeError) as error:
        raise EndlosError(
            f"no scheduler answers at {scheduler}; start one with `dask scheduler`, and give its address as "
            "it says it, such as tcp://192.0.2.1:8786"
        ) from error
    try:
        yield client
    finally:
        with suppress(Exception):
            client.close(timeout=5)


def dask_client_class() -> Any:
    """Import Dask, quietly, and return its client; `EndlosError` says what to install."""
    try:
        from distributed import Client
    except ModuleNotFoundError as error:
        raise EndlosError(
            f"a cluster needs the package {error.name}, which is not installed; "
            "install endlos with its extra, in its folder: pip install -e '.[cluster]'"
        ) from error
    # What it would log is found out here, and said in a sentence.
    for name in ("distributed", "distributed.client", "tornado.application"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    return Client


class _Run:
    """One run over many items."""

    def __init__(
        self,
        client: "Client",
        scheduler: str,
        work: "Work[Any, Any]",
        items: Sequence[Any],
        room: Room,
        site: MarkedSite,
        tell: Callable[[ClusterState], None],
    ) -> None:
        self._client: Any = client
        self._scheduler = scheduler
        self._work = work
        self._waiting = deque(_Given(item=item) for item in items)
        self._aside: deque[_Given] = deque()
        self._room = room
        self._site = site
        self._tell = tell
        self._name = f"endlos-{uuid.uuid4().hex}"
        self._events: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._workers: dict[str, _Worker] = {}
        self._gone: list[_Worker] = []
        self._submitted = 0
        self._lost = 0
        self._looked_s = 0.0
        self._had_workers_s = time.monotonic()

    def results(self) -> Generator[tuple[Any, Any], None, None]:
        """Yield items with their results."""
        self._client.subscribe_topic(self._name, lambda event: self._events.put(RoomQuestion.of(event)))
        while self._waiting or self._aside or self._holding():
            if time.monotonic() - self._looked_s >= WORKERS_LOOK_S:
                yield from self._look_through()
            self._give_out()
            try:
                event = self._events.get(timeout=WORKERS_LOOK_S)
            except queue.Empty:
                continue
            if isinstance(event, RoomQuestion):
                event.answer(self._client, self._room)
            else:
                yield from self._take(event)
        self._tell(self._state(time.monotonic()))

    def _holding(self) -> list[_Worker]:
        return [worker for worker in self._workers.values() if worker.held is not None]

    # Workers

    def _look_through(self) -> Iterator[tuple[Any, Crashed]]:
        """Take up workers that have come, and what those held that are gone."""
        there = self._addresses()
        now_s = self._looked_s = time.monotonic()
        for address in sorted(there - self._workers.keys()):
            worker = self._workers[address] = _Worker(address=address)
            self._submit(worker, why_unfit, self._site)
        for address in self._workers.keys() - there:
            worker = self._workers.pop(address)
            self._gone.append(worker)
            if worker.held is not None:
                yield from self._give_up(worker)
        if any(worker.fit is not False for worker in self._workers.values()):
            self._had_workers_s = now_s
        elif now_s - self._had_workers_s > WORKERS_S:
            raise EndlosError(
                f"{self._scheduler} has no worker that may work; start some with `dask worker "
                f"{self._scheduler} --nthreads 1 --nworkers N`, and run this again: what is done is kept"
            )
        self._tell(self._state(now_s))

    def _addresses(self) -> set[str]:
        try:
            if self._client.status == "running":
                return set(self._client.nthreads(callback_timeout=CONNECT_S))
        except Exception as error:  # its transports have errors of their own
            raise self._went_away() from error
        raise self._went_away()

    def _went_away(self) -> EndlosError:
        return EndlosError(
            f"the scheduler {self._scheduler} went away; start it and its workers, and run this again: "
            "what is done is kept"
        )

    def _state(self, now_s: float) -> ClusterState:
        held = [worker for worker in self._workers.values() if worker.held is not None]
        slowest = min(held, key=lambda worker: worker.since_s, default=None)
        return ClusterState(
            workers=sum(worker.fit is True for worker in self._workers.values()),
            lost=self._lost,
            straggler=None
            if slowest is None or slowest.held is None
            else Straggler(item=slowest.held.item, address=slowest.address, seconds=now_s - slowest.since_s),
            shares=tuple(
                WorkerShare(address=worker.address, items=worker.items, busy_s=round(worker.busy_s, 1))
                for worker in (*self._workers.values(), *self._gone)
                if worker.items
            ),
        )

    # Items

    def _give_out(self) -> None:
        """Give each worker that may work and holds nothing an item; the last try of an item is alone."""
        for worker in self._workers.values():
            if worker.fit is not True or worker.held is not None:
                continue
            if self._waiting:
                given = self._waiting.popleft()
            elif self._aside and not self._holding():
                given = self._aside.popleft()
            else:
                return
            worker.held, worker.since_s = given, time.monotonic()
            self._submit(worker, work_there, self._work, given.item, self._name)

    def _submit(self, worker: _Worker, function: Callable[..., Any], *words: Any) -> None:
        self._submitted += 1
        worker.future = self._client.submit(
            function,
            *words,
            key=f"{self._name}-{self._submitted}",
            workers=[worker.address],
            allow_other_workers=False,
            pure=False,
            retries=0,
        )
        worker.future.add_done_callback(self._events.put)

    def _take(self, future: Any) -> Iterator[tuple[Any, Any]]:
        """Take what a worker has done; what is of a worker that is gone by now has been taken up before."""
        worker = next((each for each in self._workers.values() if each.future is future), None)
        if worker is None:
            return
        given = worker.held
        if future.status != "error" and self._client.status != "running":
            raise self._went_away()
        try:
            result = future.result(timeout=FETCH_S)
        except Exception as error:  # what the worker raised, or what became of it
            if given is not None and future.status != "error":
                yield from self._give_up(worker)
                return
            result = error
        worker.future = None
        if given is None:
            self._admit(worker, result)
        elif type(result).__name__ == "KilledWorker":
            yield from self._give_up(worker)
        else:
            worker.held = None
            worker.items += 1
            worker.busy_s += time.monotonic() - worker.since_s
            if isinstance(result, Exception):
                result = Crashed(reason=f"{type(result).__name__}: {result}")
            # Dask keeps a result for as long as somebody has its future.
            future.release()
            yield given.item, result

    def _admit(self, worker: _Worker, reason: Any) -> None:
        worker.fit = reason is None
        if reason is None:
            return
        if isinstance(reason, ImportError):
            reason = f"does not have endlos ({reason}); install the same version there"
        elif isinstance(reason, Exception):
            reason = f"cannot work ({type(reason).__name__}: {reason})"
        if all(each.fit is False for each in self._workers.values()):
            raise EndlosError(f"no worker of {self._scheduler} may work: {worker.address} {reason}")
        _log.warning("worker %s gets no work: it %s", worker.address, reason)

    def _give_up(self, worker: _Worker) -> Iterator[tuple[Any, Crashed]]:
        """Give what a lost worker held to another one; once more alone, before it is blamed."""
        given, worker.held = worker.held, None
        if worker.future is not None:
            worker.future.cancel()
            worker.future = None
        assert given is not None
        self._lost += 1
        given.losses.append(worker.address)
        if len(given.losses) >= LOSSES:
            lost = ", ".join(given.losses)
            yield (
                given.item,
                Crashed(reason=f"working on it ended {LOSSES} workers, one after another: {lost}"),
            )
        elif len(given.losses) == LOSSES - 1:
            self._aside.append(given)
        else:
            self._waiting.appendleft(given)
