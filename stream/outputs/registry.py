"""The registry lists the kinds of output, one line each, and reads what stands behind `--output`."""

from pathlib import Path

from model.base.errors import OutputError
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
