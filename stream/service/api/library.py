"""The library is a pool's songs as the interface shows them, searches them and maps them."""

import gzip
import hashlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from model.base.arrays import IntArray
from model.base.spelling import as_searched
from stream.outputs.titles import one_line
from stream.pool.covers import covered_songs
from stream.pool.pool import Pool
from stream.pool.songs import Song
from stream.service.api.answers import MapSong, PoolMap, SongRef
from stream.service.moment import song_title


@dataclass(frozen=True, kw_only=True)
class PackedMap:
    """The map of a pool, ready to be sent."""

    plain: bytes
    zipped: bytes
    etag: str


class Library:
    """The songs of one generation; any thread."""

    def __init__(self, pool: Pool) -> None:
        """Look for covers; `PoolError` where that cannot be."""
        self.pool = pool
        self._covered = covered_songs(pool)

    def song_ref(self, song: Song) -> SongRef:
        """Return a song as it is shown, of an album under the name of the track that is given."""
        return SongRef(
            id=song.audio_hash,
            title=song_title(song),
            artist=one_line(song.artist),
            album=one_line(song.album),
            length_s=song.frames / song.sample_rate_hz,
            has_cover=song.song_id in self._covered,
        )

    def chunks_of(self, song: int) -> tuple[int, int]:
        """Return the first row of a song, and how many there are."""
        return int(self._bounds[song]), int(self._bounds[song + 1] - self._bounds[song])

    def found(self, search: str) -> list[int]:
        """Return the songs, by their index, in whose texts every word of a search stands."""
        words = as_searched(search).split()
        return [number for number, text in enumerate(self._texts) if all(word in text for word in words)]

    @cached_property
    def _bounds(self) -> IntArray:
        return np.searchsorted(self.pool.chunk_song, np.arange(len(self.pool.songs) + 1))

    @cached_property
    def _texts(self) -> list[str]:
        return [
            as_searched(f"{song.title}\n{song.artist}\n{song.album}\n{song.name}") for song in self.pool.songs
        ]

    @cached_property
    def packed_map(self) -> PackedMap:
        """The map, packed once: that of 100,000 chunks is some hundreds of kilobytes."""
        told = PoolMap(generation=self.pool.generation, songs=self._map(), chunks=len(self.pool))
        plain = told.model_dump_json().encode()
        digest = hashlib.blake2b(plain, digest_size=16).hexdigest()
        return PackedMap(plain=plain, zipped=gzip.compress(plain, 6, mtime=0), etag=f'"{digest}"')

    def _map(self) -> Iterator[MapSong]:
        for number, song in enumerate(self.pool.songs):
            first, count = self.chunks_of(number)
            yield MapSong(
                id=song.audio_hash,
                title=song_title(song),
                artist=one_line(song.artist),
                first_chunk=first,
                chunks=count,
            )


class Shelf:
    """Keeps the library of the pool that is played; any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._library: Library | None = None

    def library_of(self, pool: Pool) -> Library:
        """Return the library of a pool, made anew where another was asked for last; `PoolError`."""
        library = self._library
        if library is None or library.pool is not pool:
            with self._lock:
                library = self._library = Library(pool)
        return library
