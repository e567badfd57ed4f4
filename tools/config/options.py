"""The options that a file and variables may set are those of the commands, so that none is declared twice."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

PREFIX = "ENDLOS"
"""What the variables of all options begin with."""


@dataclass(frozen=True, kw_only=True)
class ConfigOption:
    """One option or argument of one command."""

    section: str
    """The command, such as `pool.build`, as TOML names its table."""
    key: str
    """As it is spelled on the command line, without dashes; of an argument its name."""
    variable: str
    """Which variable sets it."""
    parameter: Any
    """What Click knows of it."""
    command: Any
    """Whose it is, for Click."""

    @property
    def repeatable(self) -> bool:
        """Whether it takes a list."""
        return bool(self.parameter.multiple or self.parameter.nargs == -1)

    @property
    def is_flag(self) -> bool:
        """Whether it is there or not, without a value."""
        return bool(getattr(self.parameter, "is_flag", False))


ConfigSections = Mapping[str, Mapping[str, ConfigOption]]
"""The options by section and key."""


def option_sections(command: Any) -> ConfigSections:
    """Return the options of every command below `command`, which Click has made of the whole program."""
    return {
        section: {option.key: option for option in options_of(section, below)}
        for section, below in _commands(command)
    }


def name_variables(sections: ConfigSections) -> None:
    """Let Click ask for each option's variable also where it would make no name, or another one.

    By itself it asks none for arguments, and names `--json` by the parameter behind it.
    """
    for options in sections.values():
        for option in options.values():
            own = option.parameter.envvar or ()
            option.parameter.envvar = [option.variable, *([own] if isinstance(own, str) else own)]
            # `endlos config` tells the names; in a help they would bury what an option does.
            option.parameter.show_envvar = False


def _commands(command: Any, before: str = "") -> Iterator[tuple[str, Any]]:
    for name, below in command.commands.items():
        if hasattr(below, "commands"):
            yield from _commands(below, f"{before}{name}.")
        else:
            yield before + name, below


def options_of(section: str, command: Any) -> Iterator[ConfigOption]:
    """Return the options of one command, and its arguments."""
    for parameter in command.params:
        words = [word.lstrip("-") for word in parameter.opts]
        key = max(words, key=len).replace("_", "-")
        variable = "_".join([PREFIX, *section.split("."), key]).replace("-", "_").upper()
        yield ConfigOption(section=section, key=key, variable=variable, parameter=parameter, command=command)
