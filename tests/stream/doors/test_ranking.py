"""The ranking finds the best doors of each exit, and keeps them when a pool grows."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.bench_planning import made_up
from stream.doors import fullness, ranking
from stream.doors.fullness import bars_ahead, fullness_db, voice_share
from stream.doors.partners import tempo_partners
from stream.doors.ranking import DOORS_KEPT, DoorRanking
from stream.pool.pool import Pool
from stream.pool.timeline import SongTimeline
from stream.pool.traits import ChunkTraits

SONGS, CHUNKS = 24, 6


def pool_of(songs: int = SONGS, **traits: object) -> Pool:
    """Songs with a beat each, whose tempi, keys and levels are drawn."""
    pool = made_up(songs=songs, chunks=CHUNKS, chunk_s=120.0, seed=1).pool
    # The first songs are the same whatever comes after them.
    rngs = [np.random.default_rng(song) for song in range(songs)]
    tempo = np.concatenate([rng.uniform(80.0, 160.0) + rng.normal(0.0, 0.2, CHUNKS) for rng in rngs])
    rows = songs * CHUNKS
    values: dict[str, object] = {
        "tempo_bpm": tempo,
        "beat_confidence": np.ones(rows),
        "bar_confidence": np.ones(rows),
        "beats_per_bar": np.full(rows, 4),
        "key": np.concatenate([rng.integers(0, 24, CHUNKS) for rng in rngs]),
        "key_confidence": np.ones(rows),
        "start_lufs": np.concatenate([rng.uniform(-30.0, -10.0, CHUNKS) for rng in rngs]),
        "end_lufs": np.concatenate([rng.uniform(-30.0, -10.0, CHUNKS) for rng in rngs]),
        "start_full_db": np.concatenate([rng.uniform(-10.0, 0.0, CHUNKS) for rng in rngs]),
    } | traits
    unknown = ChunkTraits.unknown(rows)
    typed = {name: np.asarray(value, dtype=getattr(unknown, name).dtype) for name, value in values.items()}
    return replace(pool, traits=replace(unknown, **typed))


def test_of_each_exit_the_best_doors_into_different_songs_are_kept() -> None:
    pool = pool_of()
    doors = DoorRanking(pool)
    for song in (0, 7):
        found = doors.of_song(song)
        for place, row in enumerate(range(song * CHUNKS, (song + 1) * CHUNKS)):
            worths = doors.worths(row, np.arange(len(pool)))
            best = worths.reshape(SONGS, CHUNKS).max(axis=1)
            best[song] = -np.inf
            assert found.worths[place] == pytest.approx(np.sort(best)[::-1][:DOORS_KEPT])
            assert worths[found.entries[place]] == pytest.approx(found.worths[place])
            assert len(set(pool.chunk_song[found.entries[place]])) == DOORS_KEPT
    open_songs = np.zeros(SONGS, dtype=np.bool_)
    open_songs[pool.chunk_song[doors.of_song(0).entries[2, 1]]] = True
    assert doors.best_into(0, open_songs)[2] == doors.of_song(0).worths[2, 1]


def test_what_speaks_against_a_door_makes_it_worth_less() -> None:
    rows = 3 * CHUNKS
    tempo = np.full(rows, 120.0)
    key, metre, voice, full = np.zeros(rows), np.full(rows, 4), np.zeros(rows), np.zeros(rows)
    bars = np.full(rows, 16.0)
    here = CHUNKS - 3
    tempo[CHUNKS : CHUNKS + 4] = 124.0, 126.5, 240.0, 160.0
    key[2 * CHUNKS], metre[2 * CHUNKS + 1], voice[[here, 2 * CHUNKS + 2]] = 6, 3, 1.0
    full[2 * CHUNKS + 3], bars[2 * CHUNKS + 4] = -9.0, 4.0
    level = np.full(rows, -20.0)
    pool = pool_of(
        3,
        tempo_bpm=tempo,
        key=key,
        beats_per_bar=metre,
        start_voice=voice,
        end_voice=voice,
        start_full_db=full,
        end_full_db=full,
        start_bars=bars,
        end_bars=np.full(rows, 16.0),
        start_lufs=level,
        end_lufs=level,
    )
    worths = DoorRanking(pool).worths(here, np.arange(rows))
    plain = worths[-1]
    assert (worths[:CHUNKS] == 0.0).all()
    slower, much_slower, octave, far = worths[CHUNKS : CHUNKS + 4]
    assert plain > slower > much_slower > far and plain > octave > far
    other_key, other_metre, both_sing, thin, few_bars = worths[2 * CHUNKS : 2 * CHUNKS + 5]
    assert other_key < plain and other_metre < slower and both_sing < plain and few_bars < plain
    assert thin > plain


def test_a_grown_pool_keeps_what_was_ranked_and_adds_what_is_new(monkeypatch: pytest.MonkeyPatch) -> None:
    small, grown = pool_of(20), pool_of(SONGS)
    doors = DoorRanking(small)
    for song in range(20):
        doors.of_song(song)
    asked = []
    whole = ranking.best_doors

    def counted(leaving: np.ndarray, entering: np.ndarray, count: int) -> object:  # type: ignore[type-arg]
        asked.append(len(leaving) * len(entering))
        return whole(leaving, entering, count)

    monkeypatch.setattr(ranking, "best_doors", counted)
    moved = doors.moved(grown)
    assert sum(asked) == 20 * CHUNKS * 4 * CHUNKS
    fresh = DoorRanking(grown)
    for song in range(20):
        assert moved.of_song(song).worths == pytest.approx(fresh.of_song(song).worths)
    # And where songs are gone, none leads there.
    back = moved.moved(small)
    for song in range(20):
        ways = back.of_song(song)
        assert (ways.entries < len(small)).all()
        assert ways.worths[:, 0] == pytest.approx(doors.of_song(song).worths[:, 0])


@pytest.mark.parametrize("all_entries", [ranking.ALL_ENTRIES, 10])
def test_songs_that_moved_up_keep_their_doors_and_one_that_is_cut_anew_does_not(
    monkeypatch: pytest.MonkeyPatch, all_entries: int
) -> None:
    monkeypatch.setattr(ranking, "ALL_ENTRIES", all_entries)
    pool = pool_of()
    doors = DoorRanking(pool)
    for song in range(SONGS):
        doors.of_song(song)
    # The first song is gone, and the second has other chunks now.
    rest = slice(CHUNKS, None)
    start_sample = pool.start_sample[rest].copy()
    start_sample[1:CHUNKS] -= 40_000_000
    tempo_bpm = pool.traits.tempo_bpm[rest].copy()
    tempo_bpm[:CHUNKS] = pool.traits.tempo_bpm[5 * CHUNKS]
    there = replace(
        pool,
        songs=pool.songs[1:],
        chunk_song=pool.chunk_song[rest] - 1,
        start_sample=start_sample,
        end_sample=pool.end_sample[rest],
        traits=replace(pool.traits.take(np.arange(len(pool))[rest]), tempo_bpm=tempo_bpm),
    )
    moved, fresh = doors.moved(there), DoorRanking(there)
    for song in range(SONGS - 1):
        found = moved.of_song(song)
        assert found.worths[:, :4] == pytest.approx(fresh.of_song(song).worths[:, :4])
        for place in range(CHUNKS):
            worths = fresh.worths(song * CHUNKS + place, found.entries[place, :4])
            assert worths == pytest.approx(found.worths[place, :4])


def test_of_a_large_pool_the_thinnest_entries_are_ranked(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = pool_of()
    monkeypatch.setattr(ranking, "ALL_ENTRIES", 10)
    monkeypatch.setattr(ranking, "ENTRIES_OF_SONG", 2)
    found = DoorRanking(pool).of_song(3)
    thinnest = np.argsort(pool.traits.start_full_db.reshape(SONGS, CHUNKS), axis=1)[:, :2]
    rows = (thinnest + CHUNKS * np.arange(SONGS)[:, None]).ravel()
    assert np.isin(found.entries[found.entries >= 0], rows).all()


def test_of_many_entries_other_songs_are_held_against_other_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = pool_of()
    monkeypatch.setattr(ranking, "MOST_HELD_AGAINST", SONGS * CHUNKS // 3)
    doors = DoorRanking(pool)
    for song in range(SONGS):
        entries = doors.of_song(song).entries
        assert set(entries[entries >= 0] % 3) == {song % 3}


def test_partners_are_songs_of_nearly_the_same_tempo() -> None:
    tempo = np.repeat([100.0, 103.0, 206.0, 130.0, 51.0], CHUNKS)
    assert tempo_partners(pool_of(5, tempo_bpm=tempo), 0.04).tolist() == [3, 3, 3, 0, 3]


def test_a_timeline_says_how_full_how_sung_and_how_steady_what_follows_is() -> None:
    levels = np.full((120, 3), -20.0, dtype=np.float32)
    levels[80:] = -40.0
    beats_s = np.concatenate([np.arange(0.0, 20.0, 0.5), np.arange(20.7, 30.0, 0.5)])
    count = len(beats_s)
    timeline = SongTimeline(
        beats_s=beats_s,
        beat_positions=(np.arange(count) % 4).astype(np.int8),
        beats_per_bar=np.full(count, 4, dtype=np.int8),
        beat_confidence=np.where(beats_s < 28.0, 0.9, 0.1).astype(np.float32),
        voice=np.repeat([1.0, 0.0], 300).astype(np.float32),
        bands_db=levels,
    )
    at_s = np.array([0.0, 24.0, 40.0])
    assert fullness_db(timeline, at_s) == pytest.approx([0.0, 0.0, -20.0], abs=2.0)
    assert voice_share(timeline, at_s) == pytest.approx([1.0, 0.5, 0.0], abs=0.01)
    # To 19.5 s there are 39 steps; the gap after it, and beats that are not sure, end a row.
    assert bars_ahead(timeline, np.array([0.0, 18.0, 20.7, 29.0])).tolist() == [9.0, 0.0, 3.0, 0.0]


@pytest.mark.parametrize("steps", [1, 8, 9, 16, 17, 18, 40])
def test_a_step_is_held_against_all_that_are_near(steps: int) -> None:
    steps_s = np.random.default_rng(steps).uniform(0.3, 0.6, steps)
    plain = [np.median(steps_s[max(0, n - 8) : n + 9]) for n in range(steps)]
    assert fullness._usual(steps_s).tolist() == plain
