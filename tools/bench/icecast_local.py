"""This module starts an Icecast server on a loopback port, for the streams that are compared."""

import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from model.base.errors import EndlosError
from tools.bench.free_port import free_port

_CONFIG = """<icecast>
  <limits><clients>{clients}</clients><sources>8</sources></limits>
  <authentication><source-password>{password}</source-password>
    <admin-user>admin</admin-user><admin-password>{password}</admin-password></authentication>
  <hostname>127.0.0.1</hostname>
  <listen-socket><port>{port}</port><bind-address>127.0.0.1</bind-address></listen-socket>
  <fileserve>0</fileserve>
  <paths><basedir>{folder}</basedir><logdir>{folder}</logdir><webroot>{folder}</webroot>
    <adminroot>{folder}</adminroot></paths>
  <logging><accesslog>access.log</accesslog><errorlog>error.log</errorlog><loglevel>2</loglevel></logging>
  <security><chroot>0</chroot>{owner}</security>
</icecast>
"""
_TIMEOUT_S = 10.0
_POLL_S = 0.05


@dataclass(frozen=True, kw_only=True)
class LocalIcecast:
    """Where it listens."""

    port: int
    password: str = field(repr=False)
    process_id: int


def program() -> str | None:
    """Return where icecast2 is, or None when it is not installed."""
    return shutil.which("icecast2") or shutil.which("icecast2", path="/usr/bin:/usr/local/bin:/usr/sbin")


@contextmanager
def local_icecast(clients: int = 20) -> Iterator[LocalIcecast]:
    """Run a server for the length of a `with` block; `EndlosError` when it does not start."""
    port, password = free_port(), secrets.token_hex(16)
    with tempfile.TemporaryDirectory(prefix="endlos-icecast-") as name:
        folder = Path(name)
        # icecast2 refuses to run as root unless it may change to somebody else, who then writes the logs.
        owner = ""
        if os.geteuid() == 0:
            owner = "<changeowner><user>nobody</user><group>nogroup</group></changeowner>"
            folder.chmod(0o777)
        config = folder / "icecast.xml"
        config.write_text(
            _CONFIG.format(port=port, password=password, folder=folder, owner=owner, clients=clients),
            encoding="utf-8",
        )
        process = subprocess.Popen(
            [program() or "icecast2", "-c", str(config)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            _wait(process, port)
            yield LocalIcecast(port=port, password=password, process_id=process.pid)
        finally:
            process.kill()
            process.wait()


def _wait(process: "subprocess.Popen[bytes]", port: int) -> None:
    until_s = time.monotonic() + _TIMEOUT_S
    while process.poll() is None and time.monotonic() < until_s:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(_POLL_S)
    raise EndlosError("icecast2 does not start; leave --peers out, or install it anew")
