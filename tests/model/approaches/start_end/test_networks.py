"""The report's classifiers are its network to the letter; both presets give logarithms of probabilities."""

import numpy as np
import pytest

from model.approaches.start_end.settings import StartEndSettings
from model.base.arrays import FloatArray
from model.base.errors import ModelError
from model.base.quiet import without_noise
from model.features.spectra import SPECTRUM_BINS, SPECTRUM_FRAMES

with without_noise():
    from keras import layers

    from model.approaches.start_end.networks import StartEndNetworks, edge_networks, spectral_networks


def spectral(classes: int) -> StartEndNetworks:
    level = np.full(SPECTRUM_BINS, -50.0, dtype=np.float32)
    return spectral_networks(classes, level, np.full(SPECTRUM_BINS, 9.0, dtype=np.float32))


def seen_by(networks: StartEndNetworks, count: int, seed: int) -> FloatArray:
    shape = networks.ends.input_shape[1:]
    noise = np.random.default_rng(seed).normal(0, 1, (count, *shape)).astype(np.float32)
    return noise if shape[-1] == 1 else 20 * noise - 50


def test_the_classifiers_are_the_reports_layer_by_layer() -> None:
    networks = edge_networks(2000, 148)
    convolution, lstm, dense, flatten, told = networks.both.get_layer("ends").layers
    assert isinstance(convolution, layers.Conv1D)
    assert (convolution.filters, convolution.kernel_size) == (10, (1,))
    assert isinstance(lstm, layers.LSTM) and lstm.units == 20 and lstm.return_sequences
    assert isinstance(dense, layers.Dense) and isinstance(flatten, layers.Flatten)
    assert (dense.units, told.units) == (100, 148)
    counted = (10 + 10) + 4 * 20 * (10 + 20 + 1) + 100 * 21 + 148 * (2000 * 100 + 1)
    assert networks.ends.count_params() == networks.starts.count_params() == counted
    assert networks.both.count_params() == 2 * counted


@pytest.mark.parametrize("networks", [edge_networks(24, 7), spectral(7)], ids=["seed", "fast"])
def test_both_classifiers_give_distributions_of_the_logits_that_are_learned(
    networks: StartEndNetworks,
) -> None:
    tails, heads = seen_by(networks, 3, 0), seen_by(networks, 3, 1)
    logits = np.asarray(networks.both([tails, heads], training=False))
    assert logits.shape == (3, 2, 7)
    exponentials = np.exp(logits.astype(np.float64))
    expected = np.log(exponentials / exponentials.sum(axis=-1, keepdims=True))
    for side, (network, seen) in enumerate(((networks.ends, tails), (networks.starts, heads))):
        np.testing.assert_allclose(network(seen, training=False), expected[:, side], atol=1e-5)


def test_the_small_classifiers_read_both_sides_from_the_cut_and_are_small() -> None:
    networks = spectral(32)
    sizes = [sum(int(np.prod(w.shape)) for w in one.weights) for one in (networks.ends, networks.starts)]
    assert sizes[0] == sizes[1] <= 180_000
    # The same weights on both sides say the same of what is mirrored about the cut.
    networks.both.get_layer("starts").set_weights(networks.both.get_layer("ends").get_weights())
    tails = seen_by(networks, 2, 3)
    assert tails.shape[1:] == (SPECTRUM_FRAMES, SPECTRUM_BINS)
    np.testing.assert_allclose(
        networks.starts(tails[:, ::-1], training=False), networks.ends(tails, training=False), atol=1e-5
    )


def test_settings_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ModelError, match="only preset seed sees edges"):
        StartEndSettings(preset="fast", edge_samples=64)
    with pytest.raises(ModelError, match="at least 2"):
        StartEndSettings(preset="seed", edge_samples=1)
    with pytest.raises(ModelError, match="no preset 'best' of approach start-end"):
        StartEndSettings(preset="best")
    with pytest.raises(ModelError, match="too short"):
        edge_networks(1, 3)


def test_a_class_for_each_transition_is_the_reports_and_groups_are_the_small_ones() -> None:
    seed, fast = StartEndSettings(preset="seed"), StartEndSettings(preset="fast")
    assert (seed.chosen_classes, seed.chosen_edge_samples) == (None, 2000)
    assert fast.chosen_classes == 32
    assert seed.reference_songs.alone and not fast.reference_songs.alone
    assert StartEndSettings(preset="seed", classes=9).chosen_classes == 9
