"""The demo songs keep their promises when measured from their files alone."""

from pathlib import Path

import mutagen
import numpy as np
import pyloudnorm
import pytest
import soundfile
import soxr

from model.base.arrays import DoubleArray, FloatArray
from model.base.errors import EndlosError
from tools.demo.compose import compose_score
from tools.demo.songs import write_demo_songs

SECONDS = 30
RATE_HZ = 44_100
HOP_FRAMES = 256


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write_demo_songs(tmp_path_factory.mktemp("demo"), songs=3, seconds=SECONDS, seed=7)


@pytest.fixture(scope="module")
def songs(paths: list[Path]) -> list[FloatArray]:
    return [soundfile.read(path, dtype="float32")[0] for path in paths]


def spectrogram(audio: FloatArray) -> DoubleArray:
    """Power, `(hops, bins)`, of the mono sum in windows of 1024 frames."""
    windows = np.lib.stride_tricks.sliding_window_view(audio.mean(axis=1), 1024)[::HOP_FRAMES]
    return np.abs(np.fft.rfft(windows * np.hanning(1024), axis=1)) ** 2


def tempo_bpm(audio: FloatArray) -> float:
    """Tempo between 80 and 130 BPM by autocorrelation of the spectral flux at one, two and four beats."""
    level = np.log1p(1e3 * spectrogram(audio))
    flux = np.maximum(np.diff(level, axis=0), 0).sum(axis=1)
    flux -= flux.mean()
    spectrum = np.fft.rfft(flux, 2 * len(flux))
    correlation = np.fft.irfft(np.abs(spectrum) ** 2)[: len(flux)]
    candidates = np.arange(80, 130, 0.05)
    lags = 60 / candidates * RATE_HZ / HOP_FRAMES
    score = sum(np.interp(beats * lags, np.arange(len(flux)), correlation) for beats in (1, 2, 4, 8))
    return float(candidates[np.argmax(score)])


def share(audio: FloatArray, low_hz: float, high_hz: float) -> float:
    power = spectrogram(audio).sum(axis=0)
    frequencies_hz = np.fft.rfftfreq(1024, 1 / RATE_HZ)
    return float(power[(frequencies_hz >= low_hz) & (frequencies_hz < high_hz)].sum() / power.sum())


def section(audio: FloatArray, index: int, name: str) -> FloatArray:
    score = compose_score(7, index, SECONDS)
    found = next(part for part in score.sections if part.name == name)
    return audio[int(found.start * score.bar_s * RATE_HZ) : int(found.stop * score.bar_s * RATE_HZ)]


def test_files_are_flac_of_the_asked_length_and_nothing_is_left_beside(paths: list[Path]) -> None:
    for path in paths:
        info = soundfile.info(path)
        assert (info.format, info.samplerate, info.channels) == ("FLAC", RATE_HZ, 2)
        assert info.frames == SECONDS * RATE_HZ
    assert sorted(paths[0].parent.iterdir()) == sorted(paths)


def test_tags_name_the_song(paths: list[Path]) -> None:
    tags = [mutagen.File(path) for path in paths]
    assert [tag["artist"] for tag in tags] == [["endlos"]] * 3
    assert [tag["album"] for tag in tags] == [["Demo songs"]] * 3
    assert [tag["genre"] for tag in tags] == [["House"], ["Deep House"], ["Downtempo"]]
    assert len({tag["title"][0] for tag in tags}) == len({tag["initialkey"][0] for tag in tags}) == 3
    assert all(tag["title"][0] in path.name for tag, path in zip(tags, paths, strict=True))


def test_tempi_differ_and_are_what_the_tags_say(paths: list[Path], songs: list[FloatArray]) -> None:
    said = [float(mutagen.File(path)["bpm"][0]) for path in paths]
    assert 122 <= said[0] <= 126 and 100 <= said[1] <= 112 and 85 <= said[2] <= 95
    for bpm, audio in zip(said, songs, strict=True):
        assert tempo_bpm(audio) == pytest.approx(bpm, rel=0.01)


def test_house_beats_stand_on_the_grid(paths: list[Path], songs: list[FloatArray]) -> None:
    beat_s = 60 / float(mutagen.File(paths[0])["bpm"][0])
    audio = section(songs[0], 0, "main")
    # Bass energy that comes within 10 ms, folded on the beat: it comes at the beat.
    low = soxr.resample(audio.mean(axis=1), RATE_HZ, 1000)
    energy = np.add.reduceat(low**2, np.arange(0, len(low) - 10, 10))
    rise = np.maximum(np.diff(energy), 0)
    phase = (np.arange(1, len(energy)) * 0.01 / beat_s) % 1
    folded, _ = np.histogram(phase, bins=16, range=(0, 1), weights=rise)
    assert folded.argmax() in (0, 15)


