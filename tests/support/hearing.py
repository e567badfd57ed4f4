"""This helper hears at each place that a service sends to whether there is sound now."""

from pathlib import Path

import av
import numpy as np

from model.base.arrays import FloatArray
from stream.outputs.hls.playlist import read_media_playlist
from tests.support.heard import decode
from tests.support.icecast_server import IcecastServer
from tests.support.pulse import PulseSink
from tests.support.waiting import wait_until

AUDIBLE = 0.003
"""A peak; the quietest second of music that was met has several times this."""
_HEARD_BYTES = 48_000
_HEARD_FRAMES = 22_050


def hear_mount(server: IcecastServer, mount: str) -> None:
    """Wait until a new listener of the mount hears sound."""

    def is_heard() -> bool:
        with server.listen(mount) as response:
            return response.status == 200 and _is_audible(response.read(_HEARD_BYTES))

    wait_until(is_heard, f"a listener of {mount} hears sound")


def hear_hls(folder: Path, variant: str) -> None:
    """Wait until a segment that is written from now on holds sound."""

    def last() -> tuple[str, str]:
        segment = read_media_playlist((folder / f"{variant}.m3u8").read_text(), 1).segments[-1]
        return segment.init, segment.file

    before = last()

    def is_heard() -> bool:
        files = last()
        return files != before and _is_audible(b"".join((folder / name).read_bytes() for name in files))

    wait_until(is_heard, f"the next segment of {variant} holds sound")


def hear_card(sink: PulseSink) -> None:
    """Wait until sound goes to the sink; what it has recorded before is forgotten."""

    def is_heard() -> bool:
        sink.forget()
        wait_until(lambda: sink.recorded_frames() >= _HEARD_FRAMES, "the sink records")
        return _peak(sink.recorded()) > AUDIBLE

    wait_until(is_heard, "the sink records sound")


def hear_file(path: Path) -> None:
    """Wait until the file that is being written has grown; what it holds is for its end to show."""
    (part,) = path.parent.glob(f"*{path.stem}*")
    before = part.stat().st_size
    wait_until(lambda: part.stat().st_size > before, f"{path.name} grows")


def _is_audible(data: bytes) -> bool:
    try:
        return _peak(decode(data, torn=True)[0]) > AUDIBLE
    except (av.FFmpegError, ValueError):  # too short to be sound
        return False


def _peak(sound: FloatArray) -> float:
    return float(np.abs(sound).max()) if len(sound) else 0.0
