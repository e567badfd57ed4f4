"""The same music twice is one song, whatever file, encoding or edition it comes from."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import mutagen.id3
import numpy as np
import pytest
import soundfile
import soxr
from scipy.signal import lfilter

from model.base.arrays import FloatArray
from stream.audio.decode import decode
from stream.audio.fidelity import fidelity_of
from stream.choosing.generation import ScoringSettings, open_generation
from stream.choosing.weighing.liking import Liking
from stream.pool.feedback import LabelledJoin, labelled_joins, remember
from stream.pool.pool import open_pool
from tests.support.encoded import RATE_HZ, encode
from tests.support.music import quick_settings
from tools.pools.build import build_pool
from tools.pools.check import check_pool
from tools.pools.copies import NEW, same_recordings, without_copies
from tools.pools.store import StoredSong
from tools.pools.summary import summarise
from tools.songs.outline import Outline, outline


def melody(seed: int, seconds: float = 16.0) -> FloatArray:
    """Chords of random notes over a beat, at `RATE_HZ`."""
    rng = np.random.default_rng(seed)
    times_s = np.arange(round(0.25 * RATE_HZ)) / RATE_HZ
    notes = []
    for number in range(round(seconds / 0.25)):
        tones = 220 * 2 ** (rng.integers(0, 36, 3) / 12)
        note = sum(np.sin(2 * np.pi * tone * times_s) for tone in tones) * np.exp(-6 * times_s)
        note += (number % 2 == 0) * rng.normal(0, 1, len(times_s)) * np.exp(-40 * times_s)
        notes.append(0.15 * np.stack([note, 0.8 * note], axis=1))
    return np.concatenate(notes).astype(np.float32)


def remastered(audio: FloatArray) -> FloatArray:
    """Other tone, louder and limited, a third of a second later."""
    toned = lfilter([1.0, -0.6], [1.0, 0.3], audio, axis=0)
    louder = np.tanh(2.5 * toned / np.abs(toned).max())
    return np.concatenate([np.zeros((RATE_HZ // 3, 2)), 0.9 * louder]).astype(np.float32)


EDITIONS = {
    "b.mp3": lambda path, audio: encode(path, "libmp3lame", audio, bit_rate=64_000),
    "b.opus": lambda path, audio: encode(path, "libopus", audio, bit_rate=64_000),
    "b.ogg": lambda path, audio: encode(path, "", audio),
    "b.flac": lambda path, audio: soundfile.write(path, 0.25 * audio, RATE_HZ),
    "b.aiff": lambda path, audio: soundfile.write(path, remastered(audio), RATE_HZ),
    "b.wav": lambda path, audio: soundfile.write(path, soxr.resample(audio, RATE_HZ, 44_100), 44_100),
    "b.au": lambda path, audio: soundfile.write(path, audio.mean(axis=1), RATE_HZ),
}


@pytest.fixture
def music(tmp_path: Path) -> Path:
    """Three songs."""
    (tmp_path / "music").mkdir()
    for seed, name in enumerate(("a.wav", "c.wav", "d.wav")):
        soundfile.write(tmp_path / "music" / name, melody(seed), RATE_HZ)
    return tmp_path / "music"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "pool"


def _names(out: Path) -> list[str]:
    return [song.name for song in open_pool(out).songs]


def test_another_edition_of_a_song_is_that_song(music: Path, out: Path) -> None:
    song = outline(melody(0), RATE_HZ)
    for name, write in EDITIONS.items():
        write(music / name, melody(0))
        # Each by itself, too: none is that song only because it is another edition.
        assert same_recordings([song, outline(*decode(music / name))]).tolist() == [0, 0], name
    report = build_pool([music], out, quick_settings())
    assert (report.songs, len(report.copies)) == (3, len(EDITIONS))
    ((_, of), *_) = report.copies
    assert {name for pair in report.copies for name in pair} == {"a.wav", *EDITIONS}
    assert _names(out) == sorted({"c.wav", "d.wav", of})
    (song_of_all,) = [song for song in open_pool(out).songs if song.copies]
    copies = {music / copy for copy, _ in report.copies}
    assert (song_of_all.name, set(song_of_all.copies)) == (of, copies)
    assert check_pool(out, deep=True) == []


def test_a_byte_for_byte_copy_adds_nothing(music: Path, out: Path) -> None:
    first = build_pool([music], out, quick_settings())
    (music / "sub").mkdir()
    shutil.copyfile(music / "a.wav", music / "0.wav")
    shutil.copyfile(music / "c.wav", music / "sub" / "copy.wav")
    report = build_pool([music], out, quick_settings())
    # What is in the pool stays.
    assert (report.generation, report.songs, report.analysed) == (first.generation, 3, 0)
    assert report.copies == (("0.wav", "a.wav"), ("sub/copy.wav", "c.wav"))
    copies = {song["path"]: song["copies"] for song in summarise(out)["songs"]}
    assert copies == {
        "a.wav": [str(music / "0.wav")],
        "c.wav": [str(music / "sub" / "copy.wav")],
        "d.wav": [],
    }


def test_when_the_song_goes_its_copy_is_played_and_opinions_hold(music: Path, out: Path) -> None:
    soundfile.write(music / "b.flac", melody(0), RATE_HZ)
    build_pool([music], out, quick_settings())
    pool = open_pool(out)
    assert _names(out) == ["a.wav", "c.wav", "d.wav"]
    keys, first = pool.chunk_keys(), int(np.flatnonzero(pool.chunk_song == 1)[0])
    remember(
        out,
        LabelledJoin(
            from_hash=keys[1].audio_hash,
            from_end_sample=keys[1].end_sample,
            to_hash=keys[first].audio_hash,
            to_start_sample=keys[first].start_sample,
            label=0,
        ),
    )
    (music / "a.wav").unlink()
    report = build_pool([music], out, quick_settings())
    assert (report.songs, report.analysed, report.copies) == (3, 0, ())
    assert _names(out) == ["b.flac", "c.wav", "d.wav"]
    # The other way round, so that what was said of the one is known of the other.
    soundfile.write(music / "a.wav", melody(0), RATE_HZ)
    build_pool([music], out, quick_settings())
    assert _names(out) == ["b.flac", "c.wav", "d.wav"]
    generation = open_generation(out, ScoringSettings(model=None), engine_rate_hz=RATE_HZ)
    _, disliked = Liking(generation, labelled_joins(out)).after(1)
    generation.close()
    assert disliked.tolist() == [first]
    assert check_pool(out, deep=True) == []


def test_of_new_copies_the_one_with_most_of_the_sound_is_played(music: Path, out: Path) -> None:
    encode(music / "0.mp3", "libmp3lame", melody(0), bit_rate=64_000)
    report = build_pool([music], out, quick_settings())
    assert report.copies == (("0.mp3", "a.wav"),)


@pytest.mark.parametrize("good", ["b.mp3", "b.flac"])
def test_a_cover_is_none_of_the_sound(music: Path, out: Path, good: str) -> None:
    (music / "a.wav").unlink()
    encode(music / "a.mp3", "libmp3lame", melody(0), bit_rate=64_000)
    tags = mutagen.id3.ID3()
    # More bytes than all of a lossless file.
    tags.add(mutagen.id3.APIC(encoding=0, mime="image/png", type=3, desc="", data=bytes(6_000_000)))
    tags.save(music / "a.mp3")
    if good == "b.mp3":
        encode(music / good, "libmp3lame", melody(0), bit_rate=256_000)
    else:
        soundfile.write(music / good, melody(0), RATE_HZ)
    assert (music / "a.mp3").stat().st_size > (music / good).stat().st_size
    assert build_pool([music], out, quick_settings()).copies == (("a.mp3", good),)
    # Nothing is looked at where it is known.
    assert build_pool([music], out, quick_settings()).copies == (("a.mp3", good),)


def test_what_is_whole_comes_before_what_is_not_but_not_at_any_width(tmp_path: Path) -> None:
    sound = soxr.resample(melody(0), RATE_HZ, 44_100)
    encode(tmp_path / "320.mp3", "libmp3lame", melody(0), bit_rate=320_000)
    encode(tmp_path / "96.opus", "libopus", melody(0), bit_rate=96_000)
    soundfile.write(tmp_path / "24.flac", sound, 44_100, subtype="PCM_24")
    soundfile.write(tmp_path / "16.flac", sound, 44_100, subtype="PCM_16")
    soundfile.write(tmp_path / "16.wav", sound, 44_100, subtype="PCM_16")
    soundfile.write(tmp_path / "mono.wav", sound.mean(axis=1), 44_100, subtype="PCM_16")
    soundfile.write(tmp_path / "8.wav", melody(0), RATE_HZ, subtype="PCM_U8")
    (tmp_path / "none.wav").write_bytes(b"none")
    found = {path.name: fidelity_of(path) for path in tmp_path.iterdir()}
    assert found["16.wav"] == found["16.flac"]
    ranked = sorted(found, key=lambda name: (found[name], name), reverse=True)
    assert ranked == ["24.flac", "16.wav", "16.flac", "mono.wav", "320.mp3", "96.opus", "8.wav", "none.wav"]


def test_other_songs_stay_others(out: Path, tmp_path: Path) -> None:
    """Also when they share a beat, a length, or a part of their music."""
    for seed in range(6):
        soundfile.write(tmp_path / f"{seed}.wav", melody(seed), RATE_HZ)
    mixed = np.concatenate([melody(0)[: 9 * RATE_HZ], melody(7)[: 7 * RATE_HZ]])
    soundfile.write(tmp_path / "mixed.wav", mixed, RATE_HZ)
    report = build_pool([tmp_path], out, quick_settings())
    assert (report.songs, report.copies) == (7, ())


def test_no_two_real_songs_are_taken_for_one(shared_music: Path) -> None:
    paths = sorted(path for path in (shared_music / "library").rglob("*.mp3"))[:12]
    songs = [decode(path) for path in paths]
    outlines = [outline(audio, rate_hz) for audio, rate_hz in songs]
    assert same_recordings(outlines).tolist() == list(range(len(paths)))
    # And each is told again at another level, a little later.
    later = [outline(0.3 * audio[7_000:], rate_hz) for audio, rate_hz in songs]
    found = same_recordings([*outlines, *later]).tolist()
    assert found == 2 * list(range(len(paths)))


def test_what_is_the_same_is_one_group(tmp_path: Path) -> None:
    outlines = [outline(melody(seed), RATE_HZ) for seed in (1, 0, 1, 2, 0, 1)]
    assert same_recordings(outlines).tolist() == [0, 1, 0, 3, 1, 0]
    assert same_recordings([]).tolist() == []
    silent = [outline(np.zeros((RATE_HZ * 8, 2), dtype=np.float32), RATE_HZ)] * 2
    assert same_recordings(silent).tolist() == [0, 1]


def test_songs_that_were_compared_before_are_told_from_new_ones_as_if_all_were_new() -> None:
    rng = np.random.default_rng(3)
    originals = [rng.integers(1, 2**32, 400, dtype=np.uint32) for _ in range(12)]
    outlines = []
    for of in rng.integers(0, len(originals), 30).tolist():
        # A bit of every second value flipped, and a little later.
        noise = rng.integers(0, 2, 400, dtype=np.uint32)
        outlines.append(np.concatenate([np.zeros(of, dtype=np.uint32), originals[of] ^ noise]))
    whole = same_recordings(outlines)
    assert 1 < len(set(whole.tolist())) <= 12
    for share in (0.0, 0.5, 0.9, 1.0):
        old = np.flatnonzero(rng.random(len(outlines)) < share)
        before = same_recordings([outlines[song] for song in old])
        known = np.full(len(outlines), NEW)
        known[old] = old[before]
        assert same_recordings(outlines, known).tolist() == whole.tolist()


def _song(number: int) -> StoredSong:
    return StoredSong(
        song_id=100 + number,
        audio_hash=f"{number:040x}",
        chunks=1,
        sample_rate_hz=RATE_HZ,
        frames=RATE_HZ,
        seekable=True,
        cut="",
        size_bytes=number,
    )


def test_outlines_are_read_where_a_song_is_new_or_a_recording_has_lost_one() -> None:
    noise = np.random.default_rng(0).integers(1, 2**32, 900, dtype=np.uint32)
    # The second lies between the others, which share too little to be one.
    outlines = [noise[:600], noise[100:700], noise[200:800], noise[::-1].copy()]
    songs = [_song(number) for number in range(4)]
    asked: list[int] = []

    def read(of: Sequence[StoredSong]) -> list[Outline]:
        asked.append(len(of))
        return [outlines[song.size_bytes] for song in of]

    def better(song: StoredSong) -> int:
        return song.size_bytes == 1

    def told(songs: Sequence[StoredSong], compared: Mapping[int, int]) -> list[tuple[int, int]]:
        _, copies = without_copies(songs, compared, read, better, lambda song: 0)
        return [(copy.song.song_id, copy.of.song_id) for copy in copies]

    all_of_them = [(100, 101), (102, 101)]
    assert told(songs, {}) == all_of_them
    compared = {101: 101, 103: 103, **dict(all_of_them)}
    assert told(songs, compared) == all_of_them
    assert asked == [4]
    assert told([songs[0], songs[2], songs[3]], compared) == []
    assert told(songs, {103: 103, 101: 101, 100: 101}) == all_of_them
    assert asked == [4, 3, 4]
