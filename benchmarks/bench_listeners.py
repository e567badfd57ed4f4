"""This benchmark times what 500 listeners cost over HTTP, beside Icecast with as many in the same run.

One `endlos serve` feeds both at once. A process of its own listens 500 times, from many addresses, and
compares what each one gets with what the first has got, byte by byte. What is told is the server's processor
time with listeners less that without, so that engine and encoder are not in it. Linux only.
"""

import argparse
import json
import os
import selectors
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.record import record
from tools.bench.free_port import free_port
from tools.bench.icecast_local import icecast_program, local_icecast
from tools.bench.process import cpu_s_of
from tools.bench.source import bench_pool

LISTENERS = 500
BUDGET = 0.25
"""Of one core, beyond the encoder."""
_OF_ADDRESS = 10
_SETTLED_S = 8.0
"""When the bursts are over."""
_KEY_BYTES = 4096
_LIMIT_S = 120.0


class Ear:
    """One listener: where it is in what the first one hears."""

    def __init__(self, number: int, port: int, path: str) -> None:
        self.socket = socket.create_connection(
            ("127.0.0.1", port), source_address=(f"127.0.1.{1 + number // _OF_ADDRESS}", 0)
        )
        self.socket.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        self.socket.setblocking(False)
        self._head: bytes | None = b""
        self._waiting = b""
        self._at: int | None = None
        self.bytes = 0
        self.fault = ""

    def hear(self, first: bytearray, *, is_first: bool) -> None:
        """Take what has come; first: all that the first one has heard, to which it adds itself."""
        data = self.socket.recv(1 << 18)
        if not data:
            self.fault = self.fault or "it was hung up on"
        if self._head is not None:
            self._head += data
            head, end, data = self._head.partition(b"\r\n\r\n")
            if not end:
                return
            if b" 200 " not in head.splitlines()[0] + b" ":
                self.fault = head.splitlines()[0].decode()
            self._head = None
        self.bytes += len(data)
        if is_first:
            first += data
        else:
            self._waiting += data
            self._compare(first)

    def _compare(self, first: bytearray) -> None:
        if self._at is None:
            if len(self._waiting) < _KEY_BYTES:
                return
            found = first.find(self._waiting[:_KEY_BYTES])
            if found < 0:
                # The first one may be told later.
                if len(self._waiting) > 1 << 20:
                    self.fault = self.fault or "it hears something else"
                return
            self._at = found
        size = min(len(self._waiting), len(first) - self._at)
        if self._waiting[:size] != first[self._at : self._at + size]:
            self.fault = self.fault or "something is missing"
        self._waiting, self._at = self._waiting[size:], self._at + size


def listen(port: int, path: str, listeners: int) -> None:
    """Listen until standard input ends; says `ready`, and at the end in a line of JSON what was heard."""
    first = bytearray()
    ears: list[Ear] = []
    with selectors.DefaultSelector() as selector:
        selector.register(sys.stdin, selectors.EVENT_READ, None)
        ended = False
        while not ended:
            if len(ears) < listeners:
                ears.append(Ear(len(ears), port, path))
                selector.register(ears[-1].socket, selectors.EVENT_READ, ears[-1])
                if len(ears) == listeners:
                    print("ready", flush=True)
            for key, _ in selector.select(0.0 if len(ears) < listeners else None):
                if key.data is None:
                    ended = True
                    continue
                key.data.hear(first, is_first=key.data is ears[0])
                if key.data.fault:
                    selector.unregister(key.fileobj)
    faults = sorted({ear.fault for ear in ears} - {""})
    told = {
        "listeners": len(ears),
        "broken": sum(bool(ear.fault) for ear in ears),
        "faults": faults,
        "least_bytes": min(ear.bytes for ear in ears),
        "most_bytes": max(ear.bytes for ear in ears),
    }
    print(json.dumps(told), flush=True)


@contextmanager
def listening(port: int, path: str, told: dict[str, object]) -> Iterator[None]:
    """Have `LISTENERS` listen for the length of a `with` block, and put into `told` what they heard."""
    words = [sys.executable, "-m", __spec__.name, "--listen", str(port), path]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        if process.stdout.readline() != "ready\n":
            raise RuntimeError("the listeners cannot listen; see above")
        try:
            yield
        finally:
            told.update(json.loads(process.communicate("")[0]))


