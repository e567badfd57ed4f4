"""Classifiers of ends and starts learn, stop, go on, and become a model whose product is what Keras says."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from model.approaches.start_end.approach import START_END
from model.approaches.start_end.export import CLASSES_FILE
from model.approaches.start_end.settings import START_END_PRESETS, StartEndSettings
from model.base.arrays import DoubleArray, FloatArray
from model.base.errors import ModelError
from model.base.quiet import without_noise
from model.features.spectra import SPECTRUM_RATE_HZ
from model.learning.export import export_graph
from model.learning.lesson import TrainProgress
from model.learning.loop import TrainingStoppedError
from model.learning.measures import UNSEEN
from model.learning.song_set import GridArray, SongSet, song_grid
from model.learning.song_sides import level_statistics, sides
from model.saved.carried import carried_model
from model.saved.contract_file import load_contract
from model.saved.learned import learned_songs
from stream.audio.decode import decode
from stream.index.graphs import open_graph, run_graph
from stream.pool.pool import Pool
from stream.scoring.vector_scorer import VectorScorer
from tests.support.edges import tone_edges
from tests.support.models import lesson_of, scorer_of
from tests.support.music import tune
from tests.support.pools import make_pool, noise_song

with without_noise():
    from model.approaches.start_end.networks import spectral_networks
    from model.approaches.start_end.training import (
        SAME_AGAIN,
        TRAINED_ON,
        StartEndFigures,
        StartEndReport,
        train_start_end,
    )

EDGE = 24
SEED = StartEndSettings(preset="seed", edge_samples=EDGE, epochs=2)


@pytest.fixture(scope="module", autouse=True)
def tiny() -> Iterator[None]:
    small = replace(START_END_PRESETS["fast"], epochs=2, steps_per_epoch=2, songs=2, seams_per_song=6)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(START_END_PRESETS, "fast", small)
        yield


@dataclass(frozen=True)
class Trained:
    folder: Path
    report: StartEndReport


@pytest.fixture(scope="module")
def seed(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = tmp_path_factory.mktemp("seed")
    settings = replace(SEED, epochs=120, evaluate_every=120, learning_rate=3e-3)
    lesson = lesson_of(tone_edges(3, 5, 60), tone_edges(2, 5, 60, seed=1), folder, settings)
    return Trained(folder, train_start_end(lesson))


def song_set(seeds: range) -> SongSet:
    grids: list[GridArray] = [song_grid(tune(30, seed), SPECTRUM_RATE_HZ) for seed in seeds]
    spans = [np.stack([np.arange(8) * 600, np.arange(1, 9) * 600], axis=1)] * len(grids)
    source = {"coded_audio_hashes": [str(seed) for seed in seeds], "digest": str(seeds)}
    return SongSet(grids=grids, source=source, spans=spans, reference=range(len(grids)))


@pytest.fixture(scope="module")
def fast(tiny: None, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = tmp_path_factory.mktemp("fast")
    lesson = lesson_of(song_set(range(3)), song_set(range(9, 11)), folder, StartEndSettings(classes=4))
    return Trained(folder, train_start_end(lesson))


def test_the_reports_classifiers_learn_each_transition_by_heart(seed: Trained) -> None:
    figures = seed.report.figures
    assert seed.report.classes == 3 * 4
    assert figures[TRAINED_ON].ends == figures[TRAINED_ON].starts == 1.0
    assert figures[SAME_AGAIN].ends is not None
    # Other songs have no transition that is a class.
    assert figures[UNSEEN].ends is figures[UNSEEN].starts is None
    assert figures[TRAINED_ON].mrr > 0.9 > figures[UNSEEN].mrr


def test_groups_are_told_on_songs_that_were_never_seen(fast: Trained) -> None:
    figures = fast.report.figures
    assert set(figures) == {TRAINED_ON, UNSEEN}
    assert all(one.ends is not None and one.starts is not None for one in figures.values())
    with np.load(fast.folder / CLASSES_FILE) as kept:
        assert kept["centres"].shape == (4, 80)
        assert kept["labels"].shape == (3 * 7,)


@pytest.mark.parametrize("name", ["seed", "fast"])
def test_the_model_is_what_its_contract_says(name: str, request: pytest.FixtureRequest) -> None:
    trained: Trained = request.getfixturevalue(name)
    contract = load_contract(trained.folder)
    START_END.check(contract)
    assert (contract.metric, contract.preset) == ("product", name)
    assert contract.metrics["export_difference"] <= 1e-5
    assert contract.calibration is not None and contract.calibration["scale"] > 0
    for role, spec in contract.graphs.items():
        graph = onnx.load(trained.folder / f"{role}.onnx")
        onnx.checker.check_model(graph)
        (seen,), (given,) = graph.graph.input, graph.graph.output
        assert (seen.name, given.name) == ("edge" if name == "seed" else "spectrum", "log_probability")
        for tensor, promised in ((seen, spec.inputs[0]), (given, spec.outputs[0])):
            axes = tensor.type.tensor_type.shape.dim
            assert axes[0].dim_param
            assert (None, *(axis.dim_value for axis in axes[1:])) == promised.shape
        operations = [node.op_type for node in graph.graph.node]
        assert operations.count("LSTM") == 1
        assert not {"Loop", "Scan", "If"} & set(operations)


def test_graphs_say_what_keras_says_on_real_music(shared_music: Path) -> None:
    audio, rate_hz = decode(sorted(shared_music.rglob("*.mp3"))[0])
    grid = song_grid(audio[: 40 * rate_hz], rate_hz)
    cuts = np.arange(600, len(grid) - 600, 400)
    lengths = np.full(len(cuts), 600)
    networks = spectral_networks(32, *level_statistics([grid], np.random.default_rng(0)))
    for role, network, is_tail in (("ends", networks.ends, True), ("starts", networks.starts, False)):
        seen = sides(grid, cuts, lengths, tail=is_tail)
        assert export_graph(network, f"{role}.onnx", "spectrum", "log_probability", seen).difference <= 1e-5
        assert np.ptp(np.asarray(network.predict_on_batch(seen))) > 0.1


def test_an_interrupted_training_ends_where_the_other_one_does(tmp_path: Path) -> None:
    train = tone_edges(2, 5, 40)

    def stop(state: TrainProgress[StartEndFigures]) -> None:
        if state.epoch == 2 and state.validations is None:
            raise KeyboardInterrupt

    settings = replace(SEED, epochs=3, evaluate_every=1)
    with pytest.raises(TrainingStoppedError, match="--resume"):
        train_start_end(lesson_of(train, None, tmp_path / "stopped", settings), stop)
    again = train_start_end(lesson_of(train, None, tmp_path / "stopped", settings, resume=True))
    whole = train_start_end(lesson_of(train, None, tmp_path / "whole", settings))
    assert again.figures == whole.figures
    edges = np.random.default_rng(0).normal(0, 0.1, (3, EDGE, 1)).astype(np.float32)
    for role in ("ends", "starts"):
        said = [given(tmp_path / way, role, edges) for way in ("stopped", "whole")]
        np.testing.assert_array_equal(*said)
    with pytest.raises(ModelError, match="other settings or another pool"):
        with pytest.raises(TrainingStoppedError):
            train_start_end(lesson_of(train, None, tmp_path / "other", settings), stop)
        other = replace(settings, seed=3)
        train_start_end(lesson_of(train, None, tmp_path / "other", other, resume=True))


def test_the_runtime_scores_the_chance_that_both_are_of_one_class(seed: Trained, tmp_path: Path) -> None:
    pool = make_pool(tmp_path, [noise_song(9.0, number) for number in (0, 1)])
    scorer, _ = scorer_of(seed.folder, pool, threads=1)
    assert isinstance(scorer, VectorScorer)
    ends, starts = (told(seed.folder, pool, role) for role in ("ends", "starts"))
    calibration = load_contract(seed.folder).calibration
    assert calibration is not None
    for reference in (0, len(pool) - 1):
        chance = np.log(np.exp(ends[reference]) @ np.exp(starts).T)
        # Probabilities are kept in steps of a sixteenth of a nat, and none below exp(-15.9).
        found = scorer.embeddings.scores(reference)
        np.testing.assert_allclose(found, chance, atol=1 / 16)
        expected = 1 / (1 + np.exp(-calibration["scale"] * found - calibration["offset"]))
        np.testing.assert_allclose(scorer.score(reference), expected, rtol=1e-5)


def test_chunks_shorter_than_the_edge_are_said_and_filled_up(tmp_path: Path) -> None:
    train = tone_edges(2, 4, 60)
    short = replace(train, chunk_samples=np.full(8, 20))
    report = train_start_end(lesson_of(short, None, tmp_path / "model", SEED))
    assert any("8 of 8 chunks are shorter than the 0.02 s" in note for note in report.notes)
    assert "shorter" not in " ".join(train_start_end(lesson_of(train, None, tmp_path / "long", SEED)).notes)
    with pytest.raises(ModelError, match="build the pool with longer edges"):
        train_start_end(lesson_of(train, None, tmp_path / "model", replace(SEED, edge_samples=61)))


def test_the_carried_model_is_small_and_is_worth_what_its_card_says() -> None:
    folder = carried_model("start-end")
    assert sum(path.stat().st_size for path in folder.iterdir()) < 1.5e6
    contract = load_contract(folder)
    START_END.check(contract)
    card = (folder.parent / "README.md").read_text(encoding="utf-8")
    section = card[card.index("# `start-end`") :]
    for name, figures in contract.metrics["successors"].items():
        row = next(line for line in section.splitlines() if line.lstrip("|* ").startswith(name))
        for key in ("ends", "starts", "top_10", "mrr", "auc_same", "auc_cross"):
            assert f"{figures[key]:.3f}".removeprefix("0") in row
    learned = learned_songs(contract)
    assert learned and not learned & set(contract.training["unseen"]["coded_audio_hashes"])


def told(folder: Path, pool: Pool, role: str) -> DoubleArray:
    edges = pool.tails[:, 0, -EDGE:] if role == "ends" else pool.heads[:, 0, :EDGE]
    return given(folder, role, np.ascontiguousarray(edges[:, :, np.newaxis])).astype(np.float64)


def given(folder: Path, role: str, edges: FloatArray) -> FloatArray:
    """What a graph of a model gives."""
    (found,) = run_graph(open_graph(folder, load_contract(folder).graphs[role], threads=1), {"edge": edges})
    return found
