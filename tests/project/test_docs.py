"""The documents name every command, setting, output and figure of the code, and only modules there are."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from model.approaches.registry import APPROACHES
from tests.support import reference
from tests.support.reference import REPOSITORY, modules_of

HAND_WRITTEN = sorted(
    path
    for path in REPOSITORY.rglob("*.md")
    if not any(part.startswith(".") or part == "node_modules" for part in path.relative_to(REPOSITORY).parts)
    and path.name not in reference.PAGES
)
MODULE = re.compile(r"`((?:stream|model|tools|tests|benchmarks)(?:[./][a-z_0-9]+)+(?:\.[A-Za-z_]\w*)?)`")


def text_of(name: str) -> str:
    return (REPOSITORY / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("page", reference.PAGES)
def test_the_reference_is_what_the_code_says(page: str) -> None:
    assert text_of(f"docs/{page}") == reference.PAGES[page](), "run make docs"


def test_every_command_and_group_has_its_help_in_the_reference() -> None:
    from tools.app import app

    page = text_of("docs/commands.md")
    names = [command.name for command in app.registered_commands]
    for group in app.registered_groups:
        assert group.typer_instance is not None
        inner = [
            command.name or command.callback.__name__ for command in group.typer_instance.registered_commands
        ]
        names += [group.name, *(f"{group.name} {name}" for name in inner)]
    assert len(names) > 12
    for name in names:
        assert f"\n## endlos {name}\n" in page, name


def test_every_setting_stands_in_the_reference() -> None:
    import dataclasses

    from stream.choosing.settings import PlannerSettings
    from stream.choosing.weighing.weights import CostWeights
    from stream.engine.settings import EngineSettings
    from tools.bench.budgets import Budgets

    page = text_of("docs/settings.md")
    for settings in (EngineSettings, PlannerSettings, CostWeights, Budgets):
        part = page.partition(f"\n## {settings.__name__}\n")[2].partition("\n## ")[0]
        for field in dataclasses.fields(settings):
            assert f"| `{field.name}` |" in part, (settings, field.name)


def test_every_output_and_approach_stands_in_the_reference() -> None:
    from stream.outputs.registry import KINDS

    page = text_of("docs/alternatives.md")
    for kind in KINDS:
        assert f"| `{kind.form}` | `{kind.from_uri.__module__}` | {kind.summary} |" in page
    for name, approach in APPROACHES.items():
        assert f"| `{name}` | {approach.summary} |" in page
        for preset, told in approach.presets.items():
            assert f"`{preset}`: {told.summary}" in page
    folders = {face.parent.name for face in (REPOSITORY / "model" / "approaches").glob("*/__init__.py")}
    assert {name.replace("-", "_") for name in APPROACHES} == folders


def test_every_approach_stands_in_the_readme() -> None:
    for name in APPROACHES:
        assert f"`{name}`" in text_of("README.md") or f"--approach {name}" in text_of("README.md"), name


def test_every_figure_of_eval_is_explained() -> None:
    import numpy as np

    from tools.quality.ranking.ranks import POOLS, ranking_figures

    page = text_of("docs/evaluation.md")
    song = np.repeat(np.arange(3), 5)
    successor = np.where(np.arange(15) % 5 == 4, -1, np.arange(15) + 1)
    scores = np.random.default_rng(0).random((15, 15), dtype=np.float32)
    duplicates = np.eye(15, dtype=np.bool_)
    found = ranking_figures(scores, song, successor, duplicates=duplicates, resamples=10).plain()
    for pool in POOLS:
        assert f"*{pool}*" in page, pool
        for name in found["pools"][pool]:
            assert f"`{name}`" in page, name
    for name in set(found) - {"queries", "songs", "pools"}:
        assert f"`{name}`" in page, name


def test_every_figure_of_joins_is_explained() -> None:
    import numpy as np

    from tools.quality.joins.bounds import JOIN_FIGURES
    from tools.quality.joins.measuring.journey import JourneyMap
    from tools.quality.joins.measuring.measures import NAMES
    from tools.quality.joins.measuring.scorecard import join_metrics

    page = text_of("docs/joins.md")
    silence = np.zeros((44_100, 2), dtype=np.float32)
    whole = join_metrics(silence, [], JourneyMap(chunks=1, songs=1)).plain()
    for name in (*NAMES, *whole.keys() - {"seconds"}):
        assert f"`{name}`" in page, name
    for figure in JOIN_FIGURES:
        assert figure.name.partition(",")[0] in page, figure.name


def names_of_figures() -> Iterator[str]:
    """The fixed words of each name that a measurement of the benchmark gives a figure."""
    makers = {
        "Figure": "name",
        "missing": 1,
        "quantile_figure": 1,
        "spread_figure": 1,
        "_figure": 0,
        "figure": 0,
    }
    for module, tree in modules_of("tools/bench"):
        if module.endswith(("figures", "suite")):
            continue
        for node in ast.walk(tree):
            if not (
                isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in makers
            ):
                continue
            place = makers[node.func.id]
            named = {word.arg: word.value for word in node.keywords}
            name = named.get("name") if isinstance(place, str) else node.args[place]
            if isinstance(name, ast.JoinedStr):
                name = name.values[0]
            if isinstance(name, ast.Constant):
                yield str(name.value).partition(",")[0].strip()


def test_every_part_and_figure_of_bench_is_explained() -> None:
    from tools.bench.questions import QUESTIONS

    page = text_of("docs/bench.md").replace("`", "")
    found = set(names_of_figures())
    assert len(found) > 12
    for name in (*QUESTIONS, *found):
        assert name in page, name


@pytest.mark.parametrize("path", HAND_WRITTEN, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_a_module_or_name_that_a_document_mentions_exists(path: Path) -> None:
    for name in MODULE.findall(path.read_text(encoding="utf-8").replace("`model.json`", "")):
        assert exists(name), name


def exists(name: str) -> bool:
    """Whether a path or a dotted name is a file, a module, a room or a public name of a module."""
    if "/" in name:
        place = REPOSITORY / name
        return place.exists() or place.with_suffix(".py").is_file()
    words = name.split(".")
    place = REPOSITORY.joinpath(*words)
    if place.is_dir() or place.with_suffix(".py").is_file():
        return True
    module = REPOSITORY.joinpath(*words[:-1]).with_suffix(".py")
    return (
        module.is_file()
        and re.search(rf"^(?:class |def |async def )?{words[-1]}\b", module.read_text(), re.M) is not None
    )


@pytest.mark.parametrize("name", reference.WITH_ROOMS)
def test_a_table_of_rooms_is_that_of_the_code(name: str) -> None:
    text = text_of(name)
    assert text == reference.with_rooms(text), "run make docs"


@pytest.mark.parametrize("folder", ["stream", "model", "tools"])
def test_every_room_and_its_question_stand_in_both_tables(folder: str) -> None:
    faces = [face for face in (REPOSITORY / folder).rglob("*/__init__.py") if "__pycache__" not in face.parts]
    assert len(faces) > 4
    for face in faces:
        room = face.parent.relative_to(REPOSITORY).as_posix()
        question = face.read_text(encoding="utf-8").strip().strip('"')
        for name in ("README.md", f"{folder}/README.md"):
            assert f"| `{room}` | {question} |" in text_of(name), room


def test_every_word_of_the_glossary_lives_in_a_module_once() -> None:
    rows = [line.split(" | ") for line in text_of("docs/glossary.md").splitlines() if line.startswith("| ")]
    words = [(row[0].strip("| "), row[-1].strip("| `")) for row in rows if row[0] != "| word"]
    assert len(words) > 40
    assert len({word for word, _ in words}) == len(words)
    for word, place in words:
        assert re.fullmatch(r"(stream|model|tools)(\.\w+)+", place) and exists(place), (word, place)


@pytest.mark.parametrize("path", HAND_WRITTEN, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_a_link_leads_to_a_file(path: Path) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", path.read_text(encoding="utf-8")):
        if not target.startswith("https://"):
            assert (path.parent / target.partition("#")[0]).exists(), target


def test_the_changelog_begins_with_what_is_not_released() -> None:
    headings = re.findall(r"^## (.+)$", text_of("CHANGELOG.md"), re.MULTILINE)
    assert headings[0] == "Unreleased"


def test_a_finding_says_what_was_guessed_and_is_listed_with_its_versions() -> None:
    listed = text_of("findings/README.md")
    scripts = sorted((REPOSITORY / "findings").glob("*.sh"))
    assert scripts
    for script in scripts:
        text = script.read_text(encoding="utf-8")
        assert script.stat().st_mode & 0o111 and "# Guess: " in text and "# What really happens (" in text
        row = next(line for line in listed.splitlines() if f"({script.name})" in line)
        for version in re.findall(r"^.*What really happens \((.*?)\)", text, re.MULTILINE)[0].split(", "):
            assert version in row, version


def shown_commands() -> Iterator[tuple[str, str]]:
    """Each line of a document that is a call of endlos, without what is said beside it."""
    for path in HAND_WRITTEN:
        for line in path.read_text(encoding="utf-8").splitlines():
            found = re.match(r" {4}(?:\.venv/bin/)?endlos (.+)", line)
            if found:
                yield path.name, re.split(r" {3,}|  \(", found[1])[0]


def test_a_command_that_a_document_shows_has_these_options() -> None:
    shown = list(shown_commands())
    helps = reference.command_helps()
    assert len(shown) > 20
    for document, line in shown:
        words = line.split()
        name = "endlos " + (" ".join(words[:2]) if words[0] == "pool" else words[0])
        assert name in helps, (document, line)
        for option in re.findall(r"(?<=\s)--[a-z-]+", line):
            assert re.search(rf"(?<![\w-]){option}(?![\w-])", helps[name]), (document, line, option)
