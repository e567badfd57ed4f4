"""The file output writes the stream while it plays, and ends whole."""

import errno
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from model.base.errors import OutputError
from stream.outputs import audio_file
from stream.outputs.encoding.disk_file import DiskFile
from stream.outputs.kinds.file import FileOutput, FileSettings
from stream.outputs.written import WRITE_FADE_S
from tests.support.heard import RATE_HZ, Feeder, music
from tests.support.waiting import wait_until

FADE_FRAMES = round(WRITE_FADE_S * RATE_HZ)


def written(path: Path, bits: int | None = None) -> FileOutput:
    output = FileOutput(FileSettings(path=path, bits=bits), RATE_HZ)
    output.start()
    return output


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.mp3", "a.ogg", "a.opus"])
def test_all_bytes_of_the_file_are_counted(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    output = written(path)
    with Feeder(output, music(3), speed=8) as feeder:
        wait_until(lambda: output.status().bytes_out > 0, "something is written")
        wait_until(lambda: feeder.done, "all is offered")
    output.close()
    assert output.status().bytes_out == path.stat().st_size > 10_000


@pytest.mark.parametrize("name", ["a.wav", "a.flac"])
def test_the_file_is_the_stream_bit_for_bit_and_whole_at_the_end(tmp_path: Path, name: str) -> None:
    sound = music(3)
    path = tmp_path / name
    output = written(path)
    with Feeder(output, sound, speed=8) as feeder:
        wait_until(lambda: output.status().frames_out > RATE_HZ, "something is written")
        assert not path.exists(), "nothing half-written has the name"
        wait_until(lambda: feeder.done, "all is offered")
    output.close()
    status = output.status()
    assert (status.state, status.detail, status.dropped_frames) == ("stopped", "", 0)
    assert status.frames_out == len(sound)
    heard, rate_hz = soundfile.read(path, dtype="int32", always_2d=True)
    expected = np.rint(sound.astype(np.float64) * (1 << 23)).astype(np.int32) << 8
    assert rate_hz == RATE_HZ
    assert len(heard) == len(sound)
    assert (heard[:-FADE_FRAMES] == expected[:-FADE_FRAMES]).all()
    assert np.abs(heard[-1]).max() == 0
    assert [found.name for found in tmp_path.iterdir()] == [name]


def test_a_full_disk_ends_the_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full = False
    write = DiskFile.write

    def writing(disk: DiskFile, data: bytes) -> int:
        if full:
            disk.fault = disk.fault or OSError(errno.ENOSPC, "No space left on device")
        return write(disk, data)

    monkeypatch.setattr(DiskFile, "write", writing)
    output = written(tmp_path / "a.wav")
    with Feeder(output, music(2), speed=8, loop=True):
        wait_until(lambda: output.status().frames_out > RATE_HZ, "something is written")
        full = True
        wait_until(lambda: output.status().state == "stopped", "it ends")
        dropped = output.status().dropped_frames
        wait_until(lambda: output.status().dropped_frames > dropped, "what comes is counted as lost")
    assert "No space left on device" in output.status().detail
    kept = tmp_path / "a.incomplete.wav"
    assert output.status().detail.endswith(f"; what was written is kept in {kept}")
    assert list(tmp_path.iterdir()) == [kept]
    heard = soundfile.read(kept, dtype="int32")[0]
    assert RATE_HZ < len(heard) <= output.status().frames_out + 8 * RATE_HZ
    assert (heard[:RATE_HZ] == np.rint(music(2)[:RATE_HZ].astype(np.float64) * (1 << 23)) * 256).all()
    output.close()


def test_a_disk_that_is_full_at_the_very_end_keeps_what_there_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = written(tmp_path / "a.flac")
    with Feeder(output, music(2), speed=8) as feeder:
        wait_until(lambda: feeder.done, "all is offered")
    close = DiskFile.close
    left = iter([OSError(errno.ENOSPC, "No space left on device")])

    def closing(disk: DiskFile) -> None:
        close(disk)
        for error in left:
            raise error

    monkeypatch.setattr(DiskFile, "close", closing)
    output.close()
    wait_until(lambda: output.status().state == "stopped", "it ends")
    kept = tmp_path / "a.incomplete.flac"
    assert "No space left on device" in output.status().detail
    assert output.status().detail.endswith(f"; what was written is kept in {kept}")
    assert list(tmp_path.iterdir()) == [kept]
    assert soundfile.info(kept).frames == output.status().frames_out


def test_a_wav_file_ends_whole_where_it_can_grow_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audio_file, "MAX_WAV_BYTES", RATE_HZ * 6)
    output = written(tmp_path / "a.wav")
    with Feeder(output, music(2), speed=4, loop=True):
        wait_until(lambda: output.status().state == "stopped", "it ends")
    assert "a .flac file can be longer" in output.status().detail
    frames = soundfile.info(tmp_path / "a.wav").frames
    assert 0 < frames <= RATE_HZ
    assert frames == output.status().frames_out


def test_what_killed_runs_left_is_kept_one_beside_the_other(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    # In a container each run has the same number.
    for text in ("first", "second"):
        (tmp_path / f"a.wav.live.{os.getpid()}.part").write_text(text)
        output = written(tmp_path / "a.wav")
        output.close()
    kept = [tmp_path / "a.incomplete.wav", tmp_path / "a.incomplete-2.wav"]
    assert [path.read_text() for path in kept] == ["first", "second"]
    for path in kept:
        assert f"had written of {tmp_path / 'a.wav'} is kept in {path}\n" in caplog.text
    assert len(list(tmp_path.glob("a.2*.wav"))) == 1, "the first finished one"
    assert len(list(tmp_path.iterdir())) == 4


@pytest.mark.parametrize(
    ("name", "sentence"),
    [("a.txt", "no known audio extension"), ("none/a.wav", "there is no folder"), (".", "expected one of")],
)
def test_what_can_be_no_file_is_told_before_any_music_is_opened(
    tmp_path: Path, name: str, sentence: str
) -> None:
    with pytest.raises(OutputError, match=sentence):
        FileSettings(path=tmp_path / name).require()
    assert not list(tmp_path.iterdir())
