"""Spans equal the decode at equal rates and soxr on the whole song otherwise, however they are asked."""

import os
import sys
import threading
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Literal

import mutagen.id3
import numpy as np
import pytest
import soundfile
import soxr

from model.base.arrays import FloatArray
from model.base.errors import DecodeError, PoolError
from stream.audio import spans
from stream.audio.copies import write_decoded_copy
from stream.audio.decode import decode
from stream.audio.song_file import SongFile, seeks_check_out
from stream.audio.spans import SpanReader
from stream.pool.pool import Pool, decoded_copy, fingerprint
from stream.pool.songs import Song
from stream.pool.traits import ChunkTraits
from tests.support.held import HELD_IS_TOLD
from tests.support.waiting import PATIENCE_S

REAL = Path(__file__).resolve().parents[4] / "shared" / "music"
REAL_FILES = sorted(path for path in REAL.rglob("*") if path.suffix in {".mp3", ".ogg", ".flac", ".wav"})


def noise(rate_hz: int, seconds: float, seed: int = 0) -> FloatArray:
    return np.random.default_rng(seed).uniform(-0.9, 0.9, (int(rate_hz * seconds), 2)).astype(np.float32)


def pool_of(
    folder: Path,
    paths: list[Path],
    *,
    seekable: bool = True,
    chunks: int = 3,
    wholes: list[tuple[FloatArray, int]] | None = None,
) -> Pool:
    """A pool in memory over files on disk, each cut into `chunks` uneven parts."""
    songs, chunk_song, starts, ends, prints = [], [], [], [], []
    for number, path in enumerate(paths):
        audio, rate_hz = wholes[number] if wholes else decode(path)
        song = Song(
            song_id=number,
            path=path,
            name=path.name,
            audio_hash=f"hash{number}",
            sample_rate_hz=rate_hz,
            channels=2,
            frames=len(audio),
            title="",
            artist="",
            album="",
            loudness_lufs=-14.0,
            # Noise has far higher peaks between its samples than at them.
            true_peak_db=6.0,
            seekable=seekable,
            cut="",
        )
        songs.append(song)
        bounds = (len(audio) * np.linspace(0.013, 0.991, chunks + 1)).astype(np.int64)
        for start, end in pairwise(bounds):
            chunk_song.append(number)
            starts.append(start)
            ends.append(end)
            prints.append(fingerprint(audio[start:end]))
    rows = len(chunk_song)
    return Pool(
        folder=folder,
        generation=1,
        complete=True,
        songs=tuple(songs),
        chunk_song=np.array(chunk_song, dtype=np.int64),
        start_sample=np.array(starts, dtype=np.int64),
        end_sample=np.array(ends, dtype=np.int64),
        loudness_db=np.zeros(rows, dtype=np.float32),
        fingerprints=np.stack(prints),
        heads=np.zeros((rows, 2, 8), dtype=np.float32),
        tails=np.zeros((rows, 2, 8), dtype=np.float32),
        traits=ChunkTraits.unknown(rows),
    )


def wav(folder: Path, rate_hz: int, seconds: float, name: str = "a.wav", seed: int = 0) -> Path:
    soundfile.write(folder / name, noise(rate_hz, seconds, seed), rate_hz, subtype="FLOAT")
    return folder / name


def forbidden(*_: object) -> None:
    raise AssertionError("this source must not be used")


