"""This helper runs a service that is on the air everywhere at once, and the faults that befall it."""

import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from tests.support.commands import Running
from tests.support.heard import decode
from tests.support.icecast_server import SOURCE_PASSWORD, IcecastServer
from tests.support.music import quick_settings, write_music
from tests.support.pulse import PulseSink
from tests.support.waiting import PATIENCE_S, wait_until
from tools.bench.free_port import free_port
from tools.pools.build import build_pool
from tools.pools.settings import BuildSettings

MOUNT = "/endlos.mp3"
SONGS = ("one.wav", "two.wav", "three.flac", "four.wav")
RENEWED_S = 2.5
"""A sound that was heard this long ago at most is being heard."""


class Listener:
    """Somebody who listens over HTTP the whole time, and never reconnects; a context manager."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
        self._connection.request("GET", "/stream.mp3")
        self._answer = self._connection.getresponse()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._heard = bytearray()
        self.unbroken = True

    def _read(self) -> None:
        while True:
            try:
                data = self._answer.read1(1 << 16)
            except (OSError, ValueError, AttributeError, http.client.HTTPException):
                data = b""
            if not data:
                self.unbroken = False
                return
            self._heard += data

    def __enter__(self) -> "Listener":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._connection.close()

    def loudest(self, seconds: float) -> float:
        """Return the peak of what comes in the next seconds."""
        begin, more = len(self._heard), round(seconds * 192_000 / 8)
        wait_until(lambda: len(self._heard) >= begin + more or not self.unbroken, "the listener hears more")
        sound, _ = decode(bytes(self._heard[begin:]))
        return float(np.abs(sound).max()) if len(sound) else 0.0


class OnAir:
    """`endlos serve` on a copy of its own of some songs, to Icecast, HTTP and a sound card."""

    def __init__(self, folder: Path, running: Running, listener: Listener, url: str) -> None:
        self.folder = folder
        self.running = running
        self.listener = listener
        self.url = url
        self.music = folder / "music"
        self.pool = folder / "pool"
        self.model = folder / "model"

    def asked(self, path: str) -> Any:
        """Return what the service says at `path`, ill or well."""
        try:
            with urllib.request.urlopen(f"{self.url}{path}", timeout=PATIENCE_S) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            return json.load(error)

    def date(self) -> str:
        """Return which day it is for the service."""
        with urllib.request.urlopen(f"{self.url}status.json", timeout=PATIENCE_S) as answer:
            return str(answer.headers["date"])[:16]

    def output(self, name: str) -> dict[str, Any]:
        """Return how the output is whose name holds `name`."""
        outputs: list[dict[str, Any]] = self.asked("status.json")["outputs"]
        (found,) = [output for output in outputs if name in output["name"]]
        return found

    def skip(self) -> None:
        """Have it go on to another piece."""
        request = urllib.request.Request(f"{self.url}next", method="POST", headers={"X-Endlos": "1"})
        urllib.request.urlopen(request, timeout=PATIENCE_S).close()

    def is_heard(self) -> bool:
        """Return whether audible sound leaves every output now."""
        outputs = self.asked("status.json")["outputs"]
        return all(
            output["state"] == "playing" and (output["audible_ago_s"] or PATIENCE_S) < RENEWED_S
            for output in outputs
        )

    def is_ill(self) -> bool:
        """Return whether the health check says that the stream is not heard somewhere."""
        return bool(self.asked("health")["away"])

    def comes_back(self) -> None:
        """Wait until it is heard everywhere again, by the listener too, who never had to reconnect."""
        wait_until(lambda: self.is_heard() and not self.is_ill(), "every output is heard again")
        assert self.listener.unbroken
        wait_until(lambda: self.listener.loudest(0.5) > 0.01, "the listener hears it")
        assert "Traceback" not in self.running.printed()


@contextmanager
def on_air(
    folder: Path,
    model: Path,
    server: IcecastServer,
    sink: PulseSink | None,
    *,
    songs: Sequence[Path] = (),
    outputs: Sequence[str] = (),
    **environment: str,
) -> Iterator[OnAir]:
    """Serve until the end of the block, to a sound card where there is a sink.

    songs: of these, rather than of some small ones. outputs: addresses of more outputs.
    """
    if songs:
        (folder / "music").mkdir()
        for song in songs:
            shutil.copyfile(song, folder / "music" / song.name)
        build_pool([folder / "music"], folder / "pool", BuildSettings(jobs=1))
    else:
        write_music(folder / "music", SONGS, seconds=20.0)
        build_pool([folder / "music"], folder / "pool", quick_settings())
    shutil.copytree(model, folder / "model")
    (folder / "password").write_text(SOURCE_PASSWORD + "\n")
    port = free_port()
    words = [
        *("serve", folder / "pool", "--model", folder / "model", "--seed", "1"),
        *("--http", f"127.0.0.1:{port}"),
        *("--icecast", f"icecast://source@{server.host}:{server.port}{MOUNT}"),
        *("--icecast-password-file", folder / "password"),
        *(word for output in outputs for word in ("--output", output)),
    ]
    if sink is not None:
        words += ["--device", "default"]
        environment |= {name: sink.environment[name] for name in ("HOME", "XDG_RUNTIME_DIR")}
    with ExitStack() as opened:
        running = opened.enter_context(Running(*words, **environment))
        running.wait_for("INFO serving http://")
        listener = opened.enter_context(Listener(port))
        air = OnAir(folder, running, listener, f"http://127.0.0.1:{port}/")
        air.comes_back()
        yield air


@contextmanager
def busy_cores(count: int) -> Iterator[None]:
    """Keep every core busy with `count` processes that do nothing but count."""
    processes = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


@contextmanager
def standing_still(air: OnAir) -> Iterator[None]:
    """Stop the whole service, as a laptop that sleeps does."""
    air.running.send(signal.SIGSTOP)
    try:
        yield
    finally:
        air.running.send(signal.SIGCONT)


@contextmanager
def moved_away(path: Path) -> Iterator[None]:
    """Take a file or a folder away, as a network drive that is gone."""
    away = path.with_name(f"{path.name}.away")
    path.rename(away)
    try:
        yield
    finally:
        away.rename(path)


@contextmanager
def changed(path: Path, change: Callable[[bytes], bytes]) -> Iterator[None]:
    """Write a file anew, in place, with other bytes, and put it back."""
    kept, times = path.read_bytes(), path.stat()
    path.write_bytes(change(kept))
    try:
        yield
    finally:
        path.write_bytes(kept)
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
