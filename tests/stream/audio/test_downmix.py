"""The downmix sends each loudspeaker where it belongs, at its level, and never clips."""

import numpy as np
import pytest

from stream.audio.downmix import LARGEST, downmix_matrix, to_stereo

# ITU-R BS.775: L' = L + 0.7071 C + 0.7071 Ls, divided by its largest possible sum.
FIVE_ONE = 1 + 0.7071067811865476 + 0.7071067811865476


def test_mono_is_doubled_and_stereo_is_untouched() -> None:
    mono = np.array([[0.25], [-1.5]], dtype=np.float32)
    assert np.array_equal(to_stereo(mono), [[0.25, 0.25], [-1.5, -1.5]])
    stereo = np.random.default_rng(0).uniform(-2, 2, (50, 2)).astype(np.float32)
    assert np.array_equal(to_stereo(stereo), stereo)


def test_five_one_is_itu_r_bs_775() -> None:
    # FL, FR, FC, LFE, BL, BR, one at a time
    mixed = to_stereo(np.eye(6, dtype=np.float32))
    half = 0.7071067811865476
    expected = np.array([[1, 0], [0, 1], [half, half], [0, 0], [half, 0], [0, half]]) / FIVE_ONE
    assert np.allclose(mixed, expected, atol=1e-6)


@pytest.mark.parametrize("channels", range(3, 20))
def test_full_scale_never_clips(channels: int) -> None:
    noise = np.sign(np.random.default_rng(channels).standard_normal((4_000, channels))).astype(np.float32)
    mixed = to_stereo(noise)
    assert mixed.shape == (4_000, 2) and mixed.dtype == np.float32
    assert np.abs(mixed).max() <= 1.0 + 1e-6
    assert np.allclose(downmix_matrix(channels).sum(axis=0).max(), 1.0)


def test_names_decide_where_they_are_known() -> None:
    by_name = downmix_matrix(4, ["FL", "FR", "FC", "BC"])
    assert np.allclose(by_name[3], by_name[3, 0]) and by_name[3, 0] > 0
    assert np.allclose(by_name[2, 0] / by_name[0, 0], np.sqrt(0.5))
    # FFmpeg's word for a loudspeaker that the file does not name
    assert np.array_equal(downmix_matrix(6, ["NONE"] * 6), downmix_matrix(6))


def test_low_frequencies_alone_are_still_heard() -> None:
    assert downmix_matrix(3, ["LFE", "LFE", "LFE2"]).sum() > 0


def test_what_is_no_number_or_no_sample_becomes_silence() -> None:
    broken = np.array([[np.nan, 0.5], [np.inf, -np.inf]], dtype=np.float32)
    assert np.array_equal(to_stereo(broken), [[0.0, 0.5], [0.0, 0.0]])
    # A bit that flipped in an exponent: its square would be no number.
    large = np.array([[1e30, -1e30], [LARGEST, -LARGEST], [3e9, 0.5]], dtype=np.float32)
    assert np.array_equal(to_stereo(large), [[0.0, 0.0], [LARGEST, -LARGEST], [0.0, 0.5]])
    assert to_stereo(np.zeros((0, 2), dtype=np.float32)).shape == (0, 2)
    assert np.isnan(broken[0, 0]), "the input was changed"
