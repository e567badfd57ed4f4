"""The commands `endlos ctl ...` steer a stream that is served somewhere, by its interface."""

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlencode, urlsplit

import typer

from model.base.errors import EndlosError, OutputError
from stream.choosing.journey.steering import MOST_WITHIN_S
from stream.outputs.secrets import TOKEN_VARIABLE, http_token
from stream.service.announcing.limits import MOST_ANNOUNCEMENT_BYTES
from stream.service.api.limits import MOST_SLEEP_S
from tools.commands.gathered import command_option, gathered
from tools.terminal import AsJson, clock, print_json, print_table, printable

if TYPE_CHECKING:
    from http.client import HTTPConnection

URL = "http://127.0.0.1:8000"
_MOST_SLEEP_MIN = MOST_SLEEP_S / 60.0
_MOST_WITHIN_MIN = MOST_WITHIN_S / 60.0
_PATIENCE_S = 10.0
_MOST_NAMES = 20

ctl_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Steer a stream that is served: go on, pause, like, mute, sleep, say something.",
)


@dataclass(frozen=True, kw_only=True)
class Remote:
    """A stream that is served elsewhere."""

    url: str
    token_file: Path | None
    as_json: bool

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """Return what the interface answers, None where it says nothing; body: bytes go as they are.

        `EndlosError` in one sentence where nothing answers, or it refuses.
        """
        from http.client import HTTPException

        connection, before = self._connection()
        headers = {"X-Endlos": "ctl", "Content-Type": "application/json"}
        token = http_token(self.token_file.expanduser() if self.token_file else None)
        if token:
            headers["Authorization"] = f"Bearer {token}"
        data = body if body is None or isinstance(body, bytes) else json.dumps(body)
        try:
            connection.request(method, f"{before}/api/{path}", data, headers)
            answer = connection.getresponse()
            told = answer.read()
        except (OSError, HTTPException) as error:
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise OutputError(
                f"nothing answers at {self.url} ({reason}); start `endlos serve` there, or give --url"
            ) from error
        finally:
            connection.close()
        found = _parsed(told)
        if not 200 <= answer.status < 300:
            detail = found.get("detail") if isinstance(found, dict) else None
            # What it wants as a header is an option here.
            remedy = f"; give its token by --token-file or {TOKEN_VARIABLE}" if answer.status == 403 else ""
            raise EndlosError(f"{self.url} refused: {detail or f'the answer was {answer.status}'}{remedy}")
        if told and found is None:
            raise EndlosError(f"what answers at {self.url} is not endlos; give its address with --url")
        return found

    def _connection(self) -> "tuple[HTTPConnection, str]":
        """Return a connection, still to be opened, and the path that stands before all others."""
        from http.client import HTTPConnection, HTTPSConnection

        place, port = urlsplit(self.url), None
        kinds = {"http": HTTPConnection, "https": HTTPSConnection}
        with suppress(ValueError):
            port = place.port or {"http": 80, "https": 443}.get(place.scheme)
        if place.scheme not in kinds or not place.hostname or port is None:
            raise EndlosError(f"{self.url} is no address of a page; expected one such as {URL}")
        return kinds[place.scheme](place.hostname, port, timeout=_PATIENCE_S), place.path.rstrip("/")

    def say(self, told: Any, words: Callable[[Any], str]) -> None:
        """Print an answer as JSON where that is wanted, else in words."""
        if self.as_json:
            print_json(told)
        else:
            print(words(told))

    def song(self, words: str) -> Any:
        """Return the one song that a search finds; `EndlosError` where there are none or several."""
        found = self.ask("GET", f"songs?{urlencode({'search': words, 'limit': 5})}")
        if found["total"] == 0:
            raise EndlosError(_nothing_found(words))
        if found["total"] > 1:
            names = "; ".join(_name(song) for song in found["songs"])
            raise EndlosError(f"{found['total']} songs have {words!r}, say more of one: {names}")
        return found["songs"][0]

    def judge_last(self, *, liked: bool) -> None:
        """Say what is thought of the join that was heard last."""
        joins = self.ask("GET", "joins?limit=1")["joins"]
        if not joins:
            raise EndlosError("no join was heard yet; wait for one")
        told = self.ask("PUT", f"joins/{joins[0]['n']}/opinion", {"liked": liked})
        word = "liked" if liked else "disliked, it never comes back"
        self.say(told, lambda join: f"{_name(join['from'])} -> {_name(join['to'])}: {word}")


