"""Whatever a reader raises is one sentence about one file, and no length that a file states is believed."""

import builtins
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from model.base.errors import DecodeError
from stream.audio.decode import decode, decode_song, probe
from stream.audio.reading import reading
from stream.audio.song_file import SongFile, seeks_check_out
from tests.support.any_format import encode, level_at, tones

RATE_HZ = 22_050
RAISED = (
    ValueError("array is too big; `arr.size * arr.dtype.itemsize` is larger than\nthe maximum"),
    AssertionError(),
    UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
    IndexError("tuple index out of range"),
    RuntimeError("a library's own"),
    OSError(5, "Input/output error"),
    MemoryError(),
    OverflowError("Python int too large to convert to C long"),
)


@pytest.fixture
def song(tmp_path: Path) -> Path:
    path = tmp_path / "song.flac"
    soundfile.write(path, tones(RATE_HZ, 2.0), RATE_HZ)
    return path


@pytest.mark.parametrize("error", RAISED, ids=lambda error: type(error).__name__)
def test_any_exception_is_one_sentence_that_names_the_file_once(error: Exception, tmp_path: Path) -> None:
    path = tmp_path / "a.flac"
    with pytest.raises(DecodeError) as raised, reading(path):
        raise error
    sentence = str(raised.value)
    assert sentence.startswith(f"{path} ") and sentence.count(str(path)) == 1
    assert "\n" not in sentence and len(sentence) < len(str(path)) + 300
    assert raised.value.__cause__ is error


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, DecodeError("its own")])
def test_what_is_no_fault_of_a_reader_passes(error: BaseException | type[BaseException]) -> None:
    expected = error if isinstance(error, type) else type(error)
    with pytest.raises(expected) as raised, reading(Path("a.flac")):
        raise error
    assert isinstance(error, type) or raised.value is error


@pytest.mark.parametrize("error", RAISED, ids=lambda error: type(error).__name__)
def test_where_libsndfile_fails_ffmpeg_reads(
    song: Path, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, _ = decode(song)

    def fails(self: soundfile.SoundFile, *_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(soundfile.SoundFile, "read", fails)
    assert np.array_equal(decode(song)[0], whole)
    file = SongFile(song)
    expected = (
        "memory" if isinstance(error, MemoryError) else "cannot be read at frame 7 .*; run `endlos pool"
    )
    with pytest.raises(DecodeError, match=expected):
        file.read(7, 9)
    file.close()
    assert not seeks_check_out(song, whole, 0)


@pytest.mark.parametrize("error", RAISED, ids=lambda error: type(error).__name__)
def test_where_both_fail_it_is_one_sentence(
    song: Path, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(soundfile, "SoundFile", fails)
    monkeypatch.setattr(av, "open", fails)
    for ask in (decode, probe, SongFile):
        with pytest.raises(DecodeError) as raised:
            ask(song)  # type: ignore[operator]
        assert str(raised.value).startswith(f"{song} ") and "\n" not in str(raised.value)


def test_what_came_before_a_fault_is_kept(song: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from stream.audio import decode_pyav

    def few(*_: object) -> Iterator[object]:
        for number, frame in enumerate(real(*_)):  # type: ignore[arg-type]
            if number == 3:
                raise ValueError("no more")
            yield frame

    real = decode_pyav._frames
    monkeypatch.setattr(decode_pyav, "_frames", few)
    monkeypatch.setattr(soundfile.SoundFile, "read", lambda *_, **__: builtins.exec("1/0"))
    decoded = decode_song(song)
    assert 0 < len(decoded.samples) < 2 * RATE_HZ
    assert decoded.left_out == ("1 damaged place",)


def test_frames_become_one_block_as_far_as_they_are_of_one_kind() -> None:
    from stream.audio import decode_pyav

    def frame(rate_hz: int, layout: str, number: int) -> av.AudioFrame:
        samples = np.full((len(av.AudioLayout(layout).channels), 5), number, dtype=np.float32)
        made = av.AudioFrame.from_ndarray(samples, format="fltp", layout=layout)
        made.sample_rate = rate_hz
        return made

    many = decode_pyav._RUN_FRAMES + 1
    kinds = [(8_000, "stereo")] * 3 + [(16_000, "stereo")] * many + [(16_000, "mono")]
    runs = list(decode_pyav._runs(iter(frame(*kind, number) for number, kind in enumerate(kinds))))
    assert [len(run) for run in runs] == [3, many - 1, 1, 1]
    blocks = [decode_pyav._float_samples(run) for run in runs]
    assert [block.shape for block in blocks[::3]] == [(15, 2), (5, 1)]
    assert np.concatenate([block[::5, 0] for block in blocks]).tolist() == list(range(len(kinds)))


def test_a_file_that_states_no_length_is_probed_as_one(tmp_path: Path) -> None:
    path = tmp_path / "a.flac"
    soundfile.write(path, tones(RATE_HZ, 1.0), RATE_HZ)
    data = bytearray(path.read_bytes())
    data[21] &= 0xF0
    data[22:26] = bytes(4)
    path.write_bytes(data)
    assert probe(path).frames is None


def test_gsm_in_wav_is_decoded(tmp_path: Path) -> None:
    """Its reader cannot seek, and python-soundfile then refuses to read without a number of frames."""
    path = tmp_path / "gsm.wav"
    soundfile.write(path, tones(8_000, 2.0)[:, :1], 8_000, subtype="GSM610")
    audio, rate_hz = decode(path)
    assert rate_hz == 8_000 and len(audio) == pytest.approx(16_000, abs=320)
    assert level_at(audio[:, 0], 440.0, rate_hz) == pytest.approx(0.5, rel=0.15)


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.mp3", "a.m4a", "a.aiff", "a.caf", "a.w64"])
def test_any_damage_is_decoded_or_one_sentence(tmp_path: Path, name: str) -> None:
    """Bits that flip, cuts, and numbers of the header that are the largest or none; seeded."""
    path = tmp_path / name
    if name.endswith("m4a"):
        encode(path, "aac", tones(RATE_HZ, 1.0), RATE_HZ)
    else:
        soundfile.write(path, tones(RATE_HZ, 1.0), RATE_HZ)
    good = path.read_bytes()
    for seed in range(60):
        random = np.random.default_rng(seed)
        data = bytearray(good)
        for _ in range(int(random.integers(1, 12))):
            at = int(random.integers(0, min(len(data), 4_000 if seed % 2 else 200)))
            kind = random.integers(0, 3)
            if kind == 0:
                data[at] ^= 1 << int(random.integers(0, 8))
            else:
                data[at : at + 4] = (b"\xff" if kind == 1 else b"\0") * 4
        if seed % 3 == 0:
            del data[int(random.integers(1, len(data))) :]
        path.write_bytes(data)
        try:
            decoded = decode_song(path)
        except DecodeError as error:
            assert str(error).count(str(path)) == 1 and "\n" not in str(error)
        else:
            assert np.isfinite(decoded.samples).all() and len(decoded.samples) < 100 * len(good)
