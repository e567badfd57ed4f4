"""This helper starts a real icecast2 on a free loopback port."""

import http.client
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from unittest.mock import patch
from xml.sax.saxutils import escape

from stream.outputs.kinds.icecast import IcecastSettings, icecast_from_uri
from stream.outputs.place import OutputUri
from stream.outputs.secrets import PASSWORD_VARIABLE
from tests.support.far_network import FarNetwork
from tests.support.waiting import PATIENCE_S
from tools.bench.free_port import free_port
from tools.bench.icecast_local import icecast_program as icecast_program
from tools.bench.icecast_local import start_icecast

SOURCE_PASSWORD = "pass&word/with?odd=characters"
ADMIN_PASSWORD = "the-admins-own"

_CONFIG = """<icecast>
  <limits><clients>20</clients><sources>8</sources><source-timeout>{source_timeout_s}</source-timeout>
    <burst-on-connect>0</burst-on-connect><burst-size>0</burst-size><queue-size>4194304</queue-size></limits>
  <authentication><source-password>{source}</source-password>
    <admin-user>admin</admin-user><admin-password>{admin}</admin-password></authentication>
  <hostname>{host}</hostname>
  <listen-socket><port>{port}</port><bind-address>{host}</bind-address></listen-socket>
  {tls_socket}<fileserve>0</fileserve>
  <paths><basedir>{share}</basedir><logdir>{logs}</logdir><webroot>{share}/web</webroot>
    <adminroot>{share}/admin</adminroot>{certificate}</paths>
  <logging><accesslog>access.log</accesslog><errorlog>error.log</errorlog><loglevel>4</loglevel></logging>
  <security><chroot>0</chroot>{owner}</security>
</icecast>
"""


class IcecastServer:
    """icecast2 in a process of its own: it can be killed, started again on its port, and stalled."""

    def __init__(
        self,
        folder: Path,
        source_timeout_s: int = 10,
        certificate: Path | None = None,
        network: FarNetwork | None = None,
    ) -> None:
        """certificate: with its key, of a second port that speaks TLS. network: where it runs; None: here."""
        self.host = "127.0.0.1" if network is None else network.host
        self._where = () if network is None else network.command
        self.port = free_port()
        self.tls_port = free_port()
        self._logs = folder
        self._config = folder / "icecast.xml"
        self._process: subprocess.Popen[bytes] | None = None
        # icecast2 refuses to run as root unless it may change to somebody else, who then writes the logs.
        owner = ""
        if os.geteuid() == 0:
            owner = "<changeowner><user>nobody</user><group>nogroup</group></changeowner>"
        folder.chmod(0o777)
        if certificate is not None:
            # Where whoever the server changes to can read it.
            (folder / "tls.pem").write_bytes(certificate.read_bytes())
        self._config.write_text(
            _CONFIG.format(
                host=self.host,
                port=self.port,
                logs=folder,
                share="/usr/share/icecast2",
                owner=owner,
                source=escape(SOURCE_PASSWORD),
                admin=escape(ADMIN_PASSWORD),
                source_timeout_s=source_timeout_s,
                tls_socket=""
                if certificate is None
                else f"<listen-socket><port>{self.tls_port}</port><ssl>1</ssl></listen-socket>",
                certificate=""
                if certificate is None
                else f"<ssl-certificate>{folder}/tls.pem</ssl-certificate>",
            ),
            encoding="utf-8",
        )

    def start(self) -> None:
        """Start, and come back when it answers."""
        self._process = start_icecast(
            self._config, self.host, self.port, before=self._where, timeout_s=PATIENCE_S
        )

    def kill(self) -> None:
        """End it at once, as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def stall(self) -> None:
        """Stop the process; its sockets stay open and nobody reads them."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a stalled process go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def listen(self, mount: str, *, titles: bool = False) -> http.client.HTTPResponse:
        """Return the open response of a listener on `mount`."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=PATIENCE_S)
        connection.request("GET", mount, headers={"Icy-MetaData": "1"} if titles else {})
        return connection.getresponse()

    def error_log(self) -> str:
        """Return what it has logged so far."""
        path = self._logs / "error.log"
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    def access_log(self) -> str:
        """Return what was asked of it so far."""
        path = self._logs / "access.log"
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    def __enter__(self) -> "IcecastServer":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()


@contextmanager
def icecast_server(
    source_timeout_s: int = 10, certificate: Path | None = None, network: FarNetwork | None = None
) -> Iterator[IcecastServer]:
    """Run a server for the length of a `with` block, in a folder that goes with it."""
    folder = Path(tempfile.mkdtemp(prefix="endlos-icecast-"))
    try:
        with IcecastServer(folder, source_timeout_s, certificate, network) as server:
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def icecast_settings(text: str, password: str | None) -> IcecastSettings:
    """Read an address as `--output` does, the password from the environment."""
    given = {} if password is None else {PASSWORD_VARIABLE: password}
    kept = {name: value for name, value in os.environ.items() if name != PASSWORD_VARIABLE}
    with patch.dict(os.environ, {**kept, **given}, clear=True):
        return icecast_from_uri(OutputUri(text=text))
