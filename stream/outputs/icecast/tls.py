"""TLS secures a connection to a server whose certificate is trusted, and is for its name."""

import socket
import ssl
from pathlib import Path

from model.base.errors import OutputError
from stream.outputs.icecast.mount import IcecastMount


def tls_context(ca_file: Path | None) -> ssl.SSLContext:
    """Return what checks a server's certificate; `OutputError` where that file holds no certificates."""
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:  # an `SSLError` is one, too
        reason = "it holds none in PEM form" if isinstance(error, ssl.SSLError) else error.strerror
        raise OutputError(
            f"{ca_file} cannot be read as certificates ({reason}); give the file of the authority's"
        ) from None


def secured(connection: socket.socket, mount: IcecastMount) -> socket.socket:
    """Return the connection over TLS; `OutputError`, or `OSError`, in words where there is none."""
    try:
        return tls_context(mount.ca_file).wrap_socket(connection, server_hostname=mount.host)
    except ssl.SSLCertVerificationError as error:
        raise OutputError(
            f"the server's certificate is refused ({error.verify_message.rstrip('.')}); "
            "if it is one of your own, name the file of who signed it with ca-file=FILE"
        ) from None
    except ssl.SSLError:
        raise OutputError(
            f"the server does not speak TLS at {mount.server}; is it icecast:// there?"
        ) from None
