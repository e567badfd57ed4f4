"""The HTTP output serves a page of its own and the stream in one or more codecs, each for many listeners."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit

from model.base.errors import EndlosError, OutputError
from stream.outputs.address import HttpAddress, parse_address
from stream.outputs.encoding.codecs import Codec, content_type, extension, parse_codec
from stream.outputs.listeners.broadcast import Broadcast, ListenerLimits
from stream.outputs.output import OutputRoute
from stream.outputs.place import OutputKind, OutputUri, Place, Tap
from stream.outputs.secrets import http_token

_FORM = "http://HOST:PORT[?codec=mp3&codec=opus&listeners=500&name=radio.example]"


@dataclass(frozen=True, kw_only=True)
class HttpSettings(Place):
    """Where the page is served, and in which codecs the stream, each at `/stream.<its extension>`."""

    at: HttpAddress = field(default_factory=HttpAddress)
    codecs: Sequence[Codec] = ("mp3",)
    limits: ListenerLimits = field(default_factory=ListenerLimits)
    """Of each stream."""

    def __post_init__(self) -> None:
        if not self.codecs:
            raise OutputError(f"no codec is served at {self.at.url}; give at least one")

    def open(self, tap: Tap) -> Sequence["HttpStream"]:
        """Return one output for each codec."""
        return [
            HttpStream(tap.engine_rate_hz, codec, card_paced=tap.card_paced, limits=self.limits)
            for codec in self.codecs
        ]

    def takes(self) -> Sequence[str]:
        """Return the addresses of the streams."""
        return [f"/{stream_name(codec)}" for codec in self.codecs]

    def require(self) -> None:
        """Refuse a port that is in use, where no other will do."""
        if self.at.fixed:
            self.at.bind().close()

    def address(self) -> HttpAddress:
        """Return where the page is served, with room for the listeners."""
        streams = len(self.codecs)
        limits = self.at.limits.and_also(streams * self.limits.listeners, streams * self.limits.of_address)
        return replace(self.at, limits=limits)


class HttpStream(Broadcast):
    """A broadcast that players ask for over HTTP."""

    kind = "http"

    def routes(self) -> Sequence[OutputRoute]:
        """Return where it is heard."""
        from stream.outputs.listeners.http_response import Listening  # with Starlette and uvicorn

        return [
            OutputRoute(
                path=f"/{stream_name(self.codec)}",
                answer=Listening(self).answer,
                content_type=content_type(self.codec),
            )
        ]


def stream_name(codec: Codec) -> str:
    """Return what a stream is called below the page's address."""
    return f"stream.{extension(codec)}"


def http_from_uri(uri: OutputUri) -> HttpSettings:
    """Read `http://HOST:PORT[?codec=C&name=N&listeners=N...]`; `OutputError` on anything else.

    Names and codecs may be repeated; the token stands in that file, or in the environment.
    """
    options = uri.options("codec", "name", "token-file", "listeners", "listeners-of-address")
    codecs = options.all("codec")
    place = urlsplit(uri.text.partition("?")[0])
    try:
        if place.path not in ("", "/") or "@" in place.netloc:
            raise OutputError(f"{uri.safe} is not an address to serve; expected {_FORM}")
        named = options.text("token-file")
        at = replace(
            parse_address(place.netloc),
            names=tuple(options.all("name")),
            token=http_token(Path(named).expanduser() if named else None),
        )
        given = {
            "listeners": options.whole("listeners"),
            "of_address": options.whole("listeners-of-address"),
        }
        return HttpSettings(
            at=at,
            codecs=tuple(map(parse_codec, codecs)) or HttpSettings.codecs,
            limits=ListenerLimits(**{name: value for name, value in given.items() if value is not None}),
        )
    except OutputError:
        raise
    except EndlosError as error:
        raise OutputError(f"{uri.safe}: {error}") from None


HTTP_KIND = OutputKind(
    scheme="http",
    form=_FORM,
    summary="a page and the stream, for any number of players",
    from_uri=http_from_uri,
)
