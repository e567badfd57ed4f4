"""The project keeps its promises about targets, pins, its one version and its defaults."""

import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
LOCKS = ("requirements.lock", "requirements-dev.lock")
PIN = re.compile(r"(?P<name>[a-z0-9-]+)==(?P<version>[^ ;\\]+)( ; [^\\]+)? \\")


def project() -> dict[str, object]:
    with (REPOSITORY / "pyproject.toml").open("rb") as file:
        return tomllib.load(file)["project"]


def pins(lock: str) -> dict[str, str]:
    lines = (REPOSITORY / lock).read_text(encoding="utf-8").splitlines()
    found = [PIN.fullmatch(line) for line in lines if line and not line.startswith((" ", "#"))]
    assert all(found), f"{lock} has a line that is no pin"
    return {pin["name"]: pin["version"] for pin in found if pin}


def names(requirements: list[str]) -> set[str]:
    plain = {re.match(r"[A-Za-z0-9_.-]+", line)[0].lower() for line in requirements}  # type: ignore[index]
    return {name.replace("_", "-") for name in plain}


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pin_has_hashes_and_no_address(lock: str) -> None:
    text = (REPOSITORY / lock).read_text(encoding="utf-8")
    blocks = re.split(r"\n(?=[a-z0-9])", text)
    assert len(blocks) > 20
    for block in blocks[1:]:
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", block), block
    assert "://" not in text
    for option in ("index-url", "find-links", "trusted-host", "file:", " @ "):
        assert option not in text


def test_the_runtime_lock_has_all_that_playing_needs_and_no_tensorflow() -> None:
    pinned = pins("requirements.lock")
    assert names(project()["dependencies"]) <= set(pinned)  # type: ignore[arg-type]
    assert not {"tensorflow", "keras", "matplotlib", "pytest"} & set(pinned)


def test_the_development_lock_is_the_runtime_lock_and_more() -> None:
    runtime, development = pins("requirements.lock"), pins("requirements-dev.lock")
    assert runtime.items() <= development.items()
    extras = project()["optional-dependencies"]
    wanted = {name for extra in extras.values() for name in names(extra)}  # type: ignore[attr-defined]
    assert wanted - {"endlos"} <= set(development)


def test_the_version_stands_in_one_place() -> None:
    assert version("endlos") == project()["version"]
    quoted = f'"{project()["version"]}"'
    for package in ("stream", "model", "tools"):
        for path in (REPOSITORY / package).rglob("*.py"):
            assert f"version = {quoted}" not in path.read_text(encoding="utf-8"), path


def test_make_help_names_every_target() -> None:
    shown = subprocess.run(
        ["make", "help"], cwd=REPOSITORY, capture_output=True, text=True, check=True
    ).stdout
    for target in ("help", "play", "dev", "test", "lint", "bench"):
        assert re.search(rf"^  make {target}\s+\S", shown, re.MULTILINE), target


def test_make_play_passes_the_music_on_unchanged() -> None:
    shown = subprocess.run(
        [
            "make",
            # These tests may run inside `make test`, whose inner make tells where it is.
            "--no-print-directory",
            "--dry-run",
            "play",
            "MUSIC=it's/my music",
            "ARGS=--seed 3",
            "--assume-old=requirements.lock",
        ],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    line = shown.strip().splitlines()[-1]
    told = subprocess.run(
        ["bash", "-c", line.replace(".venv/bin/python", "printf '%s\\n'", 1)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    assert told == ["-m", "tools.cli", "play", "it's/my music", "--seed", "3"]


@pytest.mark.parametrize(("more", "processes"), [([], 2), (["-n", "0"], 1)])
def test_make_test_deals_whole_modules_out_to_the_cores(
    more: list[str], processes: int, tmp_path: Path
) -> None:
    """What a module makes is made once: all its tests are in one process."""
    shown = subprocess.run(
        ["make", "--no-print-directory", "--dry-run", "test", "--assume-old=requirements-dev.lock"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    words = shown.strip().splitlines()[-1].split()[1:]
    assert words[:2] == ["-m", "pytest"]
    told = {}
    for name in "abcd":
        told[name] = [tmp_path / f"{name}{number}" for number in range(3)]
        (tmp_path / f"test_{name}.py").write_text(
            "import os, pathlib, pytest\n"
            f"@pytest.mark.parametrize('path', {list(map(str, told[name]))})\n"
            "def test_process(path): pathlib.Path(path).write_text(str(os.getpid()))\n"
        )
    done = subprocess.run(
        [sys.executable, *words, *more, "--rootdir", str(tmp_path), str(tmp_path)],
        cwd=tmp_path,
        env={**os.environ, "PYTEST_XDIST_AUTO_NUM_WORKERS": "2"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "12 passed" in done.stdout, done.stdout + done.stderr
    of_modules = [{path.read_text() for path in paths} for paths in told.values()]
    assert all(len(found) == 1 for found in of_modules)
    assert len(set.union(*of_modules)) == processes


@pytest.mark.parametrize("script", ["tools/setup.sh", ".ci/run"])
def test_scripts_are_executable_and_parse(script: str) -> None:
    path = REPOSITORY / script
    assert path.stat().st_mode & 0o111
    subprocess.run(["bash", "-n", path], check=True)


def test_setup_says_so_when_python_is_too_old(tmp_path: Path) -> None:
    for name in ("python3.13", "python3.12", "python3.11", "python3", "python"):
        old = tmp_path / name
        old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo "Python 3.9.1" && exit 0\nexit 1\n')
        old.chmod(0o755)
    done = subprocess.run(
        ["bash", "tools/setup.sh", "venv", str(tmp_path / "venv")],
        cwd=REPOSITORY,
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "3.11 or newer, found Python 3.9.1" in done.stderr
    assert not (tmp_path / "venv").exists()


def test_setup_names_the_line_to_type_where_it_may_not_install(tmp_path: Path) -> None:
    for name, body in (
        ("dpkg-query", "exit 1"),
        ("apt-get", "exit 0"),
        ("id", "echo 1000"),
        ("sudo", "exit 1"),
    ):
        fake = tmp_path / name
        fake.write_text(f"#!/bin/sh\n{body}\n")
        fake.chmod(0o755)
    done = subprocess.run(
        ["bash", "tools/setup.sh", "system", "play"],
        cwd=REPOSITORY,
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, "playing goes on: endlos serves HTTP without PortAudio"
    assert "sudo apt-get install libportaudio2" in done.stderr


def test_the_readme_names_the_two_commands_and_every_command_of_the_program() -> None:
    from tools.app import app

    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    first_lines = "\n".join(text.splitlines()[:20])
    for words in ("make play", "MUSIC=~/Music", "make test"):
        assert words in first_lines, words
    for command in app.registered_commands:
        assert f"endlos {command.name}" in text, command.name
    for group in app.registered_groups:
        assert f"endlos {group.name}" in text, group.name
