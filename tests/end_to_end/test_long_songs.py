"""A long song is decoded into a file and looked at in parts, with the same samples and analysis."""

import sys
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

import stream.audio.decode
import stream.audio.samples
import tools.songs.power
import tools.songs.rhythm.chroma
import tools.songs.rhythm.onsets
import tools.songs.true_peak
import tools.songs.weighting
from model.base.arrays import FloatArray
from model.base.errors import DecodeError
from stream.audio.copies import write_decoded_copy
from stream.audio.decode import decode
from stream.audio.samples import MappedSamples, SongSamples, collect, in_parts
from stream.pool.pool import open_pool
from tests.support.held import HELD_IS_TOLD, held_kb
from tests.support.music import tune, write_music
from tests.support.odd_songs import RATE_HZ, band, beats
from tools.pools.build import build_pool
from tools.pools.check import check_pool
from tools.pools.settings import BuildSettings
from tools.songs.cut import CutSettings, cut_song
from tools.songs.cut_beat import cut_on_beats
from tools.songs.loudness import measure_loudness
from tools.songs.measure import measure_traits
from tools.songs.rhythm.onsets import find_attacks
from tools.songs.rhythm.rhythm import find_rhythm
from tools.songs.silence import detect_silence, measure_energy, silent_ranges, to_int16


def _measured(audio: SongSamples) -> object:
    bounds = np.arange(0, len(audio), RATE_HZ)
    return measure_traits(audio, RATE_HZ, bounds, find_rhythm(audio, RATE_HZ))


STAGES = [
    lambda audio: find_rhythm(audio, RATE_HZ),
    lambda audio: cut_song(audio, RATE_HZ, CutSettings()),
    lambda audio: cut_on_beats(audio, RATE_HZ, CutSettings(), find_rhythm(audio, RATE_HZ)),
    lambda audio: measure_loudness(audio, RATE_HZ),
    _measured,
]


