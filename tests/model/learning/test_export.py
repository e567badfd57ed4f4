"""The export makes onnxruntime say what Keras says, and a bad graph never becomes a model."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import soundfile

from model.approaches.binary.export import GRAPH_FILE, export_binary
from model.base.arrays import FloatArray
from model.base.errors import ModelError
from model.base.quiet import without_noise
from model.features.edges import EDGE_RATE_HZ, chunk_edges
from model.learning import export
from model.saved.carried import carried_model
from model.saved.contract_file import load_contract
from model.saved.learned import learned_songs
from tests.support.graph_nodes import LOOPS, node_kinds
from tests.support.models import scorer_of, write_tiny_towers
from tests.support.pools import make_pool, noise_song

with without_noise():
    import keras

    from model.approaches.binary.networks import build_network

EDGES = {"seed": 24, "fast": 252}
"""The network of the report at an edge that is quick to run; what it computes is the same at each step."""


def real_pairs(folder: Path, edge_samples: int) -> FloatArray:
    """Pairs of neighbouring and of distant pieces of real songs."""
    paths = sorted(path for path in folder.rglob("*") if path.suffix in (".mp3", ".ogg"))[::13]
    heads, tails = [], []
    for path in paths:
        with soundfile.SoundFile(path) as file:
            audio = file.read(8 * file.samplerate, dtype="float32", always_2d=True)
            stereo = audio[:, [0, -1]]
            for piece in np.array_split(stereo, 4):
                head, tail = chunk_edges(piece, file.samplerate, edge_samples)
                heads.append(head[0])
                tails.append(tail[0])
    rows = np.arange(len(heads))
    before, after = np.concatenate([rows, rows]), np.concatenate([rows + 1, rows + 5]) % len(rows)
    return np.concatenate([np.stack(tails)[before], np.stack(heads)[after]], axis=1)[:, :, np.newaxis]


@pytest.fixture(scope="module", params=["seed", "fast"])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """A network with all of its weights moved, and its exported folder."""
    preset = request.param
    edge = EDGES[preset]
    # Whatever was drawn before it in this process: some starts give scores that hardly differ.
    keras.utils.set_random_seed(0)
    network = build_network(preset, edge)
    rng = np.random.default_rng(0)
    for weight in network.weights:
        if weight.path.endswith("variance"):
            weight.assign(rng.uniform(0.5, 2.0, weight.shape))
        elif "bank" not in weight.path:
            weight.assign(np.asarray(weight) + rng.normal(0, 0.05, weight.shape))
    folder = tmp_path_factory.mktemp(preset)
    noise = rng.normal(0, 0.2, (5, 2 * edge, 1)).astype(np.float32)
    export_binary(network, folder, preset=preset, edge_samples=edge, examples=noise, training={}, metrics={})
    return folder, network


def test_keras_and_onnxruntime_agree_on_real_edges(model: tuple[Path, Any], shared_music: Path) -> None:
    folder, network = model
    contract = load_contract(folder)
    pairs = real_pairs(shared_music, contract.edge_samples)
    assert len(pairs) >= 32
    graph = (folder / GRAPH_FILE).read_bytes()
    assert export.compare(network, graph, pairs) <= 1e-5
    assert np.ptp(np.asarray(network.predict_on_batch(pairs))) > 1e-2


def test_the_runtime_scores_what_keras_scores(model: tuple[Path, Any], tmp_path: Path) -> None:
    """Through pool, index and scorer: the same edges, cut alike, in the same order."""
    folder, network = model
    edge = load_contract(folder).edge_samples
    pool = make_pool(tmp_path, [noise_song(9.0, seed) for seed in (0, 1)])
    scorer, _ = scorer_of(folder, pool, threads=1)
    for reference in (0, len(pool) - 1):
        tails = np.repeat(pool.tails[reference : reference + 1, 0, -edge:], len(pool), axis=0)
        pairs = np.concatenate([tails, pool.heads[:, 0, :edge]], axis=1)[:, :, np.newaxis]
        expected = np.asarray(network.predict_on_batch(pairs))[:, 0]
        np.testing.assert_allclose(scorer.score(reference), expected, atol=1e-5)


def test_the_graph_is_named_has_a_free_batch_axis_only_and_a_whole_lstm(model: tuple[Path, Any]) -> None:
    folder, _ = model
    contract = load_contract(folder)
    graph = onnx.load(folder / GRAPH_FILE)
    onnx.checker.check_model(graph)
    assert [entry.version for entry in graph.opset_import if entry.domain in ("", "ai.onnx")] == [17]
    (pair,), (score,) = graph.graph.input, graph.graph.output
    assert (pair.name, score.name) == ("pair", "score")
    for tensor, fixed in ((pair, [2 * contract.edge_samples, 1]), (score, [1])):
        axes = tensor.type.tensor_type.shape.dim
        assert axes[0].dim_param
        assert [axis.dim_value for axis in axes[1:]] == fixed
    kinds = node_kinds((folder / GRAPH_FILE).read_bytes())
    assert kinds["LSTM"] == 1
    assert not LOOPS & set(kinds)
    assert contract.edge_rate_hz == EDGE_RATE_HZ
    assert contract.metrics["export_difference"] <= 1e-5
    written = {"model.json", *(graph.file for graph in contract.graphs.values())}
    assert {path.name for path in folder.iterdir()} == written
    assert ("split.onnx" in written) == (contract.preset == "seed")


@pytest.mark.parametrize(
    ("layer", "whole"),
    [
        (lambda layers: layers.LSTM(3), True),
        (lambda layers: layers.LSTM(3, activation="sigmoid"), True),
        (lambda layers: layers.LSTM(3, activation="relu"), True),
        (lambda layers: layers.LSTM(3, activation="softsign"), False),
        (lambda layers: layers.GRU(3), False),
    ],
)
def test_what_becomes_one_node_and_what_a_loop(layer: Callable[[Any], Any], whole: bool) -> None:
    network = keras.Sequential([keras.Input((6, 2)), layer(keras.layers)])
    kinds = node_kinds(export.to_onnx(network, "seen", (6, 2), "given"))
    assert (kinds["LSTM"] == 1) == whole
    assert bool(LOOPS & set(kinds)) != whole


def test_a_graph_that_differs_is_not_written_and_the_old_model_stays(
    model: tuple[Path, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, network = model
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    edge = load_contract(folder).edge_samples
    examples = np.zeros((2, 2 * edge, 1), np.float32)
    for difference in (2e-5, float("nan")):
        monkeypatch.setattr("model.learning.export.compare", lambda *_, found=difference: found)
        with pytest.raises(ModelError, match="the model was not written"):
            export_binary(
                network, folder, preset="fast", edge_samples=edge, examples=examples, training={}, metrics={}
            )
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_the_carried_model_is_small_runs_and_is_worth_what_its_card_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = carried_model("binary-fast")
    assert sum(path.stat().st_size for path in folder.iterdir()) < 2**20
    contract = load_contract(folder)
    monkeypatch.setattr("tests.support.pools.EDGE_SAMPLES", contract.edge_samples)
    pool = make_pool(tmp_path, [noise_song(12.0, seed) for seed in (0, 8)])
    scorer, _ = scorer_of(folder, pool, threads=1)
    scores = scorer.score(0)
    own = pool.chunk_song == 0
    assert scores[own].mean() > scores[~own].mean() + 0.2
    card = (folder.parent / "README.md").read_text(encoding="utf-8")
    for name, figures in contract.metrics["validations"].items():
        row = next(line for line in card.splitlines() if name in line)
        for key in ("accuracy", "loss", "auc"):
            assert f"{figures[key]:.3f}" in row
    learned = learned_songs(contract)
    assert learned and not learned & set(contract.training["unseen"]["coded_audio_hashes"])


def test_graphs_of_an_older_model_go_with_it_and_nothing_else_does(tmp_path: Path) -> None:
    folder = write_tiny_towers(tmp_path / "model")
    (folder / "mine.onnx").write_bytes(b"no graph of this model")
    export.replace_model(folder, {GRAPH_FILE: b"new", "starts.onnx": b"taken over"})
    assert not (folder / "ends.onnx").exists()
    assert not (folder / "model.json").exists()
    assert (folder / GRAPH_FILE).read_bytes() == b"new"
    assert (folder / "starts.onnx").read_bytes() == b"taken over"
    assert (folder / "mine.onnx").is_file()
