"""The page shows and steers a real stream in a real browser, and comes back when the stream does."""

import json
import signal
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.support.browser import driven_browser
from tests.support.commands import Running
from tests.support.waiting import PATIENCE_S, wait_until
from tools.bench.free_port import free_port

WIDE = {"width": 1400, "height": 900}
PHONE = {"width": 360, "height": 740}
TOKEN = "s3cret"
SHOWN = 6
"""So many joins stand in the history of the page."""

CONTROLS = "button, input, select, summary, canvas"

expect.set_options(timeout=1000 * PATIENCE_S)


class Stream:
    """`endlos serve` on a port that stays, to be ended and started anew."""

    def __init__(self, pool: Path, model: Path, host: str = "127.0.0.1") -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/"
        self._words = ("serve", pool, "--model", model, "--seed", "1", "--http", f"{host}:{self.port}")
        self._opened = ExitStack()
        self.start()

    def start(self) -> None:
        self._running = self._opened.enter_context(Running(*self._words, ENDLOS_HTTP_TOKEN=TOKEN))
        self._running.wait_for("INFO serving http://")

    def kill(self) -> None:
        self._running.send(signal.SIGKILL)
        self._running.end()

    def close(self) -> None:
        self._opened.close()

    def ask(self, path: str) -> Any:
        with urllib.request.urlopen(f"{self.url}api/{path}", timeout=PATIENCE_S) as answer:
            return json.load(answer)

    def go_on(self) -> None:
        headers = {"X-Endlos": "1", "Content-Type": "application/json"}
        wish = urllib.request.Request(f"{self.url}api/pause", b'{"paused": false}', headers, method="PUT")
        urllib.request.urlopen(wish, timeout=PATIENCE_S).close()

    def heard(self) -> list[int]:
        """Return the numbers of the joins that were heard, newest first."""
        return [join["n"] for join in self.ask("joins")["joins"]]

    def stands_still(self) -> bool:
        """Return whether it pauses, with nothing on its way to be heard."""
        with urllib.request.urlopen(f"{self.url}status.json", timeout=PATIENCE_S) as answer:
            status = json.load(answer)
        return bool(status["pacing"]["clock"] == "paused" and status["outputs"][0]["buffered_s"] == 0)


@pytest.fixture(scope="module")
def stream(tiny_pool: Path, tiny_model: Path) -> Iterator[Stream]:
    running = Stream(tiny_pool, tiny_model)
    yield running
    running.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with driven_browser() as running:
        yield running


@pytest.fixture
def opened(browser: Browser, stream: Stream) -> Iterator[Callable[..., Page]]:
    """`opened(**options)`: the page in a window of its own, as soon as it follows the stream."""
    with ExitStack() as contexts:
        faults: list[str] = []

        def new_page(path: str = "", **options: Any) -> Page:
            context = browser.new_context(**{"viewport": WIDE, **options})
            contexts.callback(context.close)
            context.set_default_timeout(1000 * PATIENCE_S)
            page = context.new_page()
            page.on("pageerror", lambda error: faults.append(str(error)))
            page.on(
                "console", lambda said: faults.append(said.text) if "Content Security" in said.text else None
            )
            page.goto(stream.url + path)
            if options.get("java_script_enabled", True):
                expect(page.locator("#link")).to_have_text("live")
            return page

        yield new_page
        assert faults == []


@contextmanager
def held(page: Page, stream: Stream) -> Iterator[int]:
    """Have the stream stand still after a join, given by its number, and the page say all of it."""
    wait_until(lambda: bool(stream.heard()), "a join was heard")
    page.get_by_role("button", name="Pause, for all").click()
    go_on = page.get_by_role("button", name="Go on, for all")
    try:
        expect(go_on).to_be_visible()
        wait_until(stream.stands_still, "all is heard")
        heard = stream.heard()
        rows = "rows => rows.map(row => Number(row.id.replace('join-', '')))"
        wait_until(
            lambda: page.locator(".history .rows > li").evaluate_all(rows) == heard[:SHOWN],
            f"the page shows the joins {heard[:SHOWN]}",
        )
        yield heard[0]
        go_on.click()
        expect(page.get_by_role("button", name="Pause, for all")).to_be_visible()
    finally:
        # The stream is that of the next test, too.
        stream.go_on()


def current_time_s(page: Page) -> float:
    return float(page.evaluate("document.getElementById('audio').currentTime"))


