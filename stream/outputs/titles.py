"""A title on its way out is one line, "Artist - Title", in a form that its receivers can take.

What is between the two is what players and servers split it at, at the first place; so an artist never
holds it.
"""

from dataclasses import dataclass
from urllib.parse import quote

_BETWEEN = " - "


@dataclass(frozen=True, kw_only=True)
class TitleParts:
    """Who and what; `artist` is empty where there is none."""

    artist: str
    title: str


def joined_title(artist: str, title: str) -> str:
    """Return "Artist - Title", or the title alone."""
    artist, title = one_line(artist).replace(_BETWEEN, "-"), one_line(title)
    return f"{artist}{_BETWEEN}{title}" if artist else title


def title_parts(text: str) -> TitleParts:
    """Return what `joined_title` has joined."""
    artist, between, title = text.partition(_BETWEEN)
    return TitleParts(artist=artist, title=title) if between else TitleParts(artist="", title=text)


def one_line(text: str) -> str:
    """Return a text of a tag or a file's name as one line that can be encoded, without control characters."""
    encodable = text.encode("utf-8", "replace").decode("utf-8")
    return " ".join("".join(each if each.isprintable() else " " for each in encodable).split())


def ogg_tags(text: str) -> dict[str, str]:
    """Return what the header of an Ogg stream says of a joined title, by the names that it has there."""
    parts = title_parts(text)
    return {name: told for name, told in (("artist", parts.artist), ("title", parts.title)) if told}


def icy_text(text: str) -> str:
    """Return a text without what players take for the end of an ICY title."""
    return text.replace("';", "’;")


def shortened_title(text: str, most_bytes: int) -> str:
    """Return as much of a text as has `most_bytes` at most when it is encoded for an address."""
    left = most_bytes
    for end, each in enumerate(text):
        left -= len(quote(each, safe=""))
        if left < 0:
            return text[:end]
    return text
