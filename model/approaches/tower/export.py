"""The export of towers writes two ONNX graphs checked against Keras, the contract, and the weights."""

import io
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from model.approaches.tower.networks import TowerNetworks
from model.base.arrays import FloatArray
from model.base.errors import ModelError
from model.features.spectra import SPECTRAL_VERSION
from model.learning.export import Exported, export_graph, export_model
from model.saved.contract_file import SECOND_STAGE_FILE
from model.saved.second_stage import carried_stage_file

WEIGHTS_FILE = "weights.npz"
EDGE_SAMPLES = 441
"""Edge length for the index, which falls back on edges without a score; the towers see spectra."""


def export_towers(
    towers: TowerNetworks,
    folder: Path,
    *,
    preset: str,
    tails: FloatArray,
    heads: FloatArray,
    calibration: dict[str, float],
    training: dict[str, Any],
    metrics: dict[str, Any],
) -> Exported:
    """Write `ends.onnx`, `starts.onnx`, `weights.npz` and `model.json` into `folder`.

    tails, heads: `(n, SPECTRUM_FRAMES, SPECTRUM_BINS)` float32, real spectra to compare on. The graphs are
    checked before anything is written; an older model is unreadable while the new one takes its place.
    Raises `ModelError` when a graph differs by more than `TOLERANCE`, relative to the largest value, or Keras
    does not run on TensorFlow.
    """
    graphs = {
        role: export_graph(tower, f"{role}.onnx", "spectrum", "embedding", examples)
        for role, tower, examples in (("ends", towers.ends, tails), ("starts", towers.starts, heads))
    }
    return export_model(
        folder,
        graphs,
        contents={WEIGHTS_FILE: packed_weights(towers), SECOND_STAGE_FILE: carried_stage_file()},
        approach="tower",
        scoring="vectors",
        features="spectra",
        preset=preset,
        edge_samples=EDGE_SAMPLES,
        training=training,
        metrics=metrics,
        calibration=calibration,
        spectral_version=SPECTRAL_VERSION,
    )


def packed_weights(towers: TowerNetworks) -> bytes:
    """Return the towers' weights, half precision, as the content of an .npz file without pickle."""
    arrays = {
        f"w{number:03d}": np.asarray(weight, dtype=np.float16)
        for number, weight in enumerate(towers.both.get_weights())
    }
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def load_weights(towers: TowerNetworks, path: Path) -> None:
    """Put the weights that `path` keeps into the towers; `ModelError` when they do not fit."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            weights = [stored[name].astype(np.float32) for name in sorted(stored.files)]
    except FileNotFoundError:
        raise ModelError(
            f"{path} is missing, so that training cannot go on from it; train without --from"
        ) from None
    except (OSError, ValueError, EOFError, BadZipFile) as error:
        raise ModelError(f"{path} cannot be read ({error}); train without --from") from error
    if [weight.shape for weight in weights] != [weight.shape for weight in towers.both.get_weights()]:
        raise ModelError(f"{path} is of towers of another shape; train without --from")
    towers.both.set_weights(weights)
