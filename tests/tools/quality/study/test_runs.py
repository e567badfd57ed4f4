"""A run is named by all that decides its figures, and equal runs are done once."""

import json
from dataclasses import fields, replace
from typing import Any

import pytest

from tools.quality.study.preparing import declared_cut
from tools.quality.study.runs import StudyRun, WantedRun, merged, options, run_of

RUN = StudyRun(
    variant="original",
    cut=options(cut="equal", chunk_s=5.0),
    approach="binary",
    preset="fast",
    settings=options(epochs=2, optimizer="adam"),
    seed=0,
    learned=("one", "two"),
    asked=("three",),
    chunks_a_song=10,
    stream_s=60.0,
)
OTHERS: dict[str, Any] = {
    "variant": "wav",
    "factor": 70.0,
    "cut": options(cut="equal", chunk_s=3.0),
    "approach": "tower",
    "preset": "seed",
    "settings": options(epochs=3, optimizer="adam"),
    "channels": "both",
    "seed": 1,
    "learned": ("one", "four"),
    "asked": ("four",),
    "chunks_a_song": 11,
    "stream_s": 61.0,
}


@pytest.mark.parametrize("name", [field.name for field in fields(StudyRun)])
def test_whatever_changes_changes_the_key(name: str) -> None:
    assert replace(RUN, **{name: OTHERS[name]}).key != RUN.key


def test_a_run_comes_back_from_json_and_options_have_no_order() -> None:
    assert run_of(json.loads(json.dumps(RUN.plain()))) == RUN
    assert replace(RUN, settings=options(optimizer="adam", epochs=2)).key == RUN.key


def test_runs_that_several_questions_ask_for_are_done_once_with_all_that_is_wanted() -> None:
    other = replace(RUN, seed=1)
    wanted = [
        WantedRun(run=RUN, parts=frozenset({"ranking"})),
        WantedRun(run=other, parts=frozenset({"ranking"})),
        WantedRun(run=RUN, parts=frozenset({"ranking", "stream"})),
    ]
    found = {one.run: one.parts for one in merged(wanted)}
    assert found == {RUN: {"ranking", "stream"}, other: {"ranking"}}


def test_music_of_another_factor_is_cut_into_the_same_chunks() -> None:
    # Declared to be twice as fast, five seconds of the music are two and a half of its files.
    cut = declared_cut(replace(RUN, factor=70.0))
    assert (cut.chunk_s, cut.min_chunk_s, cut.max_chunk_s) == (2.5, 1.0, 7.5)
    assert declared_cut(RUN).chunk_s == 5.0
    assert replace(RUN, factor=70.0).home != RUN.home
