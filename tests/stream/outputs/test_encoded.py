"""Encoded outputs end and begin sessions again, and hide no fault."""

import threading
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from model.base.arrays import FloatArray
from model.base.errors import OutputError
from stream.outputs import encoded, output_tally
from stream.outputs import output as output_module
from stream.outputs.encoded import LAST_RETRY_S, EncodedOutput
from stream.outputs.encoding import guarded_encoder
from stream.outputs.encoding.encoder import StreamEncoder
from stream.outputs.fed import explain
from tests.support.heard import RATE_HZ, Feeder, decode, music, residual_db, wait_until


class Recorder(EncodedOutput):
    """Delivers into memory; the test can make it fail, block, or die."""

    def __init__(self) -> None:
        super().__init__("recorder", RATE_HZ, "flac", 0)
        self.sessions: list[bytes] = []
        self.fault: BaseException | None = None
        self.blocked = threading.Event()
        self.free = threading.Event()

    def _connect(self) -> None:
        if self.fault is not None:
            raise self.fault
        self.sessions.append(b"")

    def _deliver(self, header: bytes, data: bytes, frames: int) -> None:
        if self.fault is not None:
            raise self.fault
        if self.blocked.is_set():
            self.free.wait()
            raise ConnectionResetError(None, "interrupted")
        self.sessions[-1] += header + data

    def _interrupt(self) -> None:
        self.free.set()


@pytest.fixture
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoded, "_FIRST_RETRY_S", 0.05)


def test_everything_offered_is_delivered_and_accounted_for() -> None:
    output, sound = Recorder(), music(3)
    assert output.status().state == "starting"
    output.start()
    wait_until(lambda: output.status().state == "playing", "it plays")
    with Feeder(output, sound, speed=10) as feeder:
        wait_until(lambda: feeder.done and output.status().buffered_s == 0, "all is offered and taken")
    output.close()
    status = output.status()
    assert (status.state, status.dropped_frames, status.reconnects) == ("stopped", 0, 0)
    assert status.frames_out == len(sound)
    heard, rate_hz = decode(output.sessions[0])
    assert residual_db(sound, heard, rate_hz) < -75
    assert status.audible_ago_s is not None and status.delivered_ago_s is not None


