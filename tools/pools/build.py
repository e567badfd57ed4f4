"""The builder makes a pool from music folders; it is incremental, resumable, and playable early."""

import math
import os
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from model.base.errors import PoolError
from model.base.stored_rows import AnyPlaces
from stream.audio.copies import copy_bytes, has_copy
from stream.audio.fidelity import Fidelity, fidelity_of
from stream.pool.columns import StoredColumns
from stream.pool.origin import Origin
from stream.pool.pool import decoded_copy
from tools.pools.columns.disk import require_room
from tools.pools.copies import without_copies
from tools.pools.embed import embed_generation, embed_pool, embeds
from tools.pools.generations import Copy, Generations
from tools.pools.known.missing import MissingMusic, find_missing, in_order
from tools.pools.known.recognise import Recognised
from tools.pools.known.songs import KnownSongs
from tools.pools.place import locked
from tools.pools.report import BuildReport, Progress
from tools.pools.scan import FoundFile, Scan, scan
from tools.pools.settings import BuildSettings
from tools.pools.store import PoolStore, StoredSong
from tools.pools.tally import BuildTally
from tools.pools.tasks import BuildTask, CopyRoom, RefusedFile, work_on
from tools.pools.tidying import collect_garbage, remove_doubted, remove_leftovers
from tools.songs.cue import sheet_beside, tracks_of
from tools.songs.silence import load_pydub
from tools.songs.song import SongAnalysis, hash_file
from tools.songs.tags import read_tags
from tools.work.crew import crew
from tools.work.fitness import Site
from tools.work.footprint import let_go, trim_heap
from tools.work.workers import Crashed

