"""The training loop learns, measures on the right music, stops and goes on, and refuses in sentences."""

import errno
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model.approaches.binary.settings import BinarySettings
from model.approaches.binary.validation import SECOND_CHANNEL, TRAINING_PAIRS
from model.base.arrays import FloatArray
from model.base.errors import ModelError
from model.base.graph_runtime import onnxruntime
from model.base.quiet import without_noise
from model.learning.checkpoint import CHECKPOINT_FILE
from model.learning.edge_set import EdgeSet
from model.learning.measures import UNSEEN, Measure, area_under_curve, measure_scores
from model.learning.pairs import Pairs, contrast_pairs
from model.saved.contract_file import load_contract
from tests.support.edges import tone_edges
from tests.support.models import lesson_of
from tests.support.waiting import PATIENCE_S
from tools.bench.process import anonymous_mb

with without_noise():
    from model.approaches.binary.training import _Binary, build_optimizer, train_binary
    from model.learning.lesson import TrainProgress
    from model.learning.loop import TrainingStoppedError, made_ahead

EDGE = 96
CEILING = 140


def settings(**changes: object) -> BinarySettings:
    fields: dict[str, object] = {"preset": "fast", "epochs": 2, "edge_samples": EDGE, **changes}
    return BinarySettings(**fields)  # type: ignore[arg-type]


def stop_at(epoch: int, batch: int) -> Callable[[TrainProgress[Measure]], None]:
    """Press Ctrl-C after so many batches of that epoch (from 1)."""

    def progress(state: TrainProgress[Measure]) -> None:
        before = (epoch - 1) * state.steps // state.epochs
        if state.step == before + batch:
            raise KeyboardInterrupt

    return progress


def graph_scores(folder: Path) -> FloatArray:
    session = onnxruntime.InferenceSession(folder / "pair.onnx", providers=["CPUExecutionProvider"])
    pairs = np.random.default_rng(0).normal(0, 0.2, (20, 2 * EDGE, 1)).astype(np.float32)
    scores: FloatArray = session.run(["score"], {"pair": pairs})[0]
    return scores


