"""The contract of a model's folder is written whole and read with every promise checked."""

import hashlib
import json
from pathlib import Path

import pytest

from model.base.errors import ModelError
from model.features.spectra import SPECTRAL_VERSION
from model.saved.contract import (
    CONTRACT_FILE,
    GraphSpec,
    ModelContract,
    TensorSpec,
    carried_model,
    carried_models,
    chosen_model,
    content_hash,
    graphs_hash,
    load_contract,
    save_contract,
)
from model.saved.scoring import VECTOR_ROLES


def contract(**changes: object) -> ModelContract:
    fields: dict[str, object] = {
        "approach": "binary",
        "scoring": "pairs",
        "features": "edges",
        "preset": "fast",
        "edge_rate_hz": 1260,
        "edge_samples": 630,
        "opset": 17,
        "graphs": {
            "pair": GraphSpec(
                file="pair.onnx",
                inputs=(TensorSpec(name="pair", shape=(None, 1260, 1)),),
                outputs=(TensorSpec(name="score", shape=(None, 1)),),
            )
        },
        "training": {"seed": 3},
        "metrics": {"auc": 0.75},
        **changes,
    }
    return ModelContract(**fields)  # type: ignore[arg-type]


def written(folder: Path) -> Path:
    save_contract(contract(), folder)
    (folder / "pair.onnx").write_bytes(b"graph")
    return folder


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    assert load_contract(written(tmp_path)) == contract()
    assert contract().edge_s == 0.5
    assert not list(tmp_path.glob("*.part"))


def test_a_folder_without_a_contract_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="is not a model"):
        load_contract(tmp_path)


def test_a_missing_graph_is_named(tmp_path: Path) -> None:
    (written(tmp_path) / "pair.onnx").unlink()
    with pytest.raises(ModelError, match=r"pair\.onnx is missing"):
        load_contract(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '"x"', "null", '{"format_version": 1}'])
def test_a_broken_contract_is_one_sentence(tmp_path: Path, text: str) -> None:
    (written(tmp_path) / CONTRACT_FILE).write_text(text)
    with pytest.raises(ModelError, match=r"model\.json"):
        load_contract(tmp_path)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("edge_samples", 1),
        ("edge_samples", "many"),
        ("graphs", {}),
        ("graphs", {"pair": {}}),
        ("surprise", 1),
    ],
)
def test_a_contract_that_promises_nonsense_is_refused(tmp_path: Path, key: str, value: object) -> None:
    path = written(tmp_path) / CONTRACT_FILE
    path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))
    with pytest.raises(ModelError):
        load_contract(tmp_path)


@pytest.mark.parametrize(("made", "words"), [("pair", ("pairs", "edges")), ("tower", ("vectors", "spectra"))])
def test_a_model_of_format_1_says_by_its_approach_how_it_is_scored(
    tmp_path: Path, made: str, words: tuple[str, str]
) -> None:
    whole = contract() if made == "pair" else tower()
    save_contract(whole, tmp_path)
    for name in whole.graphs:
        (tmp_path / f"{name}.onnx").write_bytes(b"graph")
    path = tmp_path / CONTRACT_FILE
    fields = json.loads(path.read_text())
    del fields["scoring"], fields["features"]
    path.write_text(json.dumps({**fields, "format_version": 1}))
    opened = load_contract(tmp_path)
    assert opened == whole and (opened.scoring, opened.features) == words
    path.write_text(json.dumps({**fields, "approach": "forecast", "format_version": 1}))
    with pytest.raises(ModelError, match="forecast"):
        load_contract(tmp_path)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"scoring": "guesses"}, "scored by 'guesses' of 'edges', expected one of pairs, vectors, buckets"),
        ({"features": "titles"}, "'titles', expected .* of edges or spectra"),
        ({"features": "spectra", "spectral_version": SPECTRAL_VERSION}, "pairs of spectra, expected edges"),
        ({"edge_samples": 631}, "edges have 631 samples, and its graph sees"),
        ({"scoring": "vectors"}, "no graph for its ends and starts"),
    ],
)
def test_what_its_scoring_asks_for_is_checked(changes: dict[str, object], said: str) -> None:
    with pytest.raises(ModelError, match=said):
        contract(**changes)


