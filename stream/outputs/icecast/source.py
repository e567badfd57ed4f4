"""A source client asks a server for a mount by one PUT request, and then sends the stream."""

import socket
import time

from model.base.errors import OutputError
from stream.outputs.encoded import OutputEndedError
from stream.outputs.encoding.codecs import Codec, content_type
from stream.outputs.icecast.connection import open_connection, read_answer
from stream.outputs.icecast.mount import IcecastMount, Station

USER_AGENT = "endlos"
CONNECT_TIMEOUT_S = 5.0
ANSWER_TIMEOUT_S = 5.0
"""For a whole answer: one that drips is none."""
STALL_TIMEOUT_S = 5.0
"""A server that takes nothing for this long is given up, and called again."""


def open_mount(mount: IcecastMount, station: Station, codec: Codec, bitrate_kbps: int) -> socket.socket:
    """Return a connection that the server takes the stream from.

    bitrate_kbps: told to listeners; 0: none. Raises `OutputEndedError` where the password is refused,
    `OutputError` or `OSError` for what may be over by itself.
    """
    connection = open_connection(mount, CONNECT_TIMEOUT_S)
    try:
        until_s = time.monotonic() + ANSWER_TIMEOUT_S
        connection.sendall(_request(mount, station, codec, bitrate_kbps))
        _check(read_answer(connection, until_s), mount, codec)
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


def _check(answer: bytes, mount: IcecastMount, codec: Codec) -> None:
    """Raise what a server says instead of "go on", in a sentence."""
    words = answer.partition(b"\r\n")[0].decode("latin-1").split(maxsplit=2)
    if not answer:
        raise OutputError("the server closed the connection without an answer")
    if len(words) < 2 or not words[0].startswith("HTTP/"):
        raise OutputError("the server does not speak HTTP; is the port right?")
    status, reason = words[1], words[2] if len(words) > 2 else ""
    if status in ("100", "200"):
        return
    if status == "401":
        raise OutputEndedError(
            f"the server refuses the password of user {mount.user} (401); "
            "compare it with <source-password> in icecast.xml, and start endlos again"
        )
    if status == "415" or "content-type" in reason.lower():
        raise OutputError(
            f"the server does not take {codec} ({status} {reason}); choose another with format="
        )
    if "in use" in reason.lower():
        raise OutputError(
            f"the mount {mount.path} is in use ({status} {reason}); end its source, or choose another mount"
        )
    raise OutputError(f"the server refuses the stream ({status} {reason})")
