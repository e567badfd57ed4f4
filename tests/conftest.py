"""These fixtures give several test modules real music, and the gate for real parts."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.support.alone import admitted
from tests.support.real import require_real as require

# The first example of a test may compile a kernel, and the machine is busy: how long one takes says nothing.
settings.register_profile("endlos", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("endlos")

TIMED = {
    *("threading", "time", "wait_until", "poll_until", "PATIENCE_S"),
    *("Running", "pulse_null_sink", "prepare"),
}
"""A test module that knows one of these names may depend on how fast the machine is; it should not."""

# What a developer's own configuration says is nobody's business here.
os.environ["ENDLOS_CONFIG"] = os.devnull

# Each process of the tests is one of as many as there are cores. More threads for a small product of matrices
# wait for each other in busy loops, which took up to twelve times the processor's time of the product.
for _library in ("OMP_NUM", "OPENBLAS_NUM", "MKL_NUM", "TF_NUM_INTRAOP", "TF_NUM_INTEROP"):
    os.environ.setdefault(f"{_library}_THREADS", "1")

REPOSITORY = Path(__file__).resolve().parent.parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what may depend on time, so that `make flaky` finds it."""
    for item in items:
        if isinstance(item, pytest.Function) and not TIMED.isdisjoint(vars(item.module)):
            item.add_marker(pytest.mark.timing)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Run what claims real time alone, everything else beside each other."""
    with admitted(alone=item.get_closest_marker("realtime") is not None):
        return (yield)


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


@pytest.fixture(scope="session")
def tiny_music(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of three songs of six seconds; read only."""
    from tests.support.music import write_music

    folder = tmp_path_factory.mktemp("tiny") / "music"
    write_music(folder, ["one.wav", "two.wav", "three.flac"])
    return folder


@pytest.fixture(scope="session")
def tiny_pool(tiny_music: Path) -> Path:
    """A pool of the tiny music, chunks of two seconds; read only."""
    # Imported here: most test modules need no pool, and would wait for it.
    from tests.support.music import quick_settings
    from tools.pools.build import build_pool

    folder = tiny_music.parent / "pool"
    build_pool([tiny_music], folder, quick_settings())
    return folder


@pytest.fixture(scope="session")
def tiny_model(tiny_music: Path) -> Path:
    """A model that fits the tiny pool."""
    from tests.support.models import write_tiny_model

    return write_tiny_model(tiny_music.parent / "model", edge_samples=315)
