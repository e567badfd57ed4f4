"""A worker is refused work where it would read, write or compute something else."""

from dataclasses import replace
from pathlib import Path

import pytest

from model.base.errors import EndlosError
from tools.work.fitness import MarkedSite, Site, deciding_versions, marked, why_unfit


def test_the_same_code_with_the_same_files_is_fit(tmp_path: Path) -> None:
    song = tmp_path / "a.wav"
    song.write_bytes(b"12345")
    with marked(Site(reads={song: 5}, writes=tmp_path)) as there:
        assert why_unfit(there) is None
        song.write_bytes(b"1234")
        assert why_unfit(there) == f"has another file at {song}; mount the same music there"
        song.unlink()
        told = why_unfit(there)
        assert told and told.startswith(f"cannot read {song} (No such file or directory); mount the music")
    assert list(tmp_path.iterdir()) == []


def test_another_version_is_named(tmp_path: Path) -> None:
    with marked(Site(writes=tmp_path)) as there:
        other = replace(there, versions={**deciding_versions(), "numpy": "1.0"})
        assert why_unfit(other) == (
            f"has numpy {deciding_versions()['numpy']}, and 1.0 is asked for; install the same version there"
        )


def test_another_folder_of_that_name_and_one_that_cannot_be_written_are_told(tmp_path: Path) -> None:
    site = Site(writes=tmp_path)
    told = why_unfit(MarkedSite(site=site, mark=tmp_path / "mark", versions={}))
    assert told and told.startswith(f"has another folder at {tmp_path}, or none; share that folder")
    # Root may write anywhere but where the kernel lets nobody.
    kernel = Path("/proc/self")
    if kernel.is_dir():
        site = Site(writes=kernel)
        told = why_unfit(MarkedSite(site=site, mark=kernel / "status", versions={}))
        assert told and told.startswith(f"cannot write in {kernel} (")
        with pytest.raises(EndlosError, match="/proc/self cannot be written: "), marked(site):
            pass
