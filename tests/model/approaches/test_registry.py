"""These tests hold the records of the approaches against the models and the settings that they stand for."""

from dataclasses import replace

import pytest

from model.approaches.registry import APPROACHES, DEFAULT_APPROACH
from model.base.errors import ModelError
from model.saved.carried import DEFAULT_MODEL, carried_model, carried_models
from model.saved.contract import ModelContract
from model.saved.contract_file import load_contract


def test_every_carried_model_is_of_an_approach_and_as_it_says() -> None:
    for name in carried_models():
        contract = load_contract(carried_model(name))
        approach = APPROACHES[contract.approach]
        approach.check(contract)
        assert contract.features == approach.presets[contract.preset].features
    assert load_contract(carried_model(DEFAULT_MODEL)).approach == DEFAULT_APPROACH


def test_a_model_of_another_approach_is_refused() -> None:
    tower, binary = APPROACHES["tower"], APPROACHES["binary"]
    contract = load_contract(carried_model("binary-fast"))
    with pytest.raises(ModelError, match="of approach binary, expected one of tower"):
        tower.check(contract)
    with pytest.raises(ModelError, match="scored by pairs of edges, approach binary by vectors of edges"):
        replace(binary, scoring="vectors").check(contract)

    def refuse(_: ModelContract) -> None:
        raise ModelError("it has no classes")

    with pytest.raises(ModelError, match="no classes"):
        replace(binary, own_check=refuse).check(contract)


def test_a_preset_that_is_none_is_refused_by_the_names_of_those_there_are() -> None:
    with pytest.raises(ModelError, match="no preset 'seed' of approach tower; take one of fast, best"):
        APPROACHES["tower"].asked("seed")
    assert APPROACHES["binary"].asked("seed", epochs=3) == APPROACHES["binary"].settings(
        preset="seed", epochs=3
    )
