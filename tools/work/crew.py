"""A crew does the work of a command, as processes of this machine or as the workers of a cluster."""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from tools.work.cluster import Cluster
from tools.work.cluster_state import ClusterState
from tools.work.fitness import Site
from tools.work.workers import Crashed, Item, Room, Work, run_all

_Result = TypeVar("_Result")


class Crew(Protocol):
    """Whoever works on many items."""

    def run_all(
        self, work: "Work[Item, _Result]", items: Sequence[Item], room: Room
    ) -> Generator[tuple[Item, _Result | Crashed], None, None]:
        """Yield each item with its result, as `tools.work.workers.run_all` does."""
        ...


@dataclass(frozen=True, kw_only=True)
class LocalCrew:
    """Processes of this machine."""

    jobs: int

    def run_all(
        self, work: "Work[Item, _Result]", items: Sequence[Item], room: Room
    ) -> Generator[tuple[Item, _Result | Crashed], None, None]:
        """Yield each item with its result, the first items first; one alone is worked on in this process."""
        return run_all(work, items, min(self.jobs, max(1, len(items))), room)


def crew(
    jobs: int, scheduler: str | None, site: Callable[[], Site], tell: Callable[[ClusterState], None]
) -> Crew:
    """Return the workers of the scheduler at an address, or with None so many processes of this machine.

    site: gives what each worker of a cluster has to find. tell: is told how a cluster gets on.
    """
    return LocalCrew(jobs=jobs) if scheduler is None else Cluster(scheduler, site(), tell)
