"""The report's network is so layer by layer, and both export to graphs with one node for each LSTM."""

from collections import Counter
from typing import Any

import numpy as np
import onnx
import pytest

from model.base.arrays import FloatArray
from model.base.quiet import without_noise
from model.features.spectra import SPECTRUM_BINS, SPECTRUM_FRAMES

with without_noise():
    from model.approaches.forecast.networks import (
        FORETOLD_SAMPLES,
        KNOWN_SAMPLES,
        ForecastNetworks,
        build_sample_networks,
        build_spectrum_networks,
    )
    from model.learning.export import export_graph
    from model.learning.loop import learned_parameters

LOOPS = {"Loop", "Scan", "If"}


@pytest.fixture(scope="module")
def samples() -> ForecastNetworks:
    return build_sample_networks()


@pytest.fixture(scope="module")
def spectra() -> ForecastNetworks:
    return build_spectrum_networks(np.full(SPECTRUM_BINS, -40.0), np.full(SPECTRUM_BINS, 12.0))


def exported(network: Any, examples: FloatArray) -> Any:
    graph = export_graph(network, "some", "seen", "embedding", examples)
    assert graph.difference <= 1e-5
    return onnx.load_from_string(graph.content).graph


def levels(count: int) -> FloatArray:
    shape = (count, SPECTRUM_FRAMES, SPECTRUM_BINS)
    return np.random.default_rng(0).uniform(-90, -5, shape).astype(np.float32)


def test_seed_is_the_reports_network_layer_by_layer(samples: ForecastNetworks) -> None:
    layers = samples.learned.layers[1:]
    assert [type(layer).__name__ for layer in layers] == ["Conv1D", "MaxPooling1D", "LSTM", "Dense"]
    conv, pool, lstm, dense = [layer.get_config() for layer in layers]
    assert (conv["filters"], tuple(conv["kernel_size"]), conv["activation"]) == (1024, (2,), "linear")
    assert (tuple(pool["pool_size"]), tuple(pool["strides"])) == ((2,), (2,))
    assert (lstm["units"], lstm["activation"], lstm["return_sequences"]) == (100, "sigmoid", False)
    assert (dense["units"], dense["activation"]) == (20, "linear")
    assert samples.learned.input_shape == (None, 880, 1)
    assert samples.learned.count_params() == 1024 * 3 + 4 * 100 * (1024 + 100 + 1) + 101 * 20


def test_starts_are_what_the_report_compares_a_forecast_with(samples: ForecastNetworks) -> None:
    heads = np.random.default_rng(1).normal(size=(3, KNOWN_SAMPLES, 1)).astype(np.float32)
    found = np.asarray(samples.starts.predict_on_batch(heads))
    np.testing.assert_array_equal(found, heads[:, :FORETOLD_SAMPLES, 0])


def test_the_reports_lstm_with_sigmoid_is_one_node(samples: ForecastNetworks) -> None:
    """Of other activations tf2onnx makes loops, which take 10 to 20 times as long for one example."""
    examples = np.random.default_rng(2).uniform(-1, 1, (9, KNOWN_SAMPLES, 1)).astype(np.float32)
    graph = exported(samples.ends, examples)
    kinds = Counter(node.op_type for node in graph.node)
    assert (kinds["LSTM"], kinds["Conv"], kinds["MaxPool"]) == (1, 1, 1) and not LOOPS & kinds.keys()
    (lstm,) = (node for node in graph.node if node.op_type == "LSTM")
    (said,) = (attribute.strings for attribute in lstm.attribute if attribute.name == "activations")
    assert list(said) == [b"Sigmoid"] * 3
    (seen,), (given,) = graph.input, graph.output
    assert (seen.name, given.name) == ("seen", "embedding")
    assert {tensor.type.tensor_type.shape.dim[0].dim_param for tensor in (seen, given)} == {"batch"}


def test_the_small_networks_have_one_input_and_one_lstm(spectra: ForecastNetworks) -> None:
    """Constants of a `keras.layers.Normalization` would be further inputs of the graph that tf2onnx makes."""
    for network, lstms in ((spectra.ends, 1), (spectra.starts, 0)):
        graph = exported(network, levels(9))
        kinds = Counter(node.op_type for node in graph.node)
        assert [tensor.name for tensor in graph.input] == ["seen"]
        assert kinds["LSTM"] == lstms and not LOOPS & kinds.keys()
    assert learned_parameters(spectra.learned) < 300_000


def test_the_small_network_begins_with_what_sounds_now(
    spectra: ForecastNetworks,
) -> None:
    tails, heads = levels(5), levels(5)[::-1].copy()
    forecast = np.asarray(spectra.forecast.predict_on_batch(tails))
    truth = np.asarray(spectra.truth.predict_on_batch(heads))
    now = ((tails[:, -8:] + 40.0) / 12.0).mean(axis=1, keepdims=True)
    np.testing.assert_allclose(forecast, np.broadcast_to(now, forecast.shape), atol=1e-4)
    np.testing.assert_allclose(truth, (heads[:, : truth.shape[1]] + 40.0) / 12.0, atol=1e-4)
    said = np.asarray(spectra.learned.predict_on_batch([tails, heads]))
    ends, starts = (
        np.asarray(network.predict_on_batch(seen))
        for network, seen in ((spectra.ends, tails), (spectra.starts, heads))
    )
    np.testing.assert_allclose(said[:, :-1], ends @ starts.T, atol=1e-3)
    np.testing.assert_allclose(said[:, -1], np.square(forecast - truth).mean(axis=(1, 2)), rtol=1e-4)
    np.testing.assert_allclose(np.linalg.norm(starts, axis=1), 1.0, atol=1e-3)
