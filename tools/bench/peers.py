"""This measurement has Liquidsoap and MPD send the same music as MP3 (128 kbit/s) to Icecast.

All streams run at the same time on the same machine, and endlos's encoder is measured alone after them. All
have LAME's own quality for this bit rate, 3: endlos and MPD because they leave it as it is, Liquidsoap (whose
own is 2) because it is told to.
"""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from model.base.errors import EndlosError
from model.saved.carried import carried_model
from model.saved.contract_file import load_contract
from model.saved.scoring import EMBEDDED
from stream.outputs.encoding.lame import system_lame
from stream.outputs.secrets import PASSWORD_VARIABLE
from stream.pool.pool import open_pool
from tools.bench import icecast_local, rendering
from tools.bench.figures import Figure, missing
from tools.bench.icecast_local import LocalIcecast
from tools.bench.process import cpu_s_of, others_are_told, resident_mb_of
from tools.bench.settings import BenchSettings
from tools.running import apart

_QUESTION = "peers"
_KBPS = 128
_LAME_QUALITY = 3
"""What LAME takes by itself for a constant bit rate of `_KBPS`."""
_WARM_UP_S = 15.0
_HOUR_S = 3600.0
_FADE_S = 5
_STOP_S = 5.0


@dataclass(frozen=True, kw_only=True)
class _Stream:
    name: str
    process: "subprocess.Popen[bytes]"
    note: str = ""


def measure_peers(settings: BenchSettings) -> list[Figure]:
    """Run all streams that can be had for a while and compare processor time, scaled to an hour."""
    if icecast_local.icecast_program() is None:
        return [missing(_QUESTION, "MP3 to Icecast", "no Icecast: install icecast2")]
    if not others_are_told():
        return [missing(_QUESTION, "MP3 to Icecast", "this system does not tell what a process takes")]
    seconds = settings.repeats(180, 15)
    names = [name for name, (program, _) in _PEERS.items() if shutil.which(program) is not None]
    settings.notice(f"peers: {', '.join(['endlos', *names])}, {seconds} s side by side")
    with ExitStack() as opened:
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="endlos-peers-")))
        server = opened.enter_context(icecast_local.local_icecast())
        music = _music(settings.pool, folder / "music")
        streams = [opened.enter_context(_endlos(settings, server))]
        for name in names:
            streams.append(opened.enter_context(_PEERS[name][1](folder, music, server)))
        time.sleep(_WARM_UP_S)
        began_s = time.monotonic()
        before_s = [_cpu_s(stream) for stream in streams]
        time.sleep(seconds)
        took_s = time.monotonic() - began_s
        cpu_s = [_cpu_s(stream) - before for stream, before in zip(streams, before_s, strict=True)]
        resident = [resident_mb_of(stream.process.pid) for stream in streams]
    encoder_s = rendering.encoder_cpu_s(settings, _WARM_UP_S, seconds)
    per_hour = {stream.name: used * _HOUR_S / took_s for stream, used in zip(streams, cpu_s, strict=True)}
    scaled = f"{took_s:.0f} s side by side, scaled to an hour"
    beyond_s = per_hour["endlos"] - encoder_s
    embedded = load_contract(settings.model or carried_model()).scoring in EMBEDDED
    beyond_at_most_s = settings.budgets.beyond_encoder_cpu_s if embedded else None
    figures = [
        _figure(f"encoder alone, MP3 {_KBPS}k", "CPU s/h", encoder_s, note=_encoder_note()),
        _figure("endlos beyond its encoder", "CPU s/h", beyond_s, at_most=beyond_at_most_s, note=scaled),
    ]
    for stream, memory in zip(streams, resident, strict=True):
        note = "; ".join(filter(None, (scaled, stream.note)))
        figures.append(
            _figure(f"{stream.name}, MP3 {_KBPS}k to Icecast", "CPU s/h", per_hour[stream.name], note=note)
        )
        most_mb = settings.budgets.served_resident_mb if stream.name == "endlos" else None
        figures.append(_figure(f"{stream.name}, resident memory", "MB", memory, at_most=most_mb))
    for name in names:
        ratio = per_hour["endlos"] / per_hour[name]
        at_most = settings.budgets.peer_cpu_ratio if name == "Liquidsoap" else None
        figures.append(_figure(f"endlos by {name}, processor time", "x", ratio, at_most=at_most))
    for name in _PEERS:
        if name not in names:
            figures.append(missing(_QUESTION, name, f"not installed (Debian: {_PEERS[name][0]})"))
    return figures


def _encoder_note() -> str:
    found = "the system's LAME"
    if system_lame() is None:
        found = "PyAV's LAME, about three times slower: install libmp3lame0"
    return f"{found}; the same sound as endlos streamed, after the streams"


def _figure(name: str, unit: str, value: float, *, at_most: float | None = None, note: str = "") -> Figure:
    return Figure(question=_QUESTION, name=name, unit=unit, value=value, at_most=at_most, note=note)


