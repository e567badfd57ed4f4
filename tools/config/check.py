"""A value is checked as its command would check it, before any command runs; wrong words get a guess."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import typer

from model.base.errors import EndlosError
from model.base.files import path_below
from model.base.guess import did_you_mean
from tools.config.options import PREFIX, ConfigOption, ConfigSections


def checked_value(option: ConfigOption, value: Any, where: str) -> Any:
    """Return `value` as the command would get it; `EndlosError` where it would be refused.

    where: for the message.
    """
    context = typer.Context(option.command)
    try:
        return option.parameter.process_value(context, value)
    except Exception as error:
        message = getattr(error, "message", None)
        if message is None:
            raise
        reason = str(message).removeprefix("Value error, ").rstrip(".").replace("Input should", "it should")
        raise EndlosError(f"{where} is {value!r}; {reason}") from None


def value_below(taken: Any, value: Any, folder: Path) -> Any:
    """Return a value whose relative paths begin at a folder; all else as it was.

    taken: the value as its command would get it. The name of a model that endlos carries is no path, unless
    there is such a folder.
    """
    if isinstance(taken, Path):
        from model.saved.carried import carried_models

        below = path_below(value, folder)
        return value if not below.exists() and value in carried_models() else str(below)
    if isinstance(taken, Sequence) and not isinstance(taken, str):
        return [value_below(*pair, folder) for pair in zip(taken, value, strict=True)]
    return value


def check_variables(sections: ConfigSections, environment: Mapping[str, str]) -> None:
    """Raise `EndlosError` for a variable of an option whose value its command would refuse."""
    for options in sections.values():
        for option in options.values():
            value = environment.get(option.variable)
            if value:
                given = value.split() if option.repeatable else value
                checked_value(option, given, f"the variable {option.variable}")


def unknown_variables(
    sections: ConfigSections, environment: Mapping[str, str], others: Sequence[str]
) -> dict[str, str]:
    """Return the variables that begin like ours and set nothing, with a guess in brackets what was meant."""
    known = [option.variable for options in sections.values() for option in options.values()]
    known += others
    return {
        name: did_you_mean(name, known)
        for name in environment
        if name.startswith(f"{PREFIX}_") and name not in known
    }