def test_silence_is_counted_from_the_last_sound(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = 50.0
    for module in (output_tally, output_module):
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now_s))
    output = Recorder()
    output.start()
    assert output.status().audible_ago_s is None
    sound = music(1)
    with Feeder(output, sound, speed=4) as feeder:
        wait_until(lambda: feeder.done, "all is offered")
    # What comes when nothing is offered is silence, delivered like sound.
    silence = output.status().underrun_frames
    wait_until(lambda: output.status().underrun_frames > silence, "the sound is over")
    taken = len(sound) + output.status().underrun_frames
    wait_until(lambda: output.status().frames_out >= taken, "all of it is delivered")
    now_s += 9.5
    silence = output.status().underrun_frames
    wait_until(lambda: output.status().underrun_frames > silence + RATE_HZ // 2, "silence is delivered")
    output.close()
    assert output.status().audible_ago_s == 9.5


def test_after_a_fault_it_comes_back_with_fresh_sound(quick_retries: None) -> None:
    output = Recorder()
    output.start()
    with Feeder(output, music(5), loop=True):
        wait_until(lambda: output.status().frames_out > RATE_HZ, "it plays")
        output.fault = OSError(5, "cable bitten through")
        wait_until(lambda: output.status().state == "reconnecting", "the fault is seen")
        assert output.status().detail == "cable bitten through"
        dropped = output.status().dropped_frames
        wait_until(lambda: output.status().dropped_frames > dropped + RATE_HZ // 2, "frames are dropped")
        # A fault of our own making is none to die of, either.
        output.fault = ZeroDivisionError("a mistake")
        wait_until(lambda: "ZeroDivisionError: a mistake" in output.status().detail, "the fault is seen")
        output.fault = None
        wait_until(lambda: output.status().state == "playing", "it is back")
        sent = output.status().frames_out
        wait_until(lambda: output.status().frames_out > sent + 2 * RATE_HZ, "it plays again")
    output.close()
    assert output.status().reconnects == len(output.sessions) - 1 == 1
    assert len(decode(output.sessions[1])[0]) > RATE_HZ


@pytest.mark.parametrize(
    ("fault", "begun", "longest_s"),
    [
        pytest.param(OSError(5, "nobody answers"), False, encoded.UNANSWERED_RETRY_S, id="unanswered"),
        pytest.param(OutputError("refused"), False, LAST_RETRY_S, id="refused"),
        pytest.param(OSError(5, "cut off"), True, encoded.BROKEN_RETRY_S, id="broken"),
    ],
)
def test_retries_are_ever_rarer_and_quick_again_after_a_steady_session(
    fault: Exception, begun: bool, longest_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = 50.0
    waits_s: list[float] = []
    ended = [0.0] * 9 + [encoded._STEADY_S + 1.0, 0.0]

    class Failing(Recorder):
        def _session(self) -> None:
            nonlocal now_s
            now_s += ended[len(waits_s)]
            self._sessions += begun
            raise fault

        def _rest(self, wait_s: float) -> None:
            waits_s.append(wait_s)
            if len(waits_s) == len(ended):
                self._stop.set()

    monkeypatch.setattr(encoded, "time", SimpleNamespace(monotonic=lambda: now_s))
    monkeypatch.setattr(encoded, "random", SimpleNamespace(uniform=lambda low, high: high))
    output = Failing()
    output.start()
    wait_until(lambda: len(waits_s) == len(ended), "all retries were made")
    output.close()
    first = encoded._FIRST_RETRY_S
    rarer = [min(first * 2**n, longest_s) for n in range(9)]
    assert waits_s == [*rarer, first, min(2 * first, longest_s)]
    assert rarer[-1] == longest_s


def test_a_blocked_delivery_blocks_neither_the_pacer_nor_the_end() -> None:
    output = Recorder()
    output.blocked.set()
    output.start()
    with Feeder(output, music(5), speed=50, loop=True):
        wait_until(lambda: output.status().dropped_frames > RATE_HZ, "the ring runs over")
    output.close()
    assert output.free.is_set()
    wait_until(lambda: "recorder" not in {thread.name for thread in threading.enumerate()}, "it ends")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_dead_thread_is_seen() -> None:
    output = Recorder()
    output.fault = KeyboardInterrupt()
    output.start()
    wait_until(lambda: output.status().state == "stopped", "its death is seen")
    assert "died" in output.status().detail
    output.close()


@pytest.mark.parametrize("fault", ["hangs", "fails"])
def test_a_broken_encoder_is_replaced_while_the_connection_stays(
    fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, free = threading.Event(), threading.Event()
    monkeypatch.setattr(guarded_encoder, "ENCODER_STALL_S", 0.5)

    class Broken(StreamEncoder):
        def encode(self, block: FloatArray) -> bytes:
            if broken.is_set():
                broken.clear()
                if fault == "fails":
                    raise ValueError("no more")
                free.wait()
            return super().encode(block)

    monkeypatch.setattr(encoded, "StreamEncoder", Broken)
    output, sound = Recorder(), music(8)
    output.start()
    with Feeder(output, sound, speed=2, loop=True) as feeder:
        wait_until(lambda: output.status().frames_out > RATE_HZ, "it plays")
        broken.set()
        wait_until(lambda: output.status().encoder_restarts == 1, "the encoder is replaced")
        sent = output.status().frames_out
        wait_until(lambda: output.status().frames_out > sent + 3 * RATE_HZ, "it plays again")
        assert output.status().state == "playing"
    output.close()
    free.set()
    status = output.status()
    assert (status.reconnects, len(output.sessions)) == (0, 1)
    # What was in the encoder that is gone is counted, once.
    assert status.dropped_frames > 0
    told = status.frames_out + status.dropped_frames - status.underrun_frames
    assert abs(told - feeder.offers * (RATE_HZ // 20)) < 0.3 * RATE_HZ
    assert status.bytes_out == len(output.sessions[0])
    first, second = output.sessions[0].split(b"OggS\x00\x02")[1:]
    heard, rate_hz = decode(b"OggS\x00\x02" + second)
    assert residual_db(np.concatenate([sound, sound]), heard[: 2 * rate_hz], rate_hz, skip_s=0.4) < -75
    assert len(first) > 10_000


def test_close_without_a_start() -> None:
    output = Recorder()
    output.close()
    assert output.status().state == "stopped"


def test_faults_in_words() -> None:
    assert explain(OutputError("a sentence")) == "a sentence"
    assert explain(TimeoutError()) == "no answer in time"
    assert explain(OSError()) == "OSError"
    assert explain(ValueError("x")) == "ValueError: x"
    with pytest.raises(FileNotFoundError) as missing:
        Path("no such file").read_bytes()
    assert explain(missing.value) == "No such file or directory"


def test_what_no_retry_mends_ends_it_when_it_was_said_three_times(
    quick_retries: None, caplog: pytest.LogCaptureFixture
) -> None:
    output = Recorder()
    output.fault = encoded.OutputEndedError("you are not wanted")
    tried: list[BaseException | None] = []

    def connect() -> None:
        tried.append(output.fault)
        if len(tried) == 3:
            output.fault = OSError("something else for once")
        elif len(tried) == 4:
            output.fault = encoded.OutputEndedError("you are not wanted")
        assert output.fault is not None
        raise output.fault

    output._connect = connect  # type: ignore[method-assign]
    output.start()
    wait_until(lambda: output.status().state == "stopped", "it ends")
    assert output.status().detail == "you are not wanted"
    assert len(tried) == 6
    assert "recorder has ended: you are not wanted" in caplog.text
    output.close()
    # Offered more than its ring holds, it blocks nobody.
    for _ in range(10):
        output.offer(music(1))
    assert output.status().dropped_frames > 0