def _cpu_s(stream: _Stream) -> float:
    if stream.process.poll() is not None:
        raise EndlosError(f"{stream.name} has ended by itself; run it by hand to see why")
    return cpu_s_of(stream.process.pid)


def _music(pool: Path, folder: Path) -> Path:
    """Return a folder of links to the pool's songs, under names that sort as the pool does."""
    folder.mkdir()
    for number, song in enumerate(open_pool(pool).songs):
        (folder / f"{number:05d}{song.path.suffix}").symlink_to(song.path)
    return folder


@contextmanager
def _endlos(settings: BenchSettings, server: LocalIcecast) -> Iterator[_Stream]:
    words = apart.command("tools.cli", "serve", str(settings.pool), "--seed", "0", "--quiet")
    words += ["--icecast", f"icecast://source@127.0.0.1:{server.port}/endlos.mp3?bitrate={_KBPS}"]
    if settings.model is not None:
        words += ["--model", str(settings.model)]
    with _running(words, apart.environment({PASSWORD_VARIABLE: server.password})) as process:
        yield _Stream(name="endlos", process=process, note="every reference scored for the first time")


@contextmanager
def _liquidsoap(folder: Path, music: Path, server: LocalIcecast) -> Iterator[_Stream]:
    script = folder / "radio.liq"
    script.write_text(
        f"""settings.init.allow_root.set(true)
settings.log.stdout.set(false)
settings.log.file.set(false)
music = playlist(mode="randomize", reload_mode="never", "{music}")
music = crossfade(duration={_FADE_S}., music)
output.icecast(
  %mp3(bitrate={_KBPS}, samplerate=44100, stereo=true, stereo_mode="joint_stereo",
       internal_quality={_LAME_QUALITY}),
  host="127.0.0.1", port={server.port}, password="{server.password}", mount="liquidsoap.mp3",
  mksafe(music))
""",
        encoding="utf-8",
    )
    with _running(["liquidsoap", str(script)], dict(os.environ)) as process:
        yield _Stream(name="Liquidsoap", process=process, note=f"crossfade of {_FADE_S} s between songs")


@contextmanager
def _mpd(folder: Path, music: Path, server: LocalIcecast) -> Iterator[_Stream]:
    # The path of a Unix socket must be short.
    with tempfile.TemporaryDirectory(prefix="mpd-") as short:
        address = Path(short) / "socket"
        config = folder / "mpd.conf"
        config.write_text(
            f"""music_directory "{music}"
db_file "{folder / "mpd.db"}"
state_file "{folder / "mpd.state"}"
bind_to_address "{address}"
follow_outside_symlinks "yes"
audio_output {{
  type "shout"
  name "icecast"
  host "127.0.0.1"
  port "{server.port}"
  mount "/mpd.mp3"
  user "source"
  password "{server.password}"
  protocol "icecast2"
  encoder "lame"
  bitrate "{_KBPS}"
  format "44100:16:2"
}}
""",
            encoding="utf-8",
        )
        with _running(["mpd", "--no-daemon", "--stderr", str(config)], dict(os.environ)) as process:
            _play_mpd(address)
            yield _Stream(name="MPD", process=process, note=f"crossfade of {_FADE_S} s between songs")


def _play_mpd(address: Path) -> None:
    """Have MPD look at the music and play all of it at random."""
    until_s = time.monotonic() + _WARM_UP_S
    while True:
        try:
            connection = socket.socket(socket.AF_UNIX)
            connection.connect(str(address))
            break
        except OSError:
            connection.close()
            if time.monotonic() > until_s:
                raise EndlosError("MPD does not answer; leave --peers out") from None
            time.sleep(0.1)
    with connection, connection.makefile("rw", encoding="utf-8") as talk:

        def ask(command: str) -> list[str]:
            talk.write(command + "\n")
            talk.flush()
            lines = []
            while not (line := talk.readline()).startswith(("OK", "ACK")):
                if not line:
                    raise EndlosError("MPD has closed the connection; leave --peers out")
                lines.append(line.strip())
            if line.startswith("ACK"):
                raise EndlosError(f"MPD refuses {command!r}: {line.strip()}")
            return lines

        talk.readline()
        ask("update")
        while any(line.startswith("updating_db") for line in ask("status")):
            time.sleep(0.1)
        for command in ("add /", "random 1", "repeat 1", f"crossfade {_FADE_S}", "play"):
            ask(command)


@contextmanager
def _running(words: list[str], own: dict[str, str]) -> "Iterator[subprocess.Popen[bytes]]":
    process = subprocess.Popen(
        words, env=own, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


Starter = Callable[[Path, Path, LocalIcecast], AbstractContextManager[_Stream]]
_PEERS: dict[str, tuple[str, Starter]] = {"Liquidsoap": ("liquidsoap", _liquidsoap), "MPD": ("mpd", _mpd)}
"""By name: the program (and Debian package), and what starts its stream."""
