"""The health check knows who is ill, for how long one may be away, and what a pause changes."""

from dataclasses import replace

import pytest

from stream.engine.tally import DecisionTally
from stream.outputs.output import OutputStatus
from stream.service.health import AWAY_S, Health, health_of
from tests.support.moments import a_moment

ICECAST, HTTP = "icecast://example.org:8000/a.mp3", "http mp3"


def output(name: str, delivered_ago_s: float | None, audible_ago_s: float | None) -> OutputStatus:
    return OutputStatus(
        name=name, state="playing", delivered_ago_s=delivered_ago_s, audible_ago_s=audible_ago_s
    )


def both(icecast: OutputStatus, since_pause_s: float | None = None) -> Health:
    return health_of([icecast, output(HTTP, 0.1, 0.1)], since_pause_s)


def test_every_output_has_to_be_heard() -> None:
    assert both(output(ICECAST, 0.1, 0.1)).well
    gone = OutputStatus(name=ICECAST, state="reconnecting", detail="no answer in time", audible_ago_s=60.0)
    found = both(gone)
    assert not found.well
    assert found.away == {ICECAST: "reconnecting: no answer in time"}
    assert found.silent_s == {ICECAST: 60.0, HTTP: 0.1}
    assert not health_of([], None).well, "a stream that goes nowhere"


def test_how_long_one_may_be_away_is_ten_seconds() -> None:
    assert AWAY_S == 10.0
    assert both(output(ICECAST, 9.9, 9.9)).well
    assert not both(output(ICECAST, 10.1, 10.1)).well


def test_silence_is_no_sound_and_never_is_too_long() -> None:
    for last_s in (10.1, None):
        found = both(output(ICECAST, 0.1, last_s))
        assert found.away == {ICECAST: "playing, but digital silence"}
        assert [told.healthy for told in found.outputs] == [False, True]


@pytest.mark.parametrize("since_pause_s", [0.0, 9.9])
def test_in_a_pause_and_shortly_after_silence_is_enough_and_nothing_is_not(since_pause_s: float) -> None:
    assert both(output(ICECAST, 0.1, 600.0), since_pause_s).well
    assert both(output(ICECAST, 0.1, None), since_pause_s).well
    assert both(output(ICECAST, 11.0, 600.0), since_pause_s).away == {ICECAST: "playing"}
    assert both(output(ICECAST, None, None), since_pause_s).away == {ICECAST: "playing"}
    assert both(output(ICECAST, 0.1, 600.0), since_pause_s).paused == (since_pause_s == 0.0)


def test_after_a_pause_the_sound_has_to_come_back() -> None:
    assert both(output(ICECAST, 0.1, 12.0), 10.1).away == {ICECAST: "playing, but digital silence"}


def test_an_output_that_has_ended_in_good_order_is_told_as_ended_and_nobody_misses_it() -> None:
    ended = OutputStatus(name="pipe:-", state="stopped", detail="who read it has gone", done=True)
    found = both(ended)
    assert found.well
    assert [(told.healthy, told.ended) for told in found.outputs] == [(True, True), (True, False)]
    assert not both(replace(ended, done=False)).well, "one that a fault has ended is missed"
    assert health_of([ended], None).reason == "it goes nowhere"


def test_more_late_decisions_than_a_moment_of_sleep_explains_are_an_illness_until_they_are_past() -> None:
    def found(*late_ago_s: float) -> Health:
        figures = replace(DecisionTally().figures(), late=9, late_ago_s=late_ago_s)
        return replace(a_moment(decisions=figures), outputs=[output(HTTP, 0.1, 0.1)]).health

    assert found(50.0, 9.0, 0.0).well
    ill = found(59.0, 50.0, 9.0, 0.0)
    assert not ill.well
    assert not ill.away, "it is heard all the same"
    assert ill.reason == ill.as_json()["reason"] == "4 decisions of the last 60 s came late"
    assert ill.as_json()["late_decisions"] == 4
    assert found(61.0, 52.0, 11.0, 2.0).well, "it is past"


def test_a_process_that_stood_still_is_told_and_makes_nobody_ill() -> None:
    now = replace(a_moment(), outputs=[output(HTTP, 0.1, 0.1)])
    stopped = replace(now, pacing=replace(now.pacing, stopped_lately_s=5.0))
    assert now.health.as_json()["stopped_s"] == 0.0
    assert stopped.health.well and stopped.health.as_json()["stopped_s"] == 5.0
