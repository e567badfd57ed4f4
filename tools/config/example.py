"""The example of a configuration file is made from the options' own help and defaults."""

import json
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import typer

from tools.config.addresses import ADDRESS_KEYS
from tools.config.options import ConfigOption, ConfigSections

_WIDTH = 100
_HEAD = """\
# endlos reads one such file: --config FILE, else that of the variable ENDLOS_CONFIG, else that in the user's
# configuration folder, else /etc/endlos/endlos.toml. A section for each command, in it the command's options
# without their dashes. A variable goes before the file, the command line before both.
# A relative path begins at the folder of this file.
# Below stands every option with its default; take the # away from what you change.
"""
_ADDRESSES = """\
# Addresses, or tables with the options of an address. A password may stand here and nowhere else, if no other
# user may read this file; better is password-file.
#     [ "http://0.0.0.0:8000", { uri = "icecast://source@host:8000/x.mp3", password-file = "/etc/secret" } ]
"""


def example_toml(sections: ConfigSections) -> str:
    """Return a file that changes nothing: every option is a comment."""
    parts = [_HEAD]
    for section, options in sections.items():
        lines = [f"[{section}]"]
        for option in options.values():
            lines += _lines(option)
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


def _lines(option: ConfigOption) -> Iterator[str]:
    shown = option.parameter.get_help_record(typer.Context(option.command)) or ("", "")
    yield from (f"# {line}" for line in textwrap.wrap(" ".join(str(shown[1]).split()), _WIDTH))
    if option.key in ADDRESS_KEYS:
        yield from _ADDRESSES.splitlines()
    yield f"#{option.key} = {_literal(option, str(shown[0]))}"


def _literal(option: ConfigOption, form: str) -> str:
    """Return the default in TOML; where there is none, a value of the right kind."""
    default = option.parameter.default
    if option.is_flag:
        return "true" if default else "false"
    if default is None:
        number = any(word in form.lower() for word in ("<int", "<float", " integer", " float"))
        default = 0 if number else _placeholder(option)
    if option.repeatable and not isinstance(default, list | tuple):
        default = [default]
    return _toml_literal(default)


def _placeholder(option: ConfigOption) -> str:
    return str(option.parameter.metavar or option.key.upper()).strip("[]")


def _toml_literal(value: Any) -> str:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"[{', '.join(map(_toml_literal, value))}]"
    # A text of JSON is one of TOML.
    return json.dumps(str(value) if isinstance(value, Path) else value, ensure_ascii=False)
