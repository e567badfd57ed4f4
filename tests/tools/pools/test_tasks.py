"""The room for decoded copies is taken once for each song, however often it is asked for."""

from pathlib import Path

from tools.pools.tasks import CopyRoom


def test_who_does_the_song_of_a_worker_that_was_killed_may_write_its_copy(tmp_path: Path) -> None:
    room = CopyRoom(tmp_path, 30, 100)
    assert room.take("one", 60)
    assert room.take("one", 60), "as the first time, and not twice"
    assert room.take("two", 10)
    assert not room.take("three", 1)
