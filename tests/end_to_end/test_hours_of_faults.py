"""A service is on the air everywhere for as long as one likes, through every fault again and again.

After each it is heard everywhere, by who listens there and not by what it says of itself; in the end it holds
no more memory, descriptors and threads than after the first round.
"""

import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile

from model.saved.carried import carried_model
from tests.support.hearing import AUDIBLE, hear_card, hear_file, hear_hls, hear_mount
from tests.support.icecast_server import IcecastServer, icecast_program, icecast_server
from tests.support.on_air import MOUNT, OnAir, busy_cores, changed, moved_away, on_air, standing_still
from tests.support.pulse import MISSING, PulseSink, pulse_available, pulse_null_sink
from tests.support.small_disk import small_disk
from tests.support.waiting import wait_until
from tools.bench.process import Burden

LENGTH_S = float(os.environ.get("ENDLOS_SOAK_S", "60"))
"""For so long there are faults, and a whole round of them at the least: 3600 for an hour."""
QUIET_S = 20.0
"""Between two faults, so that what one does to memory is over when the next comes."""
OPUS_MOUNT = "/second.opus"
CARD, HLS = "sound card", "hls:"
SMALLEST_SONGS = slice(1, 8)
"""One or two minutes each, so that many begin and end between two faults; but for the very smallest."""
LONG_S = 300.0
"""To skip through all songs takes long on a busy machine."""
MORE_MB, MORE_DESCRIPTORS, MORE_THREADS = 16.0, 4, 2
"""So much more than after the first round is taken for no growth: a song more is open."""


@dataclass(frozen=True, kw_only=True)
class Station:
    """A service with all that it sends to."""

    air: OnAir
    server: IcecastServer
    sink: PulseSink
    disk: Path
    file: Path

    def is_heard_everywhere(self) -> None:
        """Wait until it is, by its own word and by those who listen."""
        self.air.comes_back()
        for mount in (MOUNT, OPUS_MOUNT):
            hear_mount(self.server, mount)
        hear_hls(self.disk, "aac-192")
        hear_card(self.sink)
        hear_file(self.file)

    def passes(self, seconds: float) -> None:
        """Wait until it has played for so long."""
        begun = self._time_s()
        wait_until(lambda: self._time_s() > begun + seconds, f"{seconds:.0f} s are over")

    def is_ill_while_it_skips(self) -> bool:
        """Go on to another piece, and tell a second later whether nothing is heard."""
        self.air.skip()
        time.sleep(1.0)  # it takes no more than two skips in a second
        return self.air.is_ill()

    def counted(self, output: str, counter: str) -> int:
        """Return a counter of an output."""
        return int(self.air.output(output)[counter])

    def _time_s(self) -> float:
        return float(self.air.asked("status.json")["now"]["time_s"])


def icecast_is_killed(station: Station) -> None:
    before = [station.counted(mount, "reconnects") for mount in (MOUNT, OPUS_MOUNT)]
    station.server.kill()
    wait_until(station.air.is_ill, "health says that mounts are not heard")
    station.server.start()
    station.air.comes_back()
    assert [station.counted(mount, "reconnects") for mount in (MOUNT, OPUS_MOUNT)] > before


def icecast_stands_still(station: Station) -> None:
    before = station.counted(MOUNT, "dropped_frames")
    station.server.stall()
    wait_until(station.air.is_ill, "health says that mounts are not heard")
    station.passes(5.0)
    station.server.resume()
    station.air.comes_back()
    assert station.counted(MOUNT, "dropped_frames") > before


def the_service_stands_still(station: Station) -> None:
    before = station.counted(CARD, "underrun_frames")
    with standing_still(station.air):
        time.sleep(5.0)
    station.air.comes_back()
    assert station.counted(CARD, "underrun_frames") > before + 3 * 44_100
    assert station.air.asked("healthz")["stopped_s"] > 3.0


def the_disk_is_full(station: Station) -> None:
    before = station.counted(HLS, "dropped_frames")
    filler = station.disk / "filler"
    with filler.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space left"):
        while True:
            file.write(bytes(4096))
    try:
        wait_until(station.air.is_ill, "health says that HLS is not heard")
    finally:
        filler.unlink()
    station.air.comes_back()
    assert station.counted(HLS, "dropped_frames") > before


