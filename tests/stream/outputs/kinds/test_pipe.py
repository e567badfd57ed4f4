"""The pipe output hands on samples as they are, to readers that come and go, and waits for none."""

import io
import os
import select
import threading
import wave
from pathlib import Path

import numpy as np
import pytest
import soxr

from model.base.arrays import FloatArray
from model.base.errors import OutputError
from stream.outputs.kinds.pipe import PipeOutput, PipeSettings, wav_header
from stream.outputs.place import Tap
from tests.support.heard import RATE_HZ, Feeder, music
from tests.support.waiting import wait_until

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")


def opened(path: Path, **settings: object) -> PipeOutput:
    (output,) = PipeSettings(path=path, **settings).open(Tap(engine_rate_hz=RATE_HZ))  # type: ignore[arg-type]
    output.start()
    return output


class Reader:
    """Somebody who reads a pipe, as fast as it comes."""

    def __init__(self, path: Path) -> None:
        self._pipe = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.data = b""

    def __enter__(self) -> "Reader":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        os.close(self._pipe)

    def _run(self) -> None:
        while not self._stop.is_set():
            if select.select([self._pipe], [], [], 0.05)[0]:
                self.data += os.read(self._pipe, 1 << 16)
                # Where nobody writes there is nothing to wait for.
                self._stop.wait(0.005)


def found(sound: FloatArray, samples: np.ndarray) -> int:
    """Return where 16-bit samples `(frames, 2)` stand in a sound; fail where they do not."""
    whole = np.rint(sound[:, 0].astype(np.float64) * 32768)
    for start in np.flatnonzero(whole[: len(whole) - len(samples) + 1] == samples[0, 0]):
        if np.array_equal(whole[start : start + len(samples)], samples[:, 0]):
            return int(start)
    raise AssertionError("it is nowhere in the sound")


def test_readers_come_and_go_and_each_gets_the_stream_to_the_bit(tmp_path: Path) -> None:
    path, sound = tmp_path / "pipe", music(60)
    output = opened(path)
    with Feeder(output, sound, speed=4):
        wait_until(lambda: output.status().frames_out > RATE_HZ, "it goes nowhere")
        assert (output.status().listeners, output.status().detail) == (0, "nobody reads")
        starts = []
        for _ in range(2):
            with Reader(path) as reader:
                wait_until(lambda reader=reader: len(reader.data) > 4 * RATE_HZ, "a second is read")
                assert output.status().bytes_out > 4 * RATE_HZ
                assert (output.status().listeners, output.status().detail) == (1, "")
            samples = np.frombuffer(reader.data[: 4 * RATE_HZ], "<i2").reshape(-1, 2)
            starts.append(found(sound, samples))
            wait_until(lambda: output.status().listeners == 0, "it is noticed that the reader has gone")
        assert starts[1] > starts[0] + RATE_HZ > RATE_HZ
    output.close()
    status = output.status()
    assert (status.state, status.dropped_frames) == ("stopped", 0)


def test_a_reader_that_reads_at_once_finds_no_end(tmp_path: Path) -> None:
    """As snapserver 0.26.0 does (`PosixStream`), which takes it for the end, and the pipe for useless."""
    path = tmp_path / "pipe"
    output = opened(path)
    with Feeder(output, music(2), speed=1, loop=True):
        wait_until(lambda: output.status().frames_out > 0, "it goes nowhere")
        for _ in range(20):
            reading = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
            try:
                assert os.read(reading, 4) != b""
            except BlockingIOError:
                pass
            finally:
                os.close(reading)
    output.close()


def test_a_reader_that_stands_still_holds_up_nothing_but_its_own(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    output = opened(path)
    standing = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with Feeder(output, music(5), speed=8, loop=True) as feeder:
        wait_until(lambda: output.status().dropped_frames > 0, "what it does not read is counted")
        offers = feeder.offers
        wait_until(lambda: feeder.offers > offers + 20, "the stream goes on")
    output.close()
    assert output.status().state == "stopped"
    os.close(standing)


@pytest.mark.parametrize(
    ("sample_format", "rate_hz"), [("f32le", None), ("s16le", 48_000), ("wav", None), ("wav", 48_000)]
)
def test_every_format_is_what_it_says(tmp_path: Path, sample_format: str, rate_hz: int | None) -> None:
    path, sound = tmp_path / "pipe", music(3)
    os.mkfifo(path)
    with Reader(path) as reader:
        output = opened(path, sample_format=sample_format, rate_hz_asked=rate_hz)
        with Feeder(output, sound, speed=4) as feeder:
            wait_until(lambda: feeder.done, "all is offered")
        output.close()
        frame_bytes = 8 if sample_format == "f32le" else 4
        least_bytes = round(2.9 * (rate_hz or RATE_HZ)) * frame_bytes
        wait_until(lambda: len(reader.data) >= least_bytes, "all is read")
    data = reader.data
    if sample_format == "wav":
        with wave.open(io.BytesIO(data)) as told:
            assert (told.getframerate(), told.getnchannels(), told.getsampwidth()) == (
                rate_hz or RATE_HZ,
                2,
                2,
            )
        data = data.removeprefix(wav_header(rate_hz or RATE_HZ))
    expected = sound if rate_hz is None else soxr.resample(sound, RATE_HZ, rate_hz)
    frames = len(expected) - round(0.2 * (rate_hz or RATE_HZ))
    if sample_format == "f32le":
        assert np.array_equal(np.frombuffer(data, "<f4").reshape(-1, 2)[:frames], expected[:frames])
        return
    got = np.frombuffer(data, "<i2").reshape(-1, 2)[:frames]
    assert np.abs(got - np.rint(expected[:frames].astype(np.float64) * 32768)).max() <= (rate_hz is not None)


def test_what_is_too_loud_is_clipped(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with Reader(path) as reader:
        output = opened(path)
        output.offer(np.full((RATE_HZ, 2), [1.5, -1.5], dtype=np.float32))
        wait_until(lambda: len(reader.data) > RATE_HZ, "it is read")
        output.close()
    assert np.frombuffer(reader.data[:8], "<i2").tolist() == [32767, -32768, 32767, -32768]


def test_a_pipe_that_is_gone_is_made_again_and_a_folder_that_is_gone_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "run" / "pipe"
    path.parent.mkdir()
    output = opened(path)
    with Feeder(output, music(5), speed=4, loop=True):
        path.unlink()
        wait_until(path.is_fifo, "it is made again, as snapserver needs that makes its own")
        path.parent.rename(tmp_path / "away")
        wait_until(lambda: "No such file or directory" in output.status().detail, "it is told")
        path.parent.mkdir()
        path.write_text("mine")
        wait_until(lambda: "is there and is no pipe" in output.status().detail, "it is told")
        assert path.read_text() == "mine"
        path.unlink()
        wait_until(path.is_fifo, "it is made again")
        with Reader(path) as reader:
            wait_until(lambda: len(reader.data) > 4 * RATE_HZ, "it is heard")
    output.close()


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("file", "is there and is no pipe"),
        ("none/pipe", "cannot be made (No such file"),
        ("/proc/pipe", "cannot be made"),
    ],
)
def test_what_can_be_no_pipe_is_told_before_any_music_is_opened(
    tmp_path: Path, name: str, sentence: str
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError) as refused:
        PipeSettings(path=tmp_path / name).require()
    assert sentence in str(refused.value)


def test_a_rate_that_cannot_be_meant_is_refused() -> None:
    for rate_hz in (0, -1, 10**9):
        with pytest.raises(OutputError, match="expected 8000 to 192000"):
            PipeSettings(rate_hz_asked=rate_hz)
