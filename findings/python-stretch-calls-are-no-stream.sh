#!/usr/bin/env bash
# Guess: python_stretch wraps Signalsmith Stretch, a streaming library, and its object has reset() and latencies: a
#   song may be given to process() piece by piece, as to every encoder and resampler with state.
# What really happens (python-stretch 0.3.1): each call seeks, processes and flushes: it forgets the call before. Given whole and given in pieces, the
#   same noise comes out as something else at every border, and after a loud piece a silent one stays silent, without
#   the 60 ms that are still inside. One call has one time factor, so that a change of tempo cannot be gradual.
set -euo pipefail

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
"${PYTHON:-python3}" -m venv "$place/venv"
"$place/venv/bin/python" -m pip install -q --disable-pip-version-check python-stretch==0.3.1 numpy==2.4.6

"$place/venv/bin/python" - <<'PYTHON'
import numpy as np
import python_stretch

print("python-stretch", python_stretch.__version__)


def made():
    stretch = python_stretch.Signalsmith.Stretch()
    stretch.preset(2, 44_100)
    return stretch


noise = np.random.default_rng(0).normal(0.0, 0.1, (2, 44_100)).astype(np.float32)
whole = made().process(noise)
stretch = made()
parts = [np.ascontiguousarray(noise[:, at : at + 4_410]) for at in range(0, 44_100, 4_410)]
pieces = np.concatenate([stretch.process(part) for part in parts], 1)
apart = float(np.abs(whole - pieces).max())
stretch = made()
stretch.process(noise)
tail = float(np.abs(stretch.process(np.zeros((2, 8_820), np.float32))).max())
print(f"latencies {stretch.inputLatency()} and {stretch.outputLatency()} samples")
print(f"whole against pieces: {apart:.3f} apart; after a loud piece a silent one has a peak of {tail:.3f}")
assert apart > 0.01 and tail == 0.0, (apart, tail)
PYTHON
