"""The networks are the report's layer by layer, and the small one keeps its promises."""

import ast
from pathlib import Path

import numpy as np
import pytest

from model.base.errors import ModelError
from model.base.quiet import without_noise

with without_noise():
    from model.approaches.binary.networks import build_network, fast_network, seed_network
    from model.learning.loop import learned_parameters


def test_seed_is_the_reports_network_layer_by_layer() -> None:
    edge = 10
    network = seed_network(edge)
    names = [type(layer).__name__ for layer in network.layers]
    assert names == ["Conv1D", "MaxPooling1D", "LSTM", "Dense", "Dropout", "Flatten", "Dense"]
    conv, pool, lstm, dense, dropout, _, last = [layer.get_config() for layer in network.layers]
    assert (conv["filters"], tuple(conv["kernel_size"]), conv["activation"]) == (1024, (2,), "linear")
    assert (tuple(pool["pool_size"]), tuple(pool["strides"])) == ((2,), (2,))
    assert (lstm["units"], lstm["return_sequences"]) == (256, True)
    assert (dense["units"], dense["activation"]) == (256, "linear")
    assert dropout["rate"] == 0.25
    assert (last["units"], last["activation"]) == (1, "sigmoid")
    steps = (2 * edge - 1) // 2
    assert network.count_params() == (1024 * 3 + 4 * 256 * (1024 + 256 + 1) + 256 * 257 + (256 * steps + 1))


def test_fast_is_small_and_short() -> None:
    network = fast_network(1260)
    assert learned_parameters(network) < 100_000
    assert network.get_layer("lstm").input.shape[1] <= 64
    assert not network.get_layer("bank").trainable_weights
    assert network.input_shape == (None, 2520, 1)
    assert network.output_shape == (None, 1)


@pytest.mark.parametrize("edge", [64, 65, 200, 630, 1261])
def test_fast_takes_any_edge_and_scores_within_zero_and_one(edge: int) -> None:
    network = fast_network(edge)
    pairs = np.random.default_rng(0).normal(0, 0.2, (3, 2 * edge, 1)).astype(np.float32)
    pairs[2] = 0.0
    scores = np.asarray(network.predict_on_batch(pairs))
    assert scores.shape == (3, 1)
    assert np.all((scores >= 0) & (scores <= 1))


def test_fast_does_not_hear_the_level_of_a_pair() -> None:
    network = fast_network(256)
    pairs = np.random.default_rng(1).normal(0, 0.2, (8, 512, 1)).astype(np.float32)
    loud, soft = (np.asarray(network.predict_on_batch(gain * pairs)) for gain in (1.0, 0.25))
    np.testing.assert_allclose(soft, loud, atol=1e-3)
    assert np.ptp(loud) > 1e-3


def test_the_filters_of_fast_answer_to_their_semitone() -> None:
    network = fast_network(1260)
    bank = network.get_layer("bank")
    times_s = np.arange(1260) / 1260
    for band in (16, 28, 40):
        pitch_hz = 40.0 * 2 ** (band / 12)
        tone = np.sin(2 * np.pi * pitch_hz * times_s + 0.3).astype(np.float32)[None, :, None]
        waves = np.asarray(bank(tone))[0]
        power = (waves[:, :48] ** 2 + waves[:, 48:] ** 2).mean(axis=0)
        assert power.argmax() == band


def test_what_cannot_be_built_is_refused_in_a_sentence() -> None:
    with pytest.raises(ModelError, match="no preset 'best'"):
        build_network("best", 630)
    with pytest.raises(ModelError, match="at least 64 samples, not 30"):
        build_network("fast", 30)
    with pytest.raises(ModelError, match="too short"):
        build_network("seed", 1)


def test_only_export_knows_which_backend_keras_runs_on() -> None:
    folder = Path(__file__).resolve().parents[4] / "model"
    users = set()
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if any(name.split(".")[0] == "tensorflow" for name in names):
                users.add(path.name)
    assert users == {"export.py"}
