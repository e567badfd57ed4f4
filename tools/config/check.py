"""A value is checked as its command would check it, before any command runs; wrong words get a guess."""

from collections.abc import Mapping, Sequence
from typing import Any

import typer

from model.base.errors import EndlosError
from model.base.guess import did_you_mean
from tools.config.options import PREFIX, ConfigOption, ConfigSections


def checked_value(option: ConfigOption, value: Any, where: str) -> Any:
    """Return `value` as it was; `EndlosError` where the command would refuse it. where: for the message."""
    context = typer.Context(option.command)
    try:
        option.parameter.process_value(context, value)
    except Exception as error:
        message = getattr(error, "message", None)
        if message is None:
            raise
        reason = str(message).removeprefix("Value error, ").rstrip(".").replace("Input should", "it should")
        raise EndlosError(f"{where} is {value!r}; {reason}") from None
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
