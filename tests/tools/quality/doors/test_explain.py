"""Joins are explained from a log, and from the doors of a pool."""

import json
from pathlib import Path

import pytest

from model.base.errors import EndlosError
from tools.quality.doors.explain import EXPLAINED_HEAD, explain_joins

LINE = {
    "n": 3,
    "t_out_s": 61.5,
    "fade_s": 17.25,
    "kind": "plain_fade",
    "from": {"song": "a.mp3"},
    "to": {"song": "b.mp3"},
    "join": {"kind": "plain_fade"},
    "door": {"penalties": {"kind": -1.0, "keys": -0.25}, "rejected": {"tempo_blend": "no beat is sure"}},
}


def test_a_log_says_of_each_join_what_it_is_and_why(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    natural = {**LINE, "join": None, "kind": None, "door": None}
    change = {**LINE, "kind": "quick_change", "join": {"kind": "quick_change", "bars": 1}}
    undecided = {**LINE, "kind": "splice", "join": {"kind": "splice"}, "door": None}
    lines = [natural, LINE, change, {"event": "stop"}, undecided]
    path.write_text("\n".join(json.dumps(line) for line in lines))
    found = explain_joins(path)
    assert [join.kind for join in found] == ["plain_fade", "quick_change", "splice"]
    assert found[0].worth == pytest.approx(-1.25) and found[0].at_s == 61.5
    cells = found[0].cells()
    assert len(cells) == len(EXPLAINED_HEAD)
    assert cells[-1] == "no tempo blend: no beat is sure; kind -1.00; keys -0.25"
    assert found[1].cells()[2] == "17.2 s, 1 bar" and found[2].cells()[-1] == "-"


def test_what_is_no_log_is_told(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    for text in ("nothing", "{}", "[1]"):
        path.write_text(text)
        with pytest.raises(EndlosError, match="is not a decision log"):
            explain_joins(path)