@pytest.mark.parametrize("suffix", ["wav", "flac"])
def test_equal_rates_are_the_decode_bit_for_bit(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    soundfile.write(path, noise(44_100, 4.0), 44_100)
    whole, _ = decode(path)
    reader = SpanReader(pool_of(tmp_path, [path]))
    assert reader.song_frames(0) == len(whole)
    random = np.random.default_rng(0)
    for _ in range(100):
        start, stop = np.sort(random.integers(0, len(whole) + 1, 2))
        assert np.array_equal(reader.read(0, int(start), int(stop)), whole[start:stop])
    assert np.array_equal(reader.read(0, 0, len(whole)), whole)
    reader.close()


def test_outside_the_song_there_is_silence(tmp_path: Path) -> None:
    for rate_hz in (44_100, 48_000):
        reader = SpanReader(pool_of(tmp_path, [wav(tmp_path, rate_hz, 1.0)]))
        frames = reader.song_frames(0)
        around = reader.read(0, -50, frames + 70)
        assert around.shape == (frames + 120, 2) and around.dtype == np.float32
        assert not around[:50].any() and not around[-70:].any() and around[50:-70].any(axis=1).all()
        assert not reader.read(0, frames, frames + 10).any()
        assert not reader.read(0, -10, 0).any()
        assert reader.read(0, 5, 5).shape == reader.read(0, 7, 3).shape == (0, 2)
        reader.close()


RATES = [
    (48_000, 44_100),
    (32_000, 44_100),
    (22_050, 44_100),
    (11_025, 44_100),
    (44_100, 48_000),
    (88_200, 44_100),
    (96_000, 44_100),
    (8_000, 44_100),
    (192_000, 44_100),
    (22_255, 44_100),
    (44_101, 44_100),
    (44_100, 44_101),
]


@pytest.mark.parametrize(("rate_hz", "engine_hz"), RATES)
@pytest.mark.parametrize("kind", ["noise", "steps"])
def test_resampling_equals_soxr_on_the_whole_song(
    tmp_path: Path, rate_hz: int, engine_hz: int, kind: str
) -> None:
    audio = noise(rate_hz, 4.3)
    if kind == "steps":
        # full-scale jumps ring the longest, and lie anywhere against the grid
        audio = np.where(np.cumsum(audio, axis=0) // 5 % 2 == 0, 1.0, -1.0).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", audio, rate_hz, subtype="FLOAT")
    reader = SpanReader(pool_of(tmp_path, [tmp_path / "a.wav"]), engine_hz)
    frames = reader.song_frames(0)
    assert frames == round(len(audio) * engine_hz / rate_hz)
    whole = soxr.resample(audio, rate_hz, engine_hz, quality="VHQ")
    whole = np.pad(whole, ((0, max(0, frames - len(whole))), (0, 0)))[:frames]
    found = reader.read(0, 0, frames)
    # At such odd ratios soxr interpolates its filter, and its phase wanders a little over the whole song.
    tolerance = 1e-4 if 44_101 in (rate_hz, engine_hz) else 1e-5
    assert np.abs(found - whole).max() < tolerance
    # any partition, in any order, on a fresh reader that keeps a single block: the same samples
    cold = SpanReader(pool_of(tmp_path, [tmp_path / "a.wav"]), engine_hz, cache_bytes=1)
    random = np.random.default_rng(0)
    cuts = np.unique(np.concatenate([[0, frames], random.integers(0, frames, 12)]))
    for start, stop in random.permutation(np.stack([cuts[:-1], cuts[1:]], axis=1)):
        assert np.array_equal(cold.read(0, int(start), int(stop)), found[start:stop])


@pytest.mark.parametrize("samples", [1, 20, 700])
def test_a_song_shorter_than_the_filter(tmp_path: Path, samples: int) -> None:
    audio = noise(48_000, 1.0)[:samples]
    soundfile.write(tmp_path / "a.wav", audio, 48_000, subtype="FLOAT")
    reader = SpanReader(pool_of(tmp_path, [tmp_path / "a.wav"], chunks=1))
    frames = reader.song_frames(0)
    expected = np.zeros((frames, 2), dtype=np.float32)
    whole = soxr.resample(audio, 48_000, 44_100, quality="VHQ")[:frames]
    expected[: len(whole)] = whole
    assert np.abs(reader.read(0, 0, frames) - expected).max() < 1e-5


def test_chunks_tile_the_song_in_engine_frames(tmp_path: Path) -> None:
    pool = pool_of(tmp_path, [wav(tmp_path, 48_000, 3.0)], chunks=11)
    reader = SpanReader(pool, 44_100)
    spans_found = [reader.chunk_span(chunk) for chunk in range(11)]
    assert all(before[1] == after[0] for before, after in pairwise(spans_found))
    for (start, stop), first, last in zip(spans_found, pool.start_sample, pool.end_sample, strict=True):
        assert abs(start - first * 44_100 / 48_000) <= 0.5 and abs(stop - last * 44_100 / 48_000) <= 0.5
    same = SpanReader(pool, 48_000)
    assert same.chunk_span(4) == (pool.start_sample[4], pool.end_sample[4])


def test_a_decoded_copy_is_read_instead_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pool = pool_of(tmp_path, [wav(tmp_path, 44_100, 2.0)], seekable=False)
    copy = noise(44_100, 2.0, seed=9)
    write_decoded_copy(copy, decoded_copy(tmp_path, "hash0"))
    monkeypatch.setattr(spans, "decode", forbidden)
    monkeypatch.setattr(spans, "SongFile", forbidden)
    reader = SpanReader(pool)
    part = reader.read(0, 1_000, 60_000)
    assert np.array_equal(part, copy[1_000:60_000])
    part[:] = 0.0
    assert np.array_equal(reader.read(0, 1_000, 60_000), copy[1_000:60_000]), "a reader's array is shared"


@pytest.mark.parametrize("order", ["C", "F"])
def test_a_copy_holds_the_samples_however_they_lie_in_memory(
    tmp_path: Path, order: Literal["C", "F"]
) -> None:
    audio = noise(44_100, 0.5)
    write_decoded_copy(np.asarray(audio, order=order), tmp_path / "copy.npy")
    kept = np.load(tmp_path / "copy.npy")
    assert kept.flags.c_contiguous and np.array_equal(kept, audio)


@pytest.mark.skipif(not HELD_IS_TOLD, reason="only Linux tells which pages are held")
@pytest.mark.parametrize("engine_hz", [44_100, 48_000])
def test_a_copy_is_read_and_not_mapped(tmp_path: Path, engine_hz: int) -> None:
    whole = noise(44_100, 9)
    soundfile.write(tmp_path / "a.wav", whole, 44_100, subtype="FLOAT")
    pool = pool_of(tmp_path, [tmp_path / "a.wav"], seekable=False)
    copy = decoded_copy(tmp_path, "hash0")
    write_decoded_copy(whole, copy)
    reader = SpanReader(pool, engine_hz)
    reader.check(0)
    reader.read(0, 0, 8 * engine_hz)
    assert str(copy) not in Path("/proc/self/maps").read_text(encoding="utf-8")


@pytest.mark.parametrize("damage", ["none", "absent", "short", "torn", "empty"])
def test_without_a_copy_the_song_is_decoded_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    paths = [wav(tmp_path, 44_100, 1.0, f"{n}.wav", seed=n) for n in range(4)]
    pool = pool_of(tmp_path, paths, seekable=False)
    copy = decoded_copy(tmp_path, "hash0")
    if damage in ("none", "torn"):
        write_decoded_copy(noise(44_100, 1.0), copy)
    if damage == "short":
        write_decoded_copy(noise(44_100, 0.5), copy)
    if damage == "torn":
        copy.write_bytes(copy.read_bytes()[:50])
    if damage == "empty":
        copy.parent.mkdir(exist_ok=True)
        copy.write_bytes(b"")
    decoded: list[Path] = []

    def counting(path: Path) -> tuple[FloatArray, int]:
        decoded.append(path)
        return decode(path)

    monkeypatch.setattr(spans, "decode", counting)
    reader = SpanReader(pool, decoded_bytes=0, cache_bytes=1)
    for _ in range(3):
        assert np.array_equal(reader.read(0, 0, 44_100), noise(44_100, 1.0))
    assert decoded == ([] if damage == "none" else [paths[0]])
    # two songs are kept at least, for a crossfade; three are not
    for song in (1, 2, 1, 2, 1, 2):
        reader.read(song, 0, 10)
    assert decoded[-2:] == [paths[1], paths[2]]
    reader.read(3, 0, 10)
    reader.read(1, 0, 10)
    assert decoded[-2:] == [paths[3], paths[1]]


def test_few_files_are_open_and_few_blocks_are_kept(tmp_path: Path) -> None:
    paths = [wav(tmp_path, 48_000, 2.0, f"{n}.wav", seed=n) for n in range(6)]
    block_bytes = 8 * spans.BLOCK_FRAMES
    reader = SpanReader(pool_of(tmp_path, paths), max_open_files=2, cache_bytes=3 * block_bytes)
    found = {song: reader.read(song, 0, 80_000) for song in range(6)}
    assert len(reader._files) == 2 and len(reader._blocks) <= 3
    for song in (5, 0, 3, 1):
        assert np.array_equal(reader.read(song, 0, 80_000), found[song])
    reader.close()
    assert not reader._files and not reader._blocks
    assert np.array_equal(reader.read(2, 0, 80_000), found[2]), "a closed reader opens anew"
    reader.close()


def test_what_is_planned_is_read_once_however_much_sounds_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = pool_of(
        tmp_path, [wav(tmp_path, 44_100, 12.0, "plays.wav"), wav(tmp_path, 44_100, 4.0, "next.wav")]
    )
    reader = SpanReader(pool, cache_bytes=7 * 8 * spans.BLOCK_FRAMES)
    read_file, read = reader._read_file, list[int]()

    def counted(song: int, start: int, stop: int) -> FloatArray:
        read.append(song)
        return read_file(song, start, stop)

    monkeypatch.setattr(reader, "_read_file", counted)
    planned = reader.read(1, 0, 2 * spans.BLOCK_FRAMES)
    page = spans.BLOCK_FRAMES // 2
    for start in range(0, 12 * 44_100, page):
        reader.read(0, start, start + page, passing=True)
    assert read.count(0) == -(-12 * 44_100 // spans.BLOCK_FRAMES), "each block once"
    assert np.array_equal(reader.read(1, 0, 2 * spans.BLOCK_FRAMES), planned)
    assert read.count(1) == 2
    reader.close()


@pytest.mark.parametrize("seekable", [True, False])
def test_check_tells_a_changed_song(tmp_path: Path, seekable: bool) -> None:
    path = wav(tmp_path, 48_000, 2.0)
    pool = pool_of(tmp_path, [path], seekable=seekable)
    if not seekable:
        write_decoded_copy(decode(path)[0], decoded_copy(tmp_path, "hash0"))
    for chunk in range(3):
        SpanReader(pool).check(chunk)
    soundfile.write(path, noise(48_000, 2.0) + np.float32(5e-4), 48_000, subtype="FLOAT")
    SpanReader(pool).check(0)
    if not seekable:
        decoded_copy(tmp_path, "hash0").unlink()
    for other in (noise(48_000, 2.0, seed=5), noise(48_000, 1.0), noise(44_100, 2.0)):
        soundfile.write(path, other, 48_000, subtype="FLOAT")
        with pytest.raises(DecodeError, match=r"a\.wav has changed since the pool was built"):
            SpanReader(pool).check(1)
    soundfile.write(path, noise(48_000, 2.0), 44_100, subtype="FLOAT")
    with pytest.raises(DecodeError, match="has changed"):
        SpanReader(pool).read(0, 0, 10)
    path.write_text("no audio any more")
    with pytest.raises(DecodeError, match=r"a\.wav"):
        SpanReader(pool).check(1)
    path.unlink()
    with pytest.raises(DecodeError, match=r"a\.wav is gone.*endlos pool build"):
        SpanReader(pool).check(1)
    with pytest.raises(DecodeError, match=r"a\.wav"):
        SpanReader(pool).read(0, 0, 10)


@pytest.mark.parametrize("engine_hz", [44_100, 48_000])
@pytest.mark.parametrize("seekable", [True, False])
def test_a_file_rewritten_since_it_was_read_is_noticed(
    tmp_path: Path, seekable: bool, engine_hz: int
) -> None:
    path = wav(tmp_path, 44_100, 2.0)
    reader = SpanReader(pool_of(tmp_path, [path], seekable=seekable), engine_hz)
    reader.read(0, 0, 2 * engine_hz)
    reader.check(1)

    def rewrite(audio: FloatArray, later_s: int) -> None:
        before = path.stat()
        soundfile.write(path, audio, 44_100, subtype="FLOAT")
        # A clock may tick more slowly than a test writes.
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + later_s * 10**9))

    rewrite(noise(44_100, 2.0), 1)
    reader.check(1)
    rewrite(noise(44_100, 2.0, seed=5), 1)
    for chunk in (1, 0, 1):
        with pytest.raises(DecodeError, match=r"a\.wav has changed since the pool was built"):
            reader.check(chunk)
    # put back from a backup, with the time that it had
    rewrite(noise(44_100, 2.0), -2)
    reader.check(1)
    path.unlink()
    with pytest.raises(DecodeError, match="is gone"):
        reader.check(1)
    reader.close()


def retag(path: Path) -> None:
    """Write a cover before the sound, in the same file, as taggers do."""
    tags = mutagen.id3.ID3()
    tags.add(mutagen.id3.APIC(encoding=0, mime="image/png", type=3, desc="", data=bytes(400_000)))
    tags.save(path)


@pytest.mark.parametrize("engine_hz", [44_100, 48_000])
@pytest.mark.parametrize("in_a_read", [False, True])
def test_a_song_that_gets_other_tags_while_it_is_heard_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine_hz: int, in_a_read: bool
) -> None:
    path, read = tmp_path / "a.mp3", SongFile.read
    soundfile.write(path, noise(44_100, 20.0), 44_100)
    pool = pool_of(tmp_path, [path])
    frames = SpanReader(pool, engine_hz).song_frames(0)
    whole = SpanReader(pool, engine_hz).read(0, 0, frames)
    reader = SpanReader(pool, engine_hz)
    heard = [reader.read(0, 0, 5 * engine_hz, passing=True)]

    def read_and_lose(file: SongFile, start: int, stop: int) -> FloatArray:
        monkeypatch.setattr(SongFile, "read", read)
        retag(path)
        raise DecodeError("the bytes are elsewhere now")

    if in_a_read:
        monkeypatch.setattr(SongFile, "read", read_and_lose)
    else:
        retag(path)
    heard += [
        reader.read(0, start, min(start + 4_096, frames), passing=True)
        for start in range(5 * engine_hz, frames, 4_096)
    ]
    np.testing.assert_array_equal(np.concatenate(heard), whole)
    assert path.stat().st_size > 400_000
    reader.check(1)
    reader.close()