def status(port: int) -> Mapping[str, object]:
    """Return what the server says of itself."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/status.json", timeout=30) as answer:
        told: Mapping[str, object] = json.load(answer)
        return told


def wait_for_sound(port: int, mount: str, server: "subprocess.Popen[bytes]") -> None:
    """Come back when both streams are there."""
    until_s = time.monotonic() + _LIMIT_S
    while time.monotonic() < until_s and server.poll() is None:
        try:
            for url in (f"http://127.0.0.1:{port}/stream.mp3", mount):
                with urllib.request.urlopen(url, timeout=10) as stream:
                    stream.read(4096)
        except OSError:
            time.sleep(0.2)
        else:
            return
    raise RuntimeError("no sound came; run the same `endlos serve` by hand to see why")


def share(process_id: int, seconds: float) -> float:
    """Return the share of one core that a process takes now."""
    began_s, before_s = time.monotonic(), cpu_s_of(process_id)
    time.sleep(seconds)
    return (cpu_s_of(process_id) - before_s) / (time.monotonic() - began_s)


def measure(pool: Path, seconds: float) -> dict[str, object]:
    """Return the figures; each share is that of one core."""
    if icecast_program() is None:
        raise RuntimeError("no Icecast: install icecast2")
    port = free_port()
    with ExitStack() as opened:
        icecast = opened.enter_context(local_icecast(clients=2 * LISTENERS))
        words = [
            *(sys.executable, "-m", "tools.cli", "serve", str(pool)),
            *("--output", f"http://127.0.0.1:{port}?listeners={LISTENERS + 10}"),
            *("--output", f"icecast://127.0.0.1:{icecast.port}/stream.mp3?bitrate=192"),
        ]
        environment = {**os.environ, "ENDLOS_ICECAST_PASSWORD": icecast.password}
        server = opened.enter_context(
            subprocess.Popen(words, env=environment, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        )
        opened.callback(server.terminate)
        wait_for_sound(port, f"http://127.0.0.1:{icecast.port}/stream.mp3", server)
        time.sleep(_SETTLED_S)
        alone = {"endlos": share(server.pid, seconds), "icecast": share(icecast.process_id, seconds)}
        pacing: dict[str, object] = {"without": status(port)["pacing"]}
        heard: dict[str, dict[str, object]] = {"endlos": {}, "icecast": {}}
        full: dict[str, float] = {}
        ports = {"endlos": (port, server.pid), "icecast": (icecast.port, icecast.process_id)}
        for name, (asked, process_id) in ports.items():
            with listening(asked, "/stream.mp3", heard[name]):
                time.sleep(_SETTLED_S)
                full[name] = share(process_id, seconds)
                pacing[f"with those of {name}"] = status(port)["pacing"]
        # Once more, so that what the engine does by chance shows.
        alone_after = share(server.pid, seconds)
    cost = full["endlos"] - (alone["endlos"] + alone_after) / 2
    peer = full["icecast"] - alone["icecast"]
    return {
        "listeners": LISTENERS,
        "seconds": seconds,
        "budget": BUDGET,
        "endlos_alone": round(alone["endlos"], 4),
        "endlos_alone_after": round(alone_after, 4),
        "endlos_with": round(full["endlos"], 4),
        "endlos_cost": round(cost, 4),
        "icecast_cost": round(peer, 4),
        "ratio": round(cost / peer, 2) if peer > 0 else None,
        "heard": heard,
        "pacing": pacing,
    }


def main() -> None:
    """Measure, print, record; or be the listeners."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pool", nargs="?", type=Path, help="a pool; else that of the demo songs")
    parser.add_argument("--seconds", type=float, default=30.0, help="of each of the four measurements")
    parser.add_argument("--listen", nargs=2, metavar=("PORT", "PATH"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.listen is not None:
        listen(int(given.listen[0]), given.listen[1], LISTENERS)
        return
    figures = measure(bench_pool(given.pool), given.seconds)
    print(json.dumps(figures, indent=1))
    record("listeners", figures)


if __name__ == "__main__":
    main()
