"""This helper starts a PulseAudio with a null sink, away from the user's own, and records its monitor."""

import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

import numpy as np

from model.base.arrays import FloatArray
from tests.support.waiting import PATIENCE_S

MISSING = "no PulseAudio: install it (Debian: pulseaudio pulseaudio-utils libasound2-plugins libportaudio2)"

FAVOURED = ("nice", "-n", "-10")
"""Goes before a command that shares a busy machine: without the right to be favoured it runs all the same."""

_SINK = "null"
_PLUGIN = "libasound_module_pcm_pulse.so"
_LIBRARIES = ("/usr/lib", "/usr/lib64", "/usr/local/lib")


def pulse_available() -> bool:
    """Return whether everything for a null sink that PortAudio can play to is installed."""
    plugin = any(
        next(Path(folder).glob(pattern), None) is not None
        for folder in _LIBRARIES
        for pattern in (f"alsa-lib/{_PLUGIN}", f"*/alsa-lib/{_PLUGIN}")
    )
    return plugin and all(shutil.which(program) for program in ("pulseaudio", "parec", "pactl"))


class PulseSink:
    """PulseAudio in a process of its own, which can be killed and started again, and a recorder."""

    def __init__(self, folder: Path, rate_hz: int = 44_100) -> None:
        self.rate_hz = rate_hz
        home = folder / "home"
        runtime = folder / "run"
        for made in (home, runtime):
            made.mkdir(mode=0o700, parents=True)
        (home / ".asoundrc").write_text(
            "pcm.!default { type pulse }\nctl.!default { type pulse }\n", encoding="utf-8"
        )
        self.environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith(("PULSE_", "DBUS_"))},
            "HOME": str(home),
            "XDG_RUNTIME_DIR": str(runtime),
            "XDG_CONFIG_HOME": str(home / ".config"),
        }
        """For a process that is to play here; PortAudio reads it when it starts."""
        self._log = folder / "pulse.log"
        self._server: subprocess.Popen[bytes] | None = None
        self._recorder: subprocess.Popen[bytes] | None = None
        self._reader: threading.Thread | None = None
        self._recorded = bytearray()

    def start(self) -> None:
        """Start the server and the recorder; come back when the recording runs."""
        with self._log.open("ab") as log:
            self._server = subprocess.Popen(
                [
                    *FAVOURED, "pulseaudio", "--daemonize=no", "--exit-idle-time=-1", "--realtime=yes", "-n",
                    "-L", "module-native-protocol-unix",
                    "-L", f"module-null-sink {self._sink(_SINK)}",
                ],
                env=self.environment, stdout=log, stderr=log,
            )  # fmt: skip
        poll_until(self._answers, lambda: f"PulseAudio did not start: {self._log.read_text()}")
        self.record()

    def unload(self) -> None:
        """Take the sink away, as if it were unplugged; the server lives on, and what is recorded stays."""
        self._control("unload-module", "module-null-sink")
        self._end_recorder()

    def load(self, name: str = _SINK) -> None:
        """Plug in a sink; until `record` the recorder stays with the one before."""
        self._control("load-module", "module-null-sink", *self._sink(name).split())

    def record(self, name: str = _SINK) -> None:
        """Record this sink from now on; come back when the recording runs."""
        self._end_recorder()
        # The recorder's latency is the sink's, too: without it the sink takes two seconds at once.
        self._recorder = subprocess.Popen(
            [
                *FAVOURED, "parec", "-d", f"{name}.monitor", "--raw", "--latency-msec=10",
                "--format=float32le", f"--rate={self.rate_hz}", "--channels=2",
            ],
            env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self._reader = threading.Thread(target=self._read, args=(self._recorder,), daemon=True)
        self._reader.start()
        before = len(self._recorded)
        poll_until(lambda: len(self._recorded) > before, lambda: "the monitor is not recorded")

    def make_default(self, name: str) -> None:
        """Let what is played to no sink in particular go to this one."""
        self._control("set-default-sink", name)

    def _sink(self, name: str) -> str:
        return f"sink_name={name} format=float32le rate={self.rate_hz} channels=2"

    def _control(self, *words: str) -> None:
        subprocess.run(["pactl", *words], env=self.environment, check=True, stdout=subprocess.DEVNULL)

    def kill(self) -> None:
        """End the server at once, as a crash would; what is recorded stays."""
        if self._server is not None:
            self._server.kill()
            self._server.wait()
            self._server = None
        self._end_recorder()

    def recorded_frames(self) -> int:
        """Return how many frames have been recorded so far."""
        return len(self._recorded) // 8

    def recorded(self, start: int = 0) -> FloatArray:
        """Return the recording from frame `start` on, `(frames, 2)` float32."""
        frames = self.recorded_frames()
        return np.frombuffer(bytes(self._recorded[8 * start : 8 * frames]), dtype="<f4").reshape(-1, 2)

    def forget(self) -> None:
        """Keep nothing of what has been recorded so far: an hour is more than a gigabyte."""
        self._recorded.clear()

    def _end_recorder(self) -> None:
        if self._recorder is not None:
            self._recorder.kill()
            self._recorder.wait()
        if self._reader is not None:
            self._reader.join()
        self._recorder = self._reader = None

    def _answers(self) -> bool:
        assert self._server is not None
        assert self._server.poll() is None, f"PulseAudio ended at once: {self._log.read_text()}"
        listed = subprocess.run(
            ["pactl", "list", "short", "sinks"], env=self.environment, capture_output=True, check=False
        )
        return _SINK.encode() in listed.stdout

    def _read(self, recorder: "subprocess.Popen[bytes]") -> None:
        assert recorder.stdout is not None
        while data := os.read(recorder.stdout.fileno(), 1 << 16):
            self._recorded += data
        recorder.stdout.close()

    def __enter__(self) -> "PulseSink":
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()


@contextmanager
def pulse_null_sink(rate_hz: int = 44_100) -> Iterator[PulseSink]:
    """Start a null sink, recorded, in a folder of its own; `sink.environment` is for the player's process."""
    # The path of a Unix socket must be short, so not below pytest's folder.
    with tempfile.TemporaryDirectory(prefix="endlos-") as folder, PulseSink(Path(folder), rate_hz) as sink:
        yield sink


def poll_until(condition: Callable[[], bool], otherwise: Callable[[], str]) -> None:
    """Wait for `condition`; fail with a message when it never holds."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, otherwise()
        time.sleep(0.02)


def locate(recording: FloatArray, probe: FloatArray, tolerance: float = 1e-6) -> int | None:
    """Return the first frame where `probe` stands in `recording`, both `(frames, 2)`, or None."""
    candidates = np.flatnonzero(
        np.abs(recording[: len(recording) - len(probe) + 1] - probe[0]).max(1) <= tolerance
    )
    for start in candidates:
        if np.abs(recording[start : start + len(probe)] - probe).max() <= tolerance:
            return int(start)
    return None
