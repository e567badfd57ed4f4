"""The command `endlos config` shows what every option is, and where that comes from."""

import os
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from tools.commands.idle import IdleOptions, refuse_idle
from tools.config.addresses import MASK
from tools.config.options import ConfigSections, option_sections
from tools.terminal import AsJson, print_json, print_table, printable

CONFIG_SETTINGS = {"ignore_unknown_options": True}
"""What stands behind the command's name is for that command."""


def config(
    context: typer.Context,
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="COMMAND [OPTIONS]",
            help="A command, with what else would be typed; without one, what is set for each.",
            show_default=False,
        ),
    ] = None,
    example: Annotated[
        bool, typer.Option("--example", help="Print a file with every option and its default, as comments.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show what every option is, and where that comes from.

    From a flag, a variable, the configuration file, or endlos itself. Nothing is run, and no secret is shown.
    """
    from tools.config.effective import named_sections
    from tools.config.example import example_toml

    refuse_idle(context, IdleOptions(names=("as_json",), where=example, why="with --example, which is TOML"))
    sections = option_sections(context.find_root().command)
    chosen, rest = named_sections(words, sections) if words else ([], ())
    if example:
        wanted = chosen or sections
        print(example_toml({section: sections[section] for section in wanted}), end="")
        return
    _show(context.find_root(), sections, chosen, list(rest), as_json=as_json)


def _show(
    root: Any, sections: ConfigSections, chosen: Sequence[str], rest: list[str], *, as_json: bool
) -> None:
    from stream.outputs.secrets import SECRET_VARIABLES
    from tools.config.check import unknown_variables
    from tools.config.effective import effective_values
    from tools.config.file import CONFIG_VARIABLE, find_config
    from tools.running.home import HOME_VARIABLE

    path = find_config()
    found = {
        section: [
            value for value in effective_values(root, section, rest) if chosen or value.source != "default"
        ]
        for section in chosen or sections
    }
    secrets = {name: MASK for name in SECRET_VARIABLES if os.environ.get(name)}
    unknown = unknown_variables(sections, os.environ, [*SECRET_VARIABLES, CONFIG_VARIABLE, HOME_VARIABLE])
    if as_json:
        told = {
            section: {
                value.option.key: {
                    "value": value.value,
                    "source": value.source,
                    "variable": value.option.variable,
                }
                for value in values
            }
            for section, values in found.items()
        }
        print_json({"file": path, "commands": told, "secrets": secrets, "unknown_variables": [*unknown]})
        return
    print(f"file: {path or 'none'}")
    for section, values in found.items():
        if values:
            print(f"\n[{section}]")
            print_table(
                ("option", "source", "variable", "value"),
                [
                    (value.option.key, value.source, value.option.variable, _text(value.value, value.told))
                    for value in values
                ],
            )
    if secrets:
        print()
        print_table(
            ("secret", "source", "value"), [(name, "environment", mask) for name, mask in secrets.items()]
        )
    for name, guess in unknown.items():
        print(f"endlos: nothing reads the variable {name}{guess}", file=sys.stderr)


def _text(value: object, told: str) -> str:
    if value is None or value == []:
        return f"({told})" if told else ""
    if isinstance(value, list):
        return printable(", ".join(map(str, value)))
    return str(value).lower() if isinstance(value, bool) else printable(str(value))
