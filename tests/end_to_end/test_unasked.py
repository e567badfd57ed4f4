"""Nothing of ours talks to anyone unasked, and nothing that we load, as the kernel's trace tells."""

import json
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import typer

from tests.support.commands import REPOSITORY, Running
from tests.support.traced import TRACER, Traced, traceable, traced
from tests.support.waiting import PATIENCE_S
from tools.app import app

# What others leave in the home of a user, of no interest to anyone else: fonts found, a list of defaults.
OTHERS = re.compile(r"\.cache/matplotlib/fontlist-\S+\.json(\.matplotlib-lock)?|\.keras/keras\.json")
OURS = re.compile(r"\.cache/endlos/.*|\.local/share/endlos/.*")
"""Where `tools.running.home` keeps what nobody gave a place."""

CTL = ("now", "next", "like", "dislike", "pause", "resume", "sleep", "songs", "steer")

RUNS: dict[str, tuple[str, ...]] = {
    "demo-songs": ("demo-songs", "OUT/songs", "--songs", "1", "--seconds", "20"),
    "pool build": ("pool", "build", "MUSIC", "--out", "OUT/pool", "--jobs", "2"),
    "pool fetch": (
        *("pool", "fetch", "http://127.0.0.1:9", "--out", "OUT/songs", "--user", "ada"),
        *("--password-file", str(REPOSITORY / "README.md")),
    ),
    "pool info": ("pool", "info", "POOL", "--chunks"),
    "pool check": ("pool", "check", "POOL", "--deep"),
    "train": (
        *("train", "EIGHT", "--out", "OUT/model", "--approach", "binary", "--epochs", "1"),
        *("--edge-samples", "315", "--batch-size", "4"),
    ),
    "eval": ("eval", "POOL", "--training-songs", "--plot", "OUT/plot.png"),
    "joins": ("joins", "EIGHT", "--quick", "--seconds", "30", "--detector", "boosted", "--plot", "OUT/p.png"),
    "beats": ("beats", "--every", "200"),
    "precompute": ("precompute", "POOL", "--model", "MODEL"),
    "render": ("render", "POOL", "OUT/out.mp3", "--seconds", "3", "--model", "MODEL"),
    "compose": ("compose", "POOL", "OUT/song.mp3", "--length", "2", "--model", "MODEL"),
    # What it goes on to do is that of `pool build`, `train`, `eval` and `joins`.
    "study": ("study", "SONGS", "--cheap", "--plan", "--out", "OUT/study"),
    "play": ("play", "MUSIC", "--http", "127.0.0.1:0"),
    "serve": ("serve", "POOL", "--http", "127.0.0.1:0"),
    "bench": ("bench", "POOL", "--quick", "--only", "render", "--out", "OUT/bench.jsonl"),
    # Nothing answers there, which each says and ends; what it would ask goes nowhere else.
    **{f"ctl {name}": ("ctl", name, "--url", "http://127.0.0.1:9") for name in CTL},
    "ctl say": ("ctl", "say", str(REPOSITORY / "README.md"), "--url", "http://127.0.0.1:9"),
    "devices": ("devices",),
    "config": ("config", "serve"),
    "doctor": ("doctor",),
}
GOES_ON = ("play", "serve")
REFUSED = ("pool fetch",)
"""Nothing answers there either."""
TOGETHER = [words for name, words in RUNS.items() if name.startswith("ctl ")]
"""They differ in one question to the same place, and share a process."""
_ONE_AFTER_THE_OTHER = """
import json, sys
from tools.cli import main
for words in json.loads(sys.argv[1]):
    try: main(words)
    except SystemExit as ended: print("ended with", ended.code)
"""


def commands(group: "typer.main.click.Command", before: str = "") -> set[str]:
    found = set()
    for name, command in group.commands.items():  # type: ignore[attr-defined]
        inner = getattr(command, "commands", None)
        found |= commands(command, f"{name} ") if inner else {before + name}
    return found