def test_a_song_in_whose_place_another_is_put_is_heard_to_its_end(tmp_path: Path) -> None:
    path = wav(tmp_path, 44_100, 6.0)
    whole, _ = decode(path)
    reader = SpanReader(pool_of(tmp_path, [path]))
    reader.read(0, 0, 44_100)
    # Beside it and renamed, so that the open file stays what it was.
    wav(tmp_path, 44_100, 3.0, "b.wav", seed=5).replace(path)
    np.testing.assert_array_equal(reader.read(0, 2 * 44_100, 6 * 44_100), whole[2 * 44_100 :])
    with pytest.raises(DecodeError, match="has changed"):
        reader.check(1)
    reader.close()


def test_a_check_reads_a_file_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = SpanReader(pool_of(tmp_path, [wav(tmp_path, 44_100, 2.0)]))
    reader.check(1)
    monkeypatch.setattr(SongFile, "read", forbidden)
    reader.check(1)
    reader.close()


def test_a_song_gone_while_its_copy_stays_is_not_played(tmp_path: Path) -> None:
    path = wav(tmp_path, 44_100, 1.0)
    pool = pool_of(tmp_path, [path], seekable=False)
    write_decoded_copy(noise(44_100, 1.0), decoded_copy(tmp_path, "hash0"))
    path.unlink()
    with pytest.raises(DecodeError, match="is gone"):
        SpanReader(pool).check(0)


