"""The summary tells what a pool holds, as plain values that can be printed as JSON."""

import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from stream.choosing.journey.spacing import artists_apart, songs_apart
from stream.doors.partners import MOST_PARTNER_SONGS, tempo_partners
from stream.doors.settings import DoorSettings
from stream.pool.pool import Pool, failures, open_pool
from stream.pool.traits import ChunkTraits
from tools.pools.place import GRID_FOLDER

TONICS = ("C", "C sharp", "D", "E flat", "E", "F", "F sharp", "G", "A flat", "A", "B flat", "B")
KEYS = tuple(f"{tonic} {mode}" for mode in ("major", "minor") for tonic in TONICS)
"""Names of the keys, in the order of `ChunkTraits.key`."""
_CHUNKS_AT_A_TIME = 8_192


def summarise(folder: Path, chunks: bool = False) -> dict[str, Any]:
    """Return what the current generation in `folder` holds: songs, durations, failures and, if asked, chunks.

    Lengths and positions are in seconds of the song. `chunks`, in index order, are an iterator, for of a
    million the text alone is 167 MB. `PoolError` when there is no pool with chunks.
    """
    pool = open_pool(folder)
    numbers = pool.songs.numbers
    summary: dict[str, Any] = {
        "pool": str(folder),
        "generation": pool.generation,
        "complete": pool.complete,
        "edge_s": pool.edge_s,
        "audio_s": float((numbers("frames") / numbers("sample_rate_hz")).sum()),
        "bytes": _bytes(folder),
        "songs": _songs(pool),
        "durations": _durations(pool),
        "journey": _journey(pool),
        "failures": [
            {"path": str(failure.path), "kind": failure.kind, "reason": failure.reason}
            for failure in failures(folder)
        ],
    }
    if chunks:
        summary["chunks"] = _chunks(pool)
    return summary


def _chunks(pool: Pool) -> Iterator[dict[str, Any]]:
    names, starts_s, ends_s = [song.name for song in pool.songs], pool.start_s(), pool.end_s()
    for first in range(0, len(pool), _CHUNKS_AT_A_TIME):
        part = slice(first, first + _CHUNKS_AT_A_TIME)
        spans = zip(
            pool.chunk_song[part].tolist(), starts_s[part].tolist(), ends_s[part].tolist(), strict=True
        )
        for song, start_s, end_s in spans:
            yield {"song": names[song], "start_s": start_s, "end_s": end_s}


def _journey(pool: Pool) -> dict[str, Any]:
    """Return how far songs and artists are kept apart, and with how many others each comes together."""
    names = zip(pool.songs.texts("artist"), pool.audio_hashes, strict=True)
    artists = {artist.strip().casefold() or audio_hash for artist, audio_hash in names}
    stretch = DoorSettings.stretch
    partners = tempo_partners(pool, stretch)
    return {
        "songs_apart": songs_apart(len(pool.songs)),
        "artists_apart": artists_apart(len(artists)),
        "songs_looked_at": min(len(pool.songs), MOST_PARTNER_SONGS),
        "songs_with_a_beat": len(partners),
        "stretch": stretch,
        "tempo_partners_median": float(np.median(partners)) if len(partners) else None,
        "songs_with_four_partners": int(np.count_nonzero(partners >= 4)),
    }


def _bytes(folder: Path) -> int:
    """Return the room that a pool takes, without decoded copies and what trainings keep."""
    apart = (folder / "decoded", folder / GRID_FOLDER)
    # By what the file system knows them by: generations share files.
    found: dict[tuple[int, int], int] = {}
    for path in folder.rglob("*"):
        if not any(path.is_relative_to(other) for other in apart):
            with suppress(OSError):  # a build may be tidying
                status = path.lstat()
                if stat.S_ISREG(status.st_mode):
                    found[status.st_dev, status.st_ino] = status.st_size
    return sum(found.values())


def _songs(pool: Pool) -> list[dict[str, Any]]:
    counts = np.bincount(pool.chunk_song, minlength=len(pool.songs)).tolist()
    music = [_music(pool.traits, pool.song_rows(song)) for song in range(len(counts))]
    return [
        {
            "path": song.name,
            "file": str(song.path),
            "title": song.title,
            "artist": song.artist,
            "album": song.album,
            "duration_s": song.frames / song.sample_rate_hz,
            "sample_rate_hz": song.sample_rate_hz,
            "channels": song.channels,
            "chunks": count,
            "loudness_lufs": song.loudness_lufs,
            "true_peak_db": song.true_peak_db,
            "seekable": song.seekable,
            "cut": song.cut,
            "copies": [str(path) for path in song.copies],
            **told,
        }
        for song, count, told in zip(pool.songs, counts, music, strict=True)
    ]


def _music(traits: ChunkTraits, rows: slice) -> dict[str, Any]:
    """Return tempo, bars and key of a song, from the traits of its chunks; None where they are unknown."""
    tempo_bpm, beats_per_bar = traits.tempo_bpm[rows], traits.beats_per_bar[rows]
    key, key_confidence = traits.key[rows], traits.key_confidence[rows]
    beaten = tempo_bpm > 0
    weights = np.bincount(key[key >= 0], key_confidence[key >= 0], len(KEYS))
    known = bool(weights.any())
    return {
        "tempo_bpm": float(np.median(tempo_bpm[beaten])) if beaten.any() else None,
        "beat_confidence": float(np.median(traits.beat_confidence[rows])),
        "beats_per_bar": int(np.median(beats_per_bar[beaten])) if beaten.any() else None,
        "bar_confidence": float(np.median(traits.bar_confidence[rows])),
        "key": KEYS[int(weights.argmax())] if known else None,
        "key_confidence": float(weights.max() / len(key)) if known else 0.0,
    }


def _durations(pool: Pool) -> dict[str, float | int]:
    lengths_s = pool.end_s() - pool.start_s()
    return {
        "chunks": len(pool),
        "total_s": float(lengths_s.sum()),
        "shortest_s": float(lengths_s.min()),
        "median_s": float(np.median(lengths_s)),
        "mean_s": float(lengths_s.mean()),
        "longest_s": float(lengths_s.max()),
    }
