"""A connection reaches an Icecast server, over TLS where that is asked for; each failure is a sentence.

PyAV's own `icecast://` was tried against icecast2: it drops the `password` option, so the password has to
stand in the URL, which its exceptions then print; passwords with `/` or `?` in them are refused; and a
server that stalls blocks it, and with it the whole process, for good. The protocol is one PUT request.
"""

import socket
import time
from contextlib import suppress

from model.base.errors import OutputError
from stream.outputs.icecast.mount import IcecastMount

ANSWER_BYTES = 8192
# What a stalled server has not taken waits here, so it is small: about 4 s at 128 kbit/s.
_SEND_BUFFER_BYTES = 64 * 1024
_TLS_WANTS_MORE = 2
"""Of an `ssl.SSLWantReadError`: no number of a file that is not there comes from a connection."""
_UNSEEN_MS = 8_000
"""A network that is cut says nothing: what was sent and not confirmed for this long ends the connection."""


def open_connection(mount: IcecastMount, timeout_s: float) -> socket.socket:
    """Return a connection to the server; `OutputError`, or `OSError`, in words where there is none.

    timeout_s: for each step. A certificate that is not trusted, or is for another name, is refused.
    """
    try:
        connection = socket.create_connection((mount.host, mount.port), timeout=timeout_s)
    except socket.gaierror as error:
        raise OutputError(f"there is no host {mount.host} ({error.strerror}); is its name right?") from None
    try:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNSEEN_MS)
        if not mount.tls:
            return connection
        # OpenSSL, which whoever speaks in the clear does without.
        from stream.outputs.icecast.tls import secured

        return secured(connection, mount)
    except BaseException:
        connection.close()
        raise


def read_answer(connection: socket.socket, until_s: float) -> bytes:
    """Return the head of an answer, and what came with it of its body.

    `TimeoutError` where the head is not there at a time of the monotonic clock.
    """
    answer = b""
    while b"\r\n\r\n" not in answer:
        more = _received(connection, until_s)
        answer += more
        if not more or len(answer) > ANSWER_BYTES:
            break
    return answer


def read_rest(connection: socket.socket, until_s: float) -> bytes:
    """Return what else comes of an answer, `ANSWER_BYTES` at most, as far as it is there at that time."""
    rest = b""
    with suppress(OSError):
        while len(rest) <= ANSWER_BYTES and (more := _received(connection, until_s)):
            rest += more
    return rest


def has_ended(connection: socket.socket) -> bool:
    """Return whether the other side has closed; what it says is thrown away. Does not block."""
    timeout_s = connection.gettimeout()
    connection.settimeout(0.0)
    try:
        return not connection.recv(ANSWER_BYTES)
    except OSError as error:
        if isinstance(error, BlockingIOError) or error.errno == _TLS_WANTS_MORE:
            return False
        raise
    finally:
        connection.settimeout(timeout_s)


def shut_down(connection: socket.socket) -> None:
    """Make whatever another thread waits for on a connection fail at once."""
    # Not the method of a TLS socket, which would first make it one that sends in the clear.
    socket.socket.shutdown(connection, socket.SHUT_RDWR)


def _received(connection: socket.socket, until_s: float) -> bytes:
    left_s = until_s - time.monotonic()
    if left_s <= 0:
        raise TimeoutError
    connection.settimeout(left_s)
    return connection.recv(ANSWER_BYTES)
