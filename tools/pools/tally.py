"""The tally of a build counts what became of each file, tells how far it is, and reports at the end."""

import time
from collections.abc import Mapping, Sequence

from stream.audio.copies import has_copy
from stream.pool.pool import Failure, decoded_copy
from tools.pools.generations import Copy
from tools.pools.known.missing import MissingMusic
from tools.pools.report import BuildProgress, BuildReport, Progress
from tools.pools.scan import FoundFile, Scan
from tools.pools.store import PoolStore, StoredSong
from tools.songs.song import SongAnalysis
from tools.work.cluster_state import ClusterState


class BuildTally:
    """What a build has come to by now; owned by the thread that builds."""

    def __init__(self, music: Scan, progress: Progress | None, started_s: float) -> None:
        """Begin with what was found at `started_s` (monotonic); progress: is told how far the build is."""
        self.failures = list(music.failures)
        """Files that are not in the pool, or not all of which is, and why."""
        self.songs: dict[FoundFile, StoredSong] = {}
        """Files that are in the pool."""
        self.generation: int | None = None
        """The generation that can be played now."""
        self.analysed = 0
        """Songs that were analysed."""
        self.reused = 0
        """Files that were not analysed again."""
        self._music = music
        self._progress = progress
        self._started_s = started_s
        self._refused = len(music.failures)
        self._analysed_s = 0.0
        self._done_bytes = self._total_bytes = 0
        self._cluster: ClusterState | None = None
        self._name = ""

    def refuse(self, found: FoundFile, kind: str, reason: str) -> None:
        """Count a file that is not in the pool; kind: as `Failure` has it (`partly`: a part is)."""
        self.failures.append((found, Failure(path=found.path, kind=kind, reason=reason)))
        self._refused += kind != "partly"

    def hear(self, song: SongAnalysis) -> None:
        """Count a song that was analysed."""
        self.analysed += 1
        self._analysed_s += song.frames / song.sample_rate_hz

    def expect(self, size_bytes: int) -> None:
        """Count so many bytes of files that are going to be analysed."""
        self._total_bytes += size_bytes

    def tell_done(self, found: FoundFile) -> None:
        """Tell that a file was dealt with."""
        self._done_bytes += found.size_bytes
        self.tell(found.name)

    def tell_cluster(self, state: ClusterState) -> None:
        """Tell how the workers of a cluster get on."""
        self._cluster = state
        self.tell(self._name)

    def tell(self, name: str) -> None:
        """Tell how far the build is; name: of the file that was dealt with last."""
        self._name = name
        if self._progress is None:
            return
        self._progress(
            BuildProgress(
                done=len(self.songs) + self._refused,
                total=len(self._music.files) + len(self._music.failures),
                done_bytes=self._done_bytes,
                total_bytes=self._total_bytes,
                name=name,
                audio_s=self._analysed_s,
                elapsed_s=time.monotonic() - self._started_s,
                generation=self.generation,
                cluster=self._cluster,
            )
        )

    def report(
        self,
        store: PoolStore,
        files: Sequence[FoundFile],
        played: Sequence[StoredSong],
        copies: Sequence[Copy],
        *,
        removed: int,
        missing: tuple[MissingMusic, ...],
    ) -> BuildReport:
        """Return what the build came to, once its last generation is published.

        files: what is in the pool or was to be, in order; played: the songs of the generation; copies: the
        songs that others are played for. removed, missing: as `BuildReport` has them.
        """
        assert self.generation is not None
        names: Mapping[int, str] = {song.song_id: found.name for found, song in self.songs.items()}
        failures = [failure for _, failure in self.failures]
        return BuildReport(
            generation=self.generation,
            songs=len(played),
            chunks=sum(song.chunks for song in played),
            reused=self.reused,
            analysed=len(self._music.files) - self.reused,
            removed=removed,
            copies=tuple((names[copy.song.song_id], names[copy.of.song_id]) for copy in copies),
            missing=missing,
            failed=tuple(failure for failure in failures if failure.kind == "failed"),
            skipped=tuple(failure for failure in failures if failure.kind == "skipped"),
            partly=tuple(failure for failure in failures if failure.kind == "partly"),
            no_audio=self._music.no_audio,
            audio_s=sum(song.frames / song.sample_rate_hz for song in played),
            analysed_s=self._analysed_s,
            elapsed_s=time.monotonic() - self._started_s,
            decoded_bytes=store.decoded_bytes(),
            without_copy=sum(
                not song.seekable and not has_copy(decoded_copy(store.folder, song.audio_hash), song.frames)
                for song in played
            ),
            cuts=tuple((found.name, self.songs[found].cut) for found in files if found in self.songs),
            workers=() if self._cluster is None else self._cluster.shares,
        )
