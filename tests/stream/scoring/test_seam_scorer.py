"""The second stage has the formula, the file, the shortlist and the scorer that it promises."""

import json
from pathlib import Path

import numpy as np
import pytest

from model.base.arrays import FloatArray
from model.base.errors import ModelError
from model.features.seam import SEAM_GROUPS, SeamSides, seam_sides, seam_terms
from model.features.spectra import SPECTRUM_BINS, SPECTRUM_FRAMES
from model.features.steadiness import STEADINESS_VALUES, steadiness
from model.saved.contract_file import content_hash, load_contract
from model.saved.seam_network import SEAM_INPUTS, SEAM_TERMS, SeamNetwork
from model.saved.second_stage import (
    SecondStage,
    carried_second_stage,
    load_second_stage,
    save_second_stage,
)
from stream.index.vector_index import EmbeddingIndex
from stream.pool.pool import Pool, generation_folder
from stream.scoring import seam_scorer
from stream.scoring.seam_scorer import SeamScorer
from tests.support.models import add_second_stage, scorer_of, write_tiny_towers
from tests.support.pools import make_pool, noise_song

CHUNKS = 9


def _spectra(count: int = CHUNKS) -> np.ndarray[tuple[int, ...], np.dtype[np.float16]]:
    rng = np.random.default_rng(4)
    return rng.uniform(-70.0, -5.0, (count, 2, SPECTRUM_FRAMES, SPECTRUM_BINS)).astype(np.float16)


def _sides(count: int = CHUNKS) -> SeamSides:
    starts_s = 3.0 * np.arange(count)
    return seam_sides(_spectra(count), np.stack([starts_s, starts_s + 3.0], axis=1))


_SONG = np.arange(CHUNKS) // 4


def _stage() -> SecondStage:
    terms = np.linspace(0.01, 0.2, SEAM_TERMS).astype(np.float32)
    rng = np.random.default_rng(6)
    network = SeamNetwork(
        weights=tuple(rng.normal(0, 0.1, shape).astype(np.float32) for shape in ((SEAM_INPUTS, 5), (5, 1))),
        biases=tuple(rng.normal(0, 0.1, units).astype(np.float32) for units in (5, 1)),
    )
    return SecondStage(dot=0.4, terms=terms, offset=11.0, network=network, learned_from=frozenset("ab"))


def _index() -> EmbeddingIndex:
    rng = np.random.default_rng(5)
    sides = rng.normal(size=(2, CHUNKS, 16)).astype(np.float32)
    return EmbeddingIndex.quantised(sides[0], sides[1], metric="dot", key="test")


def _expected(index: EmbeddingIndex, sides: SeamSides, reference: int) -> FloatArray:
    """The formula, written out in float64."""
    stage, found = _stage(), []
    assert stage.network is not None
    (first, last), (bias, last_bias) = stage.network.weights, stage.network.biases
    for row, dot in enumerate(index.scores(reference)):
        distances = sides.distances_db(reference, np.array([row]))[0].astype(np.float64)
        terms = [*-distances, *-np.sqrt(distances + 1e-3), *-np.log(distances + 0.05)]
        logit = stage.dot * dot + sum(w * t for w, t in zip(stage.terms, terms, strict=True)) + stage.offset
        seen = [
            *terms,
            *steadiness(sides.ends[[reference]], ends=True)[0],
            *steadiness(sides.starts[[row]], ends=False)[0],
        ]
        same = _SONG[row] == _SONG[reference]
        logit += same * float(np.maximum(np.array(seen) @ first + bias, 0) @ last[:, 0] + last_bias[0])
        found.append(1 / (1 + np.exp(-logit)))
    return np.array(found, dtype=np.float32)


def test_scores_are_the_sigmoid_of_product_and_distances() -> None:
    index, sides = _index(), _sides()
    scorer = SeamScorer(index, sides, _stage(), _SONG)
    for reference in (0, 7):
        assert scorer.kept(reference) is None
        some = scorer.score(reference, np.array([5, 2]))
        row = scorer.score(reference)
        np.testing.assert_allclose(row, _expected(index, sides, reference), rtol=1e-4)
        np.testing.assert_allclose(some, row[[5, 2]], rtol=1e-6)
        assert scorer.kept(reference) is row
        assert row.min() > 0 and row.max() < 1 and row.std() > 0
    assert scorer.kept(0) is None


