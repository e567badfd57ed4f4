"""Pairs show the right rows with each other, and batches hold them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.approaches.binary.data import choose_edge_samples
from model.approaches.binary.settings import BinarySettings
from model.base.arrays import IntArray
from model.base.errors import ModelError
from model.learning import edge_set as edgeset
from model.learning.edge_set import EdgeSet, plain_batch, varied_batch
from model.learning.pairs import (
    Pairs,
    binary_pairs,
    contrast_pairs,
    draw_any,
    draw_other_song,
    draw_same_song,
    rows_with_choice,
    song_bounds,
    split_songs,
)
from tests.support.edges import tone_edges


def songs_of(*chunks: int) -> IntArray:
    return np.repeat(np.arange(len(chunks)), chunks)


def couples(pairs: Pairs, label: float) -> list[tuple[int, int]]:
    chosen = pairs.labels == label
    return sorted(zip(pairs.predecessors[chosen].tolist(), pairs.candidates[chosen].tolist(), strict=True))


def test_true_pairs_of_the_report_are_the_next_two_chunks_within_a_song() -> None:
    pairs = binary_pairs(songs_of(4, 1, 3), np.random.default_rng(0))
    assert couples(pairs, 1.0) == [(0, 1), (0, 2), (1, 2), (1, 3), (2, 3), (5, 6), (5, 7), (6, 7)]


def test_false_pairs_of_the_report_are_two_for_each_chunk_drawn_from_all_but_the_true_ones() -> None:
    songs = songs_of(4, 3)
    drawn: dict[int, set[int]] = {row: set() for row in range(7)}
    for seed in range(200):
        false = couples(binary_pairs(songs, np.random.default_rng(seed)), 0.0)
        assert [row for row, _ in false] == sorted([*range(7), *range(7)])
        for row, candidate in false:
            drawn[row].add(candidate)
    true = {(0, 1), (0, 2), (1, 2), (1, 3), (2, 3), (4, 5), (4, 6), (5, 6)}
    for row, candidates in drawn.items():
        assert candidates == {other for other in range(7) if (row, other) not in true}


def test_too_few_chunks_are_refused_in_a_sentence() -> None:
    with pytest.raises(ModelError, match="at least 4 chunks, the songs have 3"):
        binary_pairs(songs_of(3), np.random.default_rng(0))
    with pytest.raises(ModelError, match="no song has two chunks"):
        contrast_pairs(songs_of(1, 1, 1), np.random.default_rng(0))
    with pytest.raises(ModelError, match="too little to draw false pairs from"):
        contrast_pairs(songs_of(3), np.random.default_rng(0))


@given(st.lists(st.integers(1, 9), min_size=2, max_size=6), st.integers(0, 2**32 - 1))
def test_contrast_pairs_hold_as_many_false_as_true_ones_and_none_too_near(
    lengths: list[int], seed: int
) -> None:
    songs = songs_of(*lengths)
    if max(lengths) == 1:
        return
    pairs = contrast_pairs(songs, np.random.default_rng(seed), repeats=2)
    true = couples(pairs, 1.0)
    expected = [(row, row + 1) for row in range(len(songs) - 1) if songs[row] == songs[row + 1]]
    assert true == sorted(expected * 2)
    false = couples(pairs, 0.0)
    assert [row for row, _ in false] == [row for row, _ in true]
    assert all(songs[row] != songs[other] or other - row not in (0, 1, 2) for row, other in false)


def test_the_share_of_false_pairs_within_the_song_is_kept() -> None:
    songs = songs_of(*[50] * 10)
    pairs = contrast_pairs(songs, np.random.default_rng(0), repeats=4, same_song_share=0.25)
    false = pairs.labels == 0
    same = songs[pairs.predecessors[false]] == songs[pairs.candidates[false]]
    assert abs(same.mean() - 0.25) < 0.03


def test_one_song_gives_false_pairs_from_itself() -> None:
    pairs = contrast_pairs(songs_of(6), np.random.default_rng(0))
    assert all(other - row not in (0, 1, 2) for row, other in couples(pairs, 0.0))


def test_draws_reach_every_allowed_row_and_no_other() -> None:
    songs = songs_of(5, 2, 6)
    start, stop = song_bounds(songs)
    rng = np.random.default_rng(1)
    for row in rows_with_choice(songs).tolist():
        many = np.full(2000, row)
        near = {row, row + 1, row + 2} & set(range(start[row], stop[row]))
        same = set(range(start[row], stop[row])) - near
        assert set(draw_same_song(many, start, stop, rng).tolist()) == same
        assert set(draw_any(many, start, stop, rng).tolist()) == set(range(13)) - near
        other = set(range(13)) - set(range(start[row], stop[row]))
        assert set(draw_other_song(many, start, stop, rng).tolist()) == other


def test_rows_with_choice_leave_out_short_songs_and_last_chunks() -> None:
    assert rows_with_choice(songs_of(3, 4, 1)).tolist() == [1, 3, 4, 5]


def test_songs_are_kept_back_whole() -> None:
    songs = songs_of(3, 5, 2, 7, 4)
    for seed in range(20):
        unseen = split_songs(songs, 0.4, np.random.default_rng(seed))
        assert len(set(songs[unseen]) & set(songs[~unseen])) == 0
        assert len(set(songs[unseen])) == 2
    assert not split_songs(songs, 0.0, np.random.default_rng(0)).any()
    assert len(set(songs[split_songs(songs, 0.99, np.random.default_rng(0))])) == 4


def test_a_plain_batch_is_the_tail_then_the_head() -> None:
    edges = tone_edges(2, 3, 100)
    pairs = Pairs(
        predecessors=np.array([4, 0]), candidates=np.array([1, 1]), labels=np.array([0, 1], np.float32)
    )
    for channel in (0, 1):
        batch = plain_batch(edges, pairs, 40, channel)
        assert batch.shape == (2, 80, 1)
        assert batch.dtype == np.float32
        for row, (before, after) in enumerate(((4, 1), (0, 1))):
            np.testing.assert_array_equal(batch[row, :40, 0], edges.tails[before, channel, 60:])
            np.testing.assert_array_equal(batch[row, 40:, 0], edges.heads[after, channel, :40])


def position_edges(chunks: int, chunk_samples: int, ceiling_samples: int) -> EdgeSet:
    """One song whose samples say where in the song they stand, counted from 1."""
    starts = chunk_samples * np.arange(chunks)[:, None] + 1
    within = np.arange(ceiling_samples)
    heads = starts + within
    tails = starts + chunk_samples - ceiling_samples + within
    return EdgeSet(
        chunk_song=np.zeros(chunks, np.int64),
        chunk_samples=np.full(chunks, chunk_samples),
        rows=np.arange(chunks),
        heads=np.repeat(heads[:, None], 2, axis=1).astype(np.float32),
        tails=np.repeat(tails[:, None], 2, axis=1).astype(np.float32),
        source={},
    )


def test_varied_pairs_stay_in_their_chunks_and_skip_at_most_the_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edgeset, "GAIN_DB", 0.0)
    length, ceiling, edge = 600, 300, 100
    edges = position_edges(6, length, ceiling)
    count = 600
    rng = np.random.default_rng(0)
    rows = rng.integers(0, 4, count)
    labels = (rng.random(count) < 0.5).astype(np.float32)
    pairs = Pairs(predecessors=rows, candidates=np.where(labels > 0, rows + 1, (rows + 3) % 6), labels=labels)
    played = np.abs(varied_batch(edges, pairs, edge, rng)[:, :, 0])
    tails, heads = played[:, :edge], played[:, edge:]
    speed = (tails[:, -1] - tails[:, 0]) / (edge - 1)
    np.testing.assert_allclose((heads[:, -1] - heads[:, 0]) / (edge - 1), speed, atol=1e-2)
    fastest = 2.0**edgeset.SPEED_OCTAVES
    assert speed.min() > 0.99 / fastest
    assert speed.max() < 1.01 * fastest
    assert len(np.unique(np.round(speed, 3))) > 100
    true = labels > 0
    gap = heads[true, 0] - tails[true, -1] - speed[true]
    most = 2 * edgeset.AUGMENTED_GAP_S * 1260
    assert gap.min() > -0.1
    assert 0.5 * most < gap.max() < most + 0.1
    # A false pair's sides never leave the two chunks that it is about.
    before, after = pairs.predecessors[~true], pairs.candidates[~true]
    assert np.all(tails[~true, 0] >= (before + 1) * length - ceiling)
    assert np.all(tails[~true, -1] <= (before + 1) * length + 0.1)
    assert np.all(heads[~true, 0] >= after * length + 0.9)
    assert np.all(heads[~true, -1] <= after * length + ceiling + 0.1)


def test_varied_pairs_without_room_are_the_plain_ones_but_for_level_and_sign(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(edgeset, "SPEED_OCTAVES", 0.0)
    edges = position_edges(6, 100, 100)
    pairs = contrast_pairs(edges.chunk_song, np.random.default_rng(0))
    varied = varied_batch(edges, pairs, 100, np.random.default_rng(1))
    plain = plain_batch(edges, pairs, 100)
    ratio = varied / plain
    for side in (slice(0, 100), slice(100, 200)):
        np.testing.assert_allclose(ratio[:, side], ratio[:, side][:, :1].repeat(100, 1), rtol=1e-4)
    strongest = 10 ** (edgeset.GAIN_DB / 20)
    assert np.abs(ratio).max() <= strongest * 1.001
    assert np.abs(ratio).min() >= 0.999 / strongest


def test_the_edge_of_preset_seed_is_the_shortest_chunk_up_to_what_the_pool_keeps() -> None:
    edges = position_edges(5, 600, 300)
    edges.chunk_samples[2] = 220
    settings = BinarySettings(preset="seed")
    assert choose_edge_samples(edges, settings)[0] == 220
    edges.chunk_samples[2] = 400
    samples, note = choose_edge_samples(edges, settings)
    assert samples == 300
    assert note is not None
    assert "longest that the pool keeps" in note
    assert choose_edge_samples(edges, BinarySettings(preset="seed", edge_samples=50)) == (50, None)


def test_an_edge_longer_than_the_pool_keeps_is_refused() -> None:
    with pytest.raises(ModelError, match="build the pool with longer edges"):
        choose_edge_samples(position_edges(5, 600, 300), BinarySettings(preset="fast"))


@pytest.mark.parametrize(
    "wrong",
    [
        {"preset": "best"},
        {"optimizer": "adagrad"},
        {"epochs": 0},
        {"batch_size": 0},
        {"evaluate_every": 0},
        {"edge_samples": 1},
        {"learning_rate": 0.0},
        {"learning_rate": float("nan")},
        {"validation_share": 1.0},
        {"seed": -1},
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ModelError):
        BinarySettings(**wrong)  # type: ignore[arg-type]


def test_presets_say_what_the_report_says() -> None:
    seed = BinarySettings(preset="seed")
    assert (seed.chosen_epochs, seed.chosen_batch_size, seed.chosen_optimizer) == (600, 64, "rmsprop")
    assert seed.chosen_learning_rate is None
    assert BinarySettings(preset="seed", optimizer="sgd").chosen_learning_rate == 0.01
    assert BinarySettings(preset="fast", optimizer="rmsprop").chosen_learning_rate is None
