"""A service that is on the air everywhere comes back from every fault by itself, and says so while it lasts.

One service for all faults, one after the other: what each leaves behind is there when the next comes.
"""

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.far_network import FarNetwork, far_network, far_network_possible
from tests.support.icecast_server import IcecastServer, icecast_program, icecast_server
from tests.support.on_air import MOUNT, SONGS, OnAir, busy_cores, changed, moved_away, on_air, standing_still
from tests.support.pulse import MISSING, PulseSink, pulse_available, pulse_null_sink
from tests.support.waiting import wait_until

CARD = "sound card"


@pytest.fixture(scope="module")
def server(require_real: Callable[[str, bool], None]) -> Iterator[IcecastServer]:
    require_real("no Icecast server: install it (Debian: icecast2)", icecast_program() is not None)
    with icecast_server() as running:
        yield running


@pytest.fixture(scope="module")
def sink(require_real: Callable[[str, bool], None]) -> Iterator[PulseSink]:
    require_real(MISSING, pulse_available())
    with pulse_null_sink() as running:
        yield running


@pytest.fixture(scope="module")
def served(
    tmp_path_factory: pytest.TempPathFactory, tiny_model: Path, server: IcecastServer, sink: PulseSink
) -> Iterator[OnAir]:
    with on_air(tmp_path_factory.mktemp("air"), tiny_model, server, sink) as air:
        yield air


@pytest.fixture
def air(served: OnAir) -> Iterator[OnAir]:
    """The service, before and after whose fault all is well."""
    served.comes_back()
    yield served
    served.comes_back()


def test_icecast_is_killed_and_started_again(air: OnAir, server: IcecastServer) -> None:
    before = air.output(MOUNT)["reconnects"]
    server.kill()
    wait_until(lambda: air.output(MOUNT)["state"] == "reconnecting", "the loss is seen")
    assert air.output("http")["state"] == "playing"
    server.start()
    air.comes_back()
    assert air.output(MOUNT)["reconnects"] == before + 1


def test_the_service_is_stopped_for_two_seconds(air: OnAir) -> None:
    stopped = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(2)"])
    before = air.output(CARD)["underrun_frames"]
    with standing_still(air):
        stopped.wait()
    air.comes_back()
    assert air.output(CARD)["underrun_frames"] > before + 44_100
    assert air.asked("healthz")["stopped_s"] > 1.0


DAMAGES: tuple[Callable[[bytes], bytes], ...] = (
    lambda data: data[: len(data) // 3],
    lambda data: data[:4_000] + bytes(len(data) - 4_000),
    lambda data: b"no sound at all\n" * 1_000,
)


def test_songs_are_damaged_while_they_are_planned(air: OnAir) -> None:
    with ExitStack() as damaged:
        for name, damage in zip(SONGS[1:], DAMAGES, strict=True):
            damaged.enter_context(changed(air.music / name, damage))

        def all_are_lost() -> bool:
            # Who asks for more than is allowed in a minute is refused.
            time.sleep(0.5)
            air.skip()
            return bool(air.asked("status.json")["now"]["lost"] == len(DAMAGES))

        wait_until(all_are_lost, "each has been tried")
        air.comes_back()


def test_the_model_is_replaced(air: OnAir, tiny_model: Path) -> None:
    steps = air.asked("status.json")["now"]["time_s"]
    for path in tiny_model.iterdir():
        shutil.copyfile(path, air.model / f"{path.name}.new")
        (air.model / f"{path.name}.new").replace(air.model / path.name)
    (air.model / "pair.onnx").write_bytes(b"no graph")
    wait_until(lambda: air.asked("status.json")["now"]["time_s"] > steps + 6.0, "it has decided anew")


@pytest.mark.soak
def test_the_music_is_unmounted_for_a_while(air: OnAir) -> None:
    with moved_away(air.music):
        wait_until(air.is_ill, "health says that nothing is heard")
    air.comes_back()


@pytest.mark.soak
def test_icecast_stands_still_for_a_quarter_of_a_minute(air: OnAir, server: IcecastServer) -> None:
    server.stall()
    wait_until(air.is_ill, "health says that a mount is not heard")
    assert air.output("http")["state"] == "playing"
    server.resume()
    air.comes_back()


@pytest.mark.soak
def test_in_icecasts_place_somebody_takes_the_call_and_says_nothing(
    air: OnAir, server: IcecastServer
) -> None:
    server.kill()
    with socket.socket() as mute:
        mute.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        mute.bind((server.host, server.port))
        mute.listen(16)
        wait_until(air.is_ill, "health says that a mount is not heard")
        assert "no answer in time" in air.output(MOUNT)["detail"]
    server.start()


@pytest.mark.soak
def test_the_sound_server_is_killed_and_started_again(air: OnAir, sink: PulseSink) -> None:
    before = air.output(CARD)["reconnects"]
    sink.kill()
    wait_until(air.is_ill, "health says that the card is not heard")
    assert air.output("http")["state"] == "playing"
    sink.start()
    air.comes_back()
    assert air.output(CARD)["reconnects"] > before


@pytest.mark.soak
def test_every_core_is_busy(air: OnAir) -> None:
    begun = air.asked("status.json")["now"]["time_s"]
    with busy_cores(8):
        wait_until(lambda: air.asked("status.json")["now"]["time_s"] > begun + 30.0, "half a minute is over")
        assert air.listener.unbroken


@pytest.mark.soak
def test_the_clock_on_the_wall_jumps(
    tmp_path: Path, tiny_model: Path, server: IcecastServer, require_real: Callable[[str, bool], None]
) -> None:
    library = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)
    require_real("no faketime: install it (Debian: faketime)", library is not None)
    now = tmp_path / "now"
    now.write_text("+0\n")
    # As a clock that is set: what only ever counts up is left alone.
    faked = {"FAKETIME_TIMESTAMP_FILE": str(now), "FAKETIME_NO_CACHE": "1", "DONT_FAKE_MONOTONIC": "1"}
    with on_air(tmp_path, tiny_model, server, None, LD_PRELOAD=str(library), **faked) as air:
        told = {air.date()}
        for jump in ("+30d", "-400d", "+0"):
            now.write_text(f"{jump}\n")
            air.comes_back()
            assert air.asked("status.json")["pacing"]["clock_resets"] == 0
            told.add(air.date())
        assert len(told) == 3, "the clock that the service sees has jumped"


@pytest.fixture(scope="module")
def network(require_real: Callable[[str, bool], None]) -> Iterator[FarNetwork]:
    if not far_network_possible():
        pytest.skip("networks can be made by root alone, and not in every container")
    with far_network() as made:
        yield made


@pytest.mark.soak
def test_the_network_to_icecast_is_cut_and_slowed_down(
    tmp_path: Path, tiny_model: Path, network: FarNetwork
) -> None:
    with icecast_server(network=network) as far, on_air(tmp_path, tiny_model, far, None) as air:
        with network.cut():
            wait_until(air.is_ill, "health says that a mount is not heard")
            assert air.output("http")["state"] == "playing"
        air.comes_back()
        assert air.output(MOUNT)["reconnects"] >= 1
        # Of 128 kbit/s.
        with network.slow(kbps=64):
            wait_until(lambda: air.output(MOUNT)["state"] != "playing", "it is told that it is too slow")
            assert air.output("http")["state"] == "playing"
        air.comes_back()
        assert air.output(MOUNT)["dropped_frames"] > 0