def test_stereo_is_wide_and_safe_in_mono(songs: list[FloatArray]) -> None:
    for audio in songs:
        assert not np.array_equal(audio[:, 0], audio[:, 1])
        assert 0.3 < np.corrcoef(audio[:, 0], audio[:, 1]).item(0, 1) < 0.97


def test_loudness_peak_and_dc(songs: list[FloatArray]) -> None:
    for audio in songs:
        assert np.isfinite(audio).all()
        assert -16 < pyloudnorm.Meter(RATE_HZ).integrated_loudness(audio) < -14
        oversampled = soxr.resample(audio, RATE_HZ, 8 * RATE_HZ, quality="VHQ")
        assert 0.3 < np.abs(oversampled).max() < 10 ** (-1 / 20)
        assert np.abs(audio.mean(axis=0)).max() < 1e-3


def test_ends_are_faded(songs: list[FloatArray]) -> None:
    for audio in songs:
        assert np.abs(audio[0]).max() < 2e-4
        assert np.abs(audio[-RATE_HZ // 100 :]).max() < 1e-3


def test_main_part_has_bass_middle_and_highs(songs: list[FloatArray]) -> None:
    for index, audio in enumerate(songs):
        main = section(audio, index, "main")
        assert share(main, 20, 150) > 0.15
        assert share(main, 150, 2000) > 0.1
        assert share(main, 5000, 16_000) > 0.002


def test_sections_differ_in_energy(songs: list[FloatArray]) -> None:
    for index, audio in enumerate(songs):
        main, pause = section(audio, index, "main"), section(audio, index, "break")
        assert np.mean(pause**2) < 0.6 * np.mean(main**2)
        assert share(pause, 20, 100) < 0.5 * share(main, 20, 100)


def test_same_seed_same_samples_however_many_songs(tmp_path: Path, songs: list[FloatArray]) -> None:
    again = write_demo_songs(tmp_path, songs=1, seconds=SECONDS, seed=7)
    np.testing.assert_array_equal(soundfile.read(again[0], dtype="float32")[0], songs[0])


def test_other_seeds_are_other_songs(tmp_path: Path) -> None:
    paths = [write_demo_songs(tmp_path / str(seed), 1, 5, seed)[0] for seed in (0, 1)]
    one, other = (soundfile.read(path, dtype="float32")[0] for path in paths)
    assert abs(np.corrcoef(one[:, 0], other[:, 0])[0, 1]) < 0.7


@pytest.mark.parametrize("seconds", [5, 7.34, 11.5])
def test_short_songs_have_the_exact_length_too(tmp_path: Path, seconds: float) -> None:
    calls: list[tuple[int, int]] = []
    paths = write_demo_songs(tmp_path, 3, seconds, 1, lambda done, total: calls.append((done, total)))
    assert calls == [(1, 3), (2, 3), (3, 3)]
    for path in paths:
        audio, _ = soundfile.read(path, dtype="float32")
        assert len(audio) == round(seconds * RATE_HZ)
        assert -20 < 20 * np.log10(np.sqrt(np.mean(audio**2))) < -10


def test_writing_again_replaces(tmp_path: Path) -> None:
    first = write_demo_songs(tmp_path, 1, 5)
    first[0].write_bytes(b"broken")
    assert write_demo_songs(tmp_path, 1, 5) == first
    assert soundfile.info(first[0]).frames == 5 * RATE_HZ


@pytest.mark.parametrize(
    ("songs", "seconds", "seed", "sentence"),
    [
        (0, 5, 0, "at least 1 is expected"),
        (1, 4.99, 0, "at least 5 s are expected"),
        (1, float("nan"), 0, "at least 5 s are expected"),
        (1, float("inf"), 0, "at least 5 s are expected"),
        (1, 5, -1, "the seed is -1"),
    ],
)
def test_arguments_out_of_range(tmp_path: Path, songs: int, seconds: float, seed: int, sentence: str) -> None:
    with pytest.raises(EndlosError, match=sentence):
        write_demo_songs(tmp_path / "demo", songs, seconds, seed)
    assert not (tmp_path / "demo").exists()


def test_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for folder in (tmp_path / "file", tmp_path / "file" / "demo"):
        with pytest.raises(EndlosError, match="cannot be written"):
            write_demo_songs(folder, 1, 5)


def test_a_song_that_cannot_be_written_leaves_nothing_beside(tmp_path: Path) -> None:
    blocked = tmp_path / f"01 {compose_score(0, 0, 5).title}.flac"
    blocked.mkdir()
    with pytest.raises(EndlosError, match=r"01 .*\.flac cannot be written"):
        write_demo_songs(tmp_path, 1, 5)
    assert list(tmp_path.iterdir()) == [blocked]
