"""The configuration file is one TOML file, checked against the options of the commands before any runs."""

import json
import os
import stat
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from model.base.errors import EndlosError
from model.base.guess import did_you_mean
from tools.config.addresses import ADDRESS_KEYS, address_of_table, split_password
from tools.config.check import checked_value, value_below
from tools.config.options import ConfigOption, ConfigSections

CONFIG_VARIABLE = "ENDLOS_CONFIG"
SYSTEM_CONFIG = Path("/etc/endlos/endlos.toml")


@dataclass(frozen=True, kw_only=True)
class ConfigFile:
    """What the file says, as Click takes defaults."""

    path: Path | None = None
    """None: there is no file."""
    defaults: Mapping[str, Any] = field(default_factory=dict)
    """By command, and by parameter; a group of commands holds those of its commands."""
    passwords: Mapping[str, str] = field(default_factory=dict, repr=False)
    """By the address that needs them."""


def find_config() -> Path | None:
    """Return the file that is read: that of `ENDLOS_CONFIG`, else the user's own, else the system's.

    None where there is none, or it is not for this user to read. Only one is read.
    """
    named = os.environ.get(CONFIG_VARIABLE)
    if named:
        return Path(named).expanduser().absolute()
    return next((path for path in usual_places() if os.access(path, os.R_OK)), None)


def usual_places() -> Sequence[Path]:
    """Return where a file is looked for that nobody named, the first place first."""
    import platformdirs

    return [Path(platformdirs.user_config_dir("endlos", appauthor=False)) / SYSTEM_CONFIG.name, SYSTEM_CONFIG]


def read_config(path: Path | None, sections: ConfigSections) -> ConfigFile:
    """Read a file; `EndlosError`, in one sentence that names the place, for whatever is wrong with it."""
    if path is None:
        return ConfigFile()
    said = _read_toml(path)
    defaults: dict[str, Any] = {}
    passwords: dict[str, str] = {}
    for section, table in _tables(said, sections, path):
        into = defaults
        for word in section.split("."):
            into = into.setdefault(word, {})
        for key, value in table.items():
            option = _option(key, section, sections, path)
            where = f"{path}: {key} in [{section}]"
            if option.key in ADDRESS_KEYS:
                value = _addresses(value, where, passwords, path.parent)
            typed = _as_typed(option, value, where)
            taken = checked_value(option, typed, where)
            into[option.parameter.name] = value_below(taken, typed, path.parent)
    if passwords:
        _refuse_readable(path)
    return ConfigFile(path=path, defaults=defaults, passwords=passwords)


def _read_toml(path: Path) -> Mapping[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise EndlosError(
            f"the configuration file {path} cannot be read ({error.strerror}); name another with "
            f"--config, or in {CONFIG_VARIABLE}"
        ) from None
    except UnicodeDecodeError:
        raise EndlosError(f"the configuration file {path} is no UTF-8 text; save it as such") from None
    except tomllib.TOMLDecodeError as error:
        raise EndlosError(
            f"the configuration file {path} is no TOML: {error}; "
            "`endlos config --example` shows how one looks"
        ) from None


def _tables(
    said: Mapping[str, Any], sections: ConfigSections, path: Path
) -> list[tuple[str, Mapping[str, Any]]]:
    """Return the tables of commands, those of commands in a group by both names."""
    groups = {section.partition(".")[0] for section in sections if "." in section}
    found: dict[str, Any] = {}
    for name, table in said.items():
        if name in groups and isinstance(table, Mapping):
            found |= {f"{name}.{below}": inner for below, inner in table.items()}
        else:
            found[name] = table
    for name, table in found.items():
        if name not in sections:
            what = f"the unknown section [{name}]" if isinstance(table, Mapping) else f"{name} in no section"
            close = did_you_mean(name, [*sections])
            raise EndlosError(
                f"{path} has {what}{close}; expected sections named as the commands, such as [serve]"
            )
        if not isinstance(table, Mapping):
            raise EndlosError(f"{path} says {name} = {table!r}; expected a section [{name}] with keys in it")
    return list(found.items())


def _option(key: str, section: str, sections: ConfigSections, path: Path) -> ConfigOption:
    options = sections[section]
    option = options.get(key.replace("_", "-"))
    if option is not None:
        return option
    elsewhere = [other for other, keys in sections.items() if key.replace("_", "-") in keys]
    hint = did_you_mean(key, [*options]) or (f" (it belongs to [{elsewhere[0]}])" if elsewhere else "")
    raise EndlosError(
        f"{path} has the unknown key {key}{hint} in [{section}]; `endlos config --example "
        f"{section.replace('.', ' ')}` lists all that there are"
    )


def _addresses(value: object, where: str, passwords: dict[str, str], folder: Path) -> list[str]:
    """Return addresses without their passwords, which go into `passwords`; paths begin at the folder."""
    from stream.outputs.registry import output_below

    found = []
    for one in value if isinstance(value, list) else [value]:
        if not isinstance(one, str | Mapping):
            raise EndlosError(f"{where} is {_toml(value)}; expected addresses, or tables with a uri")
        address = one if isinstance(one, str) else address_of_table(one, where)
        address, password = split_password(address)
        address = output_below(address, folder)
        if password is not None:
            passwords[address] = password
        found.append(address)
    return found


def _as_typed(option: ConfigOption, value: Any, where: str) -> Any:
    """Return a value as the command line would give it: texts, and true or false for a flag."""
    if option.is_flag:
        if not isinstance(value, bool):
            raise EndlosError(f"{where} is {_toml(value)}; expected true or false")
        return value
    if option.repeatable:
        return [_text(one, value, where) for one in (value if isinstance(value, list) else [value])]
    return _text(value, value, where)


def _text(value: object, whole: object, where: str) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise EndlosError(f"{where} is {_toml(whole)}; expected a text or a number")
    return str(value)


def _toml(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def _refuse_readable(path: Path) -> None:
    """Refuse a file with a password in it that anybody may read."""
    if os.name == "posix" and path.stat().st_mode & stat.S_IROTH:
        raise EndlosError(
            f"{path} has a password in it and may be read by every user of this machine; type "
            f"`chmod o-r {path}`, or have the address name a file of its own with password-file="
        )
