"""The HLS output writes what is offered, comes back after a fault, and is fetched by real players."""

import functools
import http.client
import math
import resource
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import datetime, timedelta
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from model.base.arrays import FloatArray
from model.base.errors import OutputError
from stream.outputs.address import HttpAddress
from stream.outputs.hls.playlist import ListedSegment, read_media_playlist
from stream.outputs.kinds.hls import HlsOutput, HlsSettings
from stream.outputs.place import Tap
from stream.service.app import create_app
from stream.service.server import WebServer
from tests.support.heard import RATE_HZ, Feeder, decode, music, residual_db
from tests.support.moments import a_moment
from tests.support.real import require_real
from tests.support.waiting import PATIENCE_S, wait_until


def opened(folder: Path, **settings: object) -> HlsOutput:
    """Return an output that has started, of FLAC in segments of 1 s where nothing else is said."""
    told = {"codecs": ("flac",), "segment_s": 1, "keep_s": 60, **settings}
    (output,) = HlsSettings(folder=folder, **told).open(Tap(engine_rate_hz=RATE_HZ))  # type: ignore[arg-type]
    output.start()
    return output


def listed(folder: Path, variant: str = "flac") -> list[ListedSegment]:
    path = folder / f"{variant}.m3u8"
    return list(read_media_playlist(path.read_text(), 1).segments) if path.exists() else []


def heard(folder: Path, run: int = -1, variant: str = "flac") -> tuple[FloatArray, int]:
    """Return what a run's segments hold, in the order of the playlist; the last run's by default."""
    segments = listed(folder, variant)
    of_run = [each for each in segments if each.run == sorted({each.run for each in segments})[run]]
    data = (folder / of_run[0].init).read_bytes()
    return decode(data + b"".join((folder / each.file).read_bytes() for each in of_run))


def find(sound: FloatArray, heard: FloatArray) -> int:
    """Return where something that was heard stands in the sound, to the bit at 16 bits."""
    whole = np.rint(sound[:, 0].astype(np.float64) * 32768)
    part = np.rint(heard[:, 0].astype(np.float64) * 32768)
    for start in np.flatnonzero(whole[: len(whole) - len(part) + 1] == part[0]):
        if np.array_equal(whole[start : start + len(part)], part):
            return int(start)
    raise AssertionError("it is nowhere in the sound")


