"""Compiled kernels follow every source that they depend on, and need no place that lasts."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from model.base import kernel_cache
from model.base.kernel_cache import KEPT_FOLDERS
from tests.support.commands import COMMAND, REPOSITORY
from tests.support.waiting import PATIENCE_S

LIMITS = "LIMIT = 3\n"
HELPER = """from model.base.kernels import kernel
@kernel
def helped(value: int) -> int:
    return value * 10
"""
PROBE = """from model.base.kernels import kernel
from model.features.limits import LIMIT
from model.features.helper import helped
@kernel
def asked(value: int) -> int:
    return helped(value) + LIMIT
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what kernels stand on, with a kernel that uses a constant and a helper of other modules."""
    root = tmp_path / "checkout"
    for folder in ("model/base", "model/features"):
        shutil.copytree(REPOSITORY / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__"))
    (root / "model" / "__init__.py").touch()
    for name, source in (("limits", LIMITS), ("helper", HELPER), ("probe", PROBE)):
        (root / "model" / "features" / f"{name}.py").write_text(source)
    return root


def answer(checkout: Path) -> tuple[int, int]:
    """Return what the kernel gives for 1, and how many kernels were found compiled."""
    code = "from model.features.probe import asked\nprint(asked(1), sum(asked.stats.cache_hits.values()))"
    done = subprocess.run(
        [sys.executable, "-B", "-c", code],
        cwd=checkout,
        env={**os.environ, "PYTHONPATH": str(checkout), "NUMBA_CACHE_DIR": ""},
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE_S,
    )
    given, hits = done.stdout.split()
    return int(given), int(hits)


def edit(checkout: Path, name: str, old: str, new: str) -> None:
    path = checkout / "model" / "features" / f"{name}.py"
    source = path.read_text()
    assert old in source
    path.write_text(source.replace(old, new))


def test_a_kernel_follows_constants_and_helpers_of_other_modules(checkout: Path) -> None:
    assert answer(checkout) == (13, 0)
    assert answer(checkout) == (13, 1)
    edit(checkout, "limits", "3", "4")
    assert answer(checkout) == (14, 0)
    edit(checkout, "helper", "10", "20")
    assert answer(checkout) == (24, 0)
    # A module that it does not see makes no difference; nor does the way back.
    (checkout / "model" / "features" / "other.py").write_text("LIMIT = 9\n")
    assert answer(checkout) == (24, 1)
    edit(checkout, "helper", "20", "10")
    assert answer(checkout) == (14, 1)


def test_older_versions_go(checkout: Path) -> None:
    for limit in range(3, 3 + KEPT_FOLDERS + 2):
        assert answer(checkout)[0] == 10 + limit
        edit(checkout, "limits", str(limit), str(limit + 1))
    kept = list((checkout / "model" / "base" / "__pycache__" / "kernels").glob("model.features.probe-*"))
    assert len(kept) == KEPT_FOLDERS


@pytest.mark.parametrize(
    ("line", "imported"),
    [
        ("import os", set()),
        ("from model.base.errors import EndlosError", {"errors"}),
        ("from model.base import errors", {"errors"}),
        ("import model.base.arrays", {"arrays"}),
        ("from model.base import (\n    arrays,\n    errors,\n)", {"arrays", "errors"}),
        ("def later():\n    from model.base.files import beside", {"files"}),
    ],
)
def test_imports_of_every_form_are_seen(line: str, imported: set[str], tmp_path: Path) -> None:
    path = tmp_path / "module.py"
    path.write_text(line)
    found = kernel_cache._read(str(path)).imported
    assert found == {str(REPOSITORY / "model" / "base" / f"{name}.py") for name in imported}


@pytest.mark.parametrize(
    "name",
    # A build compiles everything in each of its processes: a minute and a half of processor time.
    ["render", "doctor", pytest.param("pool build", marks=pytest.mark.soak)],
)
def test_a_service_without_a_home_plays_and_says_once_that_kernels_are_not_kept(
    name: str, tmp_path: Path, tiny_pool: Path, tiny_model: Path
) -> None:
    root = tmp_path / "installed"
    for package in ("model", "stream", "tools"):
        shutil.copytree(REPOSITORY / package, root / package, ignore=shutil.ignore_patterns("__pycache__"))
    # What a file is in the way of, not even root can write.
    (root / "model" / "base" / "__pycache__").touch()
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("XDG_")},
        "HOME": "/dev/null",
        "PYTHONPATH": str(root),
        "NUMBA_CACHE_DIR": "/dev/null/kernels",
        "TMPDIR": str(scratch),
        "PYTHONDONTWRITEBYTECODE": "1",
        "ENDLOS_HOME": "",
    }
    pool, music, made = str(tiny_pool), str(tiny_pool.parent / "music"), str(tmp_path / "pool")
    out = str(tmp_path / "out.wav")
    commands = {
        "render": ("render", pool, out, "--seconds", "1", "--model", str(tiny_model)),
        "pool build": ("pool", "build", music, "--out", made, "--jobs", "2"),
        "doctor": ("doctor",),
    }
    done = subprocess.run(
        [*COMMAND, *commands[name]],
        cwd=root,
        env=environment,
        capture_output=True,
        text=True,
        timeout=10 * PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, f"{name}: {done.stderr}"
    assert done.stderr.count("compiled kernels cannot be kept") == 1, f"{name}: {done.stderr}"
    assert re.search(r"note.*kernel cache.*nothing is writable", done.stdout) or name != "doctor"
    assert list(scratch.iterdir()) == [], "what is temporary goes"


def test_standard_streams_may_be_closed(tmp_path: Path, tiny_pool: Path, tiny_model: Path) -> None:
    out = tmp_path / "out.wav"
    words = ("render", str(tiny_pool), str(out), "--seconds", "1", "--model", str(tiny_model))
    for closed in (">&-", "2>&-", "<&- >&- 2>&-"):
        done = subprocess.run(
            ["bash", "-c", f'exec "$@" {closed}', "bash", *COMMAND, *words],
            cwd=REPOSITORY,
            capture_output=True,
            timeout=PATIENCE_S,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert out.stat().st_size > 44_100
        out.unlink()
    done = subprocess.run(
        ["bash", "-c", 'exec "$@" <&- >&- 2>&-', "bash", *COMMAND, "pool", "info", str(tmp_path)],
        cwd=REPOSITORY,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 1
