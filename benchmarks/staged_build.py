"""This script builds a pool in one process and prints what each stage of the analysis took, for any commit.

`python benchmarks/staged_build.py OUT SONG...`, with PYTHONPATH naming the tree whose code builds: stages are
functions, found by their names, and those that a commit does not have are left out. Prints a line of JSON:
`cpu_s`, `audio_s`, and `stages_cpu_s`, each stage without the stages inside it.
"""

import importlib
import json
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from pathlib import Path
from typing import Any

STAGES = {
    "packets and hashes": ("songs.analyse.hash_file", "songs.analyse.read_coded_audio"),
    "decode": ("songs.analyse.decode_song",),
    "tags": ("songs.analyse.read_tags",),
    "outline": ("songs.analyse.outline",),
    "voice: network": ("songs.voice.singing.run_graph",),
    "voice: the rest": ("songs.analyse.find_voice",),
    "stretches": ("songs.analyse.sounding_stretches",),
    "rhythm: chroma": ("songs.rhythm.rhythm.chroma_frames",),
    "rhythm: onsets, attacks": ("songs.rhythm.rhythm.find_onsets", "songs.rhythm.rhythm.find_attacks"),
    "rhythm: the rest": ("songs.analyse.find_rhythm",),
    "cuts": ("songs.analyse.cut_on_beats",),
    "edges": ("songs.analyse.chunk_edges",),
    "spectra": ("songs.analyse.chunk_spectra",),
    "seams, textures": ("songs.analyse.seam_sides", "songs.analyse.textures"),
    "traits": ("songs.analyse.measure_traits", "songs.analyse._tell_what_follows"),
    "timeline": ("songs.analyse.song_timeline",),
    "loudness": ("songs.analyse.measure_loudness",),
    "true peak": ("songs.loudness.true_peak",),
    "seek checks, copies": ("songs.analyse.seeks_check_out", "songs.analyse._keep_copy"),
}
"""Functions by the module in `tools` that calls them, and not by their own."""
_REST = "the rest"


class Stopwatch:
    """The processor seconds of stages that call each other: each counts where it is not inside another."""

    def __init__(self) -> None:
        """Begin with none."""
        self.took_s: defaultdict[str, float] = defaultdict(float)
        self._inside = [_REST]
        self._since_s = time.process_time()

    def start(self) -> None:
        """Forget what was counted, and begin now."""
        self.took_s.clear()
        self._since_s = time.process_time()

    def count(self) -> None:
        """Count what has passed since the last call for the stage that is inside all others."""
        now_s = time.process_time()
        self.took_s[self._inside[-1]] += now_s - self._since_s
        self._since_s = now_s

    def timed(self, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function that does the same, and is a stage."""

        @wraps(function)
        def work(*arguments: Any, **named: Any) -> Any:
            self.count()
            self._inside.append(stage)
            try:
                return function(*arguments, **named)
            finally:
                self.count()
                self._inside.pop()

        return work


def main() -> None:
    """Build the songs of the command line, warm and as the command does it, and print what it took."""
    from tools.pools.build import build_pool
    from tools.pools.settings import BuildSettings

    with suppress(ImportError, AttributeError):
        importlib.import_module("tools.work.footprint").keep_heap()
    watch = Stopwatch()
    for stage, places in STAGES.items():
        for place in places:
            module, _, name = f"tools.{place}".rpartition(".")
            try:
                caller = importlib.import_module(module)
            except ImportError:
                continue
            if hasattr(caller, name):
                setattr(caller, name, watch.timed(stage, getattr(caller, name)))
    out, songs = Path(sys.argv[1]), [Path(song) for song in sys.argv[2:]]
    # Warm-up: kernels are compiled and cached by the first song ever.
    build_pool(songs[:1], out / "warm", BuildSettings(jobs=1))
    watch.start()
    report = build_pool(songs, out / "pool", BuildSettings(jobs=1))
    watch.count()
    figures = {
        "cpu_s": sum(watch.took_s.values()),
        "audio_s": report.analysed_s,
        "stages_cpu_s": {stage: watch.took_s[stage] for stage in [*STAGES, _REST]},
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
