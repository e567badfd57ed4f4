#!/usr/bin/env bash
# Guess: a wheel brings its own package alone, and an editable install puts the project's folders before those of
#   installed wheels.
# What really happens (tf2onnx 1.17.0, setuptools 84.2.1): the wheel of tf2onnx leaves top-level folders `tools` and `tests`,
#   without `__init__.py`, beside the installed packages. A default editable install of a project with a package `tools`
#   maps the name by a finder that is asked after the path, so `import tools` gives a namespace package of tf2onnx's
#   folder, whose `__file__` is None. With `package-dir = { "" = "." }` setuptools writes the project's folder into a .pth
#   instead, and the project's own package wins, because a package goes before a mere folder wherever it is on the path.
set -euo pipefail
TF2ONNX=1.17.0 SETUPTOOLS=84.2.1
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
"${PYTHON:-python3}" -m venv "$place/venv"
python=$place/venv/bin/python
"$python" -m pip install --quiet --disable-pip-version-check --no-deps "tf2onnx==$TF2ONNX" "setuptools==$SETUPTOOLS"

# A project with a package `tools`, installed so that its sources stay where they are.
project() {
    mkdir -p "$place/$1/tools"
    echo '"""Ours."""' >"$place/$1/tools/__init__.py"
    cat >"$place/$1/pyproject.toml" <<END
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"
[project]
name = "ours"
version = "1"
[tool.setuptools.packages.find]
include = ["tools*"]
END
    [ -z "${2:-}" ] || printf '[tool.setuptools]\n%s\n' "$2" >>"$place/$1/pyproject.toml"
    "$python" -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps -e "$place/$1"
}

# Which `tools` is imported from a folder that has nothing to do with either.
imported() {
    (cd / && "$python" -c 'import tools; print(tools.__file__)') | sed "s#$place/##"
}

# The folders at the top of the wheel, and whether they are packages.
shipped() {
    "$python" - <<'END'
from importlib.metadata import files
paths = [path.as_posix() for path in files("tf2onnx")]
for name in ("tools", "tests"):
    inside = [path for path in paths if path.startswith(name + "/")]
    print(name, "shipped" if inside else "absent", "package" if f"{name}/__init__.py" in inside else "folder")
END
}

found=$(
    echo "tf2onnx $TF2ONNX, setuptools $SETUPTOOLS"
    shipped
    project default
    echo "default editable install: $(imported)"
    project said 'package-dir = { "" = "." }'
    echo "package-dir said outright: $(imported)"
)
echo "$found"
expected="tf2onnx $TF2ONNX, setuptools $SETUPTOOLS
tools shipped folder
tests shipped folder
default editable install: None
package-dir said outright: said/tools/__init__.py"
[ "$found" = "$expected" ] || { printf 'this has changed; it was:\n%s\n' "$expected" >&2; exit 1; }
