"""The secrets of the outputs come from files or from variables, which no child process inherits."""

import os
from collections.abc import Mapping, MutableMapping
from pathlib import Path

from model.base.errors import OutputError

PASSWORD_VARIABLE = "ENDLOS_ICECAST_PASSWORD"
TOKEN_VARIABLE = "ENDLOS_HTTP_TOKEN"
SECRET_VARIABLES = (PASSWORD_VARIABLE, TOKEN_VARIABLE)


def first_line(file: Path, what: str) -> str:
    """Return the first line of a file; `OutputError` where there is none. what: of the secret, in words."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise OutputError(
            f"{file} cannot be read as the {what} file ({reason}); give a text file with one line"
        ) from None
    if not lines or not lines[0]:
        raise OutputError(f"{file} is empty; its first line should be the {what}")
    return lines[0]


def http_token(file: Path | None, environment: Mapping[str, str] = os.environ) -> str | None:
    """Return the token of the page from the first line of `file`, else from the environment, else None."""
    return environment.get(TOKEN_VARIABLE) or None if file is None else first_line(file, "token")


def without_secrets(environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment for a child process."""
    return {name: value for name, value in environment.items() if name not in SECRET_VARIABLES}


def forget_secrets(environment: MutableMapping[str, str] = os.environ) -> None:
    """Take out of this process's environment what has been read: whatever it starts would inherit it."""
    for name in SECRET_VARIABLES:
        environment.pop(name, None)
