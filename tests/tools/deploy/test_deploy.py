"""The unit is one that systemd takes and an auditor likes; the image copies and runs what there is."""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import typer

from tools.app import app
from tools.config.file import read_config
from tools.config.options import option_sections

REPOSITORY = Path(__file__).resolve().parents[3]
DEPLOY = REPOSITORY / "tools" / "deploy"
MOST_EXPOSURE = 1.5


@pytest.fixture
def analyse(require_real: Callable[[str, bool], None]) -> Callable[..., str]:
    require_real("no systemd-analyze: install it (Debian: systemd)", bool(shutil.which("systemd-analyze")))

    def run(*words: str | Path) -> str:
        done = subprocess.run(["systemd-analyze", *words], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    return run


def test_systemd_takes_every_line_of_the_unit(analyse: Callable[..., str], tmp_path: Path) -> None:
    unit = tmp_path / "endlos.service"
    # It also looks whether the program is there.
    text = (DEPLOY / "endlos.service").read_text().replace("/opt/endlos/bin/endlos", sys.executable)
    unit.write_text(text)
    assert str(unit) not in analyse("verify", unit)
    unit.write_text(f"{text}\n[Service]\nProtectEverything=yes\n")
    assert "ProtectEverything" in analyse("verify", unit)


def test_the_exposure_is_what_the_readme_says(analyse: Callable[..., str]) -> None:
    told = analyse("security", "--offline=true", DEPLOY / "endlos.service")
    exposure = re.search(r"exposure level for endlos\.service: ([\d.]+)", told)
    assert exposure and float(exposure[1]) <= MOST_EXPOSURE
    said = re.search(r"exposure of ([\d.]+)", (DEPLOY / "README.md").read_text())
    assert said
    # Another systemd weighs a little otherwise.
    assert abs(float(said[1]) - float(exposure[1])) < 0.3


@pytest.mark.parametrize("name", ["endlos.toml", "container.toml"])
def test_each_configuration_is_one(name: str) -> None:
    assert read_config(DEPLOY / name, option_sections(typer.main.get_command(app))).defaults["serve"]


def test_the_image_copies_what_there_is_and_its_context_has_it() -> None:
    text = (DEPLOY / "Dockerfile").read_text()
    copied = [
        word for line in re.findall(r"^COPY (?!--from)(.*)", text, re.MULTILINE) for word in line.split()[:-1]
    ]
    assert len(copied) > 6
    allowed = {
        line[1:] for line in (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines() if line[0] == "!"
    }
    for name in copied:
        assert (REPOSITORY / name).exists(), name
        assert name.partition("/")[0] in allowed, name
    assert re.search(r"^USER (?!0|root)", text, re.MULTILINE)
    assert "/healthz" in text
