"""A model is chosen by its folder, or by the name of a carried one."""

from pathlib import Path

import pytest

from model.base.errors import ModelError
from model.saved.carried import carried_model, carried_models, chosen_model
from model.saved.contract_file import load_contract


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