def ended_by_signal(running: Running) -> None:
    found = re.search(r"http://127\.0\.0\.1:(\d+)", running.wait_for("http://127.0.0.1:"))
    assert found
    with socket.create_connection(("127.0.0.1", int(found[1])), timeout=PATIENCE_S) as listener:
        listener.sendall(b"GET /stream.mp3 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert listener.recv(1)
    running.send(signal.SIGTERM)


def run(name: str, words: tuple[str | Path, ...], tmp_path: Path) -> Traced:
    return traced(words, tmp_path / "home", ended_by_signal if name in GOES_ON else lambda running: None)


def test_every_command_is_looked_at() -> None:
    assert set(RUNS) == commands(typer.main.get_command(app))


@pytest.mark.parametrize("name", [name for name in RUNS if RUNS[name] not in TOGETHER])
def test_a_command_speaks_to_nobody_and_leaves_nothing_of_others_behind(
    name: str,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    require_real: Callable[[str, bool], None],
) -> None:
    require_real("no strace: install it (Debian: strace)", traceable())
    fixtures = {
        "POOL": "own_pool",
        "MUSIC": "tiny_music",
        "MODEL": "tiny_model",
        "EIGHT": "pool_of_eight",
        "SONGS": "eight_songs",
    }
    out = str(tmp_path / "out")
    Path(out).mkdir()
    words = [
        request.getfixturevalue(fixtures[word]) if word in fixtures else word.replace("OUT", out)
        for word in RUNS[name]
    ]
    done = run(name, tuple(words), tmp_path)
    # A figure of the benchmark may be past its budget here.
    assert done.code == (name in REFUSED) or name == "bench", done.printed
    assert done.spoken_to == set()
    assert done.looked_up == []
    ours = {path for path in done.written if OURS.fullmatch(path)}
    assert not ours or name == "play", ours
    assert [path for path in done.written - ours if not OTHERS.fullmatch(path)] == []


def test_who_steers_a_stream_speaks_to_nobody_else(
    tmp_path: Path, require_real: Callable[[str, bool], None]
) -> None:
    require_real("no strace: install it (Debian: strace)", traceable())
    command = (sys.executable, "-c", _ONE_AFTER_THE_OTHER)
    done = traced((json.dumps(TOGETHER),), tmp_path / "home", lambda running: None, command)
    assert done.code == 0
    assert done.printed.count("ended with 1") == len(TOGETHER), done.printed
    assert (done.spoken_to, done.looked_up, done.written) == (set(), [], set())


def test_the_trace_sees_who_is_spoken_to_and_asked_for(
    tmp_path: Path, require_real: Callable[[str, bool], None]
) -> None:
    require_real("no strace: install it (Debian: strace)", traceable())
    log = tmp_path / "log"
    # Addresses of documentation, where nobody is.
    code = (
        "import socket\n"
        "socket.socket(type=socket.SOCK_DGRAM).connect(('127.0.0.1', 9))\n"
        "for family, address in ((2, '192.0.2.1'), (10, '2001:db8::1')):\n"
        "    try: socket.socket(family, socket.SOCK_DGRAM).connect((address, 9))\n"
        "    except OSError: pass\n"
        "try: socket.gethostbyname('nobody.invalid')\n"
        "except OSError: pass\n"
    )
    words = [*TRACER, "-o", str(log), sys.executable, "-c", code]
    subprocess.run(words, cwd=REPOSITORY, check=True, timeout=PATIENCE_S)
    (tmp_path / "home").mkdir()
    done = Traced(0, "", log.read_text(), tmp_path / "home")
    assert {"192.0.2.1", "2001:db8::1"} <= done.spoken_to
    assert done.looked_up
    assert "127.0.0.1" not in done.spoken_to


@pytest.fixture(scope="session")
def pool_of_eight(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.support.music import quick_settings, write_music
    from tools.pools.build import build_pool

    folder = tmp_path_factory.mktemp("eight")
    write_music(folder / "music", [f"{name}.wav" for name in "abcdefgh"], seconds=30.0)
    build_pool([folder / "music"], folder / "pool", quick_settings())
    return folder / "pool"


@pytest.fixture(scope="session")
def eight_songs(pool_of_eight: Path) -> Path:
    return pool_of_eight.parent / "music"


@pytest.fixture
def own_pool(tiny_pool: Path, tmp_path: Path) -> Path:
    """A copy: what is computed beforehand would change what other tests find."""
    return Path(shutil.copytree(tiny_pool, tmp_path / "pool"))
