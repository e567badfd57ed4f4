"""The modules of the page draw pools of every size, and notice a sound or a line that stands still."""

from collections.abc import Iterator
from contextlib import closing

import pytest
from playwright.sync_api import Page

from tests.support.browser import driven_browser
from tests.support.circle import TURNS, draw_circle
from tests.support.site import Site
from tests.support.waiting import wait_until


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with closing(Site()) as site, driven_browser() as browser:
        page = browser.new_page()
        # The tests turn it.
        page.clock.install()
        # A document that may load the modules, and has none of its own.
        page.goto(f"{site.server.url}static/htm.LICENSE.txt")
        yield page


def test_a_sound_that_stands_still_fails_or_ends_is_started_anew_and_none_that_was_stopped(
    page: Page,
) -> None:
    page.evaluate(
        """async () => {
            const { Player } = await import("/static/player.js");
            class Sound extends EventTarget {
                currentTime = 0; buffered = { length: 0 }; dataset = {}; starts = 0;
                set src(path) { this.starts += 1; this.currentTime = 0; }
                removeAttribute() {}
                load() {}
                async play() {}
                pause() { this.dispatchEvent(new Event("pause")); }
            }
            window.sound = new Sound();
            window.player = new Player(sound, [{ path: "stream.mp3", type: "audio/mpeg", name: "MP3" }]);
            player.play();
        }"""
    )

    def after(ms: int) -> tuple[str, int]:
        page.clock.run_for(ms)
        return page.evaluate("player.state"), page.evaluate("sound.starts")

    assert after(1_000) == ("opening", 1)
    page.evaluate("sound.currentTime = 1")
    assert after(1_000) == ("playing", 1)
    assert after(4_000) == ("playing", 1), "it may take a breath"
    assert after(2_000) == ("waiting", 2), "it stood still for 5 s"
    for fault in ("error", "ended"):
        page.evaluate("sound.currentTime = 1")
        starts = after(1_000)[1]
        page.evaluate(f"sound.dispatchEvent(new Event('{fault}'))")
        assert after(1_000) == ("waiting", starts)
        assert after(1_500) == ("waiting", starts + 1), fault
    starts = after(9_000)[1]
    assert after(1_200)[1] == starts + 1, "what never began is asked for again"
    page.evaluate("dispatchEvent(new Event('online'))")
    assert page.evaluate("sound.starts") == starts + 1, "that has only just happened"
    page.clock.run_for(1_500)
    page.evaluate("dispatchEvent(new Event('online'))")
    assert page.evaluate("sound.starts") == starts + 2
    page.evaluate("player.stop()")
    assert after(60_000) == ("off", starts + 2)


def test_a_line_that_says_nothing_is_opened_anew_and_so_it_is_when_the_network_is_back(page: Page) -> None:
    page.evaluate(
        """async () => {
            window.lines = [];
            window.EventSource = class extends EventTarget {
                static CLOSED = 2;
                readyState = 1;
                constructor(path) { super(); lines.push(this); }
                close() { this.readyState = 2; }
            };
            const { Live } = await import("/static/live.js");
            window.live = new Live(() => 0);
            live.open();
        }"""
    )

    def lines(ms: int) -> int:
        page.clock.run_for(ms)
        return int(page.evaluate("lines.length"))

    speak = "lines.at(-1).dispatchEvent(new MessageEvent('outputs', { data: '[]' }))"
    for _ in range(4):
        assert lines(10_000) == 1
        page.evaluate(speak)
    assert lines(15_000) == 2
    assert page.evaluate("lines.map((line) => line.readyState)") == [2, 1], "the dead one is closed"
    page.evaluate("dispatchEvent(new Event('offline'))")
    assert page.evaluate("live.state.link") == "lost"
    page.evaluate("dispatchEvent(new Event('online'))")
    assert lines(0) == 3
    page.evaluate("lines.at(-1).readyState = 2")
    assert lines(2_500) == 4, "the server refused, and is asked again"


def test_no_join_is_missed_that_is_told_while_the_history_is_asked_for(page: Page) -> None:
    page.evaluate(
        """async () => {
            const { Live } = await import("/static/live.js");
            window.EventSource = class extends EventTarget {
                readyState = 1;
                constructor(path) { super(); window.line = this; }
                close() {}
            };
            window.asked = [];
            window.fetch = () => new Promise((answer, fail) => asked.push({ answer, fail }));
            window.live = new Live(() => 0);
            live.open();
            window.tell = (name, data) =>
                line.dispatchEvent(new MessageEvent(name, { data: JSON.stringify(data) }));
            window.answer = (...ns) =>
                asked.at(-1).answer(new Response(JSON.stringify({ joins: ns.map((n) => ({ n })) })));
            window.numbers = () => live.state.joins.map(({ n }) => n);
        }"""
    )

    def follows(*joins: int) -> None:
        wait_until(lambda: page.evaluate("numbers()") == list(joins), f"the page shows {joins}")

    def asked() -> int:
        return int(page.evaluate("asked.length"))

    page.evaluate("line.onopen(), tell('join', {n: 3})")
    follows(3)
    assert asked() == 0, "whoever has not been told how all is may miss a join yet"
    page.evaluate("tell('now', {}), tell('join', {n: 5}), tell('join', {n: 4}), answer(3, 2)")
    follows(5, 4, 3, 2)
    page.evaluate("tell('now', {})")
    assert asked() == 1
    # Another stream, that begins anew; its history fails once.
    page.evaluate("tell('reset', {}), tell('now', {}), asked.at(-1).fail(new Error())")
    follows(5, 4, 3, 2)
    page.evaluate("tell('now', {}), tell('join', {n: 1}), answer(0)")
    follows(1, 0)
    assert asked() == 3


@pytest.mark.parametrize(("chunks", "per_song"), [(30, 3), (1_800, 36), (100_000, 40)])
def test_the_circle_is_drawn_at_every_size_and_knows_where_its_songs_are(
    page: Page, chunks: int, per_song: int
) -> None:
    drawn = draw_circle(page, chunks, per_song, frames=2)
    assert all(drawn.inked) and not drawn.corner
    assert drawn.songs == [int(turn * chunks / per_song) for turn in TURNS]
    assert drawn.middle is None
