"""The builder makes a pool from music folders; it is incremental, resumable, and playable early."""

import math
import re
import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from threadpoolctl import threadpool_limits

from model.base.errors import DecodeError, PoolError
from model.features.edges import EDGE_RATE_HZ
from stream.audio.copies import copy_bytes, has_copy
from stream.pool.pool import Failure, decoded_copy
from tools.pools.copies import without_copies
from tools.pools.embed import embed_generation, embed_pool, embeds
from tools.pools.missing import MissingMusic, find_missing, in_order
from tools.pools.place import locked
from tools.pools.recognise import Recognised, recognise, told_apart
from tools.pools.scan import FoundFile, NoAudio, Scan, scan
from tools.pools.store import Copy, PoolStore, StoredSong
from tools.songs.cue import sheet_beside, tracks_of
from tools.songs.cut import CutSettings
from tools.songs.silence import load_pydub
from tools.songs.song import AnalysisSettings, SongAnalysis, hash_file
from tools.songs.tags import read_tags
from tools.work.workers import Crashed, Room, run_all, usable_cores

MAX_EDGE_S = 60.0
MIN_CHUNK_S = 0.05
"""The floor under the floor: what is shorter is no chunk, and too short for its fingerprint."""
PUBLISH_PERIOD_S = 2.0
"""While nothing complete can be played, what is there is published this often at most."""
KEPT_FREE_BYTES = 2**30
"""Decoded copies leave so much of the disk to the rest of the pool, and to everybody else."""


@dataclass(frozen=True, kw_only=True)
class BuildSettings:
    """How a pool is built."""

    cut: CutSettings = field(default_factory=CutSettings)
    edge_s: float = 2.0
    """Length of the edges that are kept; no model with longer ones fits the pool."""
    jobs: int = field(default_factory=usable_cores)
    """Processes that analyse; 1: this one."""
    decoded_cache_gib: float = 8.0
    """Room for decoded copies of songs that cannot be seeked in; the rest are decoded whole to be played."""
    model: Path | None = None
    """Folder of a model whose embeddings are made, if it has any, so that playing with it begins at once."""
    remove: bool = False
    """Whether music that is missing from a named folder leaves the pool, however much of it that is."""
    again: bool = False
    """Whether every song is analysed anew, whatever is known of it."""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.edge_s) and 2 / EDGE_RATE_HZ <= self.edge_s <= MAX_EDGE_S):
            raise PoolError(
                f"edges of {self.edge_s:g} s make no sense; give a length above 0 and up to {MAX_EDGE_S:g} s"
            )
        shortest_s = min(self.cut.min_chunk_s, self.cut.chunk_s)
        if shortest_s < MIN_CHUNK_S:
            raise PoolError(
                f"chunks of {shortest_s:g} s are too short to be one; give at least {MIN_CHUNK_S:g} s"
            )
        if not self.jobs >= 1:
            raise PoolError(f"{self.jobs} jobs build nothing; give 1 or more")
        if not (math.isfinite(self.decoded_cache_gib) and self.decoded_cache_gib >= 0):
            raise PoolError(f"a cache of {self.decoded_cache_gib:g} GiB makes no sense; give 0 or more")

    @property
    def edge_samples(self) -> int:
        """Length of the edges, in samples at `EDGE_RATE_HZ`."""
        return round(self.edge_s * EDGE_RATE_HZ)

    @property
    def analysis(self) -> AnalysisSettings:
        """What of these settings decides the result of an analysis."""
        return AnalysisSettings(cut=self.cut, edge_samples=self.edge_samples)


@dataclass(frozen=True, kw_only=True)
class BuildProgress:
    """How far a build is; `total_bytes - done_bytes` over the rate so far is what is left."""

    done: int
    """Files that are dealt with, the unchanged ones among them."""
    total: int
    done_bytes: int
    """Bytes of the files that were analysed by now."""
    total_bytes: int
    """Bytes of all files that are analysed in this build."""
    name: str
    """The file that was dealt with last, relative to its music folder."""
    audio_s: float
    """Music analysed by now."""
    elapsed_s: float
    generation: int | None
    """The generation that can be played now."""


