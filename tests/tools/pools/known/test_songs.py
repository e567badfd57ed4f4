"""A file is looked up in what is known, not looked for, and costs the same in a pool of any size."""

from contextlib import closing
from pathlib import Path

from tools.pools.known.songs import KnownSongs
from tools.pools.scan import FoundFile
from tools.pools.store import PoolStore, StoredSong
from tools.songs.tags import Tags


def test_no_file_is_looked_for_among_all_songs(tmp_path: Path) -> None:
    found = FoundFile(root=tmp_path, name="a.wav", size_bytes=9, mtime_ns=1, ctime_ns=2)
    song = StoredSong(
        song_id=1,
        audio_hash="a",
        chunks=1,
        sample_rate_hz=8_000,
        frames=9,
        seekable=True,
        cut="",
        size_bytes=9,
    )
    asked: list[str] = []
    with closing(PoolStore(tmp_path, "key")) as store:
        known = KnownSongs(store)
        store.database.set_trace_callback(asked.append)
        assert known.unchanged(found) is None and not known.may_hold(found)
        assert not known.has_bytes("f") and known.adopt(found, "f", Tags(title="a")) is None
        assert known.partly(song) is None and known.skipped(found) is None
        store.database.set_trace_callback(None)
        questions = [question for question in asked if question.lstrip().startswith("SELECT")]
        assert len(questions) >= 6
        among_those_of_a_size = 0
        for question in questions:
            plan = [row[3] for row in store.database.execute(f"EXPLAIN QUERY PLAN {question}")]
            assert not any(step.startswith("SCAN") for step in plan), question
            among_those_of_a_size += any("(size_bytes=?)" in step for step in plan)
        # Which may be all; only whether there is any is asked of them.
        assert among_those_of_a_size == 1
