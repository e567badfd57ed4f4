"""Forecasts are trained on samples and on spectra, stop, go on, and become models that the runtime scores."""

import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model.approaches.forecast import samples
from model.approaches.forecast.settings import FORECAST_PRESETS, ForecastPreset, ForecastSettings
from model.approaches.forecast.training import PICTURE_FILE, ForecastReport, train_forecast
from model.approaches.registry import APPROACHES
from model.base.errors import ModelError, PoolError
from model.base.graph_runtime import onnxruntime
from model.features.edges import EDGE_RATE_HZ
from model.learning.edge_set import EdgeSet
from model.learning.lesson import TrainProgress
from model.learning.loop import TrainingStoppedError
from model.learning.measures import TRAINING_SONGS, UNSEEN
from model.learning.song_set import GRID_BANDS, SongSet
from model.saved.contract_file import load_contract
from stream.scoring.vector_scorer import VectorScorer
from tests.support.edges import tone_edges
from tests.support.models import lesson_of, scorer_of
from tests.support.pools import make_pool, noise_song
from tests.support.spectra import with_spectra

EDGES = {TRAINING_SONGS: tone_edges(3, 6, 1_000), UNSEEN: tone_edges(2, 6, 1_000, seed=1)}


def wandering(songs: int, seed: int) -> SongSet:
    """Songs whose levels wander slowly, so that what comes next is like what was last."""
    rng = np.random.default_rng(seed)
    grids = [np.cumsum(rng.normal(0, 60, (3_000, GRID_BANDS)), axis=0) for _ in range(songs)]
    return SongSet(
        grids=[np.clip(grid - 40 * 256, -90 * 256, 0).astype(np.int16) for grid in grids],
        source={"coded_audio_hashes": [f"{seed} {song}" for song in range(songs)]},
    )


SPECTRA = {TRAINING_SONGS: wandering(3, 0), UNSEEN: wandering(2, 1)}
MUSIC: dict[str, dict[str, Any]] = {"seed": EDGES, "fast": SPECTRA}


@pytest.fixture(scope="module", autouse=True)
def tiny() -> Iterator[None]:
    preset = ForecastPreset(epochs=2, steps_per_epoch=2, learning_rate=1e-3)
    with pytest.MonkeyPatch.context() as patch:
        for name in FORECAST_PRESETS:
            patch.setitem(FORECAST_PRESETS, name, preset)
        for name, value in {"BATCH": 4, "MEASURED_WINDOWS": 8, "MEASURED_CHUNKS": 8}.items():
            patch.setattr(samples, name, value)
        patch.setattr(samples.SampleForecast, "batch_examples", 4)
        yield


def trained(preset: str, out: Path, **changes: Any) -> ForecastReport:
    music = MUSIC[preset]
    settings = ForecastSettings(preset=preset, evaluate_every=2)
    progress = changes.pop("progress", None)
    return train_forecast(lesson_of(music[TRAINING_SONGS], music[UNSEEN], out, settings, **changes), progress)