_OPTIONS = (
    command_option("url", Annotated[str, typer.Option(help="Where the page is served.")], URL),
    command_option(
        "token_file",
        Annotated[
            Path | None,
            typer.Option(metavar="FILE", help="Its first line is the token; else ENDLOS_HTTP_TOKEN."),
        ],
        None,
    ),
    command_option("as_json", AsJson, False),
)


def _of_remote(command: Callable[..., None]) -> Callable[..., None]:
    return gathered("remote", _OPTIONS, Remote)(command)


@ctl_app.command("now")
@_of_remote
def show_now(remote: Remote) -> None:
    """Show what is heard, what follows, and how the outputs are."""
    remote.say(remote.ask("GET", "now"), _now_text)


@ctl_app.command("next")
@_of_remote
def go_on(remote: Remote) -> None:
    """Go on to another piece at once."""
    remote.say(remote.ask("POST", "next"), lambda _: "going on to another piece")


@ctl_app.command("like")
@_of_remote
def like(remote: Remote) -> None:
    """Like the join that was heard last."""
    remote.judge_last(liked=True)


@ctl_app.command("dislike")
@_of_remote
def dislike(remote: Remote) -> None:
    """Dislike the join that was heard last: it never comes back."""
    remote.judge_last(liked=False)


@ctl_app.command("pause")
@_of_remote
def pause(remote: Remote) -> None:
    """Stand still."""
    remote.say(remote.ask("PUT", "pause", {"paused": True}), lambda _: "paused")


@ctl_app.command("resume")
@_of_remote
def resume(remote: Remote) -> None:
    """Go on from there."""
    remote.say(remote.ask("PUT", "pause", {"paused": False}), lambda _: "playing")


@ctl_app.command("sleep")
@_of_remote
def sleep(
    remote: Remote,
    minutes: Annotated[
        float | None,
        typer.Argument(min=0, max=_MOST_SLEEP_MIN, metavar="[MINUTES]", show_default="not any more"),
    ] = None,
) -> None:
    """Fade out in so many minutes, over 20 s, and pause then; without a number, do not."""
    in_s = None if minutes is None else 60.0 * minutes
    told = remote.ask("PUT", "sleep", {"in_s": in_s})
    words = "it does not fade out" if minutes is None else f"it fades out in {clock(60.0 * minutes)}"
    remote.say(told, lambda _: words)


@ctl_app.command("say")
@_of_remote
def say(
    remote: Remote,
    recording: Annotated[
        Path, typer.Argument(metavar="FILE", help="A recording of two minutes and 20 MB at most.")
    ],
) -> None:
    """Play a recording between two pieces, within half a minute, with the music faded out meanwhile."""
    path = recording.expanduser()
    try:
        if path.stat().st_size > MOST_ANNOUNCEMENT_BYTES:
            raise EndlosError(f"{path} is larger than {MOST_ANNOUNCEMENT_BYTES / 1e6:g} MB; shorten it")
        data = path.read_bytes()
    except OSError as error:
        raise EndlosError(f"{path} cannot be read: {error.strerror}; name a recording") from error
    named = urlencode({"name": path.name[:200]}, errors="replace")
    remote.ask("POST", f"say?{named}", data)
    remote.say(None, lambda _: "it is said between two pieces, within half a minute")


@ctl_app.command("songs")
@_of_remote
def songs(
    remote: Remote,
    search: Annotated[
        list[str] | None, typer.Argument(help="Words that stand in it.", show_default="all")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=500, help="How many.")] = 50,
) -> None:
    """List the songs of the pool, or those in which all words stand."""
    words = " ".join(search or ())
    told = remote.ask("GET", f"songs?{urlencode({'search': words, 'limit': limit})}")
    if remote.as_json:
        print_json(told)
        return
    if told["total"] == 0:
        print(printable(_nothing_found(words)))
        return
    rows = [
        (clock(song["length_s"]), song["chunks"], _opinion(song), printable(_name(song)))
        for song in told["songs"]
    ]
    print_table(("length", "chunks", "opinion", "song"), rows)
    if told["total"] > len(rows):
        print(f"{told['total']} in all")