@dataclass(frozen=True, kw_only=True)
class BuildReport:
    """What a build came to."""

    generation: int
    songs: int
    chunks: int
    reused: int
    """Files that were not analysed again."""
    analysed: int
    removed: int
    """Songs of the generation before that are no longer in the pool."""
    copies: tuple[tuple[str, str], ...]
    """Files with the same recording as another song, each with that one, which is played for both."""
    missing: tuple[MissingMusic, ...]
    """Named folders without the music that is expected of them; what the pool had of them is kept."""
    failed: tuple[Failure, ...]
    """Files that cannot be read."""
    skipped: tuple[Failure, ...]
    """Files that are silent or too short."""
    partly: tuple[Failure, ...]
    """Files that are in the pool, but not all that they hold."""
    no_audio: tuple[NoAudio, ...]
    """What lies beside the music and is none, by kind."""
    audio_s: float
    """Music in the pool, whole songs."""
    analysed_s: float
    """Music analysed in this build."""
    elapsed_s: float
    decoded_bytes: int
    """Size of the decoded copies."""
    without_copy: int
    """Songs that need a decoded copy and found no room for one; they are decoded whole to be played."""
    cuts: tuple[tuple[str, str], ...]
    """What the cutter did to each song, by name, in words."""


Progress = Callable[[BuildProgress], None]


@dataclass(frozen=True, kw_only=True)
class _Task:
    """One file for a worker."""

    found: FoundFile
    analysis: AnalysisSettings
    pool_folder: Path
    copy_of: str | None = None
    """Hash of a song that is known and lacks only its decoded copy."""


@dataclass(frozen=True, kw_only=True)
class _Refused:
    """A file without an analysis."""

    reason: str


def build_pool(
    music: Sequence[Path],
    out: Path,
    settings: BuildSettings | None = None,
    progress: Progress | None = None,
) -> BuildReport:
    """Make the pool in the folder `out` hold the songs of `music` (folders or files), and report.

    Songs that are unchanged (by size and times, else by their bytes, else by their audio) and were analysed
    with the same settings are kept, unless a check doubted them. Each song is stored as soon as it is
    analysed, so a killed build goes on where it was. While `out` has no complete generation, early ones are
    published; a complete one is replaced only at the end. Files that cannot be read are named in the report
    and do not stop it. `PoolError` when there is nothing to build from, `out` cannot be written, or no file
    yields a chunk; what `out` held stays as it was.
    `EndlosError` when the cutter is not installed.
    """
    started_s = time.monotonic()
    settings = settings or BuildSettings()
    if settings.cut.cutter == "pydub":
        load_pydub()
    found = scan(music)
    if not found.files:
        places = ", ".join(str(path) for path in music)
        if found.failures:
            raise PoolError(f"no audio file in {places} can be read; {found.failures[0][1].reason}")
        raise PoolError(f"{places} holds no audio files; give a folder with wav, flac, mp3, ogg, ...")
    with locked(out), closing(PoolStore(out, settings.analysis.key)) as store:
        build = _Build(store, settings, found, started_s, progress)
        return build.run()


