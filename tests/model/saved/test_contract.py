"""The contract holds what its scoring and its features ask for."""

import pytest

from model.base.errors import ModelError
from model.features.spectra import SPECTRAL_VERSION
from tests.support.contracts import pair_contract, tower_contract


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
        pair_contract(**changes)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("graphs", {"ends": tower_contract().graphs["ends"]}, "no graph for its starts"),
        ("calibration", None, "calibration is None"),
        ("metric", "l1", "vectors by 'l1', expected one of dot, correlation"),
        ("calibration", {"scale": 1.0}, "expected scale and offset"),
        ("spectral_version", SPECTRAL_VERSION + 1, f"version {SPECTRAL_VERSION + 1}"),
        ("spectral_version", None, "version None"),
    ],
)
def test_a_tower_that_cannot_be_used_is_refused(field: str, value: object, said: str) -> None:
    with pytest.raises(ModelError, match=said):
        tower_contract(**{field: value})
