"""Workers do the tasks of a build, one for each file, as far as there is room for decoded copies."""

import re
import shutil
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from threadpoolctl import ThreadpoolController

from model.base.errors import DecodeError
from stream.pool.pool import decoded_copy
from tools.pools.known.recognise import Recognised, recognise, told_apart
from tools.pools.scan import FoundFile
from tools.songs.song import AnalysisSettings, SongAnalysis
from tools.work.workers import Room

KEPT_FREE_BYTES = 2**30
"""Decoded copies leave so much of the disk to the rest of the pool, and to everybody else."""


@dataclass(frozen=True, kw_only=True)
class BuildTask:
    """One file for a worker."""

    found: FoundFile
    analysis: AnalysisSettings
    pool_folder: Path
    copy_of: str | None = None
    """Hash of a song that is known and lacks only its decoded copy."""


@dataclass(frozen=True, kw_only=True)
class RefusedFile:
    """A file without an analysis."""

    reason: str


class CopyRoom:
    """The room for the decoded copies of one build; owned by the thread that builds."""

    def __init__(self, pool_folder: Path, used_bytes: int, most_bytes: float) -> None:
        """Begin with the copies that are there, `used_bytes` in all."""
        self._pool_folder = pool_folder
        self._bytes = used_bytes
        self._most_bytes = most_bytes
        self._taken: set[str] = set()

    def fits(self, audio_hash: str, size_bytes: int) -> bool:
        """Whether a copy of this size can be written, in the place of the one that the song has."""
        grows_bytes = size_bytes - self._replaced_bytes(audio_hash)
        if self._bytes + grows_bytes > self._most_bytes:
            return False
        return shutil.disk_usage(self._pool_folder).free >= size_bytes + KEPT_FREE_BYTES

    def take(self, audio_hash: str, size_bytes: int) -> bool:
        """Take the room for the copy of a song, once for all who ask; False when there is none."""
        # Whoever took it may have been killed before the copy was there; two write the same, each beside it.
        if audio_hash in self._taken:
            return True
        if not self.fits(audio_hash, size_bytes):
            return False
        self._taken.add(audio_hash)
        self._bytes += size_bytes - self._replaced_bytes(audio_hash)
        return True

    def _replaced_bytes(self, audio_hash: str) -> int:
        """Return the size of a copy that another is written over: of an earlier version, or damaged."""
        try:
            return decoded_copy(self._pool_folder, audio_hash).stat().st_size
        except OSError:
            return 0


def work_on(task: BuildTask, room: Room) -> "SongAnalysis | Recognised | RefusedFile | None":
    """Do one task, in a worker; return what its file holds, None when only its copy was made."""
    # A worker's own: it takes seconds to import, and no other part of a build needs it.
    from tools.songs.analyse import analyse_song, copy_song, hear_song

    try:
        # A song is one worker's; threads that wait for each other would only take its processor time.
        with _threads().limit(limits=1):
            if task.copy_of is not None:
                copy_song(task.found.path, task.pool_folder, task.copy_of, room)
                return None
            song = hear_song(task.found.path, task.pool_folder)
            known = recognise(song, task.found, task.analysis, task.pool_folder)
            if known is not None:
                return known
            return analyse_song(told_apart(song, task.pool_folder), task.analysis, task.pool_folder, room)
    except DecodeError as error:
        # The file is named beside the reason already.
        return RefusedFile(reason=re.sub(f"^{re.escape(str(task.found.path))} ", "it ", str(error)))


@cache
def _threads() -> ThreadpoolController:
    """Return what limits the libraries that have threads; to look for these takes as long as to hear 3 s."""
    return ThreadpoolController()
