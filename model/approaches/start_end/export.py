"""The export of approach `start-end` writes both classifiers, the classes, and the contract."""

import io
from pathlib import Path
from typing import Any

import numpy as np

from model.approaches.start_end.networks import StartEndNetworks
from model.base.arrays import FloatArray
from model.features.spectra import SPECTRAL_VERSION
from model.learning.export import Exported, export_graph, export_model
from model.learning.transitions import TransitionClasses
from model.saved.scoring import Features

CLASSES_FILE = "classes.npz"
"""`labels` of the reference's transitions and, where they are grouped, the `centres` of the groups."""
GIVEN = "log_probability"
"""Logarithms, because a probability of 1e-9 is 0 in half precision, and sums to nothing in float32."""


def export_start_end(
    networks: StartEndNetworks,
    folder: Path,
    *,
    preset: str,
    edge_samples: int,
    classes: TransitionClasses,
    tails: FloatArray,
    heads: FloatArray,
    calibration: dict[str, float],
    training: dict[str, Any],
    metrics: dict[str, Any],
) -> Exported:
    """Write `ends.onnx`, `starts.onnx`, `classes.npz` and `model.json` into `folder`.

    tails, heads: `(n, edge_samples, 1)` edges or `(n, SPECTRUM_FRAMES, SPECTRUM_BINS)` spectra, real ones to
    compare on. The graphs are checked before anything is written. Raises `ModelError` when one differs by
    more than 1e-5 of the largest value, or Keras does not run on TensorFlow.
    """
    features: Features = "edges" if tails.shape[-1] == 1 else "spectra"
    seen = "edge" if features == "edges" else "spectrum"
    graphs = {
        role: export_graph(network, f"{role}.onnx", seen, GIVEN, examples)
        for role, network, examples in (("ends", networks.ends, tails), ("starts", networks.starts, heads))
    }
    return export_model(
        folder,
        graphs,
        contents={CLASSES_FILE: _packed(classes)},
        approach="start-end",
        scoring="vectors",
        metric="product",
        features=features,
        preset=preset,
        edge_samples=edge_samples,
        training=training,
        metrics=metrics,
        calibration=calibration,
        spectral_version=SPECTRAL_VERSION if features == "spectra" else None,
    )


def _packed(classes: TransitionClasses) -> bytes:
    arrays = {"labels": classes.labels}
    buffer = io.BytesIO()
    if classes.centres is None:
        np.savez_compressed(buffer, allow_pickle=False, **arrays)
    else:
        np.savez_compressed(buffer, allow_pickle=False, centres=classes.centres, **arrays)
    return buffer.getvalue()
