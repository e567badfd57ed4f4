"""The kept blocks that are still to be heard stay, within their bound of bytes."""

import numpy as np

from stream.audio.kept_blocks import KeptBlocks


def block(frames: int) -> np.ndarray:
    return np.zeros((frames, 2), dtype=np.float32)


def test_the_latest_stay_as_far_as_there_is_room() -> None:
    kept = KeptBlocks(3 * 800)
    for number in range(3):
        kept.put((0, number), block(100))
    assert kept.get((0, 0)) is not None
    kept.put((1, 0), block(100))
    assert kept.get((0, 1)) is None, "it was asked for longest ago"
    kept.put((1, 1), block(200))
    assert [kept.get((0, 2)), kept.get((0, 0))] == [None, None], "a long one takes the room of two"
    assert len(kept) == 2
    kept.put((2, 0), block(10_000))
    assert len(kept) == 1 and kept.get((2, 0)) is not None


def test_what_has_passed_makes_room_first() -> None:
    kept = KeptBlocks(3 * 800)
    kept.put((7, 0), block(100))
    for number in range(20):
        kept.put((0, number), block(100))
        kept.passed((0, number))
    kept.passed((9, 9))
    assert kept.get((7, 0)) is not None and len(kept) == 3
    assert kept.get((0, 19)) is not None, "and is there until then"


def test_what_is_forgotten_takes_no_room() -> None:
    kept = KeptBlocks(3 * 800)
    for key in ((0, 0), (1, 0), (0, 1)):
        kept.put(key, block(100))
    kept.put((1, 0), block(100))
    kept.forget(0)
    assert len(kept) == 1
    kept.put((2, 0), block(100))
    kept.put((2, 1), block(100))
    assert kept.get((1, 0)) is not None
    kept.clear()
    assert len(kept) == 0 and kept.get((1, 0)) is None
