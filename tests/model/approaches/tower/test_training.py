"""Towers learn, stop, go on, and become a model that the contract accepts."""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pytest

from model.approaches.tower.export import WEIGHTS_FILE, load_weights
from model.approaches.tower.networks import TowerNetworks, build_towers
from model.approaches.tower.settings import TOWER_PRESETS, TowerPreset, TowerSettings
from model.approaches.tower.training import (
    TowerReport,
    train_towers,
)
from model.base.arrays import FloatArray
from model.base.errors import ModelError
from model.base.graph_runtime import onnxruntime
from model.features.spectra import SPECTRUM_BINS, SPECTRUM_FRAMES, SPECTRUM_RATE_HZ
from model.learning.checkpoint import CHECKPOINT_FILE
from model.learning.lesson import TrainProgress
from model.learning.loop import TrainingStoppedError
from model.learning.measures import KEPT_BACK, TRAINING_SONGS, UNSEEN
from model.learning.song_set import SongSet, song_grid
from model.learning.successors import SuccessorRanks
from model.saved.contract_file import load_contract
from tests.support.models import lesson_of


def melody(seconds: float, seed: int) -> FloatArray:
    """Return a song whose pitch and level wander, so that neighbours are alike and distant parts are not."""
    rng = np.random.default_rng(seed)
    steps = int(seconds * 4)
    pitch = 220 * 2 ** (np.cumsum(rng.normal(0, 0.6, steps)) / 12)
    samples = SPECTRUM_RATE_HZ // 4
    phase = 2 * np.pi * np.cumsum(np.repeat(pitch, samples)) / SPECTRUM_RATE_HZ
    mono = 0.3 * np.sin(phase) + 0.1 * np.sin(3 * phase) + rng.normal(0, 0.001, len(phase))
    return np.stack([mono, mono], axis=1).astype(np.float32)


def song_set(seeds: range) -> SongSet:
    grids = [song_grid(melody(40, seed), SPECTRUM_RATE_HZ) for seed in seeds]
    return SongSet(
        grids=grids, source={"coded_audio_hashes": [str(seed) for seed in seeds], "digest": str(seeds)}
    )


@pytest.fixture(scope="module")
def train() -> SongSet:
    return song_set(range(3))


@pytest.fixture(scope="module")
def unseen() -> SongSet:
    return song_set(range(10, 12))


@pytest.fixture(scope="module")
def towers() -> TowerNetworks:
    return build_towers()


@pytest.fixture(scope="module", autouse=True)
def tiny() -> Iterator[None]:
    preset = TowerPreset(epochs=2, steps_per_epoch=3, songs=2, seams_per_song=6)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(TOWER_PRESETS, "fast", preset)
        yield


@dataclass(frozen=True)
class Trained:
    folder: Path
    report: TowerReport
    steps: list[int]


SETTINGS = TowerSettings(evaluate_every=2)


