"""This benchmark times rendering against real time, with the carried model and at random."""

import argparse
from pathlib import Path

from benchmarks.record import record
from tools.bench.rendering import multiples
from tools.bench.settings import BenchSettings
from tools.bench.source import about, bench_pool
from tools.bench.table import print_figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pool", nargs="?", type=Path, help="a pool; else that of the demo songs")
    settings = BenchSettings(pool=bench_pool(parser.parse_args().pool))
    figures = multiples(settings)
    print_figures(figures)
    record("render", {**about(settings), "figures": [figure.as_json() for figure in figures]})


if __name__ == "__main__":
    main()
