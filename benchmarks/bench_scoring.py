"""This benchmark times decisions with the carried model over 100, 1,800 and 10,000 candidates."""

import argparse
from pathlib import Path

from benchmarks.record import record
from tools.bench.deciding import carried, decisions
from tools.bench.settings import BenchSettings
from tools.bench.source import about, bench_pool
from tools.bench.table import print_figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pool", nargs="?", type=Path, help="a pool; else that of the demo songs")
    settings = BenchSettings(pool=bench_pool(parser.parse_args().pool))
    figures = decisions(settings, [carried(settings)])
    print_figures(figures)
    record("scoring", {**about(settings), "figures": [figure.as_json() for figure in figures]})


if __name__ == "__main__":
    main()
