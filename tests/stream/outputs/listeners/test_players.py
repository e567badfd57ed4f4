"""Real players hear the streams, by their playlists, with titles, and again after the server was killed.

Each fact with the version that it was seen with: Chromium 156, mpv 0.35, VLC 3.0.24, FFmpeg 5.1, curl 7.88.
"""

import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.browser import driven_browser
from tests.support.radio import TITLE, Radio
from tests.support.real import require_real
from tests.support.waiting import PATIENCE_S, wait_until

CODECS = {"mp3": "mp3", "opus": "opus", "aac": "aac", "flac": "flac", "ogg": "vorbis"}
"""What each stream is called, and how it is encoded."""
GO_ON = ("mp3", "opus", "aac")


@pytest.fixture(scope="module")
def radio() -> Iterator[Radio]:
    with Radio(*CODECS.values()) as running:
        yield running


def program(name: str) -> str:
    found = shutil.which(name)
    require_real(f"no {name}: install it (apt install {name})", found is not None)
    assert found is not None
    return found


@contextmanager
def printing(words: Sequence[str], folder: Path, **options: Any) -> Iterator[Path]:
    """Run a program for the length of a `with` block; yields the file with all that it prints."""
    log = folder / "printed"
    environment = {**os.environ, "HOME": str(folder), "SDL_AUDIODRIVER": "dummy"}
    folder.chmod(0o777)
    with log.open("wb") as file:
        process = subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=file, stderr=file, env=environment, cwd="/", **options
        )
        try:
            yield log
        finally:
            process.kill()
            process.wait(PATIENCE_S)


def test_mpv_plays_the_m3u_and_shows_titles(radio: Radio, tmp_path: Path) -> None:
    message = "--term-status-msg=at ${=playback-time} hears ${metadata/icy-title} of ${filename}."
    words = (program("mpv"), "--no-config", "--ao=null", "--no-video", message, f"{radio.url}stream.m3u")
    with printing(words, tmp_path) as log:
        heard = re.compile(rf"at [2-9]\.\d+ hears {TITLE} of stream\.mp3\.")
        wait_until(lambda: heard.search(log.read_text(errors="replace")) is not None, "mpv has played 2 s")


def test_vlc_plays_the_pls_and_asks_for_titles(radio: Radio, tmp_path: Path) -> None:
    """It asks a second time, for titles, only because the first answer has `icy-name`."""
    words = (program("vlc"), "-vv", "-I", "dummy", "--aout=adummy", f"{radio.url}stream.pls")
    # It refuses to run as root.
    nobody = {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}
    with printing(words, tmp_path, **nobody) as log:
        wait_until(lambda: f"New Icy-Title={TITLE}" in log.read_text(errors="replace"), "VLC has the title")
        wait_until(lambda: "Stream buffering done" in log.read_text(errors="replace"), "VLC plays")


def test_ffplay_plays_every_stream(radio: Radio, tmp_path: Path) -> None:
    for name, codec in CODECS.items():
        with printing((program("ffplay"), "-nodisp", f"{radio.url}stream.{name}"), tmp_path) as log:
            wait_until(lambda log=log: re.search(r"[1-9]\.\d\d M-A: ", log.read_text()), "it has played 1 s")
            assert f"Audio: {codec}" in log.read_text()


@pytest.mark.parametrize("name", CODECS)
def test_curl_goes_on_where_it_was_cut_off(radio: Radio, tmp_path: Path, name: str) -> None:
    """After an hour, too: 57,600,000 bytes are one of 128 kbit/s."""
    file, curl = tmp_path / "saved", program("curl")
    with file.open("wb") as had:
        had.truncate(57_600_000)
    words = (curl, "-s", "-C", "-", "-o", str(file), "-m", "1", "-w", "%{http_code} %header{content-range}")
    done = subprocess.run((*words, f"{radio.url}stream.{name}"), capture_output=True, timeout=PATIENCE_S)
    more = file.stat().st_size - 57_600_000
    if name in GO_ON:
        assert done.stdout.decode() == f"206 bytes 57600000-{(1 << 53) - 1}/*"
        assert more > 4 * 12_000, "the burst"
    else:
        assert done.stdout.decode() == "416 "
        assert more == 0
    head = subprocess.run((curl, "-sI", f"{radio.url}stream.{name}"), capture_output=True, timeout=PATIENCE_S)
    assert head.stdout.startswith(b"HTTP/1.1 200 OK")
    assert b"length" not in head.stdout.lower()


