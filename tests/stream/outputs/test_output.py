"""An output says how it is, however it is, and silence is told from sound at a glance."""

from pathlib import Path

import numpy as np
import pytest

from model.base.arrays import FloatArray
from stream.outputs.kinds.hls import HlsSettings
from stream.outputs.kinds.pipe import PipeOutput, PipeSettings
from stream.outputs.output import AUDIBLE, OutputStatus, audible, is_over, lag_of, peak_of, status_of
from stream.outputs.place import Place, Tap

RATE_HZ = 44_100


@pytest.mark.parametrize("frame", [0, 1, 63, 64, 999])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_one_sample_is_heard_wherever_it_is(frame: int, sign: float) -> None:
    block: FloatArray = np.zeros((1_000, 2), dtype=np.float32)
    assert not audible(block) and not audible(block[:0])
    block[frame, 1] = sign * 0.9 * AUDIBLE
    assert not audible(block)
    block[frame, 1] = sign * 1.1 * AUDIBLE
    assert audible(block)
    assert peak_of(block) == pytest.approx(1.1 * AUDIBLE)


@pytest.mark.parametrize("kind", ["hls", "pipe"])
def test_what_is_offered_now_is_heard_after_as_long_as_the_snapshot_says(tmp_path: Path, kind: str) -> None:
    places: dict[str, Place] = {
        "hls": HlsSettings(folder=tmp_path / "hls"),
        "pipe": PipeSettings(path=tmp_path / "pipe"),
    }
    (output,) = places[kind].open(Tap(engine_rate_hz=RATE_HZ, card_paced=False))
    for _ in range(3):
        status = status_of(output)
        assert lag_of(output) == status.buffered_s + status.latency_s
        output.offer(np.zeros((RATE_HZ // 2, 2), dtype=np.float32))
    assert status.kind == kind and (status.latency_s > 0.0) == (kind == "hls")


def test_one_that_cannot_say_how_it_is_holds_nobody_up(tmp_path: Path) -> None:
    class Broken(PipeOutput):
        def status(self) -> OutputStatus:
            raise ValueError("gone")

    broken = Broken(PipeSettings(path=tmp_path / "pipe"), RATE_HZ)
    assert lag_of(broken) == 0.0
    status = status_of(broken)
    assert status.state == "stopped" and "gone" in status.detail
    assert not is_over([status]) and is_over([OutputStatus(name="file", state="stopped", done=True)])