def test_all_variants_hold_the_stream_and_flac_to_the_bit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Here the sound comes twice as fast as the clock goes.
    monkeypatch.setattr("stream.outputs.kinds.hls._MOST_DATE_ERROR", timedelta(hours=1))
    sound = music(9)
    output = opened(tmp_path, codecs=("aac", "opus", "flac"), bitrates_kbps=(128,))
    assert output.status().state == "starting"
    with Feeder(output, sound, speed=2) as feeder:
        wait_until(lambda: feeder.done and output.status().buffered_s == 0, "all is offered and taken")
        output.close()
    status = output.status()
    assert (status.state, status.dropped_frames) == ("stopped", 0)
    media = [path for path in tmp_path.iterdir() if path.suffix in (".m4s", ".mp4")]
    assert status.bytes_out == sum(path.stat().st_size for path in media) > 0
    exact, _ = heard(tmp_path)
    # It fades in, and out.
    assert find(sound, exact[RATE_HZ // 2 : 6 * RATE_HZ]) == RATE_HZ // 2
    assert residual_db(sound, exact, RATE_HZ) < -75
    for variant, bound_db in (("aac-128", -25), ("opus-128", -18)):
        assert residual_db(sound, *heard(tmp_path, variant=variant)) < bound_db
    assert [segment.length_s for segment in listed(tmp_path, "opus-128")[:5]] == [1.0] * 5
    # One a codec: see `master_playlists`.
    told = {
        "stream": 'CODECS="mp4a.40.2"\naac-128',
        "stream-opus": '"Opus"\nopus-128',
        "stream-flac": '"fLaC"\nflac',
    }
    for name, ends in told.items():
        assert (tmp_path / f"{name}.m3u8").read_text().endswith(f"{ends}.m3u8\n")
    for variant in ("aac-128", "opus-128", "flac"):
        segments = listed(tmp_path, variant)
        assert len({segment.run for segment in segments}) == 1
        for before, after in pairwise(segments):
            assert after.number == before.number + 1
            assert (after.at - before.at).total_seconds() == pytest.approx(before.length_s, abs=0.002)
    assert not list(tmp_path.glob("*.part"))


def test_a_pause_is_silence_and_the_stream_goes_on_after_it(tmp_path: Path) -> None:
    output, sound = opened(tmp_path), music(2)
    with Feeder(output, sound, speed=2) as feeder:
        wait_until(lambda: feeder.done, "all is offered")
    wait_until(lambda: output.status().underrun_frames > 2 * RATE_HZ, "silence")
    with Feeder(output, sound, speed=2) as feeder:
        wait_until(lambda: feeder.done, "all is offered")
        output.close()
    exact, _ = heard(tmp_path)
    assert len(exact) > 5.5 * RATE_HZ
    assert np.abs(exact[3 * RATE_HZ : round(3.5 * RATE_HZ)]).max() == 0


def test_a_title_stands_in_the_playlist(tmp_path: Path) -> None:
    output = opened(tmp_path)
    output.entitle("Ä, b - C", 0)
    with Feeder(output, music(4), speed=2) as feeder:
        wait_until(lambda: feeder.done, "all is offered")
        output.close()
    assert {segment.title for segment in listed(tmp_path)} == {"Ä, b - C"}


@contextmanager
def room_for(size_bytes: int) -> Iterator[None]:
    """Let no file grow beyond a size: what a full disk does, without one."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stream.outputs.kinds.hls._RETRY_S", 0.2)


@pytest.mark.usefixtures("quick_retries")
def test_a_full_disk_is_told_and_the_stream_comes_back_by_itself(tmp_path: Path) -> None:
    output = opened(tmp_path)
    with Feeder(output, music(5), speed=2, loop=True) as feeder:
        wait_until(lambda: len(listed(tmp_path)) > 2, "some segments")
        with room_for(2000):
            wait_until(lambda: output.status().state == "reconnecting", "it is told")
            assert output.status().detail == "File too large"
            full = listed(tmp_path)
            dropped = output.status().dropped_frames
            wait_until(lambda: output.status().dropped_frames > dropped, "what is lost is counted")
        wait_until(lambda: listed(tmp_path)[-1].run > full[-1].run, "it is back")
    output.close()
    status = output.status()
    assert status.reconnects == 1
    offered = feeder.offers * (RATE_HZ // 20)
    told = status.frames_out + status.dropped_frames - status.underrun_frames
    assert abs(told - offered) < 0.3 * RATE_HZ, "every loss is counted, but for what is held back to be faded"
    segments = listed(tmp_path)
    assert [each.number for each in segments] == list(range(segments[0].number, segments[-1].number + 1))
    for each in segments:
        decode((tmp_path / each.init).read_bytes() + (tmp_path / each.file).read_bytes())
    assert not list(tmp_path.glob("*.part"))


def test_a_folder_is_written_by_one_process_at_a_time(tmp_path: Path) -> None:
    first, settings = opened(tmp_path), HlsSettings(folder=tmp_path)
    for begin in (settings.require, lambda: opened(tmp_path)):
        with pytest.raises(OutputError, match="is written into by another endlos; end that one, or choose"):
            begin()
    first.close()
    settings.require()
    opened(tmp_path).close()


@pytest.mark.usefixtures("quick_retries")
def test_a_folder_that_is_gone_is_made_again_and_one_whose_place_is_gone_waited_for(tmp_path: Path) -> None:
    folder = tmp_path / "disk" / "hls"
    folder.parent.mkdir()
    output = opened(folder)
    with Feeder(output, music(5), speed=2, loop=True):
        wait_until(lambda: len(listed(folder)) > 2, "some segments")
        last = listed(folder)[-1]
        folder.parent.rename(tmp_path / "away")
        wait_until(lambda: output.status().detail == "No such file or directory", "it is told")
        folder.parent.mkdir()
        wait_until(lambda: bool(listed(folder)), "it is back")
    output.close()
    assert listed(folder)[0].number > last.number and listed(folder)[0].run > last.run


def test_a_restart_at_another_rate_has_an_init_section_of_its_own(tmp_path: Path) -> None:
    for rate_hz in (44_100, 48_000):
        (output,) = HlsSettings(folder=tmp_path, segment_s=1).open(Tap(engine_rate_hz=rate_hz))
        output.start()
        with Feeder(output, music(4), speed=2) as feeder:
            wait_until(lambda feeder=feeder: feeder.done, "all is offered")
            output.close()
    assert [heard(tmp_path, run, "aac-192")[1] for run in (0, 1)] == [44_100, 48_000]
    text = (tmp_path / "aac-192.m3u8").read_text()
    assert text.count("#EXT-X-DISCONTINUITY\n") == 1 and text.count("#EXT-X-MAP") == 2


def test_dates_go_with_the_clock_also_when_it_is_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    set_by = timedelta(0)
    monkeypatch.setattr(
        "stream.outputs.kinds.hls.datetime", SimpleNamespace(now=lambda zone: datetime.now(zone) + set_by)
    )
    output = opened(tmp_path)
    with Feeder(output, music(3), speed=1, loop=True):
        wait_until(lambda: len(listed(tmp_path)) > 1, "some segments")
        before = listed(tmp_path)[-1].number
        set_by = timedelta(hours=1)
        wait_until(lambda: listed(tmp_path)[-1].number > before + 1, "some more")
    output.close()
    dates = {segment.number: segment.at for segment in listed(tmp_path)}
    assert timedelta(seconds=0.5) < dates[before] - dates[before - 1] < timedelta(seconds=1.5)
    assert timedelta(minutes=59) < dates[before + 2] - dates[before] < timedelta(minutes=61)
    assert len({segment.run for segment in listed(tmp_path)}) == 1


@contextmanager
def web_server(folder: Path) -> Iterator[str]:
    """Serve a folder as any web server would."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/stream.m3u8"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_players_hear_it_over_a_restart(tmp_path: Path) -> None:
    folder = tmp_path / "hls"
    players = {
        "ffmpeg": "ffmpeg -v error -i URL -f s16le ffmpeg.raw",
        "mpv": "mpv --no-config --really-quiet --ao=pcm --ao-pcm-waveheader=no --ao-pcm-file=mpv.raw URL",
    }
    for player in players:
        require_real(f"no {player}: install it by apt", shutil.which(player) is not None)

    def recorded(player: str) -> FloatArray:
        path = tmp_path / f"{player}.raw"
        data = path.read_bytes() if path.exists() else b""
        return np.frombuffer(data[: len(data) // 4 * 4], "<i2").reshape(-1, 2).astype(np.float32) / 32768

    first, second = music(5), music(10, seed=1)
    output = opened(folder)
    with web_server(folder) as url, ExitStack() as ended:
        with Feeder(output, first, speed=1) as feeder:
            wait_until(lambda: len(listed(folder)) > 2, "some segments")
            for command in players.values():
                process = subprocess.Popen(command.replace("URL", url).split(), cwd=tmp_path)
                ended.callback(process.wait)
                ended.callback(process.terminate)
            wait_until(lambda: feeder.done, "the first run is over")
            output.close()
        output = opened(folder)
        with Feeder(output, second, speed=1, loop=True):
            for player in players:
                wait_until(lambda player=player: len(recorded(player)) > 7 * RATE_HZ, f"{player} goes on")
        output.close()
    for player in players:
        assert find(first, recorded(player)[RATE_HZ : 2 * RATE_HZ]) >= 0, player
        assert find(np.concatenate([second, second]), recorded(player)[-RATE_HZ:]) >= 0, player


def test_it_is_asked_over_http_where_that_is_served(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("x")
    folder = tmp_path / "hls"
    output = opened(folder)
    address = HttpAddress(port=0)
    server = WebServer(create_app(a_moment, output.routes(), address=address), address)
    server.start()

    def asked(path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE_S)
        # By whatever name, as a CDN asks.
        connection.request(method, path, headers={"Host": "cdn.example", **headers})
        answer = connection.getresponse()
        told = {name.lower(): value for name, value in answer.getheaders()}
        return answer.status, told, answer.read()

    with Feeder(output, music(4), speed=2) as feeder, closing(server):
        wait_until(lambda: feeder.done, "all is offered")
        output.close()
        assert asked("/")[0] == 421, "the page is not for all"
        segment = listed(folder)[0]
        for name, content_type, kept in (
            ("stream.m3u8", "application/vnd.apple.mpegurl", "public, max-age=1"),
            ("flac.m3u8", "application/vnd.apple.mpegurl", "public, max-age=1"),
            (segment.file, "audio/mp4", "public, max-age=31536000, immutable"),
            (segment.init, "audio/mp4", "public, max-age=31536000, immutable"),
        ):
            status, told, data = asked(f"/hls/{name}")
            assert (status, data) == (200, (folder / name).read_bytes())
            assert (told["content-type"], told["cache-control"]) == (content_type, kept)
            assert told["access-control-allow-origin"] == "*"
        whole = (folder / segment.file).read_bytes()
        status, _, data = asked(f"/hls/{segment.file}", Range="bytes=4-7")
        assert (status, data) == (206, whole[4:8])
        status, told, data = asked(f"/hls/{segment.file}", "HEAD")
        assert (status, told["content-length"], data) == (200, str(len(whole)), b"")
        (folder / "notes.txt").write_text("x")
        for name in (
            "../secret.txt",
            "..%2Fsecret.txt",
            "%2e%2e/x",
            "notes.txt",
            "flac-1.m4s",
            "flac.m3u8%00",
            "",
        ):
            status, told, _ = asked(f"/hls/{name}")
            assert status == 404 and "public" not in told.get("cache-control", ""), name


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"segment_s": 0}, "expected 1 to 6"),
        ({"segment_s": math.nan}, "expected 1 to 6"),
        ({"segment_s": 2, "keep_s": 5}, "is to list 5 s; expected 6, which is three segments, to 3600"),
        ({"bitrates_kbps": (8,)}, "asked for with 8 kbit/s; expected 32 to 320"),
        ({"codecs": ()}, "has no codec or no bit rate"),
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path: Path, given: dict[str, object], sentence: str) -> None:
    with pytest.raises(OutputError, match=sentence):
        HlsSettings(folder=tmp_path, **given)  # type: ignore[arg-type]


def test_each_variant_is_made_once() -> None:
    settings = HlsSettings(folder=Path("x"), codecs=("aac", "flac", "aac"), bitrates_kbps=(64, 128, 64))
    assert [variant.name for variant in settings.variants()] == ["aac-64", "aac-128", "flac"]
