"""This benchmark times steps of the report's network, by wedges and by Keras on TensorFlow, by turns."""

import os

# Before TensorFlow is loaded: CPU seconds of one thread are compared.
os.environ.update(TF_NUM_INTRAOP_THREADS="1", TF_NUM_INTEROP_THREADS="1", OMP_NUM_THREADS="1")

import argparse
import statistics
import time
from typing import Any

import keras
import numpy as np

from benchmarks.record import record
from model.approaches.binary.learner import WedgeLearner
from model.approaches.binary.networks import seed_network
from model.approaches.binary.settings import BinarySettings
from model.approaches.binary.training import build_optimizer

LEAST_OVER_KERAS = 4.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--edge", type=int, default=440)
    parser.add_argument("--pairs", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    rng = np.random.default_rng(0)
    seen = rng.uniform(-1, 1, (arguments.pairs, 2 * arguments.edge, 1)).astype(np.float32)
    labels = (rng.random((arguments.pairs, 1)) > 0.5).astype(np.float32)
    learners = {"wedges": WedgeLearner(_compiled(arguments.edge), seed=0), "keras": _compiled(arguments.edge)}
    taken: dict[str, list[float]] = {name: [] for name in learners}
    for round_ in range(arguments.repeats + 1):
        for name, learner in learners.items():
            began_s = time.process_time()
            learner.train_on_batch(seen, labels)
            # The first round compiles and warms up.
            if round_:
                taken[name].append(time.process_time() - began_s)
    ratios = [keras_s / wedges_s for keras_s, wedges_s in zip(taken["keras"], taken["wedges"], strict=True)]
    medians = {name: statistics.median(times) for name, times in taken.items()}
    print(
        f"a step of {arguments.pairs} pairs, edge {arguments.edge}, CPU seconds, medians of "
        f"{arguments.repeats}; load average {os.getloadavg()[0]:.1f} over {os.cpu_count()} cores"
    )
    for name, times in taken.items():
        print(f"{name:>8} {medians[name]:.3f} ({min(times):.3f} to {max(times):.3f})")
    ratio = medians["keras"] / medians["wedges"]
    print(
        f"keras / wedges: {ratio:.2f} ({min(ratios):.2f} to {max(ratios):.2f}), "
        f"asked for: at least {LEAST_OVER_KERAS:g}"
    )
    record("training", {**vars(arguments), "cpu_s": taken, "over_keras": ratio})


def _compiled(edge: int) -> Any:
    keras.utils.set_random_seed(0)
    network = seed_network(edge)
    optimizer = build_optimizer(BinarySettings(preset="seed"))
    network.compile(optimizer, "binary_crossentropy", jit_compile=False)
    optimizer.build(network.trainable_variables)
    return network


if __name__ == "__main__":
    main()
