"""Seam distances foretell what repeats itself, and their sums equal NumPy's."""

import itertools
from collections.abc import Sequence

import numpy as np
import pytest

from model.base.arrays import FloatArray
from model.features.seam import (
    BEST_LAG,
    ECHO_BANDS,
    ECHO_FRAMES,
    NO_LAG_DB,
    SEAM_GROUPS,
    SEAM_STEPS_PER_DB,
    SEAM_VALUES,
    WINDOW_FRAMES,
    SeamSides,
    seam_sides,
    seam_terms,
)
from model.features.spectra import SPECTRUM_BINS, SPECTRUM_FRAMES, SPECTRUM_HOP_S


def _loop(period: int, frames: int) -> FloatArray:
    """Random spectra that come round every `period` frames."""
    rng = np.random.default_rng(period)
    once = rng.uniform(-60.0, -10.0, (period, SPECTRUM_BINS)).astype(np.float32)
    return np.tile(once, (-(-frames // period), 1))[:frames]


def _chunk(song: FloatArray, start: int, end: int) -> FloatArray:
    """Head and tail of the chunk of frames `start` to `end`, as `model.features.spectra` frames them."""
    sides = np.full((2, SPECTRUM_FRAMES, SPECTRUM_BINS), -100.0, np.float32)
    count = min(SPECTRUM_FRAMES, end - start)
    # A frame's window is two long, and moved inside the chunk where it would leave it.
    sides[0, :count] = song[np.minimum(start + np.arange(count), end - WINDOW_FRAMES)]
    sides[1, SPECTRUM_FRAMES - count :] = song[
        np.maximum(end - WINDOW_FRAMES - np.arange(count)[::-1], start)
    ]
    return sides


def _sides(song: FloatArray, cuts: Sequence[int], *, apart: int = 0) -> SeamSides:
    """Of the chunks from cut to cut, `apart` frames missing between one and the next."""
    spans = [(cut, following - apart) for cut, following in itertools.pairwise(cuts)]
    spectra = np.stack([_chunk(song, start, end) for start, end in spans])
    return seam_sides(spectra, np.array(spans) * SPECTRUM_HOP_S, apart_s=apart * SPECTRUM_HOP_S)


def _joined(*sides: SeamSides) -> SeamSides:
    return SeamSides(
        ends=np.concatenate([one.ends for one in sides]), starts=np.concatenate([one.starts for one in sides])
    )


def _echoes(sides: SeamSides, end: int) -> FloatArray:
    return sides.distances_db(end)[:, :4]


@pytest.mark.parametrize("apart", [0, 4, 9])
@pytest.mark.parametrize("period", [12, 29])
def test_an_echo_is_what_follows_and_what_came_before(period: int, apart: int) -> None:
    song = _loop(period, 900)
    following = 100 + SPECTRUM_FRAMES + apart
    starts = [100, following, following + period // 3]
    sides = [_sides(song, [start, start + SPECTRUM_FRAMES + apart], apart=apart) for start in starts]
    echoes = _echoes(_joined(*sides), 0)
    # All lags that come round agree in every frame: exact but for steps.
    assert echoes[1].max() <= 1 / SEAM_STEPS_PER_DB
    assert echoes[2].min() > 1.0


@pytest.mark.parametrize("apart", [0, 4])
@pytest.mark.parametrize("cuts", [range(0, 1600, 100), (0, 130, 330, 360, 570, 700, 830, 1000, 1200, 1500)])
def test_a_song_tells_what_repeats_itself_over_more_than_a_chunk(cuts: Sequence[int], apart: int) -> None:
    song = _loop(400, 1600)
    sides = _sides(song, list(cuts), apart=apart)
    alone = _joined(*(_sides(song, pair, apart=apart) for pair in itertools.pairwise(cuts)))
    # Far enough from both ends of the song that a round has been heard, and will be.
    end = next(row for row, cut in enumerate(cuts) if cut > 600) - 1
    # The last frame of a side is moved inside its chunk, and what is missing between chunks is not known.
    assert _echoes(sides, end)[end + 1].max() <= 2.0
    assert _echoes(alone, end)[end + 1].min() > 5.0
    elsewhere = (np.array(cuts[:-1]) - cuts[end + 1]) % 400 != 0
    assert _echoes(sides, end)[elsewhere].max(axis=1).min() > 5.0


def test_what_lies_across_a_cut_is_never_read() -> None:
    song, other = _loop(90, 1200), _loop(70, 1200)
    cuts = list(range(0, 1200, 100))
    # The same up to the middle, and the same from there on: one cut of two songs.
    ends = _sides(song, cuts).ends[5], _sides(np.concatenate([song[:600], other[600:]]), cuts).ends[5]
    starts = _sides(song, cuts).starts[6], _sides(np.concatenate([other[:600], song[600:]]), cuts).starts[6]
    np.testing.assert_array_equal(*ends)
    np.testing.assert_array_equal(*starts)


def test_a_song_played_backwards_has_its_ends_for_starts() -> None:
    song = _loop(83, 1000)
    cuts = np.array([0, 130, 250, 420, 505, 700, 860, 1000])
    forwards = _sides(song, cuts.tolist())
    # The frame of a window that begins at `i` is, backwards, that of the one that begins at `998 - i`.
    turned = np.concatenate([song[: 1001 - WINDOW_FRAMES][::-1], song[:1]])
    backwards = _sides(turned, (1000 - cuts[::-1]).tolist())
    half = ECHO_FRAMES * ECHO_BANDS
    np.testing.assert_array_equal(forwards.ends[::-1, :half], backwards.starts[:, half : 2 * half])
    np.testing.assert_array_equal(forwards.ends[::-1, half : 2 * half], backwards.starts[:, :half])
    np.testing.assert_array_equal(forwards.ends[::-1, BEST_LAG], backwards.starts[:, BEST_LAG])


def test_what_is_not_known_is_no_part_of_an_echo() -> None:
    song = _loop(40, 1000)
    # Chunks of more than two sides: their middles are not kept, and stand for nothing.
    sides = _sides(song, [0, 300, 600, 900])
    assert _echoes(sides, 1)[2].max() <= 1 / SEAM_STEPS_PER_DB
    # Nor does a short chunk have all frames of a side; what it lacks is not taken for silence.
    brief = _joined(*(_sides(song, [start, start + 60]) for start in (0, 60)))
    assert _echoes(brief, 0)[1].max() <= 1 / SEAM_STEPS_PER_DB


def test_a_side_knows_how_well_it_finds_itself_again() -> None:
    cuts = list(range(0, 1600, 100))
    best_db = [
        sides[:, BEST_LAG] / SEAM_STEPS_PER_DB
        for song in (_loop(400, 1600), _loop(1600, 1600))
        for sides in (_sides(song, cuts).ends, _sides(song, cuts).starts[::-1])
    ]
    for round_heard, never in zip(best_db[:2], best_db[2:], strict=True):
        # Once a round has been heard and the rest of what a lag is judged by; nothing is found before.
        assert round_heard[5:].max() <= 1.0
        assert round_heard[:3].min() > 5.0
        assert never.min() > 5.0
    brief = _sides(_loop(40, 200), [0, 4])
    assert brief.ends[0, BEST_LAG] == brief.starts[0, BEST_LAG] == NO_LAG_DB * SEAM_STEPS_PER_DB


def test_distances_are_mean_differences_of_each_group() -> None:
    rng = np.random.default_rng(1)
    spectra = rng.uniform(-90.0, 0.0, (5, 2, SPECTRUM_FRAMES, SPECTRUM_BINS)).astype(np.float16)
    edges_s = np.arange(6) * 3.0
    sides = seam_sides(spectra, np.stack([edges_s[:-1], edges_s[1:]], axis=1))
    assert sides.ends.shape == sides.starts.shape == (5, SEAM_VALUES)
    bounds = np.cumsum([0, *SEAM_GROUPS.values()])
    assert bounds[-1] == BEST_LAG
    for row in range(5):
        apart = np.abs(sides.ends[row].astype(np.float64) - sides.starts) / SEAM_STEPS_PER_DB
        expected = [apart[:, one:two].mean(axis=1) for one, two in itertools.pairwise(bounds)]
        np.testing.assert_allclose(sides.distances_db(row), np.stack(expected, axis=1), rtol=1e-6)
    chosen = np.array([3, 1])
    np.testing.assert_array_equal(sides.distances_db(2, chosen), sides.distances_db(2)[chosen])
    np.testing.assert_array_equal(sides.take(chosen).distances_db(1)[0], sides.distances_db(1, chosen)[0])
    for outside in (-1, 5):
        with pytest.raises(IndexError, match="among the 5 chunks"):
            sides.distances_db(2, np.array([0, outside]))
    with pytest.raises(ValueError, match="for 5 chunks"):
        seam_sides(spectra, np.zeros((4, 2)))


def test_an_end_holds_its_own_frames_from_the_cut_inwards() -> None:
    song = _loop(40, 200)
    sides = _sides(song, [0, SPECTRUM_FRAMES])
    there = song[SPECTRUM_FRAMES - 1 - ECHO_FRAMES : SPECTRUM_FRAMES - 1, : 2 * ECHO_BANDS][::-1]
    coarse = there.reshape(ECHO_FRAMES, ECHO_BANDS, 2).mean(axis=2).ravel()
    first = ECHO_FRAMES * ECHO_BANDS
    np.testing.assert_allclose(
        sides.ends[0, first : 2 * first] / SEAM_STEPS_PER_DB, coarse, atol=0.5 / SEAM_STEPS_PER_DB + 1e-4
    )


def test_silence_has_finite_terms() -> None:
    spans_s = np.array([[0.0, 3.0], [3.0, 3.01]])
    sides = seam_sides(np.full((2, 2, SPECTRUM_FRAMES, SPECTRUM_BINS), -100.0, np.float16), spans_s)
    terms = seam_terms(sides.distances_db(0))
    assert terms.shape == (2, 3 * len(SEAM_GROUPS))
    assert np.isfinite(terms).all()
    # A smaller distance is a larger term, in every form.
    low, high = seam_terms(np.array([[0.5], [2.0]], np.float32))
    assert (low > high).all()
