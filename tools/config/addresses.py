"""The addresses of a file may be tables, and may hold passwords, which are taken out and told to nobody."""

import re
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from types import MappingProxyType
from urllib.parse import quote, unquote, urlencode, urlsplit, urlunsplit

from model.base.errors import EndlosError

ADDRESS_KEYS = ("output", "icecast")
"""The keys whose values are addresses of outputs."""

MASK = "***"
_WITH_PASSWORD = re.compile(r"(\w+://[^/\s:@]*):[^/\s@]*@")

# What the file says in this run; nothing else keeps it.
known_passwords: ContextVar[Mapping[str, str]] = ContextVar("known_passwords", default=MappingProxyType({}))


def address_password(address: str) -> str | None:
    """Return the password that the configuration file has for an address; None: none."""
    return known_passwords.get().get(address)


def masked_address(address: str) -> str:
    """Return an address as it may be shown: with a password told, and not what it is."""
    if address_password(address) is not None:
        scheme, _, rest = address.partition("://")
        user, at, place = rest.partition("@")
        return f"{scheme}://{user if at else ''}:{MASK}@{place if at else rest}"
    return masked(address)


def masked(text: str) -> str:
    """Return a text in which no address shows its password."""
    return _WITH_PASSWORD.sub(rf"\1:{MASK}@", text)


def address_of_table(table: Mapping[str, object], where: str) -> str:
    """Return the address that a table says: its `uri`, its `password`, all else as options of the address.

    Raises `EndlosError` where there is no `uri`, or an option is itself a table. where: for the message.
    """
    options = dict(table)
    uri, password = options.pop("uri", None), options.pop("password", None)
    if not isinstance(uri, str) or not isinstance(password, str | None):
        raise EndlosError(
            f'{where} has a table without uri = "..."; expected one such as '
            '{ uri = "icecast://source@localhost:8000/endlos.mp3", bitrate = 128 }'
        )
    for name, value in options.items():
        values = value if isinstance(value, Sequence) else [value]
        if any(isinstance(one, Mapping | list) for one in values):
            raise EndlosError(f"{where} has a table with {name} = {value!r}; expected a text or a number")
    if options:
        uri += ("&" if "?" in uri else "?") + urlencode(options, doseq=True, quote_via=quote)
    return uri if password is None else _with_password(uri, password)


def split_password(address: str) -> tuple[str, str | None]:
    """Return an address without its password, and the password; None where there is none."""
    try:
        parts = urlsplit(address)
        password = parts.password
    except ValueError:
        # Whoever reads it will say what is wrong.
        return address, None
    if password is None or "://" not in address:
        return address, None
    user, _, place = parts.netloc.rpartition("@")
    name = user.partition(":")[0]
    without = urlunsplit(parts._replace(netloc=f"{name}@{place}" if name else place))
    return without, unquote(password)


def _with_password(uri: str, password: str) -> str:
    scheme, _, rest = uri.partition("://")
    end = min((at for at in (rest.find("/"), rest.find("?")) if at >= 0), default=len(rest))
    user, at, place = rest[:end].rpartition("@")
    name = user.partition(":")[0] if at else "source"
    return f"{scheme}://{name}:{quote(password, safe='')}@{place}{rest[end:]}"
