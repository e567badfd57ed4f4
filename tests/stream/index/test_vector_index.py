"""The vector index equals NumPy, recalls what exact scores find, and refuses broken folders."""

import json
import threading
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import stream.index.vector_index
from model.base.arrays import FloatArray
from model.base.errors import ModelError, PoolError
from model.base.stored_rows import HELD_ROWS, StoredRows
from model.saved.scoring import VectorMetric
from stream.index.metrics import LEAST_LEVEL_DB, MAX_BYTES, MAX_WIDTH, METRICS, MOST_LEVEL_DB, Metric
from stream.index.top import top
from stream.index.vector_index import WORKING_BYTES, EmbeddingIndex
from tests.support.waiting import PATIENCE_S

OF_ANY_VALUES = [metric for metric in METRICS if metric != "product"]
"""What compares any values; `product` takes logarithms of probabilities (`test_product_metric`)."""


MIDDLE_DB, HALF_DB = (MOST_LEVEL_DB + LEAST_LEVEL_DB) / 2, (MOST_LEVEL_DB - LEAST_LEVEL_DB) / 2


def embeddings(count: int, width: int, seed: int = 0) -> tuple[FloatArray, FloatArray]:
    """Songs of 20 chunks: those of a song lie closer together, as predecessors and as successors."""
    rng = np.random.default_rng(seed)
    songs = rng.normal(size=(count // 20 + 1, width))[np.arange(count) // 20]
    sides = [songs + 0.7 * rng.normal(size=(count, width)) for _ in range(2)]
    before, after = ((side / np.linalg.norm(side, axis=1)[:, None]).astype(np.float32) for side in sides)
    return before, after


def exact(before: FloatArray, after: FloatArray, metric: Metric) -> FloatArray:
    if metric == "dot":
        return after @ before
    if metric == "l1":
        return -np.abs(after - before).mean(axis=1)
    return np.array([correlation(before, row) for row in after], dtype=np.float32)


def correlation(one: FloatArray, other: FloatArray) -> float:
    """The largest normalised correlation of what overlaps, by NumPy's slices and norms."""
    most = min(4, len(one) // 4)
    overlaps = [(one, other)]
    for shift in range(1, most + 1):
        overlaps += [(one[:-shift], other[shift:]), (one[shift:], other[:-shift])]
    lengths = [np.linalg.norm(left) * np.linalg.norm(right) for left, right in overlaps]
    return max(
        float(left @ right / length) if length > 0 else 0.0
        for (left, right), length in zip(overlaps, lengths, strict=True)
    )


def sides(count: int, width: int, metric: Metric, seed: int = 0) -> tuple[FloatArray, FloatArray]:
    """Embeddings, for `l1` as levels in dB."""
    before, after = embeddings(count, width, seed)
    return (HALF_DB * before + MIDDLE_DB, HALF_DB * after + MIDDLE_DB) if metric == "l1" else (before, after)


def make(count: int = 300, width: int = 24, metric: Metric = "dot", seed: int = 0) -> EmbeddingIndex:
    return EmbeddingIndex.quantised(*sides(count, width, metric, seed), metric=metric, key="test")


def restored(index: EmbeddingIndex) -> tuple[FloatArray, FloatArray]:
    """What the quantised rows stand for (without the offset of `l1`, which differences do not see)."""
    before = index.predecessors.astype(np.float32) * index.predecessor_scales[:, None]
    after = index.successors.astype(np.float32) * index.successor_scales[:, None]
    return before[:, : index.width], after[:, : index.width]


@pytest.mark.parametrize("metric", OF_ANY_VALUES)
@given(count=st.integers(1, 60), width=st.integers(1, 40), seed=st.integers(0, 99))
def test_scores_are_those_of_the_rounded_embeddings(
    metric: Metric, count: int, width: int, seed: int
) -> None:
    index = make(count, width, metric, seed)
    before, after = restored(index)
    reference = seed % count
    expected = exact(before[reference], after, metric)
    np.testing.assert_allclose(index.scores(reference), expected, rtol=1e-5, atol=1e-6)
    some = np.random.default_rng(seed).integers(0, count, 7)
    np.testing.assert_array_equal(index.scores(reference, some), index.scores(reference)[some])


@pytest.mark.parametrize("metric", OF_ANY_VALUES)
@pytest.mark.parametrize("width", [1, 15, 16, 17, MAX_WIDTH])
def test_rounding_stays_within_half_a_step(metric: Metric, width: int) -> None:
    both = sides(50, width, metric)
    index = EmbeddingIndex.quantised(*both, metric=metric, key="")
    middle = MIDDLE_DB if metric == "l1" else 0.0
    scales = (index.predecessor_scales, index.successor_scales)
    for given_side, found, scale in zip(both, restored(index), scales, strict=True):
        assert (np.abs(found + middle - given_side) <= 0.501 * scale[:, None] + 1e-5).all()


@pytest.mark.parametrize("metric", OF_ANY_VALUES)
def test_extreme_embeddings_do_not_overflow(metric: Metric) -> None:
    ones = np.ones((3, MAX_WIDTH), dtype=np.float32)
    ones[1] = -1.0
    before, after = (100 * ones + MIDDLE_DB, -100 * ones + MIDDLE_DB) if metric == "l1" else (ones, -ones)
    index = EmbeddingIndex.quantised(before, after, metric=metric, key="")
    expected = {
        "dot": [-240.0, 240.0, -240.0],
        "l1": [-2 * HALF_DB, 0.0, -2 * HALF_DB],
        "correlation": [-1.0, 1.0, -1.0],
    }
    np.testing.assert_allclose(index.scores(0), expected[metric], rtol=1e-5)


@pytest.mark.parametrize("metric", OF_ANY_VALUES)
def test_embeddings_that_are_all_equal_score_alike(metric: Metric) -> None:
    nothing = np.zeros((4, 3), dtype=np.float32)
    index = EmbeddingIndex.quantised(nothing, nothing, metric=metric, key="")
    assert index.scores(2).tolist() == [0.0] * 4


@pytest.mark.parametrize("metric", METRICS)
@given(
    count=st.integers(1, 80),
    levels=st.integers(1, 5),
    allowed=st.floats(0, 1),
    wanted=st.integers(1, 90),
    seed=st.integers(0, 99),
)
def test_the_shortlist_is_a_stable_sort_of_the_allowed_rows(
    metric: Metric, count: int, levels: int, allowed: float, wanted: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    # Few distinct rows: most scores are tied.
    distinct = rng.normal(size=(levels, 3)).astype(np.float32)
    rows = distinct[rng.integers(0, levels, count)]
    index = EmbeddingIndex.quantised(rows, rows, metric=metric, key="")
    mask = rng.random(count) < allowed
    found, scores = index.shortlist(0, mask, wanted)
    everything = index.scores(0)
    expected = np.flatnonzero(mask)
    expected = expected[np.argsort(-everything[expected], kind="stable")][:wanted]
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(scores, everything[expected])


def test_a_correlation_finds_what_is_moved_and_hears_no_level() -> None:
    wave = np.sin(np.linspace(0.0, 9.0, 24)).astype(np.float32)
    moved = np.stack([0.01 * wave, np.roll(wave, 3), -wave, np.roll(wave, 12)])
    scores = EmbeddingIndex.quantised(
        np.tile(wave, (4, 1)), moved.astype(np.float32), metric="correlation", key=""
    ).scores(0)
    np.testing.assert_allclose(scores[:2], 1.0, atol=1e-3)
    assert scores[2] < 0.9 and scores[3] < 0.9


@pytest.mark.parametrize("metric", METRICS)
def test_what_is_the_same_scores_its_length_squared(metric: Metric) -> None:
    rows = embeddings(40, 24)[1]
    index = EmbeddingIndex.quantised(rows, rows, metric=metric, key="")
    itself = np.array([index.scores(row, np.array([row]))[0] for row in range(len(index))])
    lengths, some = index.lengths(), index.lengths(np.array([7, 3]))
    if lengths is None or some is None:
        assert lengths is some and (itself == 0.0).all()
        return
    if METRICS[metric].logarithmic:
        itself = np.exp(itself)
    np.testing.assert_allclose(lengths**2, itself, rtol=1e-5)
    np.testing.assert_array_equal(some, lengths[[7, 3]])


@pytest.mark.parametrize("metric", METRICS)
def test_rows_are_taken_over(metric: Metric) -> None:
    before, after = sides(30, 24, metric)
    rows = np.array([3, 17])
    whole, part = (
        EmbeddingIndex.quantised(before[some], after[some], metric=metric, key="")
        for some in (np.arange(30), rows)
    )
    blank = EmbeddingIndex.quantised(before, after[::-1].copy(), metric=metric, key="")
    blank = blank.with_rows(rows, part)
    np.testing.assert_array_equal(blank.successors[rows], whole.successors[rows])
    np.testing.assert_array_equal(blank.successor_scales[rows], whole.successor_scales[rows])


def test_each_metric_that_a_model_may_name_has_a_kernel() -> None:
    assert set(METRICS) == {*get_args(VectorMetric), "l1"}


def test_an_empty_mask_gives_an_empty_shortlist() -> None:
    index = make()
    rows, scores = index.shortlist(0, np.zeros(len(index), dtype=np.bool_), 5)
    assert len(rows) == len(scores) == 0


@pytest.mark.parametrize("width", [64, 128])
def test_the_shortlist_holds_what_the_exact_one_holds(width: int) -> None:
    before, after = embeddings(20_000, width)
    index = EmbeddingIndex.quantised(before, after, metric="dot", key="")
    everything = np.ones(len(index), dtype=np.bool_)
    recalls = []
    for reference in range(0, 20_000, 500):
        truth = top(exact(before[reference], after, "dot"), everything, 100)
        rows, _ = index.shortlist(reference, everything, 100)
        recalls.append(len(np.intersect1d(truth, rows)) / 100)
        # The best of all is never lost, and neither are the best ten.
        assert set(truth[:10]) <= set(rows)
    assert np.mean(recalls) > 0.98


@pytest.mark.parametrize(("most", "held"), [(HELD_ROWS, True), (0, True), (0, False)])
def test_an_index_that_was_written_gives_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int, held: bool
) -> None:
    monkeypatch.setattr(stream.index.vector_index, "HELD_ROWS", most)
    some = np.array([7, 499, 0])
    for metric in METRICS:
        index = make(500, 20, metric)
        index.write(tmp_path / "pool" / metric)
        kept = EmbeddingIndex.open(tmp_path / "pool" / metric, chunks=500, key="test", held=held)
        assert (kept.metric, kept.width, kept.bytes) == (metric, 20, index.bytes)
        assert isinstance(kept.predecessors, StoredRows) == (most == 0)
        assert isinstance(kept.successors, StoredRows) == (not held)
        for reference in (0, 499):
            np.testing.assert_array_equal(kept.scores(reference), index.scores(reference))
            np.testing.assert_array_equal(kept.scores(reference, some), index.scores(reference, some))
            scores, lengths = kept.compared(reference, some)
            np.testing.assert_array_equal(scores, index.scores(reference, some))
            np.testing.assert_equal(lengths, index.lengths(some))
        # A scale that all rows share is kept once.
        shared = most == 0 and METRICS[metric].grid is not None
        assert (kept.predecessor_scales.strides == (0,)) == shared
        if held:
            with pytest.raises(ValueError, match="read-only"):
                kept.successors[0] = 1


def test_writing_again_replaces_and_leaves_an_open_index_alone(tmp_path: Path) -> None:
    folder = tmp_path / "embeddings"
    make(40, seed=1).write(folder)
    opened = EmbeddingIndex.open(folder, chunks=40, key="test")
    before = opened.scores(3)
    make(50, seed=2).write(folder)
    np.testing.assert_array_equal(opened.scores(3), before)
    again = EmbeddingIndex.open(folder, chunks=50, key="test")
    np.testing.assert_array_equal(again.scores(3), make(50, seed=2).scores(3))
    assert [path.name for path in tmp_path.iterdir()] == ["embeddings"]


def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(PoolError, match="cannot be written"):
        make().write(tmp_path / "file" / "embeddings")


def truncate(folder: Path) -> None:
    path = folder / "successors.bin"
    path.write_bytes(path.read_bytes()[:-100])


def scales_of_nan(folder: Path) -> None:
    np.full(300, np.nan, dtype=np.float32).tofile(folder / "successor_scales.bin")


def change(**fields: object) -> "object":
    def apply(folder: Path) -> None:
        path = folder / "index.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | fields))

    return apply


@pytest.mark.parametrize(
    "damage",
    [
        truncate,
        scales_of_nan,
        change(width=40),
        change(width="24"),
        change(metric="cosine"),
        change(format_version=3),
        change(key="another model"),
        change(chunks=301),
        change(chunks="300"),
        change(chunks=-1),
        change(stored=299),
        change(stored=301),
        change(arrays=[]),
        change(arrays={"successors": ["|i1", [32]]}),
        change(arrays={name: ["|O", [32]] for name in ("predecessors", "successors")}),
        change(arrays={"predecessors": ["|i1", [-32]]}),
        lambda folder: (folder / "successors.bin").write_bytes(b""),
        lambda folder: (folder / "predecessors.bin").unlink(),
        lambda folder: (folder / "rows.npy").write_bytes(b"no array at all"),
        lambda folder: np.save(folder / "rows.npy", np.full(300, 300, dtype=np.int32)),
        lambda folder: np.save(folder / "rows.npy", np.full(300, -1, dtype=np.int32)),
        lambda folder: np.save(folder / "rows.npy", np.arange(299, dtype=np.int32)),
        lambda folder: np.save(folder / "rows.npy", np.zeros(300, dtype=np.float32)),
        lambda folder: (folder / "index.json").write_text("{"),
        lambda folder: (folder / "index.json").write_text("[]"),
        lambda folder: (folder / "index.json").write_bytes(b"\xff\xfe"),
        lambda folder: (folder / "index.json").unlink(),
    ],
)
def test_a_broken_or_foreign_folder_is_refused(damage: "object", tmp_path: Path) -> None:
    folder = tmp_path / "embeddings"
    make().write(folder)
    EmbeddingIndex.open(folder, chunks=300, key="test")
    assert callable(damage)
    damage(folder)
    with pytest.raises(PoolError, match=r"embeddings.*delete .* made again") as caught:
        EmbeddingIndex.open(folder, chunks=300, key="test")
    assert "\n" not in str(caught.value)


def test_one_scale_for_metric_l1(tmp_path: Path) -> None:
    folder = tmp_path / "embeddings"
    make(metric="l1").write(folder)
    np.arange(300, dtype=np.float32).tofile(folder / "successor_scales.bin")
    with pytest.raises(PoolError, match="one scale"):
        EmbeddingIndex.open(folder, chunks=300, key="test")


def test_embeddings_that_cannot_be_kept_are_refused() -> None:
    sides = embeddings(10, 8)
    for wrong in (np.nan, np.inf):
        sides[1][7, 3] = wrong
        with pytest.raises(ModelError, match="chunk 7 is not a number"):
            EmbeddingIndex.quantised(*sides, metric="dot", key="")
    with pytest.raises(ModelError, match=f"at most {MAX_WIDTH}"):
        EmbeddingIndex.quantised(*embeddings(10, MAX_WIDTH + 1), metric="dot", key="")
    with pytest.raises(ValueError, match="cosine"):
        EmbeddingIndex.quantised(*embeddings(10, 8), metric="cosine", key="")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="must be"):
        EmbeddingIndex.quantised(sides[0], sides[1][:5], metric="dot", key="")


def test_rows_out_of_range_are_refused() -> None:
    index = make()
    for reference in (-1, 300):
        with pytest.raises(IndexError, match="not one of the 300"):
            index.scores(reference)
    for candidates in ([-1], [3, 300]):
        with pytest.raises(IndexError, match="not all among"):
            index.scores(0, np.array(candidates))
    assert len(index.scores(0, np.array([], dtype=np.int64))) == 0
    with pytest.raises(ValueError, match="must be of one length"):
        index.shortlist(0, np.ones(299, dtype=np.bool_), 3)
    with pytest.raises(ValueError, match="at least 1"):
        index.shortlist(0, np.ones(300, dtype=np.bool_), 0)


def test_memory_is_bounded_by_the_number_of_chunks() -> None:
    count = 20_000
    for width, stored in ((MAX_WIDTH, MAX_BYTES - 12), (12, 20)):
        index = make(count, width)
        assert index.bytes == 2 * stored * count <= 2 * MAX_BYTES * count
    mask = np.ones(count, dtype=np.bool_)
    index.shortlist(0, mask, 100)
    for wanted in (8, count - 1):
        tracemalloc.start()
        index.shortlist(1, mask, wanted)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak <= WORKING_BYTES * count


def test_threads_share_an_index() -> None:
    index = make(5_000, 32)
    masks = np.random.default_rng(0).random((8, len(index))) < 0.5
    alone = [index.shortlist(number, masks[number], 50)[0] for number in range(8)]
    together = threading.Barrier(8)

    def ask(number: int) -> bool:
        together.wait(timeout=PATIENCE_S)
        return all(
            np.array_equal(index.shortlist(number, masks[number], 50)[0], alone[number]) for _ in range(20)
        )

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(ask, range(8)))
