"""The registry lists the kinds of output, one line each, and reads what stands behind `--output`."""

from pathlib import Path
from urllib.parse import quote, unquote

from model.base.errors import OutputError
from model.base.files import path_below
from stream.outputs.kinds.file import FILE_KIND
from stream.outputs.kinds.hls import HLS_KIND
from stream.outputs.kinds.http import HTTP_KIND
from stream.outputs.kinds.icecast import ICECAST_KIND, ICECASTS_KIND
from stream.outputs.kinds.pipe import PIPE_KIND
from stream.outputs.kinds.soundcard import SOUND_CARD_KIND
from stream.outputs.place import OutputKind, OutputUri, Place, did_you_mean

KINDS: tuple[OutputKind, ...] = (
    SOUND_CARD_KIND,
    HTTP_KIND,
    ICECAST_KIND,
    ICECASTS_KIND,
    HLS_KIND,
    FILE_KIND,
    PIPE_KIND,
)

_PATH_OPTIONS = "-file"
"""What the names of options end in that are paths, whatever the kind."""


def read_output(text: str, password_file: Path | None = None, password: str | None = None) -> Place:
    """Read what `--output` takes; `OutputError` in one sentence on anything else.

    password_file: where a password is read from that an output needs and whose address names no other file.
    password: of this output alone, where the configuration file says it.
    """
    uri = OutputUri(text=text, password_file=password_file, password=password)
    for kind in KINDS:
        if kind.scheme == uri.scheme:
            return kind.from_uri(uri)
    schemes = [kind.scheme for kind in KINDS]
    forms = ", ".join(kind.form for kind in KINDS)
    what = f"{uri.scheme}:" if uri.scheme else repr(text)
    raise OutputError(
        f"{what} is no kind of output{did_you_mean(uri.scheme or text, schemes)}; expected {forms}"
    )


def output_below(text: str, folder: Path) -> str:
    """Return an address in which each path that is relative begins at a folder; others as they are."""
    uri = OutputUri(text=text)
    place, mark, options = text.partition("?")
    if any(kind.at_path and kind.scheme == uri.scheme for kind in KINDS):
        path = uri.rest.removeprefix("//")
        if path not in ("", "-"):
            place = f"{uri.scheme}:{quote(str(path_below(path, folder)))}"
    pairs = [option.partition("=") for option in options.split("&")]
    told = (
        f"{name}={quote(str(path_below(unquote(value.replace('+', ' ')), folder)))}"
        if name.endswith(_PATH_OPTIONS) and value
        else f"{name}{equals}{value}"
        for name, equals, value in pairs
    )
    return f"{place}{mark}{'&'.join(told)}"
