"""This benchmark times the frames of the page's circle in a real browser, for small and large pools."""

from contextlib import ExitStack

import numpy as np

from benchmarks.record import record
from stream.outputs.address import HttpAddress
from stream.service.app import create_app
from stream.service.server import WebServer
from tests.support.browser import driven_browser
from tests.support.circle import draw_circle
from tests.support.moments import a_moment

POOLS = ((30, 3), (1_800, 36), (100_000, 40))
"""How many chunks, and how many of them a song has."""
FRAMES = 600
WARM = 60
BUDGET_MS = 16.0
"""A frame is shown 30 times a second, and a phone is slower than this machine."""


def main() -> None:
    print(f"{'chunks':>8} {'first':>9} {'median':>9} {'99 %':>9}")
    rows = []
    with ExitStack() as opened:
        server = WebServer(create_app(a_moment), HttpAddress(port=0))
        opened.callback(server.close)
        server.start()
        page = opened.enter_context(driven_browser()).new_page()
        page.goto(server.url)
        for chunks, per_song in POOLS:
            times_ms = draw_circle(page, chunks, per_song, FRAMES).times_ms
            median_ms, slow_ms = np.percentile(times_ms[WARM:], [50, 99])
            rows.append(
                {
                    "chunks": chunks,
                    "first_ms": round(times_ms[0], 1),
                    "median_ms": round(float(median_ms), 2),
                    "p99_ms": round(float(slow_ms), 2),
                }
            )
            print(f"{chunks:>8} {times_ms[0]:>6.1f} ms {median_ms:>6.2f} ms {slow_ms:>6.2f} ms")
    print(f"budget: a median of at most {BUDGET_MS:.0f} ms")
    record("circle", {"frames": FRAMES, "pools": rows, "budget_ms": BUDGET_MS})


if __name__ == "__main__":
    main()
