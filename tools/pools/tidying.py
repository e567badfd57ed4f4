"""Tidying removes from a pool leftovers, what is doubted, and what no generation needs."""

import time

from model.base.files import PART_SUFFIX, is_left_behind
from stream.pool.columns import record_type
from stream.pool.pool import decoded_copy
from tools.pools.columns.kept import KeptColumns
from tools.pools.place import FOLDERS, GRID_FOLDER, remove, storing
from tools.pools.store import PoolStore

KEPT_LEFT_S = 30 * 24 * 3600.0
"""So long the analysis of a file is kept that is no longer there."""
KEPT_LEFT_BYTES = 4 * 2**30
"""All of those together take no more; the latest are kept."""
_IN_USE = "song_id IN (SELECT song_id FROM generation_songs UNION SELECT song_id FROM copies)"


def remove_leftovers(store: PoolStore) -> None:
    """Remove what a killed build was writing, and what killed players and trainings were."""
    with storing(store.folder):
        for name in FOLDERS:
            for path in (store.folder / name).glob(f"*{PART_SUFFIX}"):
                remove(path)
        # Here others write too, and some of them may be at it.
        for name in ("generations", GRID_FOLDER):
            for path in (store.folder / name).rglob(f"*{PART_SUFFIX}"):
                if is_left_behind(path):
                    remove(path)


def remove_doubted(store: PoolStore) -> None:
    """Remove what was made of songs that are doubted, beside their analysis."""
    with storing(store.folder):
        doubted = store.database.execute("SELECT DISTINCT audio_hash FROM songs WHERE doubted")
        hashes = {audio_hash for (audio_hash,) in doubted}
        for folder in ("decoded", GRID_FOLDER):
            for path in (store.folder / folder).glob("*.*"):
                if path.name.partition(".")[0] in hashes:
                    remove(path)


def collect_garbage(store: PoolStore) -> None:
    """Remove what no kept generation needs: songs, their arrays, and decoded copies.

    The analysis of a file that is gone is kept for a while (`KEPT_LEFT_S`, `KEPT_LEFT_BYTES`).
    """
    now_s = time.time()
    with store.transaction() as database:
        database.execute(f"UPDATE songs SET left_s = NULL WHERE {_IN_USE}")
        database.execute(f"UPDATE songs SET left_s = ? WHERE left_s IS NULL AND NOT {_IN_USE}", (now_s,))
        database.execute(
            f"""DELETE FROM songs WHERE NOT {_IN_USE} AND (doubted OR analysis_key != ? OR left_s < ?
                OR (root, path) IN (SELECT root, path FROM songs WHERE {_IN_USE}))""",
            (store.key, now_s - KEPT_LEFT_S),
        )
        used = database.execute(f"SELECT audio_hash, seekable FROM songs WHERE {_IN_USE}").fetchall()
        left = database.execute(
            f"SELECT song_id, audio_hash FROM songs WHERE NOT {_IN_USE} ORDER BY left_s DESC, song_id"
        ).fetchall()
        kept = store.kept_columns()
        in_use = {audio_hash for audio_hash, _ in used}
        room = KEPT_LEFT_BYTES
        for song_id, audio_hash in left:
            if audio_hash not in in_use:
                room -= _analysis_bytes(store, kept, audio_hash)
            if room < 0:
                database.execute("DELETE FROM songs WHERE song_id = ?", (song_id,))
            else:
                in_use.add(audio_hash)
        database.execute(
            """DELETE FROM places WHERE NOT EXISTS (SELECT 1 FROM songs
               WHERE songs.audio_hash = places.audio_hash AND songs.analysis_key = places.analysis_key)"""
        )
        placed = {audio_hash for (audio_hash,) in database.execute("SELECT audio_hash FROM places")}
    arrays = {store.rows_path(audio_hash).name for audio_hash in in_use - placed}
    copies = {decoded_copy(store.folder, audio_hash).name for audio_hash, seekable in used if not seekable}
    with storing(store.folder):
        for name, needed in (("analysis", arrays), ("decoded", copies)):
            for path in (store.folder / name).iterdir():
                if path.name not in needed:
                    remove(path)


def _analysis_bytes(store: PoolStore, kept: KeptColumns, audio_hash: str) -> int:
    place = kept.places.get(audio_hash)
    if place is not None and kept.stored is not None:
        return place.chunks * record_type(kept.stored.edge_samples).itemsize
    path = store.rows_path(audio_hash)
    return path.stat().st_size if path.is_file() else 0