def test_threads_read_the_same_samples(tmp_path: Path) -> None:
    paths = [wav(tmp_path, 48_000, 2.0, f"{n}.wav", seed=n) for n in range(4)]
    pool = pool_of(tmp_path, paths)
    expected = [SpanReader(pool).read(song, 0, 88_200) for song in range(4)]
    shared = SpanReader(pool, max_open_files=1, cache_bytes=1)
    wrong: list[tuple[int, int]] = []

    def listen(seed: int) -> None:
        random = np.random.default_rng(seed)
        for _ in range(30):
            song, start = int(random.integers(4)), int(random.integers(0, 80_000))
            if not np.array_equal(shared.read(song, start, start + 900), expected[song][start : start + 900]):
                wrong.append((song, start))

    threads = [threading.Thread(target=listen, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=PATIENCE_S)
    assert not any(thread.is_alive() for thread in threads) and not wrong


SLOW = {
    "looked at": ("mark_of", True),
    "opened": ("SongFile", True),
    "read": ("read", True),
    "copied": ("DecodedCopy", False),
    "decoded": ("decode", False),
}


@pytest.mark.parametrize("what", SLOW)
def test_a_song_on_a_slow_disk_holds_up_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    name, seekable = SLOW[what]
    slow, paths = tmp_path / "0.wav", [wav(tmp_path, 44_100, 3.0, f"{n}.wav", seed=n) for n in range(3)]
    pool = pool_of(tmp_path, paths, seekable=seekable)
    wholes = [decode(path)[0] for path in paths]
    reader = SpanReader(pool, max_open_files=2)
    waiting, gate = threading.Event(), threading.Event()
    if not seekable and what == "copied":
        write_decoded_copy(wholes[0], decoded_copy(tmp_path, "hash0"))
    place: object = SongFile if name == "read" else spans
    real = getattr(place, name)

    def gated(first: object, *others: object) -> object:
        path = first._path if isinstance(first, SongFile) else first
        if path in (slow, decoded_copy(tmp_path, "hash0")):
            waiting.set()
            assert gate.wait(timeout=60)
        return real(first, *others)

    found: list[FloatArray] = []
    others: list[bool] = []

    def listen() -> None:
        for _ in range(2):
            for song in (1, 2):
                reader.check(3 * song)
                others.append(np.array_equal(reader.read(song, 100, 60_000), wholes[song][100:60_000]))

    reader.read(1, 0, 1_000)
    monkeypatch.setattr(place, name, gated)
    stuck = threading.Thread(target=lambda: found.append(reader.read(0, 5, 50_000)))
    stuck.start()
    try:
        assert waiting.wait(timeout=30)
        listener = threading.Thread(target=listen, daemon=True)
        listener.start()
        listener.join(timeout=30)
        assert not listener.is_alive(), "another song waits for this one's disk"
        assert others == [True] * 4
        closing = threading.Thread(target=reader.close, daemon=True)
        closing.start()
        closing.join(timeout=30)
        assert not closing.is_alive() and not reader._files, "closing waits for a slow disk"
    finally:
        gate.set()
        stuck.join(timeout=30)
    assert np.array_equal(found[0], wholes[0][5:50_000])


def test_files_that_are_read_stay_open_and_all_are_closed_in_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [wav(tmp_path, 44_100, 1.0, f"{n}.wav", seed=n) for n in range(6)]
    pool = pool_of(tmp_path, paths)
    wholes = [decode(path)[0] for path in paths]
    opened: set[int] = set()
    reading: set[int] = set()
    most, wrong = 0, 0

    class Watched(SongFile):
        def __init__(self, path: Path) -> None:
            nonlocal most
            super().__init__(path)
            opened.add(id(self))
            most = max(most, len(opened))

        def read(self, start: int, stop: int) -> FloatArray:
            reading.add(id(self))
            try:
                return super().read(start, stop)
            finally:
                reading.remove(id(self))

        def close(self) -> None:
            nonlocal wrong
            wrong += id(self) in reading
            opened.discard(id(self))
            super().close()

    monkeypatch.setattr(spans, "SongFile", Watched)
    reader = SpanReader(pool, max_open_files=2, cache_bytes=1)

    def listen(seed: int) -> None:
        nonlocal wrong
        for song in np.random.default_rng(seed).integers(0, 6, 60).tolist():
            wrong += not np.array_equal(reader.read(song, 9, 30_000), wholes[song][9:30_000])
            if song == 5:
                reader.close()

    threads = [threading.Thread(target=listen, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert not any(thread.is_alive() for thread in threads) and not wrong
    # Two that are kept; each thread reads one, and may be about to close the two that it has taken out.
    assert most <= 2 + 3 * len(threads) and len(reader._files) <= 2
    reader.close()
    assert not opened and not reader._files


@pytest.mark.skipif(sys.platform == "win32", reason="there are no file size limits on Windows")
def test_a_copy_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    import resource

    target = decoded_copy(tmp_path, "h")
    write_decoded_copy(noise(44_100, 0.1), target)
    before = target.read_bytes()

    # What a full disk does: the file breaks off in the middle.
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before), limits[1]))
    try:
        with pytest.raises(PoolError, match=r"cannot be written .*; free some space"):
            write_decoded_copy(noise(44_100, 0.2), target)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert target.read_bytes() == before and list(target.parent.iterdir()) == [target]