def the_sound_server_is_killed(station: Station) -> None:
    before = station.counted(CARD, "reconnects")
    station.sink.kill()
    wait_until(station.air.is_ill, "health says that the card is not heard")
    station.sink.start()
    station.air.comes_back()
    assert station.counted(CARD, "reconnects") > before


def songs_are_damaged(station: Station) -> None:
    songs = sorted(path for path in station.air.music.iterdir())
    another = songs[0].read_bytes()
    before = station.air.asked("status.json")["now"]["losses"]
    with ExitStack() as damaged:
        for number, song in enumerate(songs[1:]):
            damage: Callable[[bytes], bytes] = (
                lambda data: data[: len(data) // 3],
                lambda data: data[:4_000] + bytes(len(data) - 4_000),
                lambda data: another,
            )[number % 3]
            damaged.enter_context(changed(song, damage))

        def some_are_lost() -> bool:
            station.air.skip()
            time.sleep(1.0)
            return bool(station.air.asked("status.json")["now"]["losses"] > before)

        wait_until(some_are_lost, "some have been tried", LONG_S)
        station.air.comes_back()


def the_music_is_gone(station: Station) -> None:
    with moved_away(station.air.music):
        wait_until(station.is_ill_while_it_skips, "health says that nothing is heard", LONG_S)


def every_core_is_busy(station: Station) -> None:
    with busy_cores(4):
        station.passes(20.0)
        assert station.air.listener.unbroken


FAULTS: tuple[Callable[[Station], None], ...] = (
    icecast_is_killed,
    icecast_stands_still,
    the_service_stands_still,
    the_disk_is_full,
    the_sound_server_is_killed,
    songs_are_damaged,
    the_music_is_gone,
    every_core_is_busy,
)


@pytest.fixture
def station(
    tmp_path: Path, shared_music: Path, require_real: Callable[[str, bool], None]
) -> Iterator[Station]:
    require_real("no Icecast server: install it (Debian: icecast2)", icecast_program() is not None)
    require_real(MISSING, pulse_available())
    # Of others there are lossless copies in the pool, which no damage of theirs touches.
    songs = sorted(shared_music.rglob("*.mp3"), key=lambda path: path.stat().st_size)[SMALLEST_SONGS]
    file = tmp_path / "all.flac"
    with (
        icecast_server() as server,
        pulse_null_sink() as sink,
        small_disk(tmp_path / "disk", size_mb=8) as disk,
        on_air(
            tmp_path,
            carried_model(),
            server,
            sink,
            songs=songs,
            outputs=(
                f"icecast://source@{server.host}:{server.port}{OPUS_MOUNT}",
                f"hls:{disk}",
                f"file:{file}?bits=16",
            ),
        ) as air,
    ):
        yield Station(air=air, server=server, sink=sink, disk=disk, file=file)


@pytest.mark.soak
def test_it_is_heard_after_every_fault_and_holds_no_more_than_before(station: Station) -> None:
    began_s, order = time.monotonic(), random.Random(76)
    station.is_heard_everywhere()
    station.passes(QUIET_S)

    def burden(what: str) -> Burden:
        held = Burden.of(station.air.running.pid)
        print(f"{time.monotonic() - began_s:5.0f} s  {what}: {held}", flush=True)
        return held

    burden("at the start")
    after_first: Burden | None = None
    while after_first is None or time.monotonic() - began_s < LENGTH_S:
        for fault in order.sample(FAULTS, len(FAULTS)):
            fault(station)
            station.is_heard_everywhere()
            station.passes(QUIET_S)
            held = burden(fault.__name__.replace("_", " "))
            if after_first is not None and time.monotonic() - began_s > LENGTH_S:
                break
        after_first = after_first or held
    assert held.own_mb < after_first.own_mb + MORE_MB
    assert held.descriptors <= after_first.descriptors + MORE_DESCRIPTORS
    assert held.threads <= after_first.threads + MORE_THREADS

    station.air.running.send(signal.SIGTERM)
    assert station.air.running.end() == 0
    played_s = time.monotonic() - began_s
    with soundfile.SoundFile(station.file) as written:
        assert written.frames > (played_s - 30.0) * written.samplerate
        quiet_s = sum(np.abs(block).max() < AUDIBLE for block in written.blocks(written.samplerate))
    print(f"of {played_s:.0f} s on the air {quiet_s} were silent")
