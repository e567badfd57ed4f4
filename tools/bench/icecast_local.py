"""This module starts an Icecast server, on a loopback port for the streams that are compared."""

import http.client
import os
import secrets
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
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
_TIMEOUT_S = 30.0
_STILL_S = 10.0
"""A server that has not answered for so long stands still."""
_POLL_S = 0.02
_THREADS = 4
"""Of icecast2 2.4.4 that nobody listens to."""


@dataclass(frozen=True, kw_only=True)
class LocalIcecast:
    """Where it listens."""

    port: int
    password: str = field(repr=False)
    process_id: int


def icecast_program() -> str | None:
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
        process = start_icecast(config, "127.0.0.1", port)
        try:
            yield LocalIcecast(port=port, password=password, process_id=process.pid)
        finally:
            process.kill()
            process.wait()


def start_icecast(
    config: Path, host: str, port: int, *, before: Sequence[str] = (), timeout_s: float = _TIMEOUT_S
) -> "subprocess.Popen[bytes]":
    """Start a server and return it when it answers; `EndlosError` when it does not in time.

    config: its file. before: words before its own, which run it elsewhere. icecast2 2.4.4 may crash, be it
    after its answer, where somebody connects before its threads have begun: one in a thousand did whose
    thread of statistics was there and had not run. Of some thousand starts one never answers: it is given
    its time, and is started again. So is one that could not bind its port, which whoever has it may leave.
    """
    until_s = time.monotonic() + timeout_s
    while time.monotonic() < until_s:
        process = subprocess.Popen(
            [*before, icecast_program() or "icecast2", "-c", str(config)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        still_s = time.monotonic() + _STILL_S
        while process.poll() is None and time.monotonic() < still_s:
            if _is_at_rest(process.pid) and _answers(host, port) and process.poll() is None:
                return process
            time.sleep(_POLL_S)
        process.kill()
        process.wait()
        time.sleep(_POLL_S)
    raise EndlosError("icecast2 does not start; install it anew, or do without")


def _is_at_rest(process_id: int) -> bool:
    """Return whether all threads of a server are there and wait: what each begins with is done."""
    threads = Path(f"/proc/{process_id}/task")
    try:
        if not Path("/proc/self/task").is_dir():
            return True
        # Behind the name, which may hold brackets itself: proc(5).
        states = [(one / "stat").read_text().rpartition(")")[2].split()[0] for one in threads.iterdir()]
    except OSError:  # it has ended
        return False
    return len(states) >= _THREADS and set(states) == {"S"}


def _answers(host: str, port: int) -> bool:
    with closing(http.client.HTTPConnection(host, port, timeout=_STILL_S)) as connection:
        try:
            connection.request("GET", "/")
            connection.getresponse().read()
        except (OSError, http.client.HTTPException):
            return False
    return True