@pytest.fixture
def short_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything beyond half a second counts as long, and parts are short and of odd lengths."""
    monkeypatch.setattr(stream.audio.samples, "LONG_FRAMES", 20_000)
    monkeypatch.setattr(stream.audio.decode, "_READ_FRAMES", 7_777)
    for module in (stream.audio.samples, tools.songs.true_peak):
        monkeypatch.setattr(module, "PART_FRAMES", 7_777)
    monkeypatch.setattr(stream.audio.samples.in_parts, "__defaults__", (7_777,))
    monkeypatch.setattr(tools.songs.weighting, "FILTERED_FRAMES", 7_777)
    monkeypatch.setattr(tools.songs.power, "PART_WINDOWS", 100)
    monkeypatch.setattr(tools.songs.rhythm.onsets, "PART_STEPS", 1_001)
    monkeypatch.setattr(tools.songs.rhythm.onsets, "_BLOCK_FRAMES", 300)
    monkeypatch.setattr(tools.songs.rhythm.chroma, "_BLOCK_FRAMES", 50)


def is_mapped(audio: SongSamples) -> bool:
    return isinstance(audio, MappedSamples)


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.mp3", "a.ogg", "a.opus"])
def test_a_long_file_decodes_to_the_same_samples(tmp_path: Path, name: str, short_limits: None) -> None:
    song = tmp_path / name
    container = {"a.opus": {"format": "OGG", "subtype": "OPUS"}}.get(name, {})
    soundfile.write(song, tune(6.0, 3, 48_000), 48_000, **container)
    whole, rate_hz = decode(song)
    found, found_rate_hz = decode(song, scratch=tmp_path)
    assert not is_mapped(whole)
    assert is_mapped(found)
    assert found_rate_hz == rate_hz
    np.testing.assert_array_equal(found, whole)
    assert list(tmp_path.iterdir()) == [song], "the samples have no name"


def test_a_long_file_that_ffmpeg_decodes(tmp_path: Path, short_limits: None) -> None:
    song = tmp_path / "a.m4a"
    with av.open(str(song), "w") as file:
        track = file.add_stream("aac", rate=44_100, layout="stereo")
        samples = np.ascontiguousarray(tune(3.0, 3, 44_100).T)
        frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="stereo")
        frame.sample_rate = 44_100
        file.mux([*track.encode(frame), *track.encode(None)])
    found = decode(song, scratch=tmp_path)[0]
    assert is_mapped(found)
    np.testing.assert_array_equal(found, decode(song)[0])


def test_a_short_one_stays_in_memory(tmp_path: Path) -> None:
    (song,) = write_music(tmp_path, ["a.flac"])
    assert not is_mapped(decode(song, scratch=tmp_path)[0])


def test_what_is_given_back_can_be_read_again(tmp_path: Path, short_limits: None) -> None:
    audio = tune(2.0, 1)
    kept = collect(iter(np.array_split(audio, 7)), tmp_path)
    for _ in range(2):
        np.testing.assert_array_equal(np.concatenate(list(in_parts(kept, 999))), audio)
    part = kept[5:50]
    part[:] = 0.0
    np.testing.assert_array_equal(kept[5:50], audio[5:50])
    np.testing.assert_array_equal(kept, audio)
    write_decoded_copy(kept, tmp_path / "copy.npy")
    np.testing.assert_array_equal(np.load(tmp_path / "copy.npy"), audio)


@pytest.mark.skipif(not HELD_IS_TOLD, reason="only Linux tells which pages are held")
@pytest.mark.parametrize("stage", STAGES)
def test_no_stage_holds_a_long_song(tmp_path: Path, stage: Callable[[SongSamples], object]) -> None:
    """Whatever it looks at, and wherever: what was read of the file is not kept in memory."""
    file = tmp_path / "song.f32"
    band(beats((104.0, 20.0)), 4).tofile(file)
    song = MappedSamples(np.memmap(file, dtype=np.float32, mode="r").reshape(-1, 2))
    stage(song)
    assert held_kb(file) == 0


def test_blocks_are_let_go_of_as_they_are_written(tmp_path: Path, short_limits: None) -> None:
    blocks: list[weakref.ref[FloatArray]] = []
    held = []

    def give() -> Iterator[FloatArray]:
        for _ in range(20):
            block = np.zeros((6_000, 2), dtype=np.float32)
            blocks.append(weakref.ref(block))
            yield block
            del block
            held.append(sum(kept() is not None for kept in blocks))

    assert len(collect(give(), tmp_path)) == 20 * 6_000
    # Until there are more than half a second; then the one that was written last, and the last before it.
    assert held[:3] == [1, 2, 3]
    assert max(held[3:]) <= 2


def test_of_no_blocks_there_is_nothing(tmp_path: Path) -> None:
    for scratch in (None, tmp_path):
        assert collect([], scratch).shape == (0, 2)


def test_a_long_file_that_holds_no_frame_is_one_sentence(tmp_path: Path, short_limits: None) -> None:
    song = tmp_path / "a.flac"
    soundfile.write(song, tune(3.0, 1), 22_050)
    data = song.read_bytes()
    song.write_bytes(data[: data.index(b"\xff\xf8")])
    with soundfile.SoundFile(song) as file:
        assert file.frames == 3 * 22_050, "nothing is stated: this test tests nothing"
    with pytest.raises(DecodeError, match=r"a\.flac"):
        decode(song, scratch=tmp_path)


def test_a_folder_that_is_gone_is_not_told_as_full(tmp_path: Path, short_limits: None) -> None:
    (song,) = write_music(tmp_path, ["a.flac"])
    with pytest.raises(FileNotFoundError, match="gone"):
        decode(song, scratch=tmp_path / "gone")


@pytest.mark.skipif(sys.platform == "win32", reason="there are no file size limits on Windows")
def test_no_room_for_the_samples_is_one_sentence(tmp_path: Path, short_limits: None) -> None:
    import resource

    (song,) = write_music(tmp_path, ["a.flac"])
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, before[1]))
    try:
        with pytest.raises(DecodeError, match=r"long song find no room in .*; free some space"):
            decode(song, scratch=tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert len(decode(song, scratch=tmp_path)[0]) == 6 * 22_050


@pytest.fixture(scope="module")
def music(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("long")
    soundfile.write(folder / "a.flac", band(beats((104.0, 30.0)), 4), RATE_HZ)
    soundfile.write(folder / "b.ogg", tune(15.0, 2, RATE_HZ), RATE_HZ)
    return folder


def test_a_pool_of_long_songs_is_the_pool_of_short_ones(
    music: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """All that is measured, to the rounding of sums that are made in parts."""
    build_pool([music], tmp_path / "short", BuildSettings(jobs=1))
    request.getfixturevalue("short_limits")
    build_pool([music], tmp_path / "long", BuildSettings(jobs=1))
    short, long = open_pool(tmp_path / "short"), open_pool(tmp_path / "long")
    assert [song.cut for song in long.songs] == [song.cut for song in short.songs]
    assert [song.audio_hash for song in long.songs] == [song.audio_hash for song in short.songs]
    for one, other in zip(short.songs, long.songs, strict=True):
        assert one.loudness_lufs == pytest.approx(other.loudness_lufs, abs=1e-9)
        assert one.true_peak_db == pytest.approx(other.true_peak_db, abs=1e-9)
    for name in ("start_sample", "end_sample", "fingerprints", "heads", "tails", "spectra", "loudness_db"):
        np.testing.assert_array_equal(getattr(long, name), getattr(short, name), err_msg=name)
    for name in ("tempo_bpm", "beat_confidence", "start_chroma", "end_lufs", "voice_across", "start_onset_s"):
        found, expected = getattr(long.traits, name), getattr(short.traits, name)
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6, err_msg=name)
    assert check_pool(tmp_path / "long", deep=True) == []


def test_attacks_at_the_borders_of_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    mono = band(beats((100.0, 10.0)), 4).mean(axis=1)
    whole = find_attacks(mono).rise
    monkeypatch.setattr(tools.songs.rhythm.onsets, "PART_STEPS", 97)
    np.testing.assert_allclose(find_attacks(mono).rise, whole, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("rate_hz", [44_100, 22_050, 11_025])
def test_silence_is_measured_in_parts_to_the_same_sums(rate_hz: int) -> None:
    audio = to_int16(tune(5.0, 4, rate_hz) * (np.arange(5 * rate_hz) // rate_hz % 2)[:, np.newaxis])
    energy = measure_energy(np.array_split(audio, 13), len(audio), rate_hz)
    for silence_db in (-16.0, -40.0):
        expected = detect_silence(audio, rate_hz, 300, silence_db)
        assert len(expected)
        np.testing.assert_array_equal(silent_ranges(energy, 300, silence_db), expected)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("frames", [0, 1, 100, 1_023, 4_095, 5_000, 2_048 * 1_024, 2_049 * 1_024 + 7])
def test_nothing_of_any_length_makes_a_library_warn(frames: int) -> None:
    """Among them one whose last block of chroma would be shorter than its window."""
    audio = np.random.default_rng(0).normal(0.0, 0.1, (frames, 2)).astype(np.float32)
    rhythm = find_rhythm(audio, RATE_HZ // 2)
    assert rhythm.chroma.shape == (12, 1 + frames // 1_024)
    assert not rhythm.clear
