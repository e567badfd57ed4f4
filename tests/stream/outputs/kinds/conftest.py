"""This fixture gives the tests of outputs a real Icecast server."""

from collections.abc import Iterator

import pytest

from tests.support.icecast_server import IcecastServer, icecast_program, icecast_server
from tests.support.real import require_real


@pytest.fixture
def server() -> Iterator[IcecastServer]:
    require_real(
        "no icecast2: install it, for instance `apt install icecast2`", icecast_program() is not None
    )
    with icecast_server() as running:
        yield running
