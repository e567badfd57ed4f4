"""What a device missed while the process was stopped is counted, and nothing else is."""

from stream.outputs.standstill import Standstill


def test_only_what_was_missed_in_a_standstill_counts() -> None:
    now_s = 50.0
    found = Standstill(1000, 0.05, lambda: now_s)
    assert found.look(123, 0.1) == 0, "the first look has nothing before it"
    frames_out = 123
    for _ in range(20):
        now_s += 0.3
        # A busy machine, and a device that gets less than its due: its own counters say so.
        frames_out += 200
        assert found.look(frames_out, 0.1) == 0
    now_s += 5.0
    assert found.look(frames_out, 0.1) == 4900, "but for what the device had"
    now_s += 5.0
    frames_out += 5000
    assert found.look(frames_out, 0.1) == 0, "a looker that was late, beside a device that got all"