def test_another_format_says_what_to_do(tmp_path: Path) -> None:
    path = written(tmp_path) / CONTRACT_FILE
    path.write_text(json.dumps({**json.loads(path.read_text()), "format_version": 99}))
    with pytest.raises(ModelError, match="has format 99, this endlos reads format 2"):
        load_contract(tmp_path)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (written(tmp_path) / CONTRACT_FILE).write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(ModelError):
        load_contract(tmp_path)


def tower(**changes: object) -> ModelContract:
    def role(name: str) -> GraphSpec:
        return GraphSpec(
            file=f"{name}.onnx",
            inputs=(TensorSpec(name="spectrum", shape=(None, 2, 3)),),
            outputs=(TensorSpec(name="embedding", shape=(None, 4)),),
        )

    fields: dict[str, object] = {
        "approach": "tower",
        "scoring": "vectors",
        "features": "spectra",
        "graphs": {name: role(name) for name in VECTOR_ROLES},
        "calibration": {"scale": 2.0, "offset": -9.5},
        "spectral_version": SPECTRAL_VERSION,
        **changes,
    }
    return contract(**fields)


def test_a_tower_is_loaded_with_its_calibration(tmp_path: Path) -> None:
    save_contract(tower(), tmp_path)
    for name in VECTOR_ROLES:
        (tmp_path / f"{name}.onnx").write_bytes(b"graph")
    assert load_contract(tmp_path) == tower()


def test_a_contract_that_names_no_metric_means_the_product(tmp_path: Path) -> None:
    for name in VECTOR_ROLES:
        (tmp_path / f"{name}.onnx").write_bytes(b"graph")
    save_contract(tower(metric="correlation"), tmp_path)
    other = load_contract(tmp_path)
    path = tmp_path / CONTRACT_FILE
    fields = json.loads(path.read_text())
    assert fields.pop("metric") == other.metric == "correlation"
    path.write_text(json.dumps(fields))
    found = load_contract(tmp_path)
    assert found == tower() and found.metric == "dot"
    # What another metric compares is kept apart.
    for named in (graphs_hash, content_hash):
        assert named(tmp_path, found) != named(tmp_path, other)


@pytest.mark.parametrize("name", ["tower", "binary-fast"])
def test_the_hashes_of_models_that_name_no_metric_stay(name: str) -> None:
    """Pools keep their vectors and scores under these names."""
    folder = carried_model(name)
    found = load_contract(folder)
    digest = hashlib.blake2b(f"{found.approach} 1260 {found.edge_samples}".encode(), digest_size=16)
    for role, graph in sorted(found.graphs.items()):
        content = (folder / graph.file).read_bytes()
        digest.update(f"\n{role} {len(content)}\n".encode() + content)
    assert graphs_hash(folder, found) == digest.hexdigest()


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("graphs", {"ends": tower().graphs["ends"]}, "no graph for its starts"),
        ("calibration", None, "calibration is None"),
        ("metric", "l1", "vectors by 'l1', expected one of dot, correlation"),
        ("calibration", {"scale": 1.0}, "expected scale and offset"),
        ("spectral_version", SPECTRAL_VERSION + 1, f"version {SPECTRAL_VERSION + 1}"),
        ("spectral_version", None, "version None"),
    ],
)
def test_a_tower_that_cannot_be_used_is_refused(field: str, value: object, said: str) -> None:
    with pytest.raises(ModelError, match=said):
        tower(**{field: value})


def test_a_model_is_chosen_by_folder_or_by_the_name_of_a_carried_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names = carried_models()
    assert "binary-fast" in names and carried_model().name in names
    assert chosen_model(None) == carried_model()
    assert chosen_model(Path("binary-fast")) == carried_model("binary-fast")
    assert load_contract(carried_model("binary-fast")).approach == "binary"
    assert chosen_model(Path("mine")) == Path("mine")
    assert chosen_model(Path("sub/binary-fast")) == Path("sub/binary-fast")
    # What lies there is meant, whatever it is called.
    (tmp_path / "binary-fast").mkdir()
    assert chosen_model(Path("binary-fast")) == Path("binary-fast")
    with pytest.raises(ModelError, match=r"or one that endlos carries: .*binary-fast"):
        load_contract(Path("binary-fast"))
