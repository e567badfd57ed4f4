"""This helper starts a real headless browser, and drives it, for tests that want the real thing."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

from tests.support.real import require_real
from tests.support.waiting import PATIENCE_S

_SWITCHES = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
)


def _program() -> str:
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    require_real("no browser: install one, for instance `apt install chromium`", program is not None)
    assert program is not None
    return program


def _command(profile: str, *arguments: str) -> list[str]:
    return [_program(), *_SWITCHES, f"--user-data-dir={profile}", *arguments]


def rendered(url: str, timeout_s: float = 5 * PATIENCE_S) -> str:
    """Return the page as its scripts have left it after a moment."""
    with tempfile.TemporaryDirectory(prefix="endlos-browser-", ignore_cleanup_errors=True) as profile:
        command = _command(profile, "--virtual-time-budget=1500", "--dump-dom", url)
        return subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=True).stdout


@contextmanager
def driven_browser() -> Iterator[Browser]:
    """Have a browser that a test drives, for the length of a `with` block."""
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=_program(), args=list(_SWITCHES))
        try:
            yield browser
        finally:
            browser.close()
