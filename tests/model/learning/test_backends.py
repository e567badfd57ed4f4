"""What was learned on another backend of Keras is gone on with, and exported, on TensorFlow.

Not in CI, whose environment has no JAX: `pip install jax`, then run this module.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from model.saved.contract_file import load_contract

pytest.importorskip("jax")

TRAIN = """
import sys
from pathlib import Path
from model.approaches.binary.settings import BinarySettings
from model.approaches.binary.training import train_binary
from tests.support.edges import tone_edges
from tests.support.models import lesson_of

out, preset, resume = Path(sys.argv[1]), sys.argv[2], sys.argv[3] == "resume"
edge = {"seed": 6, "fast": 96}[preset]
asked = BinarySettings(preset=preset, epochs=1, edge_samples=edge, gradients=sys.argv[4])
data = tone_edges(3, 6, 140), tone_edges(2, 6, 140, seed=9)
train_binary(lesson_of(*data, out, asked, resume=resume))
"""


def train(out: Path, preset: str, how: str, gradients: str, backend: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", TRAIN, str(out), preset, how, gradients],
        env={**os.environ, "KERAS_BACKEND": backend, "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(("preset", "gradients"), [("seed", "wedges"), ("seed", "keras"), ("fast", "keras")])
def test_a_model_that_jax_trained_is_exported_by_resuming_on_tensorflow(
    preset: str, gradients: str, tmp_path: Path
) -> None:
    refused = train(tmp_path, preset, "begin", gradients, "jax")
    assert "set KERAS_BACKEND=tensorflow and run the same command with --resume" in refused.stderr
    exported = train(tmp_path, preset, "resume", gradients, "tensorflow")
    assert exported.returncode == 0, exported.stderr
    contract = load_contract(tmp_path)
    assert contract.metrics["export_difference"] <= 1e-5
    assert contract.training["epochs"] == 1
