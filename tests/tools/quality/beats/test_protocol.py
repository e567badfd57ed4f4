"""The protocol judges what is rendered, and its figures can be printed as JSON."""

import json

from tools.quality.beats.protocol import judge_all
from tools.quality.beats.renderings import renderings
from tools.quality.beats.table import print_beats


def test_some_renderings_are_judged() -> None:
    count = sum(1 for _ in renderings())
    done: list[int] = []
    report = judge_all(None, None, count // 2, done.append)
    assert done == list(range(1, len(report.judged) + 1))
    assert {group.group for group in report.groups} >= {"demo songs", "all"}
    assert report.groups[-1].pieces == len(report.judged)
    assert report.groups[-1].level_f > 0.8
    json.dumps(report.plain(), allow_nan=False)
    print_beats(report)
