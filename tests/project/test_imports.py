"""What may import what: the runtime stays light, and the folders keep their direction."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
HEAVY = ("tensorflow", "keras", "tf2onnx", "librosa", "matplotlib", "pyloudnorm", "typer", "pydub")
# numba itself imports the package `scipy` to look at its version; what is heavy are its parts.
HEAVY_PARTS = ("scipy.signal", "scipy.fft", "scipy.linalg", "scipy.sparse", "scipy.stats", "scipy.ndimage")
SHARED_MODEL_MODULES = {
    "model.saved.contract",
    "model.features.edges",
    "model.features.spectra",
    "model.features.seam",
    "model.features.texture",
    "model.saved.second_stage",
    "model.base.arrays",
    "model.base.kernels",
    "model.base.mapped",
    "model.base.quiet",
    "model.base.errors",
    "model.base.files",
}


def modules(package: str) -> dict[str, Path]:
    found = {}
    for path in sorted((REPOSITORY / package).rglob("*.py")):
        words = path.relative_to(REPOSITORY).with_suffix("").parts
        found[".".join(words[:-1] if words[-1] == "__init__" else words)] = path
    return found


def imported(path: Path) -> set[str]:
    """Return the full names of every module that `path` imports, also inside functions."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            module = node.module or ""
            names.add(module)
            if module in ("model", "stream", "importlib"):
                # `from model import errors` names a module, `from model.base.errors import X` does not.
                names.update(f"{module}.{alias.name}" for alias in node.names)
    return names


def ours(names: set[str], package: str) -> set[str]:
    return {name for name in names if name == package or name.startswith(f"{package}.")}


def run_python(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_runtime_imports_nothing_heavy() -> None:
    runtime = [*modules("stream"), *sorted(SHARED_MODEL_MODULES)]
    loaded = run_python(
        "import importlib, sys\n"
        f"for name in {runtime!r}: importlib.import_module(name)\n"
        "print(' '.join(sys.modules))"
    ).split()
    assert set(runtime) <= set(loaded)
    assert not [name for name in (*HEAVY, *HEAVY_PARTS) if name in loaded]


def test_a_kernel_runs_without_linear_algebra_of_scipy_which_others_still_get() -> None:
    loaded = run_python(
        "import sys, numpy as np\n"
        "from stream.index.top import top\n"
        "assert top(np.arange(3, dtype=np.float32), np.ones(3, dtype=bool), 1)[0] == 2\n"
        "print(' '.join(sys.modules))\n"
        "import scipy.linalg.cython_blas"
    ).split()
    assert "numba.np.arraymath" in loaded and "scipy.linalg" not in loaded


def test_an_analysis_loads_nothing_that_compiles_at_import() -> None:
    # On a new machine numba would work on librosa's ufuncs for a quarter of a minute in every worker.
    loaded = run_python(
        "import sys, numpy as np\n"
        "from tools.songs.rhythm.rhythm import find_rhythm\n"
        "import tools.songs.analyse\n"
        "find_rhythm(np.random.default_rng(0).normal(0, 0.1, (88_200, 2)).astype(np.float32), 44_100)\n"
        "print(' '.join(sys.modules))"
    ).split()
    assert "librosa.filters" in loaded
    assert not {"librosa.util.utils", "librosa.core.pitch", "librosa.core.audio"} & set(loaded)


def test_help_loads_neither_numpy_nor_a_model() -> None:
    loaded = run_python("import sys, tools.cli; print(' '.join(sys.modules))").split()
    assert "typer" in loaded
    assert not {"numpy", "numba", "onnxruntime", "av", "sounddevice", "uvicorn", "rich"} & set(loaded)


@pytest.mark.parametrize("package", ["model", "stream", "tools"])
def test_package_faces_are_empty(package: str) -> None:
    faces = [path for path in modules(package).values() if path.name == "__init__.py"]
    assert faces
    assert [path for path in faces if path.read_text(encoding="utf-8").strip()] == []


@pytest.mark.parametrize("package", ["model", "stream", "tools", "tests", "benchmarks"])
def test_nothing_asks_where_a_package_lies(package: str) -> None:
    """A module knows its own `__file__`; a package's is None where another one left a folder of its name."""
    for name, path in modules(package).items():
        asked = [
            node.attr
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.Attribute) and node.attr in ("__file__", "__path__", "__spec__")
        ]
        strangers = imported(path) & {"importlib.resources", "pkgutil", "pkg_resources"}
        assert not asked and not strangers, f"{name} uses {[*asked, *strangers]}"


def test_nothing_imports_tools_but_tools() -> None:
    for package in ("stream", "model"):
        for name, path in modules(package).items():
            assert not ours(imported(path), "tools"), name


def test_model_imports_neither_tests_nor_benchmarks() -> None:
    for package in ("stream", "model", "tools"):
        for name, path in modules(package).items():
            used = imported(path)
            assert not ours(used, "tests") | ours(used, "benchmarks"), name


def test_the_runtime_uses_only_what_is_shared_of_the_model() -> None:
    for name, path in modules("stream").items():
        strangers = {used for used in ours(imported(path), "model") if used not in SHARED_MODEL_MODULES}
        assert not strangers, f"{name} imports {sorted(strangers)}"


def test_shared_model_modules_do_not_lean_on_the_rest() -> None:
    for name in SHARED_MODEL_MODULES:
        used = imported(modules("model")[name])
        assert ours(used, "model") <= SHARED_MODEL_MODULES, name
        assert not ours(used, "stream"), name
