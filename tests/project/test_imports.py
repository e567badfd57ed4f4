"""The runtime stays light, a room's face is its question, and public names are unique."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
HEAVY = ("tensorflow", "keras", "tf2onnx", "librosa", "matplotlib", "pyloudnorm", "typer", "pydub")
# numba itself imports the package `scipy` to look at its version; what is heavy are its parts.
HEAVY_PARTS = ("scipy.signal", "scipy.fft", "scipy.linalg", "scipy.sparse", "scipy.stats", "scipy.ndimage")


def modules(package: str) -> dict[str, Path]:
    found = {}
    for path in sorted((REPOSITORY / package).rglob("*.py")):
        words = path.relative_to(REPOSITORY).with_suffix("").parts
        found[".".join(words[:-1] if words[-1] == "__init__" else words)] = path
    return found


def run_python(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_runtime_imports_nothing_heavy() -> None:
    rooms = ("stream", "model/saved", "model/features", "model/base")
    runtime = [name for room in rooms for name in modules(room)]
    loaded = run_python(
        "import importlib, sys\n"
        f"for name in {runtime!r}: importlib.import_module(name)\n"
        "print(' '.join(sys.modules))"
    ).split()
    assert set(runtime) <= set(loaded)
    assert not [name for name in (*HEAVY, *HEAVY_PARTS) if name in loaded]


def test_a_kernel_runs_without_what_none_needs_which_others_still_get() -> None:
    loaded = run_python(
        "import sys, numpy as np\n"
        "from stream.index.top import top\n"
        "assert top(np.arange(3, dtype=np.float32), np.ones(3, dtype=bool), 1)[0] == 2\n"
        "print(' '.join(sys.modules))\n"
        "import cffi, scipy.linalg.cython_blas, yaml"
    ).split()
    assert "numba.np.arraymath" in loaded and not {"scipy.linalg", "cffi", "yaml"} & set(loaded)


def test_an_analysis_loads_nothing_large_that_it_needs_little_of() -> None:
    # librosa's ufuncs are compiled anew by every worker, and `scipy.signal` takes 30 MB of its memory.
    loaded = run_python(
        "import sys, numpy as np\n"
        "from tools.songs.rhythm.rhythm import find_rhythm\n"
        "from tools.songs.loudness import measure_loudness\n"
        "import tools.songs.analyse\n"
        "noise = np.random.default_rng(0).normal(0, 0.1, (88_200, 2)).astype(np.float32)\n"
        "find_rhythm(noise, 44_100), measure_loudness(noise, 44_100)\n"
        "print(' '.join(sys.modules))"
    ).split()
    assert "scipy.ndimage" in loaded
    assert not {"librosa", "pyloudnorm", "scipy.signal", "scipy.stats", "scipy.linalg"} & set(loaded)


def test_a_build_takes_analyses_without_what_they_are_made_by() -> None:
    # What a worker sends is made of names: one of a module that imports much took the command 50 MB.
    loaded = run_python(
        "import pickle, sys, typing\n"
        "import tools.pools.build\n"
        "from tools.songs.song import SongAnalysis\n"
        "told = typing.get_type_hints(SongAnalysis).values()\n"
        "pickle.loads(pickle.dumps([kind for kind in told if isinstance(kind, type)]))\n"
        "print(' '.join(sys.modules))"
    ).split()
    assert "tools.songs.song" in loaded
    assert not {"tools.songs.analyse", "tools.songs.loudness", "scipy.ndimage"} & set(loaded)


def test_help_loads_neither_numpy_nor_a_model() -> None:
    loaded = run_python("import sys, tools.app; print(' '.join(sys.modules))").split()
    assert "typer" in loaded
    assert not {"numpy", "numba", "onnxruntime", "av", "sounddevice", "uvicorn", "rich"} & set(loaded)


def test_nothing_that_takes_time_is_loaded_before_interrupts_are_taken() -> None:
    loaded = run_python("import sys, tools.cli; print(' '.join(sys.modules))").split()
    assert not {"typer", "dataclasses", "pathlib", "tools.app", "tools.terminal"} & set(loaded)


def test_a_stream_to_icecast_in_the_clear_loads_neither_tls_nor_an_event_loop() -> None:
    loaded = run_python(
        "import sys, tools.app, tools.running.serving, stream.outputs.kinds.icecast\n"
        "from stream.outputs.icecast import admin_titles, source\n"
        "print(' '.join(sys.modules))"
    ).split()
    assert "stream.service.session" in loaded
    assert not {"ssl", "asyncio", "http.client", "starlette", "uvicorn", "av", "sounddevice"} & set(loaded)


@pytest.mark.parametrize("package", ["model", "stream", "tools"])
def test_a_rooms_face_is_its_question_and_nothing_else(package: str) -> None:
    faces = [path for path in modules(package).values() if path.name == "__init__.py"]
    assert faces
    for face in faces:
        (only,) = ast.parse(face.read_text(encoding="utf-8")).body
        assert isinstance(only, ast.Expr) and isinstance(only.value, ast.Constant), face
        assert "?" in only.value.value and "\n" not in only.value.value, face


def test_every_import_is_absolute() -> None:
    for package in ("stream", "model", "tools"):
        for path in modules(package).values():
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                assert not isinstance(node, ast.ImportFrom) or node.level == 0, path


def public_names(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names |= {
                name.id for target in node.targets for name in ast.walk(target) if isinstance(name, ast.Name)
            }
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.add(node.target.id)
    return {name for name in names if not name.startswith("_")}


def test_a_public_name_means_one_thing_in_the_project() -> None:
    places: dict[str, list[str]] = {}
    for package in ("stream", "model", "tools"):
        for module, path in modules(package).items():
            for name in public_names(path):
                places.setdefault(name, []).append(module)
    assert {name: where for name, where in places.items() if len(where) > 1} == {}


def test_rooms_and_modules_can_be_held_in_the_head() -> None:
    for package in ("stream", "model", "tools"):
        for folder in {path.parent for path in modules(package).values()}:
            assert len(list(folder.glob("*.py"))) <= 25, folder