class _Build:
    """One run of `build_pool`."""

    def __init__(
        self,
        store: PoolStore,
        settings: BuildSettings,
        music: Scan,
        started_s: float,
        progress: Progress | None,
    ) -> None:
        self._store = store
        self._settings = settings
        self._model = settings.model if settings.model is not None and embeds(settings.model) else None
        self._music = music
        self._files: Sequence[FoundFile] = music.files
        self._found = frozenset(music.files)
        self._failures = list(music.failures)
        self._total = len(self._files) + len(self._failures)
        self._started_s = started_s
        self._progress = progress
        self._songs: dict[FoundFile, StoredSong] = {}
        self._reused = 0
        self._analysed = 0
        self._analysed_s = 0.0
        self._done_bytes = 0
        self._total_bytes = 0
        store.remove_leftovers()
        if settings.again:
            store.doubt_all()
        store.remove_doubted()
        self._copied: set[str] = set()
        self._copied_bytes = store.decoded_bytes()
        self._generation, self._complete, self._before = store.current()
        self._held = {file.audio_hash for file in store.files(self._before)}
        self._published_songs = len(self._before)
        self._published_s = -math.inf

    def run(self) -> BuildReport:
        tasks = [task for found in self._files if (task := self._task(found)) is not None]
        # The first chunks come soonest from the smallest file; the others keep their order.
        tasks.sort(key=lambda task: task.copy_of is not None)
        if tasks:
            tasks.insert(0, tasks.pop(min(range(len(tasks)), key=lambda i: tasks[i].found.size_bytes)))
        self._total_bytes = sum(task.found.size_bytes for task in tasks)
        self._publish_early()
        self._tell("")
        with closing(
            run_all(_work, tasks, min(self._settings.jobs, max(1, len(tasks))), self._room)
        ) as results:
            for task, result in results:
                self._take(task, result)
                self._done_bytes += task.found.size_bytes
                self._publish_early()
                self._tell(task.found.name)
        return self._finish()

    def _task(self, found: FoundFile) -> _Task | None:
        """Keep what is known of a file; return the work that it needs, None when it needs none."""
        task = _Task(found=found, analysis=self._settings.analysis, pool_folder=self._store.folder)
        reason = self._store.skipped(found)
        if reason is not None:
            self._refuse(found, "skipped", reason)
            self._reused += 1
            return None
        song = self._store.unchanged(found) or self._known_bytes(found)
        if song is None or not self._store.has_rows(song, self._settings.edge_samples):
            return task
        self._songs[found] = song
        self._reused += 1
        left_out = self._store.partly(song)
        if left_out is not None:
            self._refuse(found, "partly", left_out)
        if sheet_beside(found.path):
            self._name_tracks(found, song)
        missing = not song.seekable and not has_copy(
            decoded_copy(self._store.folder, song.audio_hash), song.frames
        )
        if missing and self._fits(song.audio_hash, copy_bytes(song.frames)):
            return _Task(
                found=found,
                analysis=task.analysis,
                pool_folder=task.pool_folder,
                copy_of=song.audio_hash,
            )
        return None

    def _known_bytes(self, found: FoundFile) -> StoredSong | None:
        if not self._store.may_hold(found):
            return None
        try:
            file_hash = hash_file(found.path)
        except OSError:
            return None  # its analysis says what is wrong with it
        song = self._store.adopt(found, file_hash, read_tags(found.path))
        if song is not None:
            self._name_tracks(found, song)
        return song

    def _name_tracks(self, found: FoundFile, song: StoredSong) -> None:
        self._store.save_tracks(song, tracks_of(found.path, song.sample_rate_hz))

    def _take(self, task: _Task, result: "SongAnalysis | Recognised | _Refused | Crashed | None") -> None:
        found = task.found
        if isinstance(result, _Refused | Crashed):
            self._songs.pop(found, None)
            self._refuse(found, "failed", result.reason)
        elif isinstance(result, Recognised):
            song = self._store.take_recognised(found, result)
            assert song is not None, "whoever recognised it found its analysis here"
            self._songs[found] = song
            self._name_tracks(found, song)
            self._reused += 1
            self._tell_left_out(found, result.left_out)
        elif isinstance(result, SongAnalysis):
            self._analysed += 1
            self._analysed_s += result.frames / result.sample_rate_hz
            if result.chunks:
                self._songs[found] = self._store.save_song(found, result)
                self._tell_left_out(found, result.left_out)
                self._name_tracks(found, self._songs[found])
            else:
                self._refuse(found, "skipped", result.cut)
                self._store.save_failures(self._failures[-1:], replace=False)

    def _tell_left_out(self, found: FoundFile, left_out: Sequence[str]) -> None:
        if left_out:
            self._refuse(found, "partly", f"without {', and '.join(left_out)}")
            self._store.save_failures(self._failures[-1:], replace=False)

    def _refuse(self, found: FoundFile, kind: str, reason: str) -> None:
        self._failures.append((found, Failure(path=found.path, kind=kind, reason=reason)))

    def _fits(self, audio_hash: str, size_bytes: int) -> bool:
        grows_bytes = size_bytes - self._replaced_bytes(audio_hash)
        if self._copied_bytes + grows_bytes > self._settings.decoded_cache_gib * 2**30:
            return False
        return shutil.disk_usage(self._store.folder).free >= size_bytes + KEPT_FREE_BYTES

    def _replaced_bytes(self, audio_hash: str) -> int:
        """Return the size of a copy that another is written over: of an earlier version, or damaged."""
        try:
            return decoded_copy(self._store.folder, audio_hash).stat().st_size
        except OSError:
            return 0

    def _room(self, audio_hash: str, size_bytes: int) -> bool:
        # Two files with the same content may be analysed at once; one of them writes the copy of both.
        if audio_hash in self._copied or not self._fits(audio_hash, size_bytes):
            return False
        self._copied.add(audio_hash)
        self._copied_bytes += size_bytes - self._replaced_bytes(audio_hash)
        return True

    def _ordered(self) -> list[StoredSong]:
        return [self._songs[found] for found in self._files if found in self._songs]

    def _played(self) -> tuple[list[StoredSong], list[Copy]]:
        """Return the songs that are played, and the copies of them that are not."""
        songs = self._ordered()
        there = {song.song_id for found, song in self._songs.items() if found in self._found}

        def better(song: StoredSong) -> tuple[bool, bool, bool, float]:
            # Who is in the pool stays, so that a copy more changes nothing; else who kept most of the sound.
            rate = song.size_bytes * song.sample_rate_hz / song.frames
            here = song.song_id in self._before
            return song.song_id in there, here, song.audio_hash in self._held, rate

        return without_copies(songs, self._store.outlines(songs), better)

    def _publish_early(self) -> None:
        now_s = time.monotonic()
        if self._complete or now_s - self._published_s < PUBLISH_PERIOD_S:
            return
        # Each time twice as many, so that a large pool is not written over and over.
        if len(self._songs) >= max(1, 2 * self._published_songs):
            self._publish(complete=False)
            self._published_s = now_s

    def _publish(self, *, complete: bool) -> None:
        songs, copies = self._played()
        self._generation = self._store.publish(
            songs,
            copies,
            self._settings.edge_samples,
            self._failures,
            complete=complete,
            finish=lambda home: self._embed(home, songs),
        )
        self._published_songs = len(self._songs)

    def _embed(self, home: Path, songs: Sequence[StoredSong]) -> None:
        """Leave in the folder of a generation what playing it needs, so that it begins at once."""
        if self._model is not None:
            hashes, counts = [song.audio_hash for song in songs], [song.chunks for song in songs]
            embed_generation(home, hashes, counts, self._model, threads=self._settings.jobs)

    def _finish(self) -> BuildReport:
        analysed = len(self._files) - self._reused
        missing = self._keep_missing()
        self._failures.sort(key=lambda failure: (str(failure[0].root), failure[0].name))
        songs, copies = self._played()
        if not songs:
            self._store.save_failures(self._failures, replace=True)
            found, failure = self._failures[0]
            raise PoolError(
                f"no file (of {len(self._failures)}) yields a chunk; "
                f"for example {found.name}: {failure.reason}"
            )
        unchanged = not self._analysed and self._complete and self._before == [song.song_id for song in songs]
        if unchanged and self._store.is_sound(self._settings.edge_samples):
            self._store.save_failures(self._failures, replace=True)
            assert self._generation is not None
            self._store.save_copies(self._generation, copies)
            if self._model is not None:
                # The pool is what it was; the model may be another one.
                embed_pool(self._store.folder, self._model, threads=self._settings.jobs)
        else:
            self._publish(complete=True)
        before = self._store.names(self._before)
        now = self._store.names([song.song_id for song in self._ordered()])
        names = {song.song_id: found.name for found, song in self._songs.items()}
        self._store.collect_garbage()
        assert self._generation is not None
        failures = [failure for _, failure in self._failures]
        return BuildReport(
            generation=self._generation,
            songs=len(songs),
            chunks=sum(song.chunks for song in songs),
            reused=self._reused,
            analysed=analysed,
            removed=len(before - now),
            copies=tuple((names[copy.song.song_id], names[copy.of.song_id]) for copy in copies),
            missing=missing,
            failed=tuple(failure for failure in failures if failure.kind == "failed"),
            skipped=tuple(failure for failure in failures if failure.kind == "skipped"),
            partly=tuple(failure for failure in failures if failure.kind == "partly"),
            no_audio=self._music.no_audio,
            audio_s=sum(song.frames / song.sample_rate_hz for song in songs),
            analysed_s=self._analysed_s,
            elapsed_s=time.monotonic() - self._started_s,
            decoded_bytes=self._store.decoded_bytes(),
            without_copy=sum(
                not song.seekable
                and not has_copy(decoded_copy(self._store.folder, song.audio_hash), song.frames)
                for song in songs
            ),
            cuts=tuple((found.name, self._songs[found].cut) for found in self._files if found in self._songs),
        )

    def _keep_missing(self) -> tuple[MissingMusic, ...]:
        """Put the songs back that are missing and were not wished away; return what is missing."""
        if self._settings.remove:
            return ()
        missing = find_missing(
            self._music,
            self._store.files(self._before),
            frozenset(song.audio_hash for song in self._songs.values()),
            [found.path for found, _ in self._music.failures],
        )
        for file in missing.kept:
            if file.song is None or not self._store.has_rows(file.song, self._settings.edge_samples):
                place = missing.folders[0].folder
                raise PoolError(
                    f"{place} lacks songs that the pool holds, {file.found.name} among them, and with these "
                    "settings they would have to be analysed anew; put them back, or build with --remove"
                )
            self._songs[file.found] = file.song
        self._files = in_order(self._files, [file.found for file in missing.kept], self._music.roots)
        return missing.folders

    def _tell(self, name: str) -> None:
        if self._progress is None:
            return
        self._progress(
            BuildProgress(
                done=len(self._songs) + sum(failure.kind != "partly" for _, failure in self._failures),
                total=self._total,
                done_bytes=self._done_bytes,
                total_bytes=self._total_bytes,
                name=name,
                audio_s=self._analysed_s,
                elapsed_s=time.monotonic() - self._started_s,
                generation=self._generation,
            )
        )


def _work(task: _Task, room: Room) -> "SongAnalysis | Recognised | _Refused | None":
    # A worker's own: it takes seconds to import, and no other part of a build needs it.
    from tools.songs.analyse import analyse_song, copy_song, hear_song

    try:
        if task.copy_of is not None:
            copy_song(task.found.path, task.pool_folder, task.copy_of, room)
            return None
        # A song is one worker's; threads that wait for each other would only take its processor time.
        with threadpool_limits(1):
            song = hear_song(task.found.path, task.pool_folder)
            known = recognise(song, task.found, task.analysis, task.pool_folder)
            if known is not None:
                return known
            return analyse_song(told_apart(song, task.pool_folder), task.analysis, task.pool_folder, room)
    except DecodeError as error:
        # The file is named beside the reason already.
        return _Refused(reason=re.sub(f"^{re.escape(str(task.found.path))} ", "it ", str(error)))