@pytest.mark.parametrize("preset", ["seed", "fast"])
def test_a_training_gives_a_model_that_the_runtime_scores(preset: str, tmp_path: Path) -> None:
    report = trained(preset, tmp_path / "model")
    json.dumps(asdict(report))
    assert list(report.figures) == [TRAINING_SONGS, UNSEEN] and report.calibrated_on == UNSEEN
    assert all(0 < found.error < 2 and found.linear > 0 for found in report.figures.values())
    assert report.export_difference <= 1e-5
    names = {"model.json", "ends.onnx", "starts.onnx", "history.json", "curves.png", PICTURE_FILE}
    assert {path.name for path in (tmp_path / "model").iterdir()} == names
    assert {Path(path).name for path in report.files} == names
    assert (tmp_path / "model" / PICTURE_FILE).read_bytes().startswith(b"\x89PNG")
    contract = load_contract(tmp_path / "model")
    APPROACHES["forecast"].check(contract)
    assert contract.metric == {"seed": "correlation", "fast": "dot"}[preset]
    assert contract.metrics["forecasts"][UNSEEN]["error"] == report.figures[UNSEEN].error
    assert UNSEEN in report.tables()[0].rows[1]

    short = with_spectra(make_pool(tmp_path / "pool", [noise_song(9, seed) for seed in range(2)]))
    if preset == "seed":
        with pytest.raises(PoolError, match=r"keeps shorter edges than the 0\.70 s .* longer --edge-s"):
            scorer_of(tmp_path / "model", short)
    heads, tails = np.random.default_rng(0).normal(0, 0.2, (2, len(short), 2, 900)).astype(np.float32)
    pool = replace(short, heads=heads, tails=tails)
    scorer, _ = scorer_of(tmp_path / "model", pool)
    assert isinstance(scorer, VectorScorer) and scorer.embeddings.metric == contract.metric
    row = scorer.score(0)
    assert row.shape == (len(pool),) and ((row > 0) & (row < 1)).all() and row.std() > 0
    # The graphs say what the index keeps, each value within the rounding to 8 bits.
    assert pool.spectra is not None
    seen = pool.tails[:, 0, -880:, None] if preset == "seed" else pool.spectra[:, 1].astype(np.float32)
    session = onnxruntime.InferenceSession(
        tmp_path / "model" / "ends.onnx", providers=["CPUExecutionProvider"]
    )
    found = session.run(["embedding"], {session.get_inputs()[0].name: np.asarray(seen)})[0]
    index = scorer.embeddings
    kept = index.predecessors[:, : index.width] * index.predecessor_scales[:, None]
    np.testing.assert_allclose(kept, found, atol=0.005 * np.abs(found).max())


def test_an_interrupted_training_goes_on_to_the_same_end(tmp_path: Path) -> None:
    def stop(state: TrainProgress[Any]) -> None:
        if state.step == 3:
            raise KeyboardInterrupt

    whole = trained("fast", tmp_path / "whole")
    with pytest.raises(TrainingStoppedError, match="--resume"):
        trained("fast", tmp_path / "parted", progress=stop)
    parted = trained("fast", tmp_path / "parted", resume=True)
    assert parted.notes == ("resumed after 1 epochs",)
    for name, found in whole.figures.items():
        assert parted.figures[name].error == pytest.approx(found.error, rel=1e-3)
        assert parted.figures[name].mrr == pytest.approx(found.mrr, rel=0.05)


def test_music_that_is_too_short_is_refused_in_one_sentence(tmp_path: Path) -> None:
    settings = ForecastSettings(preset="seed")
    short = replace(EDGES[TRAINING_SONGS], chunk_samples=np.full(18, 449))
    with pytest.raises(ModelError, match=r"nowhere in the songs do 900 samples .* run on; build the pool"):
        train_forecast(lesson_of(short, None, tmp_path, settings))
    with pytest.raises(ModelError, match=r"looks at 0\.70 s of each chunk, the pool keeps 0\.63 s"):
        train_forecast(lesson_of(tone_edges(2, 4, 800), None, tmp_path, settings))
    songs = SongSet(grids=[grid[:900] for grid in SPECTRA[UNSEEN].grids], source={})
    with pytest.raises(ModelError, match="none of 2 songs lasts 6 s"):
        train_forecast(lesson_of(songs, None, tmp_path, ForecastSettings()))
    # Short songs that are kept back are not measured, and nothing else happens.
    unseen: EdgeSet = replace(EDGES[UNSEEN], chunk_samples=np.full(12, EDGE_RATE_HZ // 4))
    report = train_forecast(
        lesson_of(EDGES[TRAINING_SONGS], unseen, tmp_path, ForecastSettings(preset="seed", epochs=1))
    )
    assert list(report.figures) == [TRAINING_SONGS] and report.calibrated_on == TRAINING_SONGS


def test_settings_that_cannot_be_meant_are_refused() -> None:
    with pytest.raises(ModelError, match="no preset 'best' of approach forecast; take one of seed, fast"):
        ForecastSettings(preset="best")
    assert ForecastSettings(learning_rate=0.5, epochs=7).chosen_learning_rate == 0.5
    assert ForecastSettings(preset="seed").chosen_epochs == FORECAST_PRESETS["seed"].epochs