def test_it_shows_what_is_heard_and_what_follows_as_it_happens(
    opened: Callable[..., Page], stream: Stream
) -> None:
    page = opened()
    titles = {song["title"] for song in stream.ask("songs")["songs"]}
    assert len(titles) == 3

    def following() -> str:
        following = stream.ask("now")["next"]
        return following["to"]["title"] if following else ""

    wait_until(lambda: following() in titles, "a join is planned")
    wait_until(lambda: page.locator("#next").all_inner_texts() == [following()], "the page shows it")
    wait_until(
        lambda: page.locator("#now-title").inner_text() == stream.ask("now")["song"]["title"],
        "and what is heard",
    )
    assert page.locator("#length").inner_text() == "0:06"
    heard = page.locator("#position").inner_text()
    expect(page.locator("#position")).not_to_have_text(heard)


def test_next_is_heard_and_stands_in_the_history(opened: Callable[..., Page], stream: Stream) -> None:
    page = opened()
    before = stream.heard()
    page.get_by_role("button", name="Next", exact=True).click()
    wait_until(lambda: stream.heard()[:1] != before[:1], "a join was heard")
    with held(page, stream) as n:
        (join,) = [join for join in stream.ask("joins")["joins"] if join["n"] == n]
        expect(page.locator(f"#join-{n} .song-title")).to_have_text(join["to"]["title"])


def test_what_is_liked_muted_and_wanted_is_so_on_the_server(
    opened: Callable[..., Page], stream: Stream
) -> None:
    page = opened()
    with held(page, stream) as n:
        for name, liked in (("Like", True), ("Never again", False)):
            button = page.locator(f"#join-{n}").get_by_role("button", name=name)
            button.click()
            expect(button).to_have_attribute("aria-pressed", "true")
            assert [join["liked"] for join in stream.ask("joins")["joins"] if join["n"] == n] == [liked]
    page.get_by_role("searchbox").fill("two")
    expect(page.locator(".songs li")).to_have_count(1)
    for name, field in (("Favour", "favoured"), ("Mute", "muted")):
        button = page.locator(".songs").get_by_role("button", name=name)
        for wanted in (True, False):
            button.click()
            expect(button).to_have_attribute("aria-pressed", str(wanted).lower())
            assert stream.ask("songs?search=two")["songs"][0][field] is wanted


def test_sliders_and_the_sleep_timer_steer(opened: Callable[..., Page], stream: Stream) -> None:
    page = opened()
    for name, key, field, value in (
        ("Variety", "End", "other_songs", 1.0),
        ("Length of a phrase", "Home", "phrase_factor", 0.25),
    ):
        page.get_by_role("slider", name=name).press(key)
        wait_until(lambda field=field, value=value: stream.ask("now")["steering"][field] == value, name)  # type: ignore[misc]
    expect(page.get_by_role("slider", name="Variety")).to_have_attribute(
        "aria-valuetext", "100 % to another song"
    )
    page.get_by_label("Sleep timer").select_option("15")
    wait_until(lambda: 700 < (stream.ask("now")["sleep_in_s"] or 0) <= 900, "it will fall asleep")
    page.locator(".sleep").get_by_role("button", name="Do not fade out").click()
    wait_until(lambda: stream.ask("now")["sleep_in_s"] is None, "it will not")


def test_the_circle_tells_songs_by_keys_and_goes_towards_one(
    opened: Callable[..., Page], stream: Stream
) -> None:
    page = opened()
    circle = page.get_by_role("slider", name="Song on the circle")
    songs = stream.ask("map")["songs"]
    now = stream.ask("now")
    place = next(
        n for n, song in enumerate(songs) if song["id"] not in (now["song"]["id"], now["next"]["to"]["id"])
    )
    for key in ["Home", *["ArrowRight"] * place]:
        circle.press(key)
    title = songs[place]["title"]
    assert circle.get_attribute("aria-valuetext") == title
    offer = page.locator(".offer")
    expect(offer).to_contain_text(title)
    # What the server has answered is cleared as soon as the way is planned to its end.
    page.evaluate(
        """() => {
            window.said = [];
            const look = () => said.push(document.querySelector(".towards")?.textContent ?? "");
            new MutationObserver(look).observe(document.body, { childList: true, subtree: true });
        }"""
    )
    offer.get_by_role("button", name="Go towards").press("Enter")
    told = "(title) => said.some((text) => text.includes(title))"
    wait_until(lambda: page.evaluate(told, title), "it is told")
    expect(page.locator(".towards")).to_have_count(0)


