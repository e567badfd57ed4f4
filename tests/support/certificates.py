"""This helper makes a certificate for a server of a test, by the openssl command."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """A certificate that has signed itself."""

    file: Path
    """What a client trusts."""
    with_key: Path
    """What a server needs."""


def openssl_program() -> str | None:
    """Return where openssl is, or None when it is not installed."""
    return shutil.which("openssl")


def make_certificate(folder: Path, name: str = "IP:127.0.0.1") -> Certificate:
    """Make one for a name, as OpenSSL writes such (`IP:127.0.0.1`, `DNS:radio.example`)."""
    folder.mkdir()
    key, file, with_key = folder / "key.pem", folder / "certificate.pem", folder / "both.pem"
    program = openssl_program()
    assert program is not None
    subprocess.run(
        [
            *(program, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *("-days", "2", "-subj", "/CN=endlos test", "-addext", f"subjectAltName={name}"),
            *("-keyout", str(key), "-out", str(file)),
        ],
        check=True,
        capture_output=True,
    )
    with_key.write_bytes(file.read_bytes() + key.read_bytes())
    return Certificate(file=file, with_key=with_key)
