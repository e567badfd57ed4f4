"""The page and its files are served as they are carried, and load nothing from elsewhere."""

import hashlib
import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

from stream.outputs.address import HttpAddress
from stream.service import page as served
from stream.service.page import HLS_TYPE, Page
from tests.support.moments import a_moment, a_song
from tests.support.site import Site

STATIC = Path(served.__file__).with_name("static")
MODULES = sorted(path for path in STATIC.glob("*.js") if not path.name.endswith(".min.js"))
SHEETS = sorted(STATIC.glob("*.css"))
HTM_SHA256 = "72284e8e9079c87817145df1110f74e8a2aa040b2fc384922e18dfcb46fc1fd7"
"""Of `preact/standalone.module.js` of the npm package htm 3.1.1."""


class Elements(HTMLParser):
    """Collects the elements of a document, with their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


@pytest.fixture
def site() -> Iterator[Site]:
    running = Site()
    yield running
    running.close()


def document(page: Page) -> str:
    return bytes(page.answer(a_moment(), can_change=True).body).decode()


def setup_of(text: str) -> dict[str, object]:
    told = re.search(r'<script type="application/json" id="setup">(.*?)</script>', text)
    assert told
    return dict(json.loads(told[1]))


def test_the_document_may_run_its_own_files_and_has_no_script_or_style_in_itself(site: Site) -> None:
    answer = site.ask("GET", "/")
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    elements = Elements(answer.read().decode()).found
    for tag, attributes in elements:
        assert not [name for name in attributes if name.startswith("on") or name == "style"], (
            tag,
            attributes,
        )
        assert tag != "style"
        if tag == "script":
            assert "src" in attributes or attributes["type"] == "application/json"
    loaded = [attributes.get("src") or attributes.get("href") for _, attributes in elements]
    files = [path for path in loaded if path and path.startswith("static/")]
    assert len(files) >= 4
    for path in files:
        assert site.ask("GET", f"/{path}").status == 200, path


def test_files_have_their_type_and_are_sent_once(site: Site) -> None:
    for path in STATIC.iterdir():
        if path.suffix == ".html":
            continue
        answer = site.ask("GET", f"/static/{path.name}")
        assert (answer.status, answer.headers["cache-control"]) == (200, "no-cache"), path.name
        assert answer.headers["content-type"].startswith(
            {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".txt": "text/plain"}[
                path.suffix
            ]
        )
        assert answer.read() == path.read_bytes()
        again = site.ask("GET", f"/static/{path.name}", {"If-None-Match": answer.headers["etag"]})
        assert (again.status, again.read()) == (304, b"")
        assert site.ask("GET", f"/static/{path.name}", {"If-None-Match": '"another"'}).status == 200


@pytest.mark.parametrize(
    "name", ["", "index.html", "../page.py", "..%2fpage.py", "%2e%2e/page.py", "no.js", "PAGE.CSS"]
)
def test_no_other_file_is_served(site: Site, name: str) -> None:
    assert site.ask("GET", f"/static/{name}").status == 404


def test_files_are_for_who_knows_the_name_of_the_page() -> None:
    site = Site(HttpAddress(port=0))
    assert site.ask("GET", "/static/main.js", {"Host": "evil.example"}).status == 421
    site.close()


def test_modules_import_what_there_is_and_nothing_is_loaded_from_elsewhere() -> None:
    exported = {path.name: path.read_text(encoding="utf-8") for path in STATIC.glob("*.js")}
    assert len(MODULES) > 10
    for path in MODULES:
        text = exported[path.name]
        assert not re.search(r"https?://", text), path.name
        for names, module in re.findall(r"import \{([^}]*)\} from \"\./([^\"]+)\"", text):
            for name in filter(None, (part.strip() for part in names.split(","))):
                assert re.search(
                    rf"export (async )?(const|function|class) {name}\b|[{{,]\w+ as {name}\b", exported[module]
                ), f"{path.name} imports {name} from {module}"
    for path in SHEETS:
        assert not re.search(r"url\(|@import", path.read_text(encoding="utf-8")), path.name


@pytest.mark.parametrize("path", [*MODULES, *SHEETS], ids=lambda path: path.name)
def test_each_file_says_what_it_does_and_can_be_held_in_the_head(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    assert re.match(r"(// |/\* )[A-Z].*", lines[0]), lines[0]
    # Shapes and colours are a list, which one looks things up in.
    assert len(lines) <= (350 if path.suffix == ".js" else 600)


def test_what_is_carried_is_what_was_published() -> None:
    carried = STATIC / "htm.min.js"
    assert hashlib.sha256(carried.read_bytes()).hexdigest() == HTM_SHA256
    licence = (STATIC / "htm.LICENSE.txt").read_text(encoding="utf-8")
    assert "Copyright (c) 2015-present Jason Miller" in licence
    assert "Apache License" in licence


def test_the_script_is_told_what_can_be_played_and_changed() -> None:
    streams = {
        "stream.mp3": "audio/mpeg",
        "stream.opus": 'audio/ogg; codecs="opus"',
        "hls/stream.m3u8": HLS_TYPE,
    }
    page = Page(streams)
    for can_change in (True, False, "token"):
        told = page.answer(a_moment(), can_change=can_change)  # type: ignore[arg-type]
        setup = setup_of(bytes(told.body).decode())
        assert setup == {
            "streams": [
                {"path": "stream.mp3", "type": "audio/mpeg"},
                {"path": "stream.opus", "type": 'audio/ogg; codecs="opus"'},
            ],
            "can_change": can_change,
            "hls": "hls/stream.m3u8",
        }
        assert (b"<form" in told.body) is (can_change is True)


def test_no_text_of_a_tag_ends_what_it_stands_in() -> None:
    hostile = '</script></title><img src=x onerror="alert(1)">$title'
    moment = a_moment(song=a_song(hostile, hostile, 60.0), following=a_song(hostile, hostile, 60.0))
    page = Page({"</script>": "audio/mpeg"})
    text = bytes(page.answer(moment, can_change=True).body).decode()
    tags = [tag for tag, _ in Elements(text).found]
    assert "img" not in tags
    assert tags.count("script") == 2
    assert setup_of(text)["streams"] == [{"path": "</script>", "type": "audio/mpeg"}]
