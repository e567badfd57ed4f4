"""The terms of two chunks equal what is computed another way."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.bench_planning import made_up
from model.base.arrays import FloatArray
from model.features.spectra import SPECTRUM_BINS, SPECTRUM_FRAMES
from model.features.texture import textures
from stream.choosing.generation import Generation
from stream.choosing.weighing.terms import COST_TERMS, Costs
from stream.choosing.weighing.weights import CostWeights
from stream.index.vector_index import EmbeddingIndex
from tests.support.pools import with_opened, with_traits


@pytest.fixture(scope="module")
def generation() -> Generation:
    return made_up(songs=3, chunks=8, chunk_s=2.0, seed=3, width=16)


def terms_of(generation: Generation, exit_row: int, row: int, **weights: float) -> dict[str, float]:
    found = Costs(generation).terms(exit_row, np.array([row]), CostWeights(**weights))[0]
    return dict(zip(COST_TERMS, found.tolist(), strict=True))


def test_terms_of_two_chunks_are_what_they_say(generation: Generation) -> None:
    count = len(generation.index)
    tempo, place = np.full(count, 100.0), np.zeros(count)
    tempo[10], tempo[11], tempo[12], place[13] = 104.0, 200.0, 0.0, 1.0
    lufs, key = np.full(count, -20.0), np.zeros(count)
    lufs[14], key[15] = -14.0, 9 + 12 - 3  # F sharp minor: as A major, three steps from C
    voice = np.zeros(count)
    voice[15] = 0.5
    known = with_traits(
        generation,
        tempo_bpm=tempo,
        beat_confidence=np.ones(count),
        beats_per_bar=np.full(count, 4),
        bar_confidence=np.ones(count),
        start_bar_beat=place,
        end_bar_beat=np.zeros(count),
        start_lufs=lufs,
        end_lufs=lufs,
        key=key,
        key_confidence=np.ones(count),
        voice_across=voice,
    )
    weights = CostWeights()
    same = terms_of(known, 8, 9)
    assert all(same[name] == 0 for name in ("tempo", "bar", "key", "chroma", "level", "voice"))
    tempo_cost = weights.tempo * (4.0 - weights.tempo_free_percent)
    assert terms_of(known, 8, 10)["tempo"] == pytest.approx(-tempo_cost, rel=1e-3)
    assert terms_of(known, 8, 11)["tempo"] == pytest.approx(-weights.octave)
    assert terms_of(known, 8, 12)["tempo"] == pytest.approx(-weights.beatless)
    assert terms_of(known, 8, 13)["bar"] == pytest.approx(-weights.bar)
    assert terms_of(known, 8, 14)["level"] == pytest.approx(-weights.level * 5.0)
    assert terms_of(known, 8, 15)["key"] == pytest.approx(-weights.key * 2.0)
    assert terms_of(known, 15, 9)["voice"] == pytest.approx(-weights.voice * 0.5)


def test_what_really_follows_costs_nothing_and_the_rest_by_its_likeness(generation: Generation) -> None:
    real = terms_of(generation, 2, 3)
    assert real == pytest.approx(dict.fromkeys(COST_TERMS, 0.0), abs=1e-3)
    other = terms_of(generation, 2, 20)
    embeddings = generation.opened.vectors
    assert embeddings is not None

    def cosine(rows: np.ndarray, one: int, two: int) -> float:  # type: ignore[type-arg]
        a, b = rows[one].astype(float), rows[two].astype(float)
        return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))

    weights = CostWeights()
    follows = cosine(embeddings.successors, 3, 20) - 1.0
    precedes = cosine(embeddings.predecessors, 2, 19) - 1.0
    assert other["next"] == pytest.approx(weights.next * follows, rel=1e-3)
    assert other["before"] == pytest.approx(weights.before * precedes, rel=1e-3)


def test_another_rhythm_and_another_tone_cost(generation: Generation) -> None:
    count = len(generation.index)
    rng = np.random.default_rng(5)
    # Attacks at random times, no two sides alike.
    struck = 12.0 * (rng.random((count, 2, SPECTRUM_FRAMES, 1)) < 0.1)
    spectra = (struck + rng.normal(-30.0, 2.0, (count, 2, SPECTRUM_FRAMES, SPECTRUM_BINS))).astype(np.float32)
    spectra[9, 0] = spectra[2, 1]
    known = with_opened(generation, textures=textures(spectra))
    alike, other = terms_of(known, 2, 9), terms_of(known, 2, 10)
    assert alike["rhythm"] == pytest.approx(0.0, abs=1e-3) and other["rhythm"] < -1.0
    distances = known.opened.textures.distances(2, np.array([10]))[0]  # type: ignore[union-attr]
    weights = CostWeights()
    assert other["rhythm"] == pytest.approx(-weights.rhythm * distances[0], rel=1e-5)
    assert other["tone"] == pytest.approx(-weights.tone * distances[1], rel=1e-5)
    assert terms_of(generation, 2, 10)["rhythm"] == 0.0


def test_likeness_of_two_distributions_is_their_cosine(generation: Generation) -> None:
    rng = np.random.default_rng(6)
    count = len(generation.index)
    logits = 2.0 * rng.normal(size=(2, count, 5))
    ends, starts = np.exp(logits) / np.exp(logits).sum(axis=2, keepdims=True)
    vectors = EmbeddingIndex.quantised(
        np.log(ends).astype(np.float32), np.log(starts).astype(np.float32), metric="product", key=""
    )
    found = terms_of(with_opened(generation, vectors=vectors), 2, 9)

    def cosine(one: FloatArray, other: FloatArray) -> float:
        return float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))

    weights = CostWeights()
    assert found["next"] == pytest.approx(weights.next * (cosine(starts[3], starts[9]) - 1.0), abs=0.05)
    assert found["before"] == pytest.approx(weights.before * (cosine(ends[2], ends[8]) - 1.0), abs=0.05)
    assert found["next"] < -0.1 > found["before"]


def test_terms_of_some_are_those_of_all(generation: Generation) -> None:
    costs, rows = Costs(generation), np.array([0, 8, 5, 23])
    everything = costs.terms(4, np.arange(len(generation.index)), CostWeights())
    np.testing.assert_allclose(costs.terms(4, rows, CostWeights()), everything[rows], atol=1e-5)


@pytest.mark.parametrize("damage", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_counts_for_nothing(generation: Generation, damage: float) -> None:
    rng = np.random.default_rng(1)
    spectra = rng.normal(-40.0, 20.0, (len(generation.index), 2, SPECTRUM_FRAMES, SPECTRUM_BINS))
    heard, loudness_db = textures(spectra), generation.pool.loudness_db.copy()
    heard.starts[9, 0] = heard.starts[10, -1] = heard.ends[3, 0] = loudness_db[5] = damage
    damaged = replace(
        with_opened(generation, textures=heard), pool=replace(generation.pool, loudness_db=loudness_db)
    )
    for exit_row in (2, 3, 5):
        found = Costs(damaged).terms(exit_row, np.arange(len(generation.index)), CostWeights())
        assert np.isfinite(found).all()
    assert terms_of(damaged, 2, 9)["rhythm"] == terms_of(damaged, 2, 10)["tone"] == 0.0
    assert terms_of(damaged, 2, 10)["rhythm"] < 0.0
