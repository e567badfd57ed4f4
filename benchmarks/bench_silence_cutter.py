"""This benchmark times our silence cutter against pydub's, which finds the same ranges, on real music."""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.record import record
from model.base.arrays import IntArray
from stream.audio.decode import decode
from tools.songs.cut import CutSettings
from tools.songs.silence import detect_silence, detect_silence_pydub, to_int16

BUDGET_RATIO = 100
REPEATS = 20
"""How often ours runs; pydub, which takes seconds, runs once."""
MUSIC = Path(__file__).resolve().parents[2] / "shared" / "music" / "library"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("music", nargs="?", type=Path, default=MUSIC, help="folder of songs")
    parser.add_argument("--every", type=int, default=13, help="take every n-th song (1: all of them)")
    parser.add_argument("--seconds", type=float, default=60, help="of each song; 0: whole songs")
    arguments = parser.parse_args()
    songs = sorted(path for path in arguments.music.rglob("*") if path.is_file())[:: arguments.every]
    if not songs:
        parser.error(f"no songs in {arguments.music}; give a folder of music")
    settings = CutSettings()
    detect_silence(np.zeros((44_100, 2), np.int16), 44_100, settings.silence_ms, settings.silence_db)
    rows = []
    print(f"{'song':42} {'audio s':>8} {'ranges':>7} {'ours ms':>8} {'pydub s':>8} {'ratio':>7}")
    for path in songs:
        audio, rate_hz = decode(path)
        if arguments.seconds:
            audio = audio[: round(arguments.seconds * rate_hz)]
        samples = to_int16(audio)
        find = (samples, rate_hz, settings.silence_ms, settings.silence_db)
        ours_s = np.median([_timed(detect_silence, *find)[0] for _ in range(REPEATS)])
        ours = detect_silence(*find)
        pydub_s, pydubs = _timed(detect_silence_pydub, *find)
        if not np.array_equal(ours, pydubs):
            raise SystemExit(f"{path.name}: ours and pydub's ranges differ")
        row = (len(samples) / rate_hz, ours_s, pydub_s)
        rows.append(row)
        print(
            f"{path.name[:42]:42} {row[0]:8.1f} {len(ours):7d} {1e3 * ours_s:8.2f} {pydub_s:8.2f} "
            f"{pydub_s / ours_s:7.0f}"
        )
    audio_s, ours_s, pydub_s = np.sum(rows, axis=0).tolist()
    ratios = [pydub / ours for _, ours, pydub in rows]
    figures: dict[str, object] = {
        "songs": len(rows),
        "audio_s": round(audio_s, 1),
        "ours_s": round(ours_s, 4),
        "pydub_s": round(pydub_s, 2),
        "ratio": round(pydub_s / ours_s),
        "ratio_min": round(min(ratios)),
        "ratio_max": round(max(ratios)),
        "budget_ratio": BUDGET_RATIO,
        "ranges_equal": True,
    }
    print(f"in all {pydub_s / ours_s:.0f} times faster (goal: {BUDGET_RATIO}), worst {min(ratios):.0f}")
    record("silence_cutter", figures)


def _timed(detect: Callable[..., IntArray], *arguments: object) -> tuple[float, IntArray]:
    start_s = time.perf_counter()
    ranges = detect(*arguments)
    return time.perf_counter() - start_s, ranges


if __name__ == "__main__":
    main()
