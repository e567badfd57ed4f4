"""Fixtures that several test modules share: real music, and the gate for real parts."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.real import require_real as require

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def require_real() -> Callable[[str, bool], None]:
    """`require_real(what, available)`: skip, or fail under `ENDLOS_REQUIRE_REAL=1`."""
    return require


@pytest.fixture(scope="session")
def shared_music() -> Path:
    """The folder of real music that lies beside the repository (read only)."""
    folder = REPOSITORY.parent / "shared" / "music"
    require(f"no real music: put some under {folder}", folder.is_dir())
    return folder
