"""The playlists name the streams by their whole addresses, for players that are given a file to open."""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from stream.outputs.address import is_loopback
from stream.outputs.output import OutputRoute

_FOLDER = re.compile(r"(/[\w.~-]+)*", re.ASCII)


def playlist_routes(streams: Mapping[str, str], knows: Callable[[str], bool]) -> Sequence[OutputRoute]:
    """Return where the playlists are, none where nothing can be listened to.

    streams: by path below the page, with MIME types. knows: whether a `Host` is one of our own names.
    """
    names = [path for path, content_type in streams.items() if content_type.startswith("audio/")]
    if not names:
        return ()
    kinds = (("m3u", "audio/x-mpegurl", _m3u), ("pls", "audio/x-scpls", _pls))
    return [
        OutputRoute(path=f"/stream.{ending}", answer=partial(_answer, names, knows, content_type, write))
        for ending, content_type, write in kinds
    ]


def _answer(
    names: Sequence[str],
    knows: Callable[[str], bool],
    content_type: str,
    write: Callable[[Mapping[str, str]], str],
    request: Request,
) -> Response:
    base = base_url(request, knows)
    text = write({base + name: f"endlos ({name.rpartition('.')[2]})" for name in names})
    return Response(text, media_type=content_type, headers={"Cache-Control": "no-store"})


def _m3u(titles: Mapping[str, str]) -> str:
    return "#EXTM3U\n" + "".join(f"#EXTINF:-1,{title}\n{url}\n" for url, title in titles.items())


def _pls(titles: Mapping[str, str]) -> str:
    lines = [
        f"File{n}={url}\nTitle{n}={title}\nLength{n}=-1\n"
        for n, (url, title) in enumerate(titles.items(), start=1)
    ]
    return f"[playlist]\n{''.join(lines)}NumberOfEntries={len(titles)}\nVersion=2\n"


def base_url(request: Request, knows: Callable[[str], bool]) -> str:
    """Return the address below which whoever asks finds what is served, with a slash at its end.

    A reverse proxy on this machine may say by what scheme, name and folder it was asked itself, in
    `X-Forwarded-Proto`, `-Host` and `-Prefix`; a name that is not ours is passed over.
    """
    scheme, folder = "http", ""
    host = request.headers.get("host")
    if request.client is not None and is_loopback(request.client.host):
        said = _last(request, "x-forwarded-host")
        host = said if said and knows(said) else host
        scheme = "https" if _last(request, "x-forwarded-proto") == "https" else scheme
        prefix = _last(request, "x-forwarded-prefix").rstrip("/")
        folder = prefix if _FOLDER.fullmatch(prefix) else ""
    if host is None:
        # Of HTTP/1.0; whom it asked is where it came to.
        name, port = request.scope["server"]
    else:
        asked = urlsplit(f"//{host}")
        name, port = asked.hostname or "", asked.port
    place = f"[{name}]" if ":" in name else name
    return f"{scheme}://{place}{'' if port is None else f':{port}'}{folder}/"


def _last(request: Request, name: str) -> str:
    """Return what the last of several proxies says, which is the one that asks."""
    return ",".join(request.headers.getlist(name)).rpartition(",")[2].strip()
