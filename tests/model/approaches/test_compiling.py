"""No network that is trained is compiled with XLA, which makes it on a CPU 1.5 to 3 times slower."""

import ast
from pathlib import Path

import model
import tools


def compilations(source: str) -> list[tuple[int, bool]]:
    """Line of each call of a method `compile`, and whether it says no to XLA."""
    found = []
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Call(func=ast.Attribute(value=owner, attr="compile"), keywords=keywords):
                if not (isinstance(owner, ast.Name) and owner.id == "re"):
                    said = {word.arg: word.value for word in keywords}.get("jit_compile")
                    found.append((node.lineno, isinstance(said, ast.Constant) and said.value is False))
    return found


def test_no_network_that_is_trained_is_compiled_with_xla() -> None:
    rooms = [Path(package.__path__[0]) for package in (model, tools)]
    paths = sorted(path for room in rooms for path in room.rglob("*.py"))
    found = {path: compilations(path.read_text(encoding="utf-8")) for path in paths}
    assert sum(len(lines) for lines in found.values()) >= 2
    assert not [(path, line) for path, lines in found.items() for line, refused in lines if not refused]


def test_what_leaves_it_to_keras_is_found() -> None:
    assert compilations("network.compile('adam')\nre.compile('a')") == [(1, False)]
    assert compilations("network.compile('adam', jit_compile=False)") == [(1, True)]
