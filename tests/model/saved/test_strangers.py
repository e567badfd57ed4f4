"""Whatever a stranger's `model.json` says or names gives a sentence, and a run without end is ended."""

import json
import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model.base.errors import ModelError
from model.saved.contract_file import load_contract
from stream.index import graphs
from stream.index.graphs import run_graph
from tests.support.waiting import PATIENCE_S

WRONG: tuple[object, ...] = (
    None,
    True,
    5,
    441.5,
    -1,
    10**30,
    float("nan"),
    "text",
    "",
    [],
    [1],
    {},
    {"a": 1},
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the way to every value that a document holds."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for name, one in inner for found in places(one, (*path, name)))]


def put(document: Any, path: tuple[Any, ...], value: object) -> Any:
    copy = json.loads(json.dumps(document))
    if not path:
        return value
    place = copy
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    return copy


def test_any_field_of_any_type_is_taken_or_a_sentence(tiny_model: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_model, tmp_path / "model"))
    document = json.loads((folder / "model.json").read_text())
    refused = 0
    for path in places(document):
        for value in WRONG:
            (folder / "model.json").write_text(json.dumps(put(document, path, value)))
            try:
                contract = load_contract(folder)
            except ModelError as error:
                refused += 1
                assert "\n" not in str(error) and "model" in str(error)
            else:
                assert type(contract.edge_samples) is int and isinstance(contract.approach, str)
    assert refused > 200
    for name, text in (("graphs", "[" * 100_000), ("deep", '{"a":' * 100_000)):
        (folder / "model.json").write_text(text)
        with pytest.raises(ModelError, match="is not a model contract"):
            load_contract(folder)
        assert name


def test_a_sentence_names_the_field(tiny_model: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_model, tmp_path / "model"))
    document = json.loads((folder / "model.json").read_text())
    for path, value, said in (
        (("edge_samples",), 441.5, r"edge_samples is '441\.5', expected a whole number"),
        (("graphs", "pair", "file"), 5, r"graphs\.pair\.file is '5', expected a text"),
        (("graphs", "pair", "inputs", 0, "shape", 1), "x", r"graphs\.pair\.inputs\[0\]\.shape\[1\] is 'x'"),
    ):
        (folder / "model.json").write_text(json.dumps(put(document, path, value)))
        with pytest.raises(ModelError, match=said):
            load_contract(folder)


@pytest.mark.parametrize("name", ["../model.onnx", "/dev/zero", "sub/a.onnx", "..", ".", "", "a\\b", "a\0b"])
def test_a_graph_is_a_file_in_the_folder(tiny_model: Path, tmp_path: Path, name: str) -> None:
    folder = Path(shutil.copytree(tiny_model, tmp_path / "model"))
    shutil.copyfile(folder / "pair.onnx", tmp_path / "model.onnx")
    (folder / "sub").mkdir()
    shutil.copyfile(folder / "pair.onnx", folder / "sub" / "a.onnx")
    document = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps(put(document, ("graphs", "pair", "file"), name)))
    with pytest.raises(ModelError, match="expected one inside it"):
        load_contract(folder)


def _link_out(path: Path) -> None:
    shutil.move(path, path.parent.parent / "moved")
    path.symlink_to(path.parent.parent / "moved")


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _device(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/zero")


@pytest.mark.parametrize("name", ["pair.onnx", "model.json"])
@pytest.mark.parametrize("replace", [_link_out, _pipe, _device])
def test_what_is_no_plain_file_inside_is_refused(
    tiny_model: Path, tmp_path: Path, name: str, replace: Callable[[Path], None]
) -> None:
    folder = Path(shutil.copytree(tiny_model, tmp_path / "model"))
    replace(folder / name)
    with pytest.raises(ModelError, match="is no plain file inside the model's folder"):
        load_contract(folder)


def test_a_link_within_the_folder_and_to_the_folder_is_fine(tiny_model: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_model, tmp_path / "model"))
    (folder / "pair.onnx").rename(folder / "real.onnx")
    (folder / "pair.onnx").symlink_to("real.onnx")
    (tmp_path / "link").symlink_to(folder)
    assert load_contract(tmp_path / "link") == load_contract(folder)


def test_a_run_that_does_not_end_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    class Endless:
        """A session as onnxruntime's: it looks between two nodes whether it is to end."""

        def run(self, names: object, feeds: object, options: Any) -> list[Any]:
            from tests.support.waiting import wait_until

            wait_until(lambda: options.terminate, "the wish to end", PATIENCE_S)
            raise RuntimeError("Exiting due to terminate flag being set to true.")

    monkeypatch.setattr(graphs, "ENDLESS_S", 0.05)
    with pytest.raises(ModelError, match="has not ended after 0 s; use another model"):
        run_graph(Endless(), {"edges": np.zeros(1, dtype=np.float32)})

    class Failing:
        def run(self, names: object, feeds: object, options: Any) -> list[Any]:
            raise RuntimeError("of its own")

    with pytest.raises(RuntimeError, match="of its own"):
        run_graph(Failing(), {})


def test_a_load_that_does_not_end_is_left_behind(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, done = threading.Event(), threading.Event()

    def load(*args: object, **options: object) -> None:
        asked.set()
        done.wait(PATIENCE_S)

    monkeypatch.setattr(graphs.onnxruntime, "InferenceSession", load)
    monkeypatch.setattr(graphs, "ENDLESS_S", 0.05)
    try:
        with pytest.raises(ModelError, match="has not been loaded after 0 s; use another model"):
            graphs.open_session(tiny_model / "pair.onnx", threads=1)
        assert asked.is_set()
    finally:
        done.set()