def test_ffmpeg_plays_on_after_the_server_was_killed(tmp_path: Path) -> None:
    """It asks for the rest, and takes no missing length and no first answer for an end."""
    file = tmp_path / "heard.wav"
    again = ("-reconnect", "1", "-reconnect_streamed", "1", "-reconnect_on_network_error", "1")
    with Radio("mp3") as radio:
        words = (program("ffmpeg"), "-v", "verbose", *again, "-i", f"{radio.url}stream.mp3", str(file))
        with printing(words, tmp_path) as log:
            wait_until(lambda: file.exists() and file.stat().st_size > 300_000, "it hears")
            radio.kill()
            wait_until(lambda: "Will reconnect at" in log.read_text(), "it has noticed")
            before = file.stat().st_size
            radio.start()
            wait_until(lambda: file.stat().st_size > before + 900_000, "it hears again, more than a burst")


def test_a_browser_plays_on_after_the_server_was_killed() -> None:
    """Chromium asks for the rest. MP3, AAC, Opus go on as if nothing had been, and nothing stutters after.

    Where Ogg/FLAC and Ogg/Vorbis cannot go on, it is told so (416) and tells the page: `ended`.
    """
    with Radio(*CODECS.values()) as radio, driven_browser() as browser:
        page = browser.new_page()
        page.goto(f"{radio.url}blank")
        page.evaluate(_PLAY, list(CODECS))
        page.wait_for_function("names.every(name => players[name].currentTime > 2)", timeout=PATIENCE_MS)
        page.evaluate("names.forEach(name => { told[name] = [] })")
        radio.kill()
        page.wait_for_function("names.every(name => told[name].includes('waiting'))", timeout=PATIENCE_MS)
        page.evaluate("names.forEach(name => { told[name] = [] })")
        answered: dict[str, int] = {}
        page.on("response", lambda answer: answered.update({answer.url.rpartition(".")[2]: answer.status}))
        radio.start()
        began_s = time.monotonic()
        stood = page.evaluate("Object.fromEntries(names.map(name => [name, players[name].currentTime]))")
        page.wait_for_function(
            "stood => ['mp3', 'opus', 'aac'].every(name => players[name].currentTime > stood[name] + 0.2)",
            arg=stood,
            timeout=PATIENCE_MS,
        )
        print(f"sound {time.monotonic() - began_s:.1f} s after the server's return")
        page.wait_for_function("['flac', 'ogg'].every(name => players[name].ended)", timeout=PATIENCE_MS)
        page.wait_for_function(
            "stood => ['mp3', 'opus', 'aac'].every(name => players[name].currentTime > stood[name] + 6)",
            arg=stood,
            timeout=PATIENCE_MS,
        )
        assert answered == {name: 206 if name in GO_ON else 416 for name in CODECS}
        told = page.evaluate("told")
        for name in GO_ON:
            assert told[name].count("playing") == 1, told[name]
            assert not {"waiting", "ended", "error", "pause"} & set(told[name]), told[name]


PATIENCE_MS = 1000 * PATIENCE_S
_PLAY = """names => {
  window.names = names; window.players = {}; window.told = {};
  for (const name of names) {
    const audio = players[name] = new Audio("stream." + name);
    told[name] = [];
    for (const event of ["playing", "waiting", "stalled", "ended", "error", "pause"])
      audio.addEventListener(event, () => told[name].push(event));
    audio.play();
  }
}"""
