"""This helper serves a pool to one listener and tells how late what came, what was missing, what it cost.

Lateness and missing sound are what the server counts of itself (/metrics), decisions what stands in its log,
and the longest wait is what the listener had to.
"""

import json
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any

import numpy as np

from stream.choosing.step import LATE_MARGIN_S
from tools.bench.process import cpu_s_of

_COUNTED = {
    "late_decisions": "endlos_late_decisions_total",
    "late_blocks": "endlos_late_blocks_total",
    "most_late_s": "endlos_max_lateness_seconds",
    "stops": "endlos_stops_total",
    "stopped_s": "endlos_stopped_seconds_total",
    "clock_resets": "endlos_clock_resets_total",
    "underrun_frames": "endlos_output_underrun_frames_total",
    "dropped_frames": "endlos_output_dropped_frames_total",
    "encoder_restarts": "endlos_output_encoder_restarts_total",
    "lost_files": "endlos_lost_files",
}
_BETWEEN_S = 60.0
_ANSWERS_S = 30.0


def memory_mb(process: int) -> dict[str, float]:
    """Return what a process holds: of its own, and of files that the system may take back at any time."""
    status = Path(f"/proc/{process}/status").read_text(encoding="ascii")
    names = {"all": "VmRSS", "own": "RssAnon", "files": "RssFile"}
    return {
        name: round(int(re.search(rf"{field}:\s+(\d+)", status)[1]) / 1024, 1)  # type: ignore[index]
        for name, field in names.items()
    }


def served(pool: Path, seconds: float) -> dict[str, Any]:
    """Serve the pool for so long, and return how that went."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "decisions.jsonl"
        words = [sys.executable, "-m", "tools.cli", "serve", str(pool), "--http", "127.0.0.1:0"]
        began_s = time.monotonic()
        with subprocess.Popen(
            [*words, "--no-resume", "--log", str(log)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            assert process.stdout is not None
            address = None
            while address is None:
                told = process.stdout.readline()
                assert told, "it ended"
                address = re.search(r"http://[^/\s]+", told)
            first_s = time.monotonic() - began_s
            said: list[str] = []
            threading.Thread(target=lambda lines: said.extend(lines), args=(process.stdout,)).start()
            ear = _Ear(f"{address[0]}/stream.mp3")
            ear.start()
            minutes = []
            ends_s = time.monotonic() + seconds
            while (left_s := ends_s - time.monotonic()) > 0:
                time.sleep(min(left_s, _BETWEEN_S))
                minutes.append(_now(address[0], process.pid))
                print(json.dumps(minutes[-1]), flush=True)
            hung_up = ear.hung_up
            process.send_signal(signal.SIGTERM)
            process.wait()
        return {
            "serve_mb": minutes[-1]["mb"]["all"],
            "serve_memory_mb": minutes[-1]["mb"],
            "serve_first_s": round(first_s, 1),
            "served": {
                "seconds": seconds,
                **{name: minutes[-1][name] for name in (*_COUNTED, "cpu_s", "read_from_disk_mb")},
                "mb_each_ten_minutes": [minute["mb"] for minute in (minutes[0], *minutes[9::10])],
                "cpu_s_each_ten_minutes": [minute["cpu_s"] for minute in minutes[9::10]],
                "longest_wait_s": round(ear.longest_wait_s, 2),
                "heard_bytes": ear.bytes,
                "hung_up": hung_up,
                **_decided(log),
                "said": [line.strip() for line in said][-20:],
            },
        }


def _now(address: str, process: int) -> dict[str, Any]:
    with urllib.request.urlopen(f"{address}/metrics", timeout=_ANSWERS_S) as answer:
        text = answer.read().decode()
    counted = {
        name: sum(float(value) for value in re.findall(rf"^{metric}(?:{{.*}})? (\S+)$", text, re.MULTILINE))
        for name, metric in _COUNTED.items()
    }
    read = re.search(
        r"^read_bytes: (\d+)", Path(f"/proc/{process}/io").read_text(encoding="ascii"), re.MULTILINE
    )
    assert read is not None
    return {
        **counted,
        "cpu_s": round(cpu_s_of(process), 1),
        "read_from_disk_mb": round(int(read[1]) / 1e6, 1),
        "mb": memory_mb(process),
    }


def _decided(log: Path) -> dict[str, Any]:
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    steps = [line for line in lines if "decision_ms" in line]
    margins_s = [line["margin_s"] for line in steps if line["margin_s"] is not None]
    by_rung: dict[str, list[float]] = {}
    for line in steps:
        by_rung.setdefault(line["strategy"], []).append(line["decision_ms"])
    return {
        "steps": len(steps),
        "decisions_ms": {rung: _spread(took_ms) for rung, took_ms in by_rung.items()},
        "least_margin_s": min(margins_s, default=None),
        "margins_too_small": sum(margin_s < LATE_MARGIN_S for margin_s in margins_s),
        "slowest": [
            {name: line[name] for name in ("t_out_s", "decision_ms", "margin_s", "strategy")}
            for line in sorted(steps, key=lambda line: -float(line["decision_ms"]))[:8]
        ],
    }


def _spread(took_ms: list[float]) -> dict[str, float]:
    p50, p99, most = np.percentile(took_ms, (50, 99, 100))
    return {"count": len(took_ms), "p50": round(p50, 1), "p99": round(p99, 1), "most": round(most, 1)}


@dataclass
class _Ear:
    """Listens to one stream as it comes, and keeps nothing of it."""

    address: str
    bytes: int = 0
    longest_wait_s: float = 0.0
    hung_up: str = ""

    def start(self) -> None:
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        try:
            with urllib.request.urlopen(self.address, timeout=_ANSWERS_S) as answer:
                last_s = time.monotonic()
                while data := answer.read1(1 << 16):
                    now_s = time.monotonic()
                    self.longest_wait_s = max(self.longest_wait_s, now_s - last_s)
                    self.bytes, last_s = self.bytes + len(data), now_s
        except (OSError, HTTPException) as error:
            self.hung_up = repr(error)