@ctl_app.command("steer")
@_of_remote
def steer(
    remote: Remote,
    other_songs: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Share of joins to another song.", show_default="as it is"),
    ] = None,
    phrase_factor: Annotated[
        float | None,
        typer.Option(min=0.25, max=4, help="Phrases last so many times as long.", show_default="as it is"),
    ] = None,
    towards: Annotated[
        str | None,
        typer.Option(metavar="SONG", help="Reach this song by good joins.", show_default="as it is"),
    ] = None,
    within_min: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=_MOST_WITHIN_MIN,
            help="Minutes within which --towards gets there.",
            show_default="a few phrases",
        ),
    ] = None,
    mute: Annotated[str | None, typer.Option(metavar="SONG", help="Choose nothing of it.")] = None,
    favour: Annotated[str | None, typer.Option(metavar="SONG", help="Choose it more readily.")] = None,
    forget: Annotated[str | None, typer.Option(metavar="SONG", help="Neither, any more.")] = None,
    usual: Annotated[
        bool, typer.Option("--usual", help="First forget all but muted and favoured songs.")
    ] = False,
) -> None:
    """Want something else of the stream; a SONG is named by words that stand in no other."""
    opinions: dict[str, str | None] = {}
    for words, opinion in ((mute, "muted"), (favour, "favoured"), (forget, None)):
        if words is None:
            continue
        song = remote.song(words)
        if song["id"] in opinions:
            raise EndlosError(f"{_name(song)} is named twice; say one of --mute, --favour and --forget of it")
        opinions[song["id"]] = opinion
    wish: dict[str, object] = dict.fromkeys(("other_songs", "phrase_factor", "towards")) if usual else {}
    if other_songs is not None:
        wish["other_songs"] = other_songs
    if phrase_factor is not None:
        wish["phrase_factor"] = phrase_factor
    if towards is not None:
        song = remote.song(towards)
        if opinions.get(song["id"], "muted" if song["muted"] else None) == "muted":
            raise EndlosError(f"{_name(song)} is muted, so that nothing leads there; --forget or --favour it")
        wish["towards"] = song["id"]
    if within_min is not None:
        if towards is None:
            raise EndlosError("--within-min says when a song is to be reached; name it by --towards")
        wish["within_s"] = 60.0 * within_min
    # Now that nothing is left to refuse.
    for song_id, opinion in opinions.items():
        remote.ask("PUT", f"songs/{song_id}/opinion", {"opinion": opinion})
    told = remote.ask("PUT", "steering", wish) if wish else remote.ask("GET", "steering")
    judged = {kind: remote.ask("GET", f"songs?opinion={kind}&limit=500") for kind in ("muted", "favoured")}
    remote.say({**told, **judged}, _steering_text)


def _now_text(now: Any) -> str:
    place = f"{clock(now['position_s'])} of {clock(now['length_s'])}"
    lines = [f"{'paused' if now['paused'] else 'now'}: {_name(now['song'])}, {place}"]
    if now["next"] is not None:
        score = now["next"]["score"]
        told = "" if score is None else f", score {score:.2f}"
        lines.append(f"next: {_name(now['next']['to'])}{told}")
    if now["sleep_in_s"] is not None:
        lines.append(f"fades out in {clock(now['sleep_in_s'])}")
    for output in now["outputs"]:
        well = "" if output["healthy"] else ", nothing is heard of it"
        detail = f" ({output['detail']})" if output["detail"] else ""
        lines.append(f"{output['name']}: {output['state']}{detail}{well}")
    return _lines(lines)


def _steering_text(steering: Any) -> str:
    factor = steering["phrase_factor"]
    lines = [
        f"joins to another song: {100 * steering['other_songs']:.0f} %",
        f"phrases: {'' if factor == 1 else f'{factor:g} times '}as long as usual",
    ]
    if steering["towards"] is not None:
        within_s = steering["within_s"]
        said = "" if within_s is None else f", within {clock(within_s)} from when it was asked for"
        lines.append(f"towards: {_name(steering['towards'])}{said}")
    for kind in ("muted", "favoured"):
        names = [_name(song) for song in steering[kind]["songs"][:_MOST_NAMES]]
        more = steering[kind]["total"] - len(names)
        if names:
            lines.append(f"{kind}: {'; '.join(names)}{f' and {more} more' if more else ''}")
    return _lines(lines)


def _lines(lines: list[str]) -> str:
    """Return lines without what would steer a terminal."""
    return "\n".join(map(printable, lines))


def _nothing_found(words: str) -> str:
    if not words:
        return "the pool has no songs yet; look again in a moment"
    return f"no song has {words!r} in title, artist, album or file; `endlos ctl songs` lists them"


def _name(song: Any) -> str:
    return f"{song['artist']} – {song['title']}" if song["artist"] else str(song["title"])


def _opinion(song: Any) -> str:
    return "muted" if song["muted"] else "favoured" if song["favoured"] else ""


def _parsed(told: bytes) -> Any:
    try:
        return json.loads(told) if told else None
    except ValueError:
        return None