@pytest.fixture(scope="module")
def trained(tiny: None, train: SongSet, unseen: SongSet, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = tmp_path_factory.mktemp("trained")
    seen: list[TrainProgress[SuccessorRanks]] = []
    report = train_towers(lesson_of(train, unseen, folder, SETTINGS), seen.append)
    return Trained(folder, report, [state.step for state in seen if state.validations is None])


def spectra(count: int, seed: int = 0) -> FloatArray:
    shape = (count, SPECTRUM_FRAMES, SPECTRUM_BINS)
    return np.random.default_rng(seed).uniform(-90, -5, shape).astype(np.float32)


def stopping(after: int) -> Callable[[TrainProgress[SuccessorRanks]], None]:
    def stop(state: TrainProgress[SuccessorRanks]) -> None:
        if state.step == after:
            raise KeyboardInterrupt

    return stop


def test_towers_are_small_and_agree_with_their_product(towers: TowerNetworks) -> None:
    tails, heads = spectra(3), spectra(4, 1)
    ends = np.asarray(towers.ends.predict_on_batch(tails))
    starts = np.asarray(towers.starts.predict_on_batch(heads))
    assert ends.shape == (3, 128)
    assert starts.shape == (4, 128)
    both = np.asarray(towers.both([tails, heads], training=False))
    np.testing.assert_allclose(both, ends @ starts.T, atol=1e-3)
    assert sum(int(np.prod(w.shape)) for w in towers.both.trainable_weights) <= 1_000_000


def test_a_training_gives_a_model_that_says_what_keras_says(trained: Trained) -> None:
    folder, report = trained.folder, trained.report
    json.dumps(asdict(report))
    # The first epoch is not measured: its last batch and its end are told apart.
    assert trained.steps == [1, 2, 3, 3, 4, 5, 6]
    assert set(report.ranks) == {TRAINING_SONGS, UNSEEN}
    assert report.calibrated_on == UNSEEN
    assert report.export_difference <= 1e-5
    assert load_contract(folder).approach == "tower"
    assert {path.name for path in folder.iterdir()} == {
        "second_stage.json",
        "curves.png",
        "ends.onnx",
        "history.json",
        "model.json",
        "starts.onnx",
        WEIGHTS_FILE,
    }
    kept = build_towers()
    load_weights(kept, folder / WEIGHTS_FILE)
    tails = spectra(5, 7)
    for role, tower in (("ends", kept.ends), ("starts", kept.starts)):
        session = onnxruntime.InferenceSession(folder / f"{role}.onnx", providers=["CPUExecutionProvider"])
        found = session.run(["embedding"], {"spectrum": tails})[0]
        # The kept weights are rounded to half precision.
        np.testing.assert_allclose(found, np.asarray(tower.predict_on_batch(tails)), atol=0.05)
        assert session.run(["embedding"], {"spectrum": tails[:1]})[0].shape == (1, 128)


def test_an_interrupted_training_goes_on_to_the_same_end(
    trained: Trained, train: SongSet, unseen: SongSet, tmp_path: Path
) -> None:
    with pytest.raises(TrainingStoppedError, match="--resume"):
        train_towers(lesson_of(train, unseen, tmp_path, SETTINGS), stopping(4))
    assert (tmp_path / CHECKPOINT_FILE).is_file()
    with pytest.raises(ModelError, match="add --resume"):
        train_towers(lesson_of(train, unseen, tmp_path, SETTINGS))
    with pytest.raises(ModelError, match="other settings"):
        train_towers(lesson_of(train, unseen, tmp_path, TowerSettings(seed=5), resume=True))
    report = train_towers(lesson_of(train, unseen, tmp_path, SETTINGS, resume=True))
    assert report.notes == ("resumed after 1 epochs",)
    whole, parted = (np.load(folder / WEIGHTS_FILE) for folder in (trained.folder, tmp_path))
    for name in whole.files:
        np.testing.assert_allclose(whole[name], parted[name], atol=2e-3, err_msg=name)
    with pytest.raises(ModelError, match="is finished"):
        train_towers(lesson_of(train, unseen, tmp_path, SETTINGS, resume=True))


def test_training_goes_on_from_learned_weights(trained: Trained, train: SongSet, tmp_path: Path) -> None:
    settings = TowerSettings(validation_share=0, pretrained=True, epochs=1, learning_rate=1e-9)
    report = train_towers(
        lesson_of(
            train,
            train,
            tmp_path,
            settings,
            start=trained.folder,
            unseen_name=KEPT_BACK,
        )
    )
    assert set(report.ranks) == {TRAINING_SONGS, KEPT_BACK}
    assert report.calibrated_on == KEPT_BACK
    before, after = (np.load(folder / WEIGHTS_FILE) for folder in (trained.folder, tmp_path))
    for name in before.files:
        np.testing.assert_allclose(before[name], after[name], atol=1e-3)


def test_weights_that_do_not_fit_are_refused(towers: TowerNetworks, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="is missing"):
        load_weights(towers, tmp_path / "nothing.npz")
    broken, other = tmp_path / "broken.npz", tmp_path / "other.npz"
    broken.write_bytes(b"nothing")
    np.savez(other, w000=np.zeros(3))
    with pytest.raises(ModelError, match="cannot be read"):
        load_weights(towers, broken)
    with pytest.raises(ModelError, match="another shape"):
        load_weights(towers, other)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"preset": "seed"}, "no preset 'seed' of approach tower"),
        ({"epochs": 0}, "epochs is 0"),
        ({"learning_rate": 0.0}, "teaches nothing"),
        ({"validation_share": 1.0}, "validation_share is 1"),
        ({"seed": -1}, "the seed is -1"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(settings: dict[str, object], said: str) -> None:
    with pytest.raises(ModelError, match=said):
        TowerSettings(**settings)  # type: ignore[arg-type]
