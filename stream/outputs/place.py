"""A place is where the stream is to go, before it is opened; every kind of output has its own class."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, unquote

from model.base.errors import OutputError
from model.base.guess import did_you_mean as did_you_mean
from stream.outputs.address import HttpAddress
from stream.outputs.card_timing import MeasureCard
from stream.outputs.output import Output


@dataclass(frozen=True, kw_only=True)
class Tap:
    """What an output has to know of the stream that it is opened for."""

    engine_rate_hz: int
    card_paced: bool = False
    """Whether a sound card sets the pace; else the wall clock does."""


class Place(ABC):
    """The settings of one output, which are a frozen dataclass; every method belongs to the main thread."""

    paces: bool = False
    """Whether its output's own clock paces the stream (`Output.as_leader`)."""

    takes_password: bool = False
    """Whether it needs one, which a file may hold that is named beside it (`OutputUri.password_file`)."""

    @abstractmethod
    def open(self, tap: Tap) -> Sequence[Output]:
        """Return the outputs, one or more, still to be started; `OutputError` for what can never work."""

    @abstractmethod
    def takes(self) -> Sequence[str]:
        """Return what no other place may have at the same time: a path, a mount, an address, in words."""

    def require(self) -> None:
        """Raise `OutputError` where it can be said beforehand that this cannot be opened."""
        return

    def address(self) -> HttpAddress | None:
        """Return where the page and all that is asked over HTTP are to be served; None: nowhere by this."""
        return None

    def writes(self) -> Path | None:
        """Return the file that is written, so that nothing that is read is overwritten; None: none."""
        return None

    def rate_hz(self) -> int | None:
        """Return the engine's rate that suits this place best; None: any."""
        return None

    def measured(self, measure: MeasureCard) -> "Place":
        """Return the same place with all that had to be measured on this machine first."""
        return self


@dataclass(frozen=True, kw_only=True)
class OutputKind:
    """One kind of output, as the registry lists it."""

    scheme: str
    """What its addresses begin with."""
    form: str
    """Such an address, in capitals what stands for something else."""
    summary: str
    """What becomes of the stream there, for the help: a few words."""
    from_uri: Callable[["OutputUri"], Place]
    """Reads such an address; `OutputError` in one sentence, which says what was expected."""
    at_path: bool = False
    """Whether a path stands behind the colon, or - for standard output."""


@dataclass(frozen=True, kw_only=True)
class OutputUri:
    """What stands behind `--output`: a scheme, a colon, a rest, and options behind a question mark."""

    text: str
    """All of it."""
    password_file: Path | None = None
    """Where a password is read from that must not stand in `text`."""
    password: str | None = field(default=None, repr=False)
    """What the configuration file says of it, which goes before `password_file`."""

    @property
    def scheme(self) -> str:
        """What stands before the colon, in lower case; empty where there is none."""
        return self.text.partition(":")[0].lower() if ":" in self.text else ""

    @property
    def rest(self) -> str:
        """What stands between the colon and the options, decoded."""
        return unquote(self.text.partition(":")[2].partition("?")[0])

    def options(self, *known: str) -> "UriOptions":
        """Return the options; `OutputError` for one that is not among the known ones."""
        given = parse_qs(self.text.partition("?")[2], keep_blank_values=True)
        for name in given:
            if name not in known:
                raise OutputError(
                    f"{self.safe} has the unknown option {name}{did_you_mean(name, known)}; "
                    f"expected {' or '.join(known) or 'none'}"
                )
        return UriOptions(self.safe, given)

    @property
    def safe(self) -> str:
        """All of it but a password and whose it is, for messages."""
        before, at, behind = self.text.rpartition("@")
        scheme, _, person = before.partition(":")
        return f"{scheme}://{behind}" if at and ":" in person else self.text


class UriOptions:
    """The options of one address."""

    def __init__(self, whose: str, given: Mapping[str, Sequence[str]]) -> None:
        self._whose = whose
        self._given = given

    def all(self, name: str) -> Sequence[str]:
        """Return each value of an option that may be given again and again."""
        return self._given.get(name, ())

    def text(self, name: str) -> str | None:
        """Return the value of an option; None where it is not given."""
        values = self.all(name)
        if len(values) > 1:
            raise OutputError(f"{self._whose} gives {name} {len(values)} times; give it once")
        return values[0] if values else None

    def whole(self, name: str) -> int | None:
        """Return the value of an option that is a whole number, 0 or more; None where it is not given."""
        text = self.text(name)
        return None if text is None else self._read_whole(name, text)

    def wholes(self, name: str) -> Sequence[int]:
        """Return each value of an option that is a whole number and may be given again and again."""
        return tuple(self._read_whole(name, text) for text in self.all(name))

    def _read_whole(self, name: str, text: str) -> int:
        if not (text.isascii() and text.isdigit() and len(text) < 10):
            raise OutputError(f"{self._whose} says {name}={text}; expected a whole number")
        return int(text)

    def flag(self, name: str) -> bool:
        """Return whether an option that is 1 or 0 is 1; no where it is not given."""
        text = self.text(name)
        if text not in (None, "0", "1"):
            raise OutputError(f"{self._whose} says {name}={text}; expected 1 or 0")
        return text == "1"

    def number(self, name: str) -> float | None:
        """Return the value of an option that is a number; None where it is not given."""
        text = self.text(name)
        try:
            return None if text is None else float(text)
        except ValueError:
            raise OutputError(f"{self._whose} says {name}={text}; expected a number") from None
