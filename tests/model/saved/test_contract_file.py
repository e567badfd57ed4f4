"""A contract is written whole and read with every promise checked."""

import hashlib
import json
from pathlib import Path

import pytest

from model.base.errors import ModelError
from model.saved.carried import CONTRACT_FILE, carried_model
from model.saved.contract_file import content_hash, graphs_hash, load_contract, save_contract
from model.saved.scoring import VECTOR_ROLES
from tests.support.contracts import pair_contract, tower_contract


def written(folder: Path) -> Path:
    save_contract(pair_contract(), folder)
    (folder / "pair.onnx").write_bytes(b"graph")
    return folder


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    assert load_contract(written(tmp_path)) == pair_contract()
    assert pair_contract().edge_s == 0.5
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
    whole = pair_contract() if made == "pair" else tower_contract()
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


def test_another_format_says_what_to_do(tmp_path: Path) -> None:
    path = written(tmp_path) / CONTRACT_FILE
    path.write_text(json.dumps({**json.loads(path.read_text()), "format_version": 99}))
    with pytest.raises(ModelError, match="has format 99, this endlos reads format 2"):
        load_contract(tmp_path)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (written(tmp_path) / CONTRACT_FILE).write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(ModelError):
        load_contract(tmp_path)


def test_a_tower_is_loaded_with_its_calibration(tmp_path: Path) -> None:
    save_contract(tower_contract(), tmp_path)
    for name in VECTOR_ROLES:
        (tmp_path / f"{name}.onnx").write_bytes(b"graph")
    assert load_contract(tmp_path) == tower_contract()


def test_a_contract_that_names_no_metric_means_the_product(tmp_path: Path) -> None:
    for name in VECTOR_ROLES:
        (tmp_path / f"{name}.onnx").write_bytes(b"graph")
    save_contract(tower_contract(metric="correlation"), tmp_path)
    other = load_contract(tmp_path)
    path = tmp_path / CONTRACT_FILE
    fields = json.loads(path.read_text())
    assert fields.pop("metric") == other.metric == "correlation"
    path.write_text(json.dumps(fields))
    found = load_contract(tmp_path)
    assert found == tower_contract() and found.metric == "dot"
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
