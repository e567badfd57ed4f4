"""The page plays HLS, by the browser itself, and by the script that is carried for one that cannot."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.support.browser import driven_browser
from tests.support.commands import Running
from tests.support.waiting import PATIENCE_S, wait_until

NO_HLS = """
const own = HTMLMediaElement.prototype.canPlayType;
HTMLMediaElement.prototype.canPlayType = function (type) {
    return type.includes("mpegurl") ? "" : own.call(this, type);
};"""
"""Makes of Chromium a browser that knows no HLS."""


@pytest.fixture(scope="module")
def url(tiny_pool: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    output = f"hls:{tmp_path_factory.mktemp('hls') / 'radio'}?segment=1&keep=9"
    with Running(
        "serve", tiny_pool, "--strategy", "random", "--http", "127.0.0.1:0", "--output", output
    ) as running:
        found = re.search(r"serving (http://\S+)", running.wait_for("INFO serving http://"))
        assert found
        yield found[1]


@pytest.mark.parametrize("native", [True, False], ids=["native", "hls.js"])
def test_the_page_plays_hls(url: str, native: bool) -> None:
    with driven_browser() as browser:
        page = browser.new_page()
        if not native:
            page.add_init_script(NO_HLS)
        page.goto(url)
        format_ = page.get_by_label("Format")
        expect(format_).to_be_visible(timeout=1000 * PATIENCE_S)
        format_.select_option(label="HLS")
        page.get_by_role("button", name="Listen here").click()
        wait_until(lambda: page.evaluate("document.getElementById('audio').currentTime") > 2, "it plays")
        assert page.evaluate("Boolean(window.Hls)") is not native
