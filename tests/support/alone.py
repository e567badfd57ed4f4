"""This helper lets a test that claims real time run alone, however many processes run the tests.

Beside another worker a sound card's thread comes too late now and then, which says nothing of endlos.
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_GATE = Path(__file__)
_ROOM = Path(__file__).with_name("__init__.py")


@contextmanager
def admitted(*, alone: bool, gate: Path = _GATE, room: Path = _ROOM) -> Iterator[None]:
    """Be in a test for a `with` block, alone or with others of the kind; waits for its turn.

    gate, room: files that all processes see, of which only the locks are used. Who waits to be alone stands
    in the gate, so that nobody comes in before.
    """
    with gate.open("rb") as entered, room.open("rb") as inside:
        fcntl.flock(entered, fcntl.LOCK_EX)
        fcntl.flock(inside, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        fcntl.flock(entered, fcntl.LOCK_UN)
        yield
