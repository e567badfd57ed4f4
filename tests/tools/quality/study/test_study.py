"""A study of tiny songs runs to its end, survives a killed worker, and tells all on one page."""

import json
import multiprocessing
import os
import re
import signal
import sqlite3
from contextlib import closing
from dataclasses import dataclass, replace
from html.parser import HTMLParser
from multiprocessing.process import BaseProcess
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import soundfile

from model.base.errors import EndlosError
from model.base.files import write_whole
from model.base.lock import held_alone
from stream.pool.database import DATABASE_FILE
from tests.support.browser import rendered
from tests.support.commands import Running, run_here
from tests.support.music import RATE_HZ, write_music
from tools.quality.study.ledger import LEDGER_FILE
from tools.quality.study.protocol import (
    StudyResult,
    StudySettings,
    plan_study,
    run_study,
    study_cost,
    study_result,
)
from tools.quality.study.report import REPORT_FILE, study_page
from tools.quality.study.runs import options
from tools.quality.study.scale import CHEAP

TINY = replace(
    CHEAP,
    base=options(optimizer="rmsprop", batch_size=64, edge_samples=1260, epochs=1),
    repeats=1,
    asked_songs=2,
)


@dataclass(frozen=True, kw_only=True)
class Studied:
    """A study whose last run was killed, then gone on with."""

    settings: StudySettings
    first: StudyResult
    told: list[tuple[str, int, int]]
    again: StudyResult
    told_again: list[tuple[str, int, int]]


def _place(worker: BaseProcess) -> int:
    """Return which of the processes that this one began a worker is."""
    return int(worker.name.rpartition("-")[2])


@pytest.fixture(scope="module")
def studied(tmp_path_factory: pytest.TempPathFactory) -> Studied:
    folder = tmp_path_factory.mktemp("study")
    write_music(folder / "music", [f"{letter} - song.wav" for letter in "abcdef"], seconds=16.0)
    soundfile.write(folder / "music" / "g - silent.wav", np.zeros((16 * RATE_HZ, 2)), RATE_HZ)
    settings = StudySettings(
        music=folder / "music", out=folder / "out", scale=TINY, only="optimizers", jobs=2
    )
    plan = plan_study(settings)
    told: list[tuple[str, int, int]] = []
    told_again: list[tuple[str, int, int]] = []

    def kill_the_last(what: str, done: int, total: int) -> None:
        told.append((what, done, total))
        # Whoever is done first has just been given the last run: it cannot have ended with it yet.
        if done == 1:
            workers = sorted(multiprocessing.active_children(), key=_place)
            first = [one.run.told() for one in plan.runs].index(what)
            os.kill(workers[first].pid or 0, signal.SIGKILL)

    first = run_study(plan, settings, kill_the_last)
    again = run_study(
        plan, replace(settings, jobs=1), lambda what, done, total: told_again.append((what, done, total))
    )
    return Studied(settings=settings, first=first, told=told, again=again, told_again=told_again)


def test_a_killed_worker_costs_its_run_and_no_other(studied: Studied) -> None:
    assert studied.told[-1][1:] == (3, 3)
    (lost,) = studied.first.failed
    assert "SIGKILL" in lost.reason
    assert len(studied.first.figures) == 2


def test_what_failed_is_tried_again_and_nothing_else(studied: Studied) -> None:
    assert studied.again.failed == () and studied.again.missing == 0
    assert studied.told_again[-1][1:] == (1, 1)
    assert len(studied.again.figures) == 3
    for key, figures in studied.first.figures.items():
        assert studied.again.figures[key] == figures
    plan = plan_study(studied.settings)
    assert study_cost(plan, studied.settings.out).open_runs == 0
    third: list[int] = []
    run_study(plan, studied.settings, lambda what, done, total: third.append(total))
    assert third == [0]


def test_a_run_has_figures_of_its_training_and_of_songs_never_seen(studied: Studied) -> None:
    for figures in studied.again.figures.values():
        assert [found["pairs"] > 0 for found in figures["validations"].values()] == [True] * 3
        assert figures["epochs"] == 1 and figures["train_cpu_s"] > 0
        for gap in ("0", "50"):
            ranked = figures["ranking"][gap]
            assert set(ranked["songs"]) <= set(studied.again.plan.runs[0].run.asked)
            totals, counts = ranked["all/auc"]
            assert all(0 <= total <= count for total, count in zip(totals, counts, strict=True))
    assert not list((studied.settings.out / "models").iterdir())
    assert not (studied.settings.out / "scratch").exists()


def test_runs_are_kept_under_their_keys(studied: Studied) -> None:
    with closing(sqlite3.connect(studied.settings.out / LEDGER_FILE)) as database:
        kept = dict(database.execute("SELECT key, run FROM runs"))
        (mode,) = database.execute("PRAGMA journal_mode").fetchone()
    assert mode == "wal"
    assert {key: json.loads(run)["settings"] for key, run in kept.items()} == {
        one.run.key: [list(setting) for setting in one.run.settings] for one in studied.again.plan.runs
    }


