"""The example has every option of every command, and its lines mean what they say."""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer

from stream.choosing.settings import PlannerSettings
from tools.app import app
from tools.config.example import example_toml
from tools.config.file import read_config
from tools.config.options import option_sections


def set_keys(table: Mapping[str, Any]) -> list[str]:
    """Return what a table, and those in it, set."""
    inner = [key for value in table.values() if isinstance(value, Mapping) for key in set_keys(value)]
    return inner + [key for key, value in table.items() if not isinstance(value, Mapping)]


def test_every_option_stands_there_and_every_default_is_taken(tmp_path: Path) -> None:
    sections = option_sections(typer.main.get_command(app))
    example = example_toml(sections)
    # As it is it says nothing.
    path = tmp_path / "endlos.toml"
    path.write_text(example)
    assert not set_keys(read_config(path, sections).defaults)
    said = tomllib.loads(re.sub(r"^#(\w)", r"\1", example, flags=re.MULTILINE))
    assert len(sections) > 15
    kept = []
    for section, options in sections.items():
        table = said
        for word in section.split("."):
            table = table[word]
        assert set(table) == set(options), section
        kept.append(f"[{section}]")
        for key, option in options.items():
            if option.parameter.default is not None:
                kept.append(re.search(rf"^#({key} = .*)", example.partition(f"\n[{section}]")[2], re.M)[1])  # type: ignore[index]
    path.write_text("\n".join(kept))
    defaults = read_config(path, sections).defaults
    assert defaults["serve"]["other_songs"] == str(PlannerSettings.other_songs)


def test_no_two_options_share_a_variable() -> None:
    options = [one for keys in option_sections(typer.main.get_command(app)).values() for one in keys.values()]
    assert len({option.variable for option in options}) == len(options)
    from stream.outputs.secrets import SECRET_VARIABLES
    from tools.config.file import CONFIG_VARIABLE
    from tools.running.home import HOME_VARIABLE

    assert not {option.variable for option in options} & {*SECRET_VARIABLES, CONFIG_VARIABLE, HOME_VARIABLE}
