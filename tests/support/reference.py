"""This helper writes the reference pages of `docs/` from what the code says.

`make docs` writes them; a test compares them with the code.
"""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from model.approaches.registry import APPROACHES

REPOSITORY = Path(__file__).resolve().parents[2]
WIDTH = 110
MADE = "Made by `make docs` from the code; edit there.\n"


def modules_of(package: str) -> Iterator[tuple[str, ast.Module]]:
    """Return each module of a folder by its dotted name; nothing of ours is imported."""
    for path in sorted((REPOSITORY / package).rglob("*.py")):
        words = path.relative_to(REPOSITORY).with_suffix("").parts
        name = ".".join(words[:-1] if words[-1] == "__init__" else words)
        yield name, ast.parse(path.read_text(encoding="utf-8"))


def first_sentence(tree: ast.Module | ast.ClassDef) -> str:
    """Return the first line of a docstring."""
    return (ast.get_docstring(tree) or "").partition("\n")[0]


def fields_of(found: ast.ClassDef) -> list[tuple[str, str, str]]:
    """Return name, default as it is written, and meaning of every field of a dataclass."""
    rows = []
    for node, after in zip(found.body, [*found.body[1:], None], strict=True):
        if not isinstance(node, ast.AnnAssign) or not isinstance(node.target, ast.Name):
            continue
        default = "" if node.value is None else ast.unparse(node.value)
        made = re.fullmatch(r"field\(default_factory=(.*)\)", default)
        meaning = ""
        if isinstance(node.value, ast.Call) and ast.unparse(node.value.func) == "option":
            # Of a training: `model.learning.settings.option` says both.
            default, meaning = ast.unparse(node.value.args[0]), ast.literal_eval(node.value.args[1])
        if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
            meaning = " ".join(str(after.value.value).split())
        rows.append((node.target.id, f"{made[1]}()" if made else default, meaning))
    return rows


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """Return a table in Markdown."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(
        [*lines, *("| " + " | ".join(c.replace("|", "\\|") for c in row) + " |" for row in rows)]
    )


def walk_commands(command: Any, context: Any) -> Iterator[tuple[str, str]]:
    """Return the full name and the help of every command and of every group."""
    yield context.command_path, command.get_help(context)
    for name, below in sorted(getattr(command, "commands", {}).items()):
        yield from walk_commands(
            below, type(context)(below, parent=context, info_name=name, **below.context_settings)
        )


def command_helps() -> dict[str, str]:
    """Return what `--help` says of every command, by its full name."""
    from tools.app import app

    command = typer.main.get_command(app)
    top = command.context_class(command, info_name="endlos", terminal_width=WIDTH, **command.context_settings)
    return dict(walk_commands(command, top))


def settings_classes() -> dict[str, tuple[str, ast.ClassDef]]:
    """Return module and definition of every class that holds settings, weights or budgets, by name."""
    return {
        node.name: (module, node)
        for package in ("stream", "model", "tools")
        for module, tree in modules_of(package)
        for node in tree.body
        if isinstance(node, ast.ClassDef) and node.name.endswith(("Settings", "CostWeights", "Budgets"))
    }


def settings_fields(
    found: ast.ClassDef, classes: dict[str, tuple[str, ast.ClassDef]]
) -> list[tuple[str, str, str]]:
    """Return the fields of settings, those of the settings that they extend first."""
    parents = [classes[name][1] for base in found.bases if (name := ast.unparse(base)) in classes]
    return [row for parent in parents for row in settings_fields(parent, classes)] + fields_of(found)


def output_kinds() -> list[tuple[str, str, str]]:
    """Return address, module and meaning of every kind of output."""
    from stream.outputs.registry import KINDS

    return [(kind.form, kind.from_uri.__module__, kind.summary) for kind in KINDS]


def commands_page() -> str:
    """Return the page of all commands."""
    parts = ["# Commands\n", MADE]
    parts += [f"## {name}\n\n```text\n{text.rstrip()}\n```\n" for name, text in command_helps().items()]
    return "\n".join(parts)


def settings_page() -> str:
    """Return the page of all settings."""
    parts = [
        "# Settings\n",
        MADE,
        "A default stands once, in its dataclass. A setting without a line of its own says by its name, "
        "whose last word is the unit, what it is.\n",
    ]
    classes = settings_classes()
    for name, (module, node) in classes.items():
        rows = [
            (f"`{field}`", f"`{default}`" if default else "", told)
            for field, default, told in settings_fields(node, classes)
        ]
        parts += [
            f"## {name}\n",
            f"`{module}`: {first_sentence(node)}\n",
            table(("setting", "default", "meaning"), rows) + "\n",
        ]
    return "\n".join(parts)


def alternatives_page() -> str:
    """Return the page of what there is to choose from: outputs, what they count, approaches."""
    (status,) = (
        node
        for _, tree in modules_of("stream/outputs")
        for node in tree.body
        if isinstance(node, ast.ClassDef) and node.name == "OutputStatus"
    )
    outputs = [(f"`{form}`", f"`{module}`", told) for form, module, told in output_kinds()]
    approaches = [
        (
            f"`{one.name}`",
            one.summary,
            "; ".join(
                f"`{name}`: {preset.summary} ({preset.features})" for name, preset in one.presets.items()
            ),
            f"`{one.scoring}`",
        )
        for one in APPROACHES.values()
    ]
    counters = [(f"`{name}`", told) for name, _, told in fields_of(status)]
    return "\n".join(
        [
            "# Outputs and approaches\n",
            MADE,
            "## Outputs\n",
            table(("`--output`", "module", "where the stream goes"), outputs) + "\n",
            "## What an output says of itself (`/status.json`)\n",
            table(("figure", "meaning"), counters) + "\n",
            "## Approaches\n",
            table(("approach", "what is learned", "presets (and what they see)", "scored by"), approaches)
            + "\n",
        ]
    )


def interface_described() -> dict[str, Any]:
    """Return the OpenAPI of the interface; nobody is asked anything for it."""
    from stream.service.api.application import create_api

    return create_api(None).openapi()  # type: ignore[arg-type]


def type_said(schema: dict[str, Any]) -> str:
    """Return in a few words what a schema takes."""
    if "$ref" in schema:
        name = str(schema["$ref"]).rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(type_said(each) for each in schema["anyOf"])
    if "enum" in schema or "const" in schema:
        return " or ".join(f"`{value}`" for value in schema.get("enum", [schema.get("const")]))
    if schema.get("type") == "array":
        return f"list of {type_said(schema['items'])}"
    bounds = [f"{schema[key]:g}" for key in ("minimum", "maximum") if key in schema]
    return str(schema.get("type", "object")) + (f" {' to '.join(bounds)}" if len(bounds) == 2 else "")


def interface_page() -> str:
    """Return the page of the interface: what may be asked, what is answered, and every metric."""
    from stream.service.health import LATELY_S, MOST_LATE
    from stream.service.metrics import OTHER_METRICS, OUTPUT_METRICS, STREAM_METRICS

    described = interface_described()
    requests = []
    for path, methods in described["paths"].items():
        for method, told in methods.items():
            takes = [
                f"`{one['name']}`: {type_said(one['schema'])}"
                for one in told.get("parameters", ())
                if one["in"] == "query"
            ]
            body = told.get("requestBody", {}).get("content", {}).get("application/json")
            takes += [type_said(body["schema"])] if body else []
            answers = next(found for status, found in told["responses"].items() if status.startswith("2"))
            kinds = [
                type_said(of["schema"]) if kind == "application/json" else f"`{kind}`"
                for kind, of in answers.get("content", {}).items()
            ]
            requests.append(
                (f"`{method.upper()} /api{path}`", told["summary"], ", ".join(takes), ", ".join(kinds))
            )
    parts = [
        "# The interface for programs\n",
        MADE,
        described["info"]["description"] + "\n",
        "The description that programs read (OpenAPI 3.1) is at `/api/openapi.json`; `endlos ctl` speaks it. "
        "One address may change something 20 times in 10 s, and a body has 16 KiB at most.\n",
        "## Requests\n",
        table(("request", "what for", "takes", "answers"), requests) + "\n",
    ]
    for name, schema in sorted(described["components"]["schemas"].items()):
        rows = [
            (f"`{field}`", type_said(of), of.get("description", ""))
            for field, of in schema.get("properties", {}).items()
        ]
        parts += [
            f"## {name}\n",
            f"{schema.get('description', '')}\n",
            table(("field", "type", "meaning"), rows) + "\n",
        ]
    metrics = [(f"`{each.name}`", each.told) for each in (*STREAM_METRICS, *OUTPUT_METRICS)]
    metrics += [(f"`{name}`", told) for name, told in OTHER_METRICS.items()]
    parts += [
        "## Health and metrics\n",
        "`/healthz` (and `/health`) answers 200 while audible sound leaves every output, else 503, and says "
        "of each how it is and why; a pause is no illness. `late_decisions` counts those of the last "
        f"{LATELY_S:.0f} s: the sound does not wait for them, but more than {MOST_LATE} are an illness, too, "
        "until they are past; `reason` says which it is. `stopped_s` says for how long of the last "
        "minute the process stood still (SIGSTOP, a machine that was stopped), whatever the outputs are. "
        "`/metrics` is for Prometheus; what begins "
        "with `endlos_output_` has the labels `output` and `kind`. Who asks from elsewhere is not told where "
        "an output is: they are numbered.\n",
        table(("metric", "meaning"), metrics) + "\n",
    ]
    return "\n".join(parts)


def layers_of(folder: str) -> list[list[str]]:
    """Return the rooms of a folder from top to bottom, as the contract in pyproject.toml has them."""
    with (REPOSITORY / "pyproject.toml").open("rb") as file:
        contracts = tomllib.load(file)["tool"]["importlinter"]["contracts"]
    (layers,) = (found["layers"] for found in contracts if found.get("containers") == [folder])
    return [layer.split(" | ") for layer in layers]


def rooms_table(folder: str) -> str:
    """Return the rooms of a folder from top to bottom, those inside them too, with their questions.

    What stands beside the rooms, as `tools.app` does, is in no table.
    """
    rows: list[tuple[str, ...]] = []
    for layer in layers_of(folder):
        for room in layer:
            place = REPOSITORY / folder / room
            for face in sorted(place.rglob("__init__.py"), key=lambda face: face.parent.parts):
                name = face.parent.relative_to(REPOSITORY / folder).as_posix()
                question = first_sentence(ast.parse(face.read_text(encoding="utf-8")))
                beside = ", ".join(f"`{other}`" for other in layer if other != room)
                rows.append((f"`{folder}/{name}`", question, beside if face.parent == place else ""))
    return table(("room", "question", "knows nothing of"), rows)


def with_rooms(text: str) -> str:
    """Return a document whose tables of rooms, each between two marks, are those of the code."""
    return re.sub(
        r"(<!-- rooms of (\w+) -->\n).*?(<!-- end -->)",
        lambda found: f"{found[1]}{rooms_table(found[2])}\n{found[3]}",
        text,
        flags=re.DOTALL,
    )


PAGES = {
    "commands.md": commands_page,
    "settings.md": settings_page,
    "alternatives.md": alternatives_page,
    "api.md": interface_page,
}

WITH_ROOMS = ("README.md", "stream/README.md", "model/README.md", "tools/README.md")

if __name__ == "__main__":
    for page, made in PAGES.items():
        (REPOSITORY / "docs" / page).write_text(made(), encoding="utf-8")
    for name in WITH_ROOMS:
        document = REPOSITORY / name
        document.write_text(with_rooms(document.read_text(encoding="utf-8")), encoding="utf-8")
