"""This module fills in what the page shows without its script, and names what it may load."""

import base64
import hashlib
import html
import re
from collections.abc import Mapping

from stream.outputs.titles import one_line
from stream.service.moment import Moment, full_title, song_title

_BUTTONS = {
    "": "",
    "open": '<form id="skip" method="post" action="next"><button>Next</button></form>',
    "locked": '<form id="skip" method="post" action="next" hidden><button>Next</button></form>',
}


def content_policy(page: str) -> str:
    """Return the Content-Security-Policy of a page: its own script, its own stream, nothing else."""
    script = "".join(re.findall(r"<script>(.*?)</script>", page, re.DOTALL))
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    return (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; img-src data:; "
        "media-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )


def page_texts(moment: Moment, streams: Mapping[str, str], *, button: str) -> dict[str, str]:
    """Return what the page shows without its script; every text of a tag is escaped.

    streams: what a player can be pointed at, by its path below the page, with its MIME type. button: to
    skip: `open` to all, `locked` until the script finds the token behind the address's `#`, empty: none.
    """
    playing = moment.playing
    score, following = playing.next_score, playing.next_song
    sources = "".join(f'<source src="{name}" type="{kind}">' for name, kind in streams.items())
    return {
        "title": html.escape(song_title(playing.song)) or "endlos",
        "artist": html.escape(one_line(playing.song.artist)),
        "next": html.escape(full_title(following)) if following else "not decided yet",
        "score": "" if score is None else f"follows with score {score:.2f}",
        "player": f'<audio id="audio" controls preload="none">{sources}</audio>' if streams else "",
        "skip": _BUTTONS[button],
        "links": "".join(f'<a href="{name}">{name}</a>' for name in streams),
    }