def test_of_many_candidates_those_that_the_towers_like_are_weighed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seam_scorer, "SHORT_LIST", 4)
    index, sides = _index(), _sides()
    row = SeamScorer(index, sides, _stage(), _SONG).score(3)
    liked = np.argsort(-index.scores(3))[:4]
    np.testing.assert_allclose(row[liked], _expected(index, sides, 3)[liked], rtol=1e-4)
    assert (np.delete(row, liked) == 0).all()


def test_a_stage_is_what_was_saved(tmp_path: Path) -> None:
    assert load_second_stage(tmp_path) is None
    save_second_stage(_stage(), tmp_path / "second_stage.json")
    found = load_second_stage(tmp_path)
    assert found is not None
    assert (found.dot, found.offset) == (0.4, 11.0)
    assert found.learned_from == frozenset("ab")
    np.testing.assert_allclose(found.terms, _stage().terms, rtol=1e-5)
    seen = np.random.default_rng(1).normal(0, 1, (3, SEAM_INPUTS)).astype(np.float32)
    network = _stage().network
    assert network is not None and found.network is not None
    np.testing.assert_allclose(found.network.logits(seen), network.logits(seen), rtol=1e-3)
    text = (tmp_path / "second_stage.json").read_text(encoding="utf-8")
    for cut_short in (text.replace("]], ", "]]], "), text.replace('"biases": [', '"biases": [0, ')):
        (tmp_path / "second_stage.json").write_text(cut_short, encoding="utf-8")
        with pytest.raises(ModelError, match="no second stage"):
            load_second_stage(tmp_path)
    fields = json.loads(text)
    # As of an endlos that looked at fewer values.
    fields["network"][0]["weights"].pop()
    (tmp_path / "second_stage.json").write_text(json.dumps(fields), encoding="utf-8")
    with pytest.raises(ModelError, match=r"no second stage of this endlos .*put a copy of"):
        load_second_stage(tmp_path)
    (tmp_path / "second_stage.json").write_text('{"dot": 1.0}', encoding="utf-8")
    with pytest.raises(ModelError, match="no second stage"):
        load_second_stage(tmp_path)
    other = '{"dot": 1, "offset": 0, "groups": ["noise"], "terms": [1]}'
    (tmp_path / "second_stage.json").write_text(other, encoding="utf-8")
    with pytest.raises(ModelError, match="other distances"):
        load_second_stage(tmp_path)


def test_in_the_carried_stage_nearer_is_better_and_steadiness_matters() -> None:
    stage = carried_second_stage()
    assert stage.network is not None
    assert sum(layer.size for layer in (*stage.network.weights, *stage.network.biases)) == 3_457
    away_db = np.array([1.0, 1.5, 2.0, 3.0, 4.0, 6.0], dtype=np.float32)
    dots = np.full(len(away_db), 10.0, dtype=np.float32)
    distances_db = np.repeat(away_db[:, None], len(SEAM_GROUPS), axis=1)
    log_odds = []
    for echo_db in (3.0, 0.5):
        steady = np.log(np.full((len(away_db), 2 * STEADINESS_VALUES), 3.0, dtype=np.float32))
        steady[:, :2] = np.log(echo_db)
        seen = np.concatenate([seam_terms(distances_db), steady], axis=1)
        found = stage.probabilities(dots, distances_db, stage.network.logits(seen))
        log_odds.append(np.log(found / (1 - found)))
        assert (np.diff(log_odds[-1]) < 0).all()
    assert (np.abs(log_odds[0] - log_odds[1]) > 0.1).all()


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Pool:
    from dataclasses import replace

    folder = tmp_path_factory.mktemp("pool")
    made = make_pool(folder, [noise_song(4.5, 1), noise_song(4.5, 2)])
    generation_folder(folder, made.generation).mkdir(parents=True)
    return replace(made, spectra=_spectra(len(made)), sides=_sides(len(made)))


def test_a_tower_with_a_second_stage_is_another_model(pool: Pool, tmp_path: Path) -> None:
    model = write_tiny_towers(tmp_path / "towers")
    before = content_hash(model, load_contract(model))
    add_second_stage(model)
    assert content_hash(model, load_contract(model)) != before
    stage = load_second_stage(model)
    assert stage is not None
    # Every carried weight is for one of the distances; nearer is better on the whole.
    assert len(stage.terms) == 3 * len(SEAM_GROUPS)
    assert stage.dot > 0
    scorer, _ = scorer_of(model, pool)
    assert isinstance(scorer, SeamScorer)
    row = scorer.score(0)
    assert row.shape == (len(pool),)
    assert ((row >= 0) & (row <= 1)).all()