def test_real_music_is_at_hand(shared_music: Path) -> None:
    assert {path.suffix for path in REAL_FILES} >= {".mp3", ".ogg"}


@pytest.mark.parametrize("path", REAL_FILES, ids=lambda path: path.stem[:40])
def test_random_spans_of_real_music_equal_the_whole(path: Path, tmp_path: Path) -> None:
    whole, rate_hz = decode(path)
    seekable = seeks_check_out(path, whole, 1)
    assert not (seekable and path.suffix == ".ogg")
    pool = pool_of(tmp_path, [path], seekable=seekable, wholes=[(whole, rate_hz)])
    copy = decoded_copy(tmp_path, "hash0")
    if not seekable:
        write_decoded_copy(whole, copy)
    try:
        reader = SpanReader(pool, rate_hz, cache_bytes=1)
        random = np.random.default_rng(2)
        for length in (1, 16, 1_000, 44_100, 100_000):
            for start in (*random.integers(0, len(whole) - length, 10), 0, len(whole) - length):
                found = reader.read(0, int(start), int(start) + length)
                assert np.array_equal(found, whole[start : start + length]), (start, length)
        reader.check(0)
        reader.close()
    finally:
        # a song is 70 MB, and pytest keeps the folders of its last three runs
        copy.unlink(missing_ok=True)


