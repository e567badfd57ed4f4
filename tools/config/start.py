"""Before a command runs, file and variables are read and checked, and handed to Click as its defaults."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model.base.errors import EndlosError
from tools.config.addresses import known_passwords
from tools.config.check import check_variables
from tools.config.file import CONFIG_VARIABLE, find_config, read_config
from tools.config.options import name_variables, option_sections

CONFIG_OPTION = "--config"
_TELLS_ONLY = ("-h", "--help", "--version", "--example")


@dataclass(frozen=True, kw_only=True)
class CommandLine:
    """What is left to parse, and what holds where it says nothing."""

    words: Sequence[str]
    defaults: Mapping[str, Any]


@contextmanager
def configured(command: Any, words: Sequence[str]) -> Iterator[CommandLine]:
    """Read the configuration for one run of `command`, which Click has made of the whole program.

    words: the command line; `--config FILE` may stand anywhere in it. Meanwhile the variable names that file
    to whatever is started. Raises `EndlosError` for whatever is wrong with file or variables.
    """
    rest, named = _without_file(words)
    before = os.environ.get(CONFIG_VARIABLE)
    if named is not None:
        os.environ[CONFIG_VARIABLE] = str(Path(named).expanduser().absolute())
    try:
        sections = option_sections(command)
        name_variables(sections)
        # Who asks for help gets it whatever is wrong with the file, and the defaults of endlos.
        if not rest or any(word in _TELLS_ONLY for word in rest):
            yield CommandLine(words=rest, defaults={})
            return
        config = read_config(find_config(), sections)
        check_variables(sections, os.environ)
        token = known_passwords.set(config.passwords)
        try:
            yield CommandLine(words=rest, defaults=config.defaults)
        finally:
            known_passwords.reset(token)
    finally:
        if named is not None:
            os.environ.pop(CONFIG_VARIABLE)
            if before is not None:
                os.environ[CONFIG_VARIABLE] = before


def _without_file(words: Sequence[str]) -> tuple[list[str], str | None]:
    """Return the words without `--config FILE`, and the file; the last one where there are several."""
    rest: list[str] = []
    named: str | None = None
    left = list(words)
    while left:
        word = left.pop(0)
        if word == "--":
            return [*rest, word, *left], named
        if word == CONFIG_OPTION or word.startswith(f"{CONFIG_OPTION}="):
            if word == CONFIG_OPTION and not left:
                raise EndlosError(f"{CONFIG_OPTION} names no file; expected {CONFIG_OPTION} FILE")
            named = left.pop(0) if word == CONFIG_OPTION else word.partition("=")[2]
        else:
            rest.append(word)
    return rest, named