_SHOWN_FILES = 100
"""A worker on another machine is asked for so many files at most before it gets work."""
PUBLISH_PERIOD_S = 2.0
"""While nothing complete can be played, what is there is published this often at most."""


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
    if settings.scheduler is not None:
        out = out.absolute()  # its workers stand in other folders
    if settings.cut.cutter == "pydub":
        load_pydub()
    found = scan(music, settings.selection)
    if not found.files:
        places = ", ".join(str(path) for path in music)
        if found.failures:
            raise PoolError(f"no audio file in {places} can be read; {found.failures[0][1].reason}")
        raise PoolError(f"{places} holds no audio files; give a folder with wav, flac, mp3, ogg, ...")
    with locked(out), closing(PoolStore(out, settings.analysis.key)) as store:
        report = _Build(store, settings, found, started_s, progress).run()
        store.save_origin(Origin(music=tuple(path.absolute() for path in music), options=settings.options))
        return report


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
        self._known = KnownSongs(store)
        self._generations = Generations(store)
        self._settings = settings
        self._model = settings.model if settings.model is not None and embeds(settings.model) else None
        self._music = music
        self._files: Sequence[FoundFile] = music.files
        self._found = frozenset(music.files)
        self._tally = BuildTally(music, progress, started_s)
        self._songs = self._tally.songs
        self._recognised: list[FoundFile] = []
        self._crew = crew(settings.jobs, settings.scheduler, self._site, self._tally.tell_cluster)
        remove_leftovers(store)
        if settings.again:
            store.doubt_all()
        remove_doubted(store)
        self._generations.forget_lost()
        self._room = CopyRoom(store.folder, store.decoded_bytes(), settings.decoded_cache_gib * 2**30)
        self._tally.generation, self._complete, self._before = self._generations.current()
        self._held = {file.audio_hash for file in store.files(self._before)}
        self._fidelities: dict[int, Fidelity] = {}
        """Of files of which a better one was looked for, by the song's number."""
        self._published_songs = len(self._before)
        self._published_s = -math.inf

    def run(self) -> BuildReport:
        tasks = [task for found in self._files if (task := self._task(found)) is not None]
        require_room(
            self._store.folder,
            [task.found.path for task in tasks if task.copy_of is None],
            chunk_s=self._settings.cut.chunk_s,
            edge_samples=self._settings.edge_samples,
        )
        # The first chunks come soonest from the smallest file; the others keep their order.
        tasks.sort(key=lambda task: task.copy_of is not None)
        if tasks:
            tasks.insert(0, tasks.pop(min(range(len(tasks)), key=lambda i: tasks[i].found.size_bytes)))
        self._work_through(tasks)
        # What a worker has just recognised was not known before, and may lack its copy.
        copies = [task for found in self._recognised if (task := self._copy_task(found, self._songs[found]))]
        if copies:
            self._work_through(copies)
        return self._finish()

    def _work_through(self, tasks: list[BuildTask]) -> None:
        self._tally.expect(sum(task.found.size_bytes for task in tasks))
        self._publish_early()
        self._tally.tell("")
        with closing(self._crew.run_all(work_on, tasks, self._room.take)) as results:
            for task, result in results:
                self._take(task, result)
                self._publish_early()
                self._tally.tell_done(task.found)

    def _site(self) -> Site:
        """Return what a worker on another machine has to find: a file of each folder, and this pool."""
        first = {found.root: found for found in reversed(self._files)}
        shown = list(first.values())[:_SHOWN_FILES]
        return Site(
            reads={found.path: found.size_bytes for found in shown}, writes=self._store.folder / "analysis"
        )

    def _task(self, found: FoundFile) -> BuildTask | None:
        """Keep what is known of a file; return the work that it needs, None when it needs none."""
        task = BuildTask(found=found, analysis=self._settings.analysis, pool_folder=self._store.folder)
        reason = self._known.skipped(found)
        if reason is not None:
            self._tally.refuse(found, "skipped", reason)
            self._tally.reused += 1
            return None
        song = self._known.unchanged(found) or self._known_bytes(found)
        if song is None or not self._store.has_rows(song, self._settings.edge_samples):
            return task
        self._songs[found] = song
        self._tally.reused += 1
        left_out = self._known.partly(song)
        if left_out is not None:
            self._tally.refuse(found, "partly", left_out)
        if sheet_beside(found.path):
            self._name_tracks(found, song)
        return self._copy_task(found, song)

    def _copy_task(self, found: FoundFile, song: StoredSong) -> BuildTask | None:
        """Return the work of writing the copy that a song lacks; None where it needs none or has no room."""
        folder = self._store.folder
        missing = not song.seekable and not has_copy(decoded_copy(folder, song.audio_hash), song.frames)
        if not missing or not self._room.fits(song.audio_hash, copy_bytes(song.frames)):
            return None
        return BuildTask(
            found=found,
            analysis=self._settings.analysis,
            pool_folder=folder,
            copy_of=song.audio_hash,
        )

    def _known_bytes(self, found: FoundFile) -> StoredSong | None:
        if not self._known.may_hold(found):
            return None
        try:
            file_hash = hash_file(found.path)
        except OSError:
            return None  # its analysis says what is wrong with it
        # Most files of one size are others, and the tags of those are read where they are analysed.
        if not self._known.has_bytes(file_hash):
            return None
        song = self._known.adopt(found, file_hash, read_tags(found.path))
        if song is not None:
            self._name_tracks(found, song)
        return song

    def _name_tracks(self, found: FoundFile, song: StoredSong) -> None:
        self._store.save_tracks(song, tracks_of(found.path, song.sample_rate_hz))

    def _take(
        self, task: BuildTask, result: "SongAnalysis | Recognised | RefusedFile | Crashed | None"
    ) -> None:
        found = task.found
        if isinstance(result, RefusedFile | Crashed):
            self._songs.pop(found, None)
            self._tally.refuse(found, "failed", result.reason)
        elif isinstance(result, Recognised):
            song = self._known.take_recognised(found, result)
            assert song is not None, "whoever recognised it found its analysis here"
            self._songs[found] = song
            self._recognised.append(found)
            self._name_tracks(found, song)
            self._tally.reused += 1
            self._tell_left_out(found, result.left_out)
        elif isinstance(result, SongAnalysis):
            self._tally.hear(result)
            if result.chunks:
                self._songs[found] = self._store.save_song(found, result)
                self._tell_left_out(found, result.left_out)
                self._name_tracks(found, self._songs[found])
            else:
                self._tally.refuse(found, "skipped", result.cut)
                self._store.save_failures(self._tally.failures[-1:], replace=False)

    def _tell_left_out(self, found: FoundFile, left_out: Sequence[str]) -> None:
        if left_out:
            self._tally.refuse(found, "partly", f"without {', and '.join(left_out)}")
            self._store.save_failures(self._tally.failures[-1:], replace=False)

    def _ordered(self) -> list[StoredSong]:
        return [self._songs[found] for found in self._files if found in self._songs]

    def _played(self) -> tuple[list[StoredSong], list[Copy]]:
        """Return the songs that are played, and the copies of them that are not."""
        songs = self._ordered()
        there = {song.song_id for found, song in self._songs.items() if found in self._found}

        def standing(song: StoredSong) -> tuple[bool, bool, bool]:
            # Who is in the pool stays, so that a copy more changes nothing.
            return song.song_id in there, song.song_id in self._before, song.audio_hash in self._held

        paths = {song.song_id: found.path for found, song in self._songs.items()}

        def fidelity(song: StoredSong) -> Fidelity:
            if song.song_id not in self._fidelities:
                self._fidelities[song.song_id] = fidelity_of(paths[song.song_id])
            return self._fidelities[song.song_id]

        return without_copies(songs, self._generations.compared(), self._store.outlines, standing, fidelity)

    def _publish_early(self) -> None:
        now_s = time.monotonic()
        if self._complete or now_s - self._published_s < PUBLISH_PERIOD_S:
            return
        # Each time twice as many, so that a large pool is not written over and over.
        if len(self._songs) >= max(1, 2 * self._published_songs):
            self._publish(complete=False)
            if self._published_s == -math.inf:
                # The first one has loaded what all need; to look for what may go takes some 30 ms.
                let_go()
            self._published_s = now_s

    def _publish(self, *, complete: bool) -> None:
        songs, copies = self._played()
        self._tally.generation = self._generations.publish(
            songs,
            copies,
            self._settings.edge_samples,
            self._tally.failures,
            complete=complete,
            finish=lambda home, stored, rows: self._embed(home, stored, rows, songs),
        )
        self._published_songs = len(self._songs)
        # Of embedding, before a worker takes its next song.
        trim_heap()

    def _embed(self, home: Path, stored: StoredColumns, rows: AnyPlaces, songs: Sequence[StoredSong]) -> None:
        """Leave in the folder of a generation what playing it needs, so that it begins at once."""
        if self._model is not None:
            hashes, counts = [song.audio_hash for song in songs], [song.chunks for song in songs]
            embed_generation(home, stored, rows, hashes, counts, self._model, threads=self._settings.jobs)

    def _finish(self) -> BuildReport:
        missing = self._keep_missing()
        self._tally.failures.sort(key=lambda failure: (str(failure[0].root), failure[0].name))
        songs, copies = self._played()
        if not songs:
            self._store.save_failures(self._tally.failures, replace=True)
            found, failure = self._tally.failures[0]
            raise PoolError(
                f"no file (of {len(self._tally.failures)}) yields a chunk; "
                f"for example {found.name}: {failure.reason}"
            )
        unchanged = (
            not self._tally.analysed and self._complete and self._before == [song.song_id for song in songs]
        )
        if unchanged and self._generations.is_sound(self._settings.edge_samples):
            self._store.save_failures(self._tally.failures, replace=True)
            assert self._tally.generation is not None
            self._generations.save_copies(self._tally.generation, copies)
            if self._model is not None:
                # The pool is what it was; the model may be another one.
                embed_pool(self._store.folder, self._model, threads=self._settings.jobs)
        else:
            self._publish(complete=True)
        before = self._store.names(self._before)
        now = self._store.names([song.song_id for song in self._ordered()])
        collect_garbage(self._store)
        return self._tally.report(
            self._store, self._files, songs, copies, removed=len(before - now), missing=missing
        )

    def _keep_missing(self) -> tuple[MissingMusic, ...]:
        """Put the songs back that are missing and were not wished away; return what is missing."""
        if self._settings.remove:
            return ()
        # What went away while others were analysed, maybe with its disk, is missing as well.
        gone = {
            found
            for found, _ in self._tally.failures
            if not os.path.exists(found.path)  # noqa: PTH110 - Path.exists raises where a disk does not answer
        }
        there = replace(self._music, files=tuple(found for found in self._files if found not in gone))
        missing = find_missing(
            there,
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
        self._files = in_order(there.files, [file.found for file in missing.kept], there.roots)
        return missing.folders
