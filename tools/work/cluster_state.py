"""The state of a cluster tells who works, on what for long, and what each worker has done."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class WorkerShare:
    """What one worker has done."""

    address: str
    items: int
    busy_s: float


@dataclass(frozen=True, kw_only=True)
class Straggler:
    """The item that has been worked on for longest, by now."""

    item: Any
    address: str
    seconds: float


@dataclass(frozen=True, kw_only=True)
class ClusterState:
    """How a cluster gets on."""

    workers: int
    """Those that may work."""
    lost: int
    """Workers that ended while they held an item, which was given to another one."""
    straggler: Straggler | None
    shares: tuple[WorkerShare, ...]