def test_real_music_resampled_equals_soxr(shared_music: Path, tmp_path: Path) -> None:
    for name in ("holizna-a_seasons-change", "synth-ds10_team-rocket_light-flashes", "bossa_spring"):
        path = next(path for path in REAL_FILES if path.name.startswith(name))
        whole, rate_hz = decode(path)
        engine_hz = 48_000 if rate_hz == 44_100 else 44_100
        seekable = path.suffix == ".mp3"
        pool = pool_of(tmp_path, [path], seekable=seekable, wholes=[(whole, rate_hz)])
        reader = SpanReader(pool, engine_hz)
        expected = soxr.resample(whole, rate_hz, engine_hz, quality="VHQ")
        for start in np.random.default_rng(0).integers(0, reader.song_frames(0) - 50_000, 20):
            found = reader.read(0, int(start), int(start) + 50_000)
            assert np.abs(found - expected[start : start + 50_000]).max() < 1e-5
        reader.close()


def test_noise_is_no_song_and_is_not_played(tmp_path: Path) -> None:
    audio = 0.1 * noise(44_100, 2.0)
    pool = pool_of(tmp_path, [tmp_path / "a.wav"], wholes=[(audio, 44_100)])
    quiet = replace(pool, songs=(replace(pool.songs[0], true_peak_db=-18.0),))
    soundfile.write(tmp_path / "a.wav", audio, 44_100, subtype="FLOAT")
    for rate_hz in (44_100, 48_000):
        assert np.abs(SpanReader(quiet, rate_hz).read(0, 0, 60_000)).max() > 0.05
    for wrong in (1e9, -0.5):
        damaged = audio.copy()
        damaged[30_000, 1] = wrong
        soundfile.write(tmp_path / "a.wav", damaged, 44_100, subtype="FLOAT")
        reader = SpanReader(quiet)
        with pytest.raises(DecodeError, match="far louder than the pool says, or is no sound"):
            reader.check(0)
        with pytest.raises(DecodeError, match="far louder than the pool says, or is no sound"):
            reader.read(0, 20_000, 40_000)
        assert np.array_equal(reader.read(0, 40_000, 50_000), audio[40_000:50_000])
