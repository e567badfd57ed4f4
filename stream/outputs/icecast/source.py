"""A source client asks a server for a mount by one PUT request, and then sends the stream."""

import re
import socket
import time
from html import unescape

from model.base.errors import OutputError
from stream.outputs.encoded import OutputEndedError
from stream.outputs.encoding.codecs import Codec, content_type
from stream.outputs.icecast.connection import open_connection, read_answer, read_rest
from stream.outputs.icecast.mount import IcecastMount, Station
from stream.outputs.titles import one_line

USER_AGENT = "endlos"
CONNECT_TIMEOUT_S = 5.0
ANSWER_TIMEOUT_S = 5.0
"""For a whole answer: one that drips is none."""
STALL_TIMEOUT_S = 5.0
"""A server that takes nothing for this long is given up, and called again."""
_MOST_REASON = 200


def open_mount(mount: IcecastMount, station: Station, codec: Codec, bitrate_kbps: int) -> socket.socket:
    """Return a connection that the server takes the stream from.

    bitrate_kbps: told to listeners; 0: none. Raises `OutputEndedError` where the password is refused,
    `OutputError` or `OSError` for what may be over by itself.
    """
    connection = open_connection(mount, CONNECT_TIMEOUT_S)
    try:
        until_s = time.monotonic() + ANSWER_TIMEOUT_S
        connection.sendall(_request(mount, station, codec, bitrate_kbps))
        answer = read_answer(connection, until_s)
        if not _goes_on(answer):
            raise _refusal(answer + read_rest(connection, until_s), mount, codec)
        connection.settimeout(STALL_TIMEOUT_S)
    except BaseException:
        connection.close()
        raise
    return connection


def _request(mount: IcecastMount, station: Station, codec: Codec, bitrate_kbps: int) -> bytes:
    lines = [
        f"PUT {mount.path} HTTP/1.1",
        f"Host: {mount.server}",
        f"Authorization: {mount.authorization}",
        f"User-Agent: {USER_AGENT}",
        f"Content-Type: {content_type(codec)}",
        "Expect: 100-continue",
    ]
    if bitrate_kbps:
        lines.append(f"Ice-Bitrate: {bitrate_kbps}")
    return ("\r\n".join(lines) + "\r\n").encode() + station.lines() + b"\r\n"


def _goes_on(answer: bytes) -> bool:
    words = _status_line(answer)
    return len(words) > 1 and words[0].startswith("HTTP/") and words[1] in ("100", "200")


def _refusal(answer: bytes, mount: IcecastMount, codec: Codec) -> OutputError:
    """Return what a server says instead of "go on", in a sentence."""
    if not answer:
        return OutputError("the server closed the connection without an answer; does it want icecasts://?")
    words = _status_line(answer)
    if len(words) < 2 or not words[0].startswith("HTTP/"):
        return OutputError("the server does not speak HTTP; is the port right?")
    status, reason = words[1], _reason(answer)
    if status == "401":
        return OutputEndedError(
            f"the server refuses the password of user {mount.user} (401); "
            "compare it with <source-password> in icecast.xml, and start endlos again"
        )
    if status == "415" or "content-type" in reason.lower():
        return OutputError(
            f"the server does not take {codec} ({status} {reason}); choose another with format="
        )
    if "in use" in reason.lower():
        return OutputError(
            f"the mount {mount.path} is in use ({status} {reason}); end its source, or choose another mount"
        )
    return OutputError(f"the server refuses the stream ({status} {reason[:_MOST_REASON]})")


def _status_line(answer: bytes) -> list[str]:
    return answer.partition(b"\r\n")[0].decode("latin-1").split(maxsplit=2)


def _reason(answer: bytes) -> str:
    """Return why a stream is refused: icecast2 says "Forbidden", and in the body what it means by that."""
    body = answer.partition(b"\r\n\r\n")[2].decode("utf-8", "replace")
    marked = re.search(r"<b>\d+ - ([^<]*)</b>", body)
    told = one_line(unescape(marked[1]) if marked else body)
    return told if told and "<" not in told else " ".join(_status_line(answer)[2:])
