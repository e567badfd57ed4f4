"""The value of an option comes from the command line, else a variable, else the file, else its default."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from model.base.errors import EndlosError
from model.base.guess import did_you_mean
from tools.config.addresses import masked, masked_address
from tools.config.options import ConfigOption, ConfigSections, options_of

_SOURCES = {"COMMANDLINE": "flag", "ENVIRONMENT": "environment", "DEFAULT_MAP": "file"}


@dataclass(frozen=True, kw_only=True)
class EffectiveValue:
    """What one option is, with nothing in it that is secret."""

    option: ConfigOption
    value: object
    """None: nothing is set, and endlos chooses (`told`)."""
    source: str
    """`flag`, `environment`, `file` or `default`."""
    told: str = ""
    """What endlos chooses where nothing is set, in words."""


def effective_values(root: Any, section: str, words: Sequence[str] = ()) -> list[EffectiveValue]:
    """Return what every option of a command would be.

    root: Click's context of the whole program. words: options and arguments of that command, as they would
    be typed. Click's own errors tell of what cannot be parsed.
    """
    context: Any = root
    for word in section.split("."):
        command = context.command.commands[word]
        if hasattr(command, "commands"):
            context = type(root)(command, parent=context, info_name=word)
            continue
        for parameter in command.params:
            # Nothing is run: what is missing is not.
            parameter.required = False
        context = command.make_context(word, list(words), parent=context)
    return [_effective(option, context) for option in options_of(section, context.command)]


def named_sections(words: Sequence[str], sections: ConfigSections) -> tuple[Sequence[str], Sequence[str]]:
    """Return which command the first words name, and the words behind it; of a group all its commands.

    Raises `EndlosError` where they name none.
    """
    for count in (2, 1):
        section = ".".join(words[:count])
        if section in sections:
            return [section], words[count:]
    group = [section for section in sections if section.startswith(f"{words[0]}.")]
    if group and len(words) == 1:
        return group, ()
    name = " ".join(words[: 2 if group else 1])
    known = [section.replace(".", " ") for section in sections]
    raise EndlosError(f"there is no command {name}{did_you_mean(name, known)}; `endlos --help` lists all")


def _effective(option: ConfigOption, context: Any) -> EffectiveValue:
    name = option.parameter.name
    source = context.get_parameter_source(name)
    return EffectiveValue(
        option=option,
        value=_shown(context.params[name]),
        source="default" if source is None else _SOURCES.get(source.name, "default"),
        told=_told(option),
    )


def _told(option: ConfigOption) -> str:
    told = getattr(option.parameter, "show_default", None)
    return told if isinstance(told, str) else ""


def _shown(value: object) -> object:
    if isinstance(value, list | tuple):
        return [_shown(one) for one in value]
    if isinstance(value, str):
        return masked(masked_address(value))
    return value
