"""A kept resampler gives what a new one gives, whatever it had before, in any thread."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import soxr

from stream.audio.resamplers import QUALITY, Resamplers


@pytest.mark.parametrize("rate_hz", [8_000, 22_050, 44_056, 48_000, 96_000])
def test_a_kept_resampler_gives_what_a_new_one_gives(rate_hz: int) -> None:
    random, resamplers = np.random.default_rng(0), Resamplers(44_100)
    for frames in (5_000, 1, 700, 20_000, 5_000):
        audio = random.standard_normal((frames, 2)).astype(np.float32)
        expected = soxr.resample(audio, rate_hz, 44_100, quality=QUALITY)
        assert np.array_equal(resamplers.resample(audio, rate_hz), expected)


def test_threads_have_one_each() -> None:
    random, resamplers = np.random.default_rng(1), Resamplers(44_100)
    blocks = [random.standard_normal((9_000, 2)).astype(np.float32) for _ in range(40)]
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda block: resamplers.resample(block, 48_000), blocks))
    for block, resampled in zip(blocks, found, strict=True):
        assert np.array_equal(resampled, soxr.resample(block, 48_000, 44_100, quality=QUALITY))
    resamplers.clear()
    assert len(resamplers.resample(blocks[0], 48_000)) == len(found[0])


_HELD_TO_THE_END = """
import threading
import numpy as np
from stream.audio.resamplers import Resamplers
resamplers = Resamplers(44_100)
resamplers.resample(np.zeros((1_000, 2), dtype=np.float32), 48_000)
threading.Thread(target=lambda held: threading.Event().wait(), args=(resamplers,), daemon=True).start()
"""


def test_one_that_is_held_to_the_end_of_a_process_is_no_page_of_warnings() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", _HELD_TO_THE_END], capture_output=True, text=True, timeout=60, check=True
    )
    assert ended.stderr == ""
