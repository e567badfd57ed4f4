"""Figures are held against bounds, those of detectors also against their floors, kind by kind of join."""

import numpy as np
import pytest

from tools.quality.joins.bounds import AREA_BOUNDS, KIND_FIGURES, AreaBound, kind_rows
from tools.quality.joins.hearing.areas import Area
from tools.quality.joins.measuring.measures import NAMES


def _area(value: float) -> Area:
    return Area(value=value, low=value, high=value, joins=1, others=1)


def test_a_bound_is_the_lower_one_of_a_figure_and_a_floor() -> None:
    found = {"section": _area(0.5), "natural": _area(0.53)}
    other = AREA_BOUNDS["engine_other"]
    assert other.of("boosted", found) == pytest.approx(0.55)
    assert other.of("network", {"section": _area(0.9)}) == 0.60
    assert other.of("boosted", {"section": None}) == 0.65
    assert AREA_BOUNDS["engine_same"].of("boosted", found) == pytest.approx(0.55)
    assert AreaBound(floor="natural").of("boosted", {"natural": None}) is None


def test_each_kind_of_join_has_its_own_figures() -> None:
    measured = np.full((4, len(NAMES)), np.nan)
    measured[:, NAMES.index("beat_ms")] = [1.0, 3.0, np.nan, 50.0]
    measured[:, NAMES.index("two_tempi")] = [0.0, 1.0, np.nan, 0.0]
    measured[:, NAMES.index("loudness_jump_lu")] = [1.0, 1.0, 2.0, 3.0]
    rows = kind_rows(measured, ["splice", "splice", "plain_fade", "tempo_blend"])
    assert [(row["kind"], row["joins"], row["beats"]) for row in rows] == [
        ("plain_fade", 1, 0),
        ("splice", 2, 2),
        ("tempo_blend", 1, 1),
    ]
    assert rows[1]["beat error, median"] == 2.0
    assert rows[1]["two tempi, share"] == 0.5
    assert rows[0]["beat error, median"] is None
    assert rows[2]["loudness jump, 95 %"] == 3.0
    assert set(KIND_FIGURES) <= rows[0].keys()
