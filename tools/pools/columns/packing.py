"""Packing adds rows of songs to the columns, or writes these anew without what is gone."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from model.base.errors import PoolError
from model.base.files import PART_SUFFIX
from stream.pool.columns import Rows, StoredColumns, column_file, column_folder, columns
from tools.pools.columns.kept import KeptColumns, SongPlace, read_rows, rows_file

MOST_GONE = 0.25
"""Columns of which more belongs to songs that are gone are written anew."""

_Values = Mapping[str, npt.NDArray[Any]] | Rows
"""What is kept of a song's chunks, by the name of the column."""


def pack(
    kept: KeptColumns, folder: Path, key: str, audio_hashes: Sequence[str], edge_samples: int
) -> KeptColumns:
    """Write what the columns of the pool in `folder` lack of songs, and return where everything then stands.

    Nothing that a reader may have open is changed. The columns hold what is returned for whoever knows of it:
    until the database says so too, readers and the next build see what was there. `OSError` when they cannot
    be written, `PoolError` when rows cannot be read.
    """
    wanted = list(dict.fromkeys(audio_hashes))
    stored, places = kept.stored, kept.places
    if stored is None or stored.edge_samples != edge_samples:
        return _pack_anew(folder, edge_samples, wanted, _Source(None, {}, folder, key, edge_samples))
    source = _Source(stored, places, folder, key, edge_samples)
    lacking = [name for name in wanted if name not in places]
    gone = stored.chunks - sum(place.chunks for place in places.values())
    if gone > MOST_GONE * stored.chunks:
        others = [name for name in places if name not in set(wanted)]
        return _pack_anew(folder, edge_samples, wanted + others, source)
    added = _write(stored.folder, stored.chunks, edge_samples, source.parts(lacking))
    return KeptColumns(
        stored=_grown(stored.folder, stored.chunks, edge_samples, added), places={**places, **added}
    )


class _Source:
    """The rows of songs: from columns, where they stand there, else from files of their own."""

    def __init__(
        self,
        stored: StoredColumns | None,
        places: Mapping[str, SongPlace],
        folder: Path,
        key: str,
        edge_samples: int,
    ) -> None:
        self._stored = stored
        self._places = places
        self._folder = folder
        self._key = key
        self._edge_samples = edge_samples

    def parts(self, audio_hashes: Sequence[str]) -> Iterator[tuple[str, int, _Values]]:
        """Yield each song with the number of its chunks and what is kept of them."""
        for name in audio_hashes:
            place = self._places.get(name)
            if place is not None and self._stored is not None:
                yield name, place.chunks, self._stored.span(place.first_row, place.chunks)
                continue
            path = rows_file(self._folder, name, self._key)
            rows = read_rows(path, self._edge_samples)
            if rows is None:
                raise PoolError(f"{path} cannot be read; run `endlos pool build` again")
            yield name, len(rows), rows


def _pack_anew(folder: Path, edge_samples: int, audio_hashes: Sequence[str], source: _Source) -> KeptColumns:
    there = [int(path.stem) for path in (folder / "columns").iterdir() if path.stem.isdigit()]
    target = column_folder(folder, max(there, default=0) + 1)
    beside = target.with_name(target.name + PART_SUFFIX)
    beside.mkdir()
    places = _write(beside, 0, edge_samples, source.parts(audio_hashes))
    beside.rename(target)
    return KeptColumns(stored=_grown(target, 0, edge_samples, places), places=places)


def _grown(folder: Path, before: int, edge_samples: int, added: Mapping[str, SongPlace]) -> StoredColumns:
    chunks = before + sum(place.chunks for place in added.values())
    return StoredColumns(folder=folder, chunks=chunks, edge_samples=edge_samples)


def _write(
    folder: Path, first_row: int, edge_samples: int, parts: Iterator[tuple[str, int, _Values]]
) -> dict[str, SongPlace]:
    """Write songs from a row on, and return where they stand."""
    places: dict[str, SongPlace] = {}
    described = columns(edge_samples)
    with ExitStack() as files:
        opened: dict[str, BinaryIO] = {}
        for name, column in described.items():
            path = column_file(folder, name)
            opened[name] = files.enter_context(path.open("r+b" if path.exists() else "wb"))
            # What a killed build left behind the last row is written over.
            opened[name].seek(first_row * column.row_bytes)
        for audio_hash, chunks, values in parts:
            for name, file in opened.items():
                file.write(np.ascontiguousarray(values[name]).data)
            places[audio_hash] = SongPlace(first_row=first_row, chunks=chunks)
            first_row += chunks
        for file in opened.values():
            # The files of the songs go when the database knows these; by then they have to be on the disk.
            file.flush()
            os.fsync(file.fileno())
    return places
