"""This module runs a PulseAudio with a silent sink and records its monitor with arrival times."""

import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from model.base.arrays import FloatArray
from model.base.errors import EndlosError

_RATE_HZ = 44_100
MISSING = "no sound card: give --device, or install pulseaudio, pulseaudio-utils and libasound2-plugins"
_SINK = "null"
_FRAME_BYTES = 8
_KEPT_FRAMES = 120 * _RATE_HZ
_TIMEOUT_S = 10.0
_POLL_S = 0.02
_PLUGIN = "libasound_module_pcm_pulse.so"
_LIBRARIES = ("/usr/lib", "/usr/lib64", "/usr/local/lib")


def available() -> bool:
    """Return whether everything for a sink that PortAudio can play to is installed."""
    plugin = any(
        next(Path(folder).glob(pattern), None) is not None
        for folder in _LIBRARIES
        for pattern in (f"alsa-lib/{_PLUGIN}", f"*/alsa-lib/{_PLUGIN}")
    )
    return plugin and all(shutil.which(program) for program in ("pulseaudio", "parec", "pactl"))


class NullSink:
    """The sink while it runs; `environment` is for the process that plays."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.environment = environment
        self._lock = threading.Lock()
        self._data = bytearray()
        self._dropped_frames = 0
        self._arrivals: list[tuple[int, float]] = []

    def arrived(self, data: bytes) -> None:
        """Take what was recorded just now; only the last two minutes are kept."""
        with self._lock:
            self._data += data
            frames = len(self._data) // _FRAME_BYTES
            self._arrivals.append((self._dropped_frames + frames, time.monotonic()))
            if frames > 2 * _KEPT_FRAMES:
                del self._data[: _KEPT_FRAMES * _FRAME_BYTES]
                self._dropped_frames += _KEPT_FRAMES
                self._arrivals = [found for found in self._arrivals if found[0] > self._dropped_frames]

    def first_heard_s(self, channel: int, since_s: float, above: float) -> float | None:
        """Return when, after `since_s`, a channel first rose above a level; None if it did not."""
        with self._lock:
            frames = len(self._data) // _FRAME_BYTES
            audio: FloatArray = np.frombuffer(bytes(self._data[: frames * _FRAME_BYTES]), dtype="<f4")
            arrivals, dropped = list(self._arrivals), self._dropped_frames
        before = max((end for end, at_s in arrivals if at_s < since_s), default=dropped)
        loud = np.flatnonzero(np.abs(audio.reshape(-1, 2)[before - dropped :, channel]) > above)
        if not len(loud):
            return None
        return next(at_s for end, at_s in arrivals if end > before + loud[0])


@contextmanager
def null_sink() -> Iterator[NullSink]:
    """Run a server and a recorder for the length of a `with` block; `EndlosError` when it does not start."""
    # The path of a Unix socket must be short.
    with tempfile.TemporaryDirectory(prefix="endlos-") as name:
        folder = Path(name)
        home, runtime = folder / "home", folder / "run"
        for made in (home, runtime):
            made.mkdir(mode=0o700)
        (home / ".asoundrc").write_text(
            "pcm.!default { type pulse }\nctl.!default { type pulse }\n", encoding="utf-8"
        )
        own = {
            "HOME": str(home),
            "XDG_RUNTIME_DIR": str(runtime),
            "XDG_CONFIG_HOME": str(home / ".config"),
        }
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("PULSE_", "DBUS_"))}
        sink = NullSink(own)
        # Let go first where the system allows it, as a sound server is; else it runs all the same.
        favoured = ["nice", "-n", "-10"]
        form = f"format=float32le rate={_RATE_HZ} channels=2"
        server = _started(
            [
                *favoured, "pulseaudio", "--daemonize=no", "--exit-idle-time=-1", "--realtime=yes", "-n",
                "-L", "module-native-protocol-unix", "-L", f"module-null-sink sink_name={_SINK} {form}",
            ],
            {**kept, **own},
            subprocess.DEVNULL,
        )  # fmt: skip
        recorder = None
        try:
            _wait_for_sink(server, {**kept, **own})
            # The recorder's latency is the sink's, too: without it the sink takes two seconds at once.
            recorder = _started(
                [
                    *favoured, "parec", "-d", f"{_SINK}.monitor", "--raw", "--latency-msec=10",
                    "--format=float32le", f"--rate={_RATE_HZ}", "--channels=2",
                ],
                {**kept, **own},
                subprocess.PIPE,
            )  # fmt: skip
            reader = threading.Thread(target=_read, args=(recorder, sink), daemon=True)
            reader.start()
            yield sink
        finally:
            for process in (recorder, server):
                if process is not None:
                    process.kill()
                    process.wait()


def _started(words: list[str], environment: dict[str, str], output: int) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        words, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.DEVNULL
    )


def _wait_for_sink(server: "subprocess.Popen[bytes]", environment: dict[str, str]) -> None:
    until_s = time.monotonic() + _TIMEOUT_S
    while server.poll() is None and time.monotonic() < until_s:
        listed = subprocess.run(
            ["pactl", "list", "short", "sinks"], env=environment, capture_output=True, check=False
        )
        if _SINK.encode() in listed.stdout:
            return
        time.sleep(_POLL_S)
    raise EndlosError("PulseAudio does not start; give a sound card with --device")


def _read(recorder: "subprocess.Popen[bytes]", sink: NullSink) -> None:
    assert recorder.stdout is not None
    while data := os.read(recorder.stdout.fileno(), 1 << 16):
        sink.arrived(data)
