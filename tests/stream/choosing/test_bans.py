"""Bans end by themselves, last longer each time, and are forgiven."""

import pytest

from stream.choosing.bans import FIRST_WAIT_S, FORGIVEN_S, LONGEST_WAIT_S, Bans


def test_waits_double_up_to_the_longest_and_are_forgiven() -> None:
    now_s = 100.0
    bans = Bans()
    waits_s = []
    for _ in range(9):
        bans.add("gone", now_s)
        began_s = now_s
        # Failing again meanwhile, by what was read ahead, is no new failure.
        bans.add("gone", now_s)
        assert bans.current(now_s) == {"gone"}
        while bans.current(now_s):
            now_s += 0.5
        waits_s.append(now_s - began_s)
    assert waits_s == [min(FIRST_WAIT_S * 2**n, LONGEST_WAIT_S) for n in range(9)]
    now_s += FORGIVEN_S
    bans.add("gone", now_s)
    now_s += FIRST_WAIT_S
    assert bans.current(now_s) == frozenset()


@pytest.mark.parametrize(("good_for_s", "waits_s"), [(FORGIVEN_S - 1.0, 2.0), (FORGIVEN_S, 1.0)])
def test_a_song_is_forgiven_after_it_could_be_read_for_long(good_for_s: float, waits_s: float) -> None:
    now_s = 5.0
    bans = Bans()
    bans.add("gone", now_s)
    now_s += FIRST_WAIT_S + good_for_s
    bans.add("gone", now_s)
    now_s += waits_s * FIRST_WAIT_S - 0.1
    assert bans.current(now_s) == {"gone"}
    now_s += 0.2
    assert bans.current(now_s) == frozenset()


def test_songs_are_left_out_each_for_itself_and_all_tried_again() -> None:
    now_s = 0.0
    bans = Bans()
    bans.add("one", now_s)
    now_s += FIRST_WAIT_S / 2
    bans.add("two", now_s)
    assert bans.current(now_s) == {"one", "two"}
    now_s += FIRST_WAIT_S / 2
    assert bans.current(now_s) == {"two"}
    bans.add("one", now_s)
    bans.clear()
    assert bans.current(now_s) == frozenset()