def epochs_of(folder: Path) -> list[dict[str, Any]]:
    rows = json.loads((folder / "history.json").read_text())["epochs"]
    return [{key: value for key, value in row.items() if key != "elapsed_s"} for row in rows]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training of three epochs that nothing disturbed."""
    out = tmp_path_factory.mktemp("whole")
    train_binary(
        lesson_of(tone_edges(6, 12, CEILING), tone_edges(3, 12, CEILING, seed=9), out, settings(epochs=3))
    )
    return out


def test_a_training_that_was_stopped_ends_where_the_undisturbed_one_ends(whole: Path, tmp_path: Path) -> None:
    data = tone_edges(6, 12, CEILING), tone_edges(3, 12, CEILING, seed=9)
    with pytest.raises(TrainingStoppedError, match=r"in epoch 2 of 3.*--resume"):
        train_binary(lesson_of(*data, tmp_path, settings(epochs=3)), stop_at(2, 1))
    assert (tmp_path / CHECKPOINT_FILE).is_file()
    assert not (tmp_path / "model.json").exists()
    report = train_binary(lesson_of(*data, tmp_path, settings(epochs=3), resume=True))
    assert "resumed after 1 epochs" in report.notes
    np.testing.assert_allclose(graph_scores(tmp_path), graph_scores(whole), atol=1e-6)
    for ours, theirs in zip(epochs_of(tmp_path), epochs_of(whole), strict=True):
        assert ours["epoch"] == theirs["epoch"]
        assert ours["optimizer_loss"] == pytest.approx(theirs["optimizer_loss"], abs=1e-5)
        for name, figures in ours["validations"].items():
            assert figures == pytest.approx(theirs["validations"][name], abs=1e-5)
    assert not (tmp_path / CHECKPOINT_FILE).exists()


def test_who_stops_a_training_is_told_that_there_is_no_room_for_its_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(checkpoint: object, folder: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("model.learning.loop.save_checkpoint", full)
    with pytest.raises(TrainingStoppedError, match=r"in epoch 1 of 2; no checkpoint .*No space.*free some"):
        train_binary(lesson_of(tone_edges(3, 8, CEILING), None, tmp_path, settings()), stop_at(1, 1))


def test_the_pairs_of_an_epoch_are_drawn_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = []

    def counted(*of: Any, **options: Any) -> Pairs:
        drawn.append(of)
        return contrast_pairs(*of, **options)

    monkeypatch.setattr("model.approaches.binary.training.contrast_pairs", counted)
    train_binary(lesson_of(tone_edges(3, 8, CEILING), None, tmp_path, settings(epochs=6, evaluate_every=2)))
    assert len(drawn) == 6


def test_a_stopped_training_is_neither_overwritten_nor_mixed_with_another(tmp_path: Path) -> None:
    data = tone_edges(3, 8, CEILING), tone_edges(2, 8, CEILING, seed=9)
    with pytest.raises(TrainingStoppedError):
        train_binary(lesson_of(*data, tmp_path, settings()), stop_at(1, 1))
    with pytest.raises(ModelError, match="add --resume"):
        train_binary(lesson_of(*data, tmp_path, settings()))
    with pytest.raises(ModelError, match="other settings or another pool"):
        train_binary(lesson_of(*data, tmp_path, settings(optimizer="sgd"), resume=True))
    with pytest.raises(ModelError, match="other settings or another pool"):
        train_binary(lesson_of(tone_edges(3, 8, CEILING, seed=5), data[1], tmp_path, settings(), resume=True))
    (tmp_path / CHECKPOINT_FILE).write_bytes(b"PK\x03\x04 half a file")
    with pytest.raises(ModelError, match="is damaged"):
        train_binary(lesson_of(*data, tmp_path, settings(), resume=True))


def test_a_finished_training_is_not_resumed(whole: Path) -> None:
    with pytest.raises(ModelError, match="is finished"):
        train_binary(lesson_of(tone_edges(6, 12, CEILING), None, whole, settings(epochs=3), resume=True))


def test_fast_learns_from_songs_what_holds_for_songs_it_never_saw(tmp_path: Path) -> None:
    seen: list[TrainProgress[Measure]] = []
    report = train_binary(
        lesson_of(
            tone_edges(12, 20, CEILING, second_channel=False),
            tone_edges(6, 20, CEILING, seed=3),
            tmp_path,
            settings(epochs=4),
        ),
        seen.append,
    )
    assert list(report.validations) == [TRAINING_PAIRS, SECOND_CHANNEL, UNSEEN]
    assert report.ranking[UNSEEN]["cross"] > 0.9
    assert report.ranking[UNSEEN]["same"] < 0.65
    # The second channel holds noise alone here, so it is really another channel that is measured.
    assert report.validations[SECOND_CHANNEL].auc < report.validations[TRAINING_PAIRS].auc - 0.1
    assert report.export_difference <= 1e-5
    contract = load_contract(tmp_path)
    assert (contract.approach, contract.preset, contract.edge_samples) == ("binary", "fast", EDGE)
    assert contract.metrics["ranking_auc"][UNSEEN] == report.ranking[UNSEEN]
    assert contract.training["train"]["coded_audio_hashes"] == [f"hash{number}" for number in range(12)]
    assert (tmp_path / "curves.png").read_bytes()[:4] == b"\x89PNG"
    assert [row["epoch"] for row in epochs_of(tmp_path)] == [1, 2, 3, 4]
    assert [state.step for state in seen if state.validations is None] == list(range(1, seen[-1].steps + 1))
    assert [state.epoch for state in seen if state.validations is not None] == [1, 2, 3, 4]
    assert seen[-1].remaining_s == 0
    assert not list(tmp_path.glob("*.part"))
    assert {Path(path).name for path in report.files} == {path.name for path in tmp_path.iterdir()}


@pytest.mark.parametrize(
    ("optimizer", "kind", "rate"),
    [("rmsprop", "RMSprop", 0.001), ("adam", "Adam", 0.001), ("sgd", "SGD", 0.01)],
)
def test_each_optimizer_of_the_report_can_be_had(optimizer: str, kind: str, rate: float) -> None:
    built = build_optimizer(BinarySettings(preset="seed", optimizer=optimizer))
    assert type(built).__name__ == kind
    assert float(built.learning_rate) == pytest.approx(rate)


def test_seed_trains_as_the_report_says(tmp_path: Path) -> None:
    data = tone_edges(3, 6, 12), tone_edges(2, 6, 12, seed=9)
    report = train_binary(
        lesson_of(*data, tmp_path, BinarySettings(preset="seed", epochs=2, evaluate_every=2))
    )
    contract = load_contract(tmp_path)
    assert contract.edge_samples == report.edge_samples == 12
    assert contract.training["optimizer"] == "rmsprop"
    assert contract.training["learning_rate"] == pytest.approx(0.001)
    assert contract.training["batch_size"] == 64
    # 3 songs of 6: 5 + 4 true pairs in each, two false ones for each chunk.
    assert report.pairs == 3 * (5 + 4) + 2 * 18
    assert any("longest that the pool keeps" in note for note in report.notes)
    first, second = epochs_of(tmp_path)
    assert first["validations"] == {}
    assert set(second["validations"]) == {TRAINING_PAIRS, SECOND_CHANNEL, UNSEEN}


@pytest.mark.skipif(anonymous_mb() is None, reason="this system does not tell a process's own memory")
def test_an_epoch_holds_its_batches_and_not_the_pool(tmp_path: Path) -> None:
    chunks, ceiling = 4_000, 2_520

    def mapped(name: str) -> FloatArray:
        # 81 MB each, all of it holes.
        return np.memmap(tmp_path / name, np.float32, "w+", shape=(chunks, 2, ceiling))

    train = EdgeSet(
        chunk_song=np.repeat(np.arange(40), chunks // 40),
        chunk_samples=np.full(chunks, ceiling),
        rows=np.arange(chunks),
        heads=mapped("heads"),
        tails=mapped("tails"),
        source={},
    )
    asked = BinarySettings(preset="seed", edge_samples=8)
    binary = _Binary(lesson_of(train, None, tmp_path / "model", asked))
    binary.batch(0)
    before_mb = anonymous_mb()
    for step in range(binary.task.batches):
        binary.batch(step)
    after_mb = anonymous_mb()
    assert before_mb is not None and after_mb is not None
    assert after_mb - before_mb < 40


@pytest.mark.parametrize("gradients", ["wedges", "keras"])
def test_seed_ends_where_it_would_have_ended_and_keras_can_be_chosen(gradients: str, tmp_path: Path) -> None:
    data = tone_edges(3, 6, 5), tone_edges(2, 6, 5, seed=9)
    asked = BinarySettings(preset="seed", epochs=2, batch_size=24, gradients=gradients)
    train_binary(lesson_of(*data, tmp_path / "whole", asked))
    with pytest.raises(TrainingStoppedError):
        train_binary(lesson_of(*data, tmp_path / "parts", asked), stop_at(2, 1))
    train_binary(lesson_of(*data, tmp_path / "parts", asked, resume=True))
    assert epochs_of(tmp_path / "parts") == epochs_of(tmp_path / "whole")
    assert load_contract(tmp_path / "whole").training["gradients"] == gradients


def test_both_gradients_teach_the_same(tmp_path: Path) -> None:
    """But for what dropout draws: losses stay close together."""
    losses = []
    for gradients in ("wedges", "keras"):
        asked = BinarySettings(preset="seed", epochs=2, gradients=gradients)
        train_binary(lesson_of(tone_edges(3, 6, 5), None, tmp_path / gradients, asked))
        losses.append([row["optimizer_loss"] for row in epochs_of(tmp_path / gradients)])
    assert np.abs(np.array(losses[0]) - np.array(losses[1])).max() < 0.05


def test_what_cannot_be_learned_from_is_refused_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no song has two chunks"):
        train_binary(lesson_of(tone_edges(1, 1, CEILING), None, tmp_path, settings()))
    with pytest.raises(ModelError, match="build the pool with longer edges"):
        train_binary(lesson_of(tone_edges(3, 8, 40), None, tmp_path, settings()))
    with pytest.raises(ModelError, match="the loss became nan"):
        broken = tone_edges(3, 8, 6)
        broken.heads[:] = np.nan
        train_binary(lesson_of(broken, None, tmp_path, BinarySettings(preset="seed")))


def test_batches_are_made_one_ahead_and_no_further() -> None:
    made: list[int] = []
    second = threading.Event()

    def make(step: int) -> int:
        made.append(step)
        if step == 4:
            second.set()
        if step == 6:
            raise ModelError("step 6 cannot be made")
        return 10 * step

    batches = made_ahead(make, range(3, 8))
    assert next(batches) == 30
    assert second.wait(timeout=PATIENCE_S)
    batches.close()
    assert made == [3, 4]
    found = []
    with pytest.raises(ModelError, match="step 6"):
        for batch in made_ahead(make, range(3, 8)):
            found.append(batch)
    assert found == [30, 40, 50]
    assert list(made_ahead(make, range(4, 6))) == [40, 50]
    assert list(made_ahead(make, range(5, 5))) == []


def test_measures_against_plain_counting() -> None:
    rng = np.random.default_rng(0)
    scores = np.round(rng.random(60), 1).astype(np.float32)
    labels = (rng.random(60) < 0.4).astype(np.float32)
    true, false = scores[labels == 1], scores[labels == 0]
    wins = sum(1.0 if a > b else 0.5 if a == b else 0.0 for a in true for b in false)
    assert area_under_curve(true, false) == pytest.approx(wins / (len(true) * len(false)))
    found = measure_scores(scores, labels)
    assert found.accuracy == pytest.approx(
        np.mean([(s > 0.5) == (y > 0.5) for s, y in zip(scores, labels, strict=True)])
    )
    likely = np.where(labels > 0.5, scores, 1 - scores).clip(1e-7, 1)
    assert found.loss == pytest.approx(-np.log(likely).mean(), rel=1e-4)
    assert found.pairs == 60
    assert area_under_curve(true, false[:0]) == 0.5
