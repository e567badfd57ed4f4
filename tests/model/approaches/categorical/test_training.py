"""Transitions are learned, training stops and goes on, and Keras agrees with the model that comes of it."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from model.approaches.categorical import lessons
from model.approaches.categorical.approach import CATEGORICAL
from model.approaches.categorical.settings import CategoricalSettings
from model.approaches.categorical.training import LEARNED_SONGS, CategoricalReport, train_categorical
from model.base.errors import ModelError
from model.base.graph_runtime import onnxruntime
from model.features.spectra import SPECTRUM_BINS, SPECTRUM_FRAMES, SPECTRUM_RATE_HZ
from model.learning.checkpoint import CHECKPOINT_FILE
from model.learning.edge_set import EdgeSet
from model.learning.lesson import TrainProgress
from model.learning.loop import TrainingStoppedError
from model.learning.measures import UNSEEN
from model.learning.song_set import GRID_S, SongSet, song_grid
from model.learning.song_sides import sides
from model.learning.transitions import seam_levels
from model.saved.contract_file import load_contract
from tests.model.approaches.tower.test_training import melody
from tests.support.edges import tone_edges
from tests.support.models import lesson_of

EDGE = 60
CLASSES = 4
FAST = CategoricalSettings(epochs=2, classes=CLASSES)
SEED = CategoricalSettings(preset="seed", epochs=2)


@pytest.fixture(scope="module", autouse=True)
def tiny() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lessons._EdgeLesson, "edge_samples", EDGE)
        patch.setattr(lessons._EdgeLesson, "batch_examples", 5)
        patch.setattr(lessons._SongLesson, "epoch_examples", 3)
        patch.setattr(lessons, "DRAWN_PER_SONG", 4)
        yield


def song_set(seeds: range, *, reference: bool) -> SongSet:
    grids = [song_grid(melody(30, seed), SPECTRUM_RATE_HZ) for seed in seeds]
    length = round(3.0 / GRID_S)
    cuts = [np.arange(0, len(grid) - length, length) for grid in grids]
    return SongSet(
        grids=grids,
        source={"coded_audio_hashes": [str(seed) for seed in seeds], "digest": str(seeds)},
        spans=[np.stack([cut, cut + length], axis=1) for cut in cuts],
        reference=range(len(grids)) if reference else (),
    )


@pytest.fixture(scope="module")
def songs() -> tuple[SongSet, SongSet]:
    return song_set(range(3), reference=True), song_set(range(10, 12), reference=False)


@pytest.fixture(scope="module")
def edges() -> tuple[EdgeSet, EdgeSet]:
    return tone_edges(2, 4, 80), tone_edges(2, 3, 80, seed=1)


@dataclass(frozen=True)
class Trained:
    folder: Path
    report: CategoricalReport


@pytest.fixture(scope="module")
def fast(tiny: None, songs: tuple[SongSet, SongSet], tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = tmp_path_factory.mktemp("fast")
    return Trained(folder, train_categorical(lesson_of(*songs, folder, FAST)))


@pytest.fixture(scope="module")
def letter(tiny: None, edges: tuple[EdgeSet, EdgeSet], tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = tmp_path_factory.mktemp("letter")
    return Trained(folder, train_categorical(lesson_of(*edges, folder, SEED)))


def graph_of(folder: Path) -> tuple[Counter[str], onnxruntime.InferenceSession]:
    path = folder / "classes.onnx"
    kinds = Counter(node.op_type for node in onnx.load(path).graph.node)
    return kinds, onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


@pytest.mark.parametrize("preset", ["fast", "letter"])
def test_a_training_gives_a_model_that_says_what_keras_says(
    preset: str, request: pytest.FixtureRequest
) -> None:
    trained: Trained = request.getfixturevalue(preset)
    folder, report = trained.folder, trained.report
    json.dumps(asdict(report))
    assert report.export_difference <= 1e-5
    contract = load_contract(folder)
    CATEGORICAL.check(contract)
    assert contract.walk is not None and len(contract.walk) == report.walk
    assert contract.metric == "product" and set(report.figures) == {LEARNED_SONGS, UNSEEN}
    assert {path.name for path in folder.iterdir()} == {
        "buckets.png",
        "classes.onnx",
        "curves.png",
        "history.json",
        "model.json",
    }
    kinds, session = graph_of(folder)
    # One node that reads all steps; what tf2onnx does not know becomes a loop, ten times as dear.
    assert kinds["LSTM"] == 1 and not {"Loop", "Scan", "If"} & set(kinds)
    (seen,), (given,) = session.get_inputs(), session.get_outputs()
    assert (seen.name, given.name) == ("transition", "logits") and seen.shape[0] == given.shape[0] == "batch"


def test_the_letter_has_a_class_for_each_transition_from_start_to_end(letter: Trained) -> None:
    contract = load_contract(letter.folder)
    assert contract.walk == tuple(range(8)) and letter.report.classes == 8
    assert (contract.features, contract.edge_samples) == ("edges", EDGE)
    assert letter.report.figures[LEARNED_SONGS].chunks == 8
    # Songs that it never saw have no transitions of the reference.
    assert letter.report.figures[UNSEEN].accuracy is None
    _, session = graph_of(letter.folder)
    seen = np.zeros((3, 2 * EDGE, 1), dtype=np.float32)
    assert session.run(["logits"], {"transition": seen})[0].shape == (3, 8)


def test_groups_are_walked_as_the_reference_songs_go(fast: Trained, songs: tuple[SongSet, SongSet]) -> None:
    contract = load_contract(fast.folder)
    assert contract.walk is not None and set(contract.walk) == set(range(CLASSES))
    assert len(contract.walk) == sum(len(spans) for spans in songs[0].spans)
    # It begins with the transition of the first two chunks, and ends with that of the last and the first.
    lesson = lessons._SongLesson(lesson_of(*songs, fast.folder, FAST))
    grid, (first, second) = songs[0].grids[0], songs[0].spans[0][:2]
    length = np.diff(first)
    levels = seam_levels(
        sides(grid, first[1:], length, tail=True), sides(grid, second[:1], length, tail=False)
    )
    assert contract.walk[0] == int(lesson._groups.nearest(levels)[0])
    assert 0.0 <= (fast.report.figures[UNSEEN].accuracy or 0.0) <= 1.0
    _, session = graph_of(fast.folder)
    seen = np.zeros((2, 2 * SPECTRUM_FRAMES, SPECTRUM_BINS), dtype=np.float32)
    assert session.run(["logits"], {"transition": seen})[0].shape == (2, CLASSES)


def test_the_letters_network_learns_groups_too(edges: tuple[EdgeSet, EdgeSet], tmp_path: Path) -> None:
    settings = CategoricalSettings(preset="seed", epochs=1, classes=3)
    with pytest.raises(ModelError, match="keeps no spectra"):
        train_categorical(lesson_of(*edges, tmp_path, settings))


def test_an_interrupted_training_goes_on_to_the_same_end(
    letter: Trained, edges: tuple[EdgeSet, EdgeSet], tmp_path: Path
) -> None:
    with pytest.raises(TrainingStoppedError, match="--resume"):
        train_categorical(lesson_of(*edges, tmp_path, SEED), stopping(3))
    assert (tmp_path / CHECKPOINT_FILE).is_file()
    report = train_categorical(lesson_of(*edges, tmp_path, SEED, resume=True))
    assert report.notes == ("resumed after 1 epochs",)
    seen = np.random.default_rng(0).normal(0, 0.2, (4, 2 * EDGE, 1)).astype(np.float32)
    whole, parted = (
        graph_of(folder)[1].run(["logits"], {"transition": seen})[0] for folder in (letter.folder, tmp_path)
    )
    np.testing.assert_allclose(whole, parted, atol=1e-4)


def stopping(after: int) -> Callable[[TrainProgress[object]], None]:  # type: ignore[type-var]
    def stop(state: TrainProgress[object]) -> None:  # type: ignore[type-var]
        if state.step == after:
            raise KeyboardInterrupt

    return stop


def test_more_classes_than_there_are_transitions_or_than_a_model_has_are_refused(
    songs: tuple[SongSet, SongSet],
    edges: tuple[EdgeSet, EdgeSet],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(ModelError, match="900 classes were asked for, the reference songs have"):
        train_categorical(lesson_of(*songs, tmp_path, CategoricalSettings(classes=900)))
    monkeypatch.setattr(lessons, "MOST_CLASSES", 7)
    with pytest.raises(ModelError, match="have 8 transitions, each a class, and a model has at most 7"):
        train_categorical(lesson_of(*edges, tmp_path, SEED))


def test_edges_that_are_too_short_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="build the pool with longer edges"):
        train_categorical(lesson_of(tone_edges(2, 3, EDGE - 1), None, tmp_path, SEED))


def test_chunks_that_are_shorter_than_what_is_seen_are_told(tmp_path: Path) -> None:
    whole = tone_edges(2, 3, 80)
    samples = whole.chunk_samples.copy()
    samples[4] = EDGE - 1
    report = train_categorical(lesson_of(replace(whole, chunk_samples=samples), None, tmp_path, SEED))
    (said,) = report.notes
    assert said.startswith("1 of the 6 chunks are shorter than the 0.05 s that the network sees")


def test_one_chunk_has_no_transition(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no two chunks in a row"):
        train_categorical(lesson_of(tone_edges(1, 1, 80), None, tmp_path, SEED))