def test_every_control_is_reached_by_the_keyboard(opened: Callable[..., Page], stream: Stream) -> None:
    page = opened()
    expect(page.locator(".songs li")).to_have_count(3)
    with held(page, stream):
        count = page.locator(CONTROLS).count()
        assert count > 15
        # By what they are: their places change where a decision comes in between.
        page.evaluate(f"window.missing = new Set(document.querySelectorAll('{CONTROLS}'))")
        for _ in range(2 * count):
            page.keyboard.press("Tab")
            if not page.evaluate("missing.delete(document.activeElement), missing.size"):
                break
        assert (
            page.evaluate("[...missing].filter((one) => one.isConnected).map((one) => one.outerHTML)") == []
        )


@pytest.mark.parametrize(("window", "scheme"), [(WIDE, "light"), (PHONE, "dark")], ids=["wide", "phone"])
def test_nobody_is_shut_out(opened: Callable[..., Page], scheme: str, window: dict[str, int]) -> None:
    page = opened(viewport=window, color_scheme=scheme, reduced_motion="reduce")
    page.get_by_role("slider", name="Song on the circle").press("End")
    page.locator("summary").click()
    found = Axe().run(page).response["violations"]
    worst = [(one["id"], one["nodes"]) for one in found if one["impact"] in ("serious", "critical")]
    assert worst == []
    assert page.evaluate("document.documentElement.scrollWidth") <= window["width"]
    volume = page.get_by_role("slider", name="Volume").bounding_box()
    assert volume is not None and volume["width"] > 150


def test_without_a_script_it_says_what_is_heard_and_skips(
    opened: Callable[..., Page], stream: Stream
) -> None:
    page = opened(java_script_enabled=False)
    assert page.locator("#plain-title").inner_text() in {
        song["title"] for song in stream.ask("songs")["songs"]
    }
    expect(page.locator("audio[controls] source")).to_have_attribute("src", "stream.mp3")
    page.get_by_role("button", name="Next").click()
    assert page.url == stream.url


def test_who_comes_from_elsewhere_watches_until_the_token_is_given(
    opened: Callable[..., Page], stream: Stream
) -> None:
    abroad = {"extra_http_headers": {"X-Forwarded-For": "203.0.113.7"}}
    page = opened(**abroad)
    skip = page.get_by_role("button", name="Next", exact=True)
    expect(skip).to_have_count(0)
    expect(page.get_by_role("slider", name="Variety")).to_be_disabled()
    for said, told in (("wrong", 1), (TOKEN, 0)):
        page.get_by_role("button", name="Unlock").click()
        page.get_by_label("Token of this stream").fill(said)
        page.get_by_label("Token of this stream").press("Enter")
        skip.click()
        expect(page.get_by_role("alert")).to_contain_text("token" if told else "", ignore_case=True)
        expect(skip).to_have_count(1 - told)
    assert page.evaluate("Object.values(sessionStorage)") == [TOKEN]
    by_address = opened(f"#{TOKEN}", **abroad)
    expect(by_address.get_by_role("button", name="Next", exact=True)).to_have_count(1)
    assert TOKEN not in by_address.url


def test_it_sounds_repeats_a_join_and_comes_back_after_the_server_was_killed(
    opened: Callable[..., Page], stream: Stream
) -> None:
    page = opened()
    page.get_by_role("button", name="Listen here").click()
    wait_until(lambda: current_time_s(page) > 1.0, "it sounds")
    with held(page, stream) as n:
        hear = page.locator(f"#join-{n}").get_by_role("button", name="Hear this join")
        hear.click()
        expect(hear).to_have_attribute("aria-pressed", "true")
        volume = "document.getElementById('audio').volume"
        wait_until(lambda: page.evaluate(volume) < 0.2, "the stream is turned down")
        hear.click()
        wait_until(lambda: page.evaluate(volume) == 1, "the stream is turned up again")
    stream.kill()
    expect(page.locator("#link")).to_have_text("no answer, trying again")
    stream.start()
    expect(page.locator("#link")).to_have_text("live")
    began_s = current_time_s(page)
    wait_until(
        lambda: began_s + 1.0 < current_time_s(page) or 1.0 < current_time_s(page) < began_s,
        "it sounds again",
    )
    page.get_by_role("button", name="Stop here").click()
    wait_until(lambda: stream.ask("now")["listeners"] == 0, "nobody fetches what nobody hears")
