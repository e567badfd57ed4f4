"""A test that claims real time runs alone, and is not made to wait for ever."""

import threading
from pathlib import Path

from tests.support.alone import admitted
from tests.support.waiting import PATIENCE_S, wait_until


def test_who_is_alone_waits_for_all_and_nobody_comes_in_before(tmp_path: Path) -> None:
    gate, room = tmp_path / "gate", tmp_path / "room"
    gate.touch()
    room.touch()
    inside: list[str] = []
    leave = {name: threading.Event() for name in ("first", "second", "alone", "last")}

    def be_there(name: str) -> None:
        with admitted(alone=name == "alone", gate=gate, room=room):
            inside.append(name)
            leave[name].wait(PATIENCE_S)
            inside.remove(name)

    threads = {name: threading.Thread(target=be_there, args=(name,), daemon=True) for name in leave}
    for name in ("first", "second"):
        threads[name].start()
        wait_until(lambda name=name: name in inside, name)  # type: ignore[misc]
    assert inside == ["first", "second"], "others are together"
    threads["alone"].start()
    wait_until(lambda: _is_taken(gate), "it waits in the gate")
    threads["last"].start()
    leave["first"].set()
    wait_until(lambda: inside == ["second"], "the first has left")
    leave["second"].set()
    wait_until(lambda: inside == ["alone"], "it is alone")
    leave["alone"].set()
    wait_until(lambda: inside == ["last"], "who came later comes later")
    leave["last"].set()
    for thread in threads.values():
        thread.join()


def _is_taken(path: Path) -> bool:
    import fcntl

    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