def test_a_song_that_nothing_can_be_cut_from_is_named(studied: Studied, page: Path) -> None:
    (told,) = studied.again.left_out
    assert told.startswith("g - silent.wav: ")
    assert told in page.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(studied: Studied) -> Path:
    """The report of the study."""
    path = studied.settings.out / REPORT_FILE
    write_whole(path, study_page(studied.again))
    return path


class Tags(HTMLParser):
    """Collects tags, attributes and text, and sees that what is opened is closed."""

    EMPTY = ("meta", "line", "circle")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_is_well_formed_and_needs_nothing_from_elsewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert not re.search(r"https?:|//[a-z]|url\(|@import|<script|<link|<img|javascript:", text)
    tags = Tags()
    tags.feed(text)
    assert tags.open == []
    ids = [given["id"] for _, given in tags.found if "id" in given]
    assert len(ids) == len(set(ids))
    for name, given in tags.found:
        if name == "svg":
            assert given["role"] == "img"
            assert set((given["aria-labelledby"] or "").split()) <= set(ids)
        if name == "a":
            assert (given["href"] or "")[1:] in ids
    drawings = re.findall(r"<svg.*?</svg>", text)
    assert len(drawings) == 4
    for drawing in drawings:
        tree = ElementTree.fromstring(drawing)
        assert tree.find("title") is not None and (tree.findtext("desc") or "").count("interval") == 3
        assert len(tree.findall("circle")) == 3
    assert text.count("<table>") == 2


def test_the_page_has_every_figure_with_its_interval_and_n_and_both_findings(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    rows = re.findall(r'<tr><th scope="row">(?:RMSprop|Adam|SGD).*?</tr>', text)
    assert len(rows) == 3
    for row in rows:
        cells = re.findall(r"<td>(.*?)</td>", row)
        for cell in cells[:-1]:
            assert re.fullmatch(r"[\d.]+ <small>\([\d.]+–[\d.]+\), n = (2 × )?1</small>", cell), cell
    assert "RMSprop was better than Adam" in text and "The report:" in text and "Here:" in text
    assert text.count("a training-set figure") >= 3


def test_a_browser_opens_the_page(page: Path) -> None:
    shown = rendered(page.as_uri())
    assert "Which optimiser?" in shown and shown.count("<circle") == 12


def test_the_command_goes_on_and_prints_what_it_found(
    studied: Studied, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from tools.quality.study import scale

    monkeypatch.setattr(scale, "CHEAP", TINY)
    words = (
        "study",
        studied.settings.music,
        "--cheap",
        "--only",
        "optimizers",
        "--out",
        studied.settings.out,
    )
    assert run_here(*words) == 0
    printed = capfd.readouterr().out
    assert "3 runs (3 done before)" in printed and "optimizers: " in printed
    assert printed.rstrip().endswith(REPORT_FILE)
    assert run_here(*words, "--json") == 0
    found = json.loads(capfd.readouterr().out)
    assert found["runs"] == {"done": 3, "failed": 0, "missing": 0}
    adam = found["questions"]["optimizers"]["values"]["Adam"]["auc"]
    assert adam["low"] <= adam["value"] <= adam["high"]
    assert (adam["songs"], adam["trainings"]) == (2, 1)


def test_ctrl_c_keeps_what_is_done_and_says_so(studied: Studied, tmp_path: Path) -> None:
    words = ("study", str(studied.settings.music), "--cheap", "--only", "batches", "--out", str(tmp_path))
    with Running(*words) as running:
        running.wait_for("(0 done before)")
        running.send(signal.SIGINT)
        assert running.end() == 128 + signal.SIGINT, running.printed()
        said = running.printed().strip().splitlines()[-1]
    assert re.fullmatch(r"endlos: the study stopped with \d of 9 runs done, which .* keeps; .* goes on", said)
    assert "Too few runs were done" in (tmp_path / REPORT_FILE).read_text(encoding="utf-8")


def test_a_pool_that_is_only_begun_says_nothing_yet(studied: Studied, tmp_path: Path) -> None:
    """A study may be interrupted just then, and tells what it keeps."""
    settings = replace(studied.settings, out=tmp_path)
    plan = plan_study(settings)
    for home in {one.run.home for one in plan.runs}:
        (tmp_path / "pools" / home).mkdir(parents=True)
        (tmp_path / "pools" / home / DATABASE_FILE).touch()
    result = study_result(plan, tmp_path)
    assert (result.left_out, result.missing) == ((), len(plan.runs))


def test_two_studies_do_not_write_into_one_folder(studied: Studied) -> None:
    plan = plan_study(studied.settings)
    with (
        held_alone(studied.settings.out / "study.lock", EndlosError("taken")),
        pytest.raises(EndlosError, match="another study writes into"),
    ):
        run_study(plan, studied.settings, lambda what, done, total: None)
