"""Every module says in its first sentence, in plain word order, what it does."""

import ast
import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
FOLDERS = ("stream", "model", "tools", "tests", "benchmarks")
CODE = re.compile(r"`[^`]*`")
MODULES = sorted(
    path for folder in FOLDERS for path in (REPOSITORY / folder).rglob("*.py") if path.name != "__init__.py"
)


def faults_of_the_first_sentence(source: str) -> list[str]:
    docstring = ast.get_docstring(ast.parse(source))
    if not docstring:
        return ["has no docstring"]
    lines = docstring.splitlines()
    faults = []
    if len(lines) > 1 and lines[1].strip():
        faults.append("the first sentence goes on in the second line")
    if not lines[0].endswith("."):
        faults.append("ends without a full stop")
    if not lines[0][0].isupper():
        faults.append("begins with a lower-case word or a name from the code")
    # "The limiter: true peaks below the ceiling" has a colon where its verb should be.
    if ":" in CODE.sub("", lines[0]):
        faults.append("has a colon where a verb should be")
    return faults


def test_every_module_begins_with_a_sentence() -> None:
    assert len(MODULES) > 300
    faults = {
        str(path.relative_to(REPOSITORY)): found
        for path in MODULES
        if (found := faults_of_the_first_sentence(path.read_text(encoding="utf-8")))
    }
    assert faults == {}


@pytest.mark.parametrize(
    "source",
    [
        "import ctypes\n",
        '"""The limiter: true peaks below the ceiling."""\n',
        '"""`stream.outputs.feed`, its fades."""\n',
        '"""of the sound card."""\n',
        '"""The pacer pulls the engine"""\n',
        '"""The pacer pulls the engine and offers the same frames\nto every output, at the right speed."""\n',
    ],
)
def test_what_is_no_sentence_is_found(source: str) -> None:
    assert faults_of_the_first_sentence(source)
