"""Benchmarks leave whole lines behind."""

import json
from pathlib import Path

import pytest

from benchmarks.record import machine, record, versions


def test_each_record_is_a_line_that_says_where_it_was_measured(tmp_path: Path) -> None:
    results = tmp_path / "results.jsonl"
    record("render", {"times_real_time": 12.5}, results)
    record("render", {"by_strategy": {"random": 100}}, results)
    first, second = map(json.loads, results.read_text(encoding="utf-8").splitlines())
    assert first["question"] == "render"
    assert first["figures"] == {"times_real_time": 12.5}
    assert second["figures"] == {"by_strategy": {"random": 100}}
    assert first["commit"]
    assert first["machine"] == machine()
    assert first["versions"] == versions()
    assert {"python", "numpy", "numba", "onnxruntime"} <= set(first["versions"])
    assert first["machine"]["cores"] >= 1


def test_a_figure_that_is_no_number_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        record("render", {"speed": float("nan")}, tmp_path / "results.jsonl")
