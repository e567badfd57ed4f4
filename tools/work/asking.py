"""A worker on another machine asks whoever gave it work whether something may be written."""

import uuid
from dataclasses import dataclass
from typing import Any

from tools.work.workers import Room, Work, attempt

ANSWER_S = 60.0
"""How long a worker waits for an answer; none is a no."""


@dataclass(frozen=True, kw_only=True)
class RoomQuestion:
    """A worker's question whether something of a name and so many bytes may be written."""

    name: str
    size_bytes: int
    queue: str
    """Name of the queue that takes the answer."""

    @classmethod
    def of(cls, event: Any) -> "RoomQuestion":
        """Take it from an event of Dask's: a time, and what was told."""
        _, (name, size_bytes, answer) = event
        return cls(name=name, size_bytes=size_bytes, queue=answer)

    def answer(self, client: Any, room: Room) -> None:
        """Answer it; whoever asked may be gone."""
        from distributed import Queue

        named: Any = Queue
        named(self.queue, client=client).put(room(self.name, self.size_bytes))


def work_there(work: "Work[Any, Any]", item: Any, topic: str) -> Any:
    """Work on one item, in a worker, which asks whoever gave it about room."""
    from distributed import Queue, get_worker

    named: Any = Queue

    def room(name: str, size_bytes: int) -> bool:
        answer = named(f"{topic}-{uuid.uuid4().hex}")
        # A list: to a dictionary Dask would add the name of the worker.
        get_worker().log_event(topic, [name, size_bytes, answer.name])
        try:
            return bool(answer.get(timeout=ANSWER_S))
        except TimeoutError:
            return False  # whoever gave the work is gone
        finally:
            answer.close()

    return attempt(work, item, room)
