"""This module fills in what the page shows without its script, and names what it may load."""

import base64
import hashlib
import html
import re
from collections.abc import Mapping

from stream.outputs.http import Broadcast


def content_policy(page: str) -> str:
    """Return the Content-Security-Policy of a page: its own script, its own stream, nothing else."""
    script = "".join(re.findall(r"<script>(.*?)</script>", page, re.DOTALL))
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    return (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; img-src data:; "
        "media-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )


def page_texts(
    now: Mapping[str, object], broadcasts: Mapping[str, Broadcast], *, can_skip: bool
) -> dict[str, str]:
    """Return what the page shows without its script; every text of a tag is escaped."""

    def text(key: str) -> str:
        value = now.get(key)
        return "" if value is None else html.escape(str(value))

    score = now.get("next_score")
    sources = "".join(
        f'<source src="stream.{extension}" type="{broadcast.content_type}">'
        for extension, broadcast in broadcasts.items()
    )
    return {
        "title": text("title") or "endlos",
        "artist": text("artist"),
        "next": " – ".join(filter(None, [text("next_artist"), text("next_title")])) or "not decided yet",
        "score": f"follows with score {score:.2f}" if isinstance(score, float) else "",
        "player": f'<audio id="audio" controls preload="none">{sources}</audio>' if broadcasts else "",
        "skip": '<form id="skip" method="post" action="next"><button>Next</button></form>'
        if can_skip
        else "",
        "links": "".join(f'<a href="stream.{name}">stream.{name}</a>' for name in broadcasts),
    }
