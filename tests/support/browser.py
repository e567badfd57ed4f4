"""This helper starts a real headless browser, for tests that want the real thing."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

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


def _command(profile: str, *arguments: str) -> list[str]:
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    require_real("no browser: install one, for instance `apt install chromium`", program is not None)
    assert program is not None
    return [program, *_SWITCHES, f"--user-data-dir={profile}", *arguments]


def rendered(url: str, timeout_s: float = 5 * PATIENCE_S) -> str:
    """Return the page as its scripts have left it after a moment."""
    with tempfile.TemporaryDirectory(prefix="endlos-browser-", ignore_cleanup_errors=True) as profile:
        command = _command(profile, "--virtual-time-budget=1500", "--dump-dom", url)
        return subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=True).stdout


@contextmanager
def browsing(url: str) -> Iterator[None]:
    """Have the page open for the length of a `with` block."""
    with tempfile.TemporaryDirectory(prefix="endlos-browser-", ignore_cleanup_errors=True) as profile:
        # With an open debugging port it stays instead of ending once the page is loaded.
        command = _command(profile, "--remote-debugging-port=0", url)
        log = Path(profile) / "stderr"
        with log.open("wb") as errors:
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=errors)
            try:
                yield
            finally:
                process.terminate()
                process.wait(PATIENCE_S)


@contextmanager
def chromium_page() -> Iterator[Page]:
    """Yield an empty page of a real Chromium that plays without being asked, for scripts to drive."""
    program = _command("")[0]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program, args=["--autoplay-policy=no-user-gesture-required"]
        )
        try:
            yield browser.new_page()
        finally:
            browser.close()
