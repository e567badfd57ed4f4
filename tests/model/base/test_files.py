"""Files are whole or not there, and what was there before stays until then."""

from pathlib import Path

import pytest

from model.base.files import beside, write_whole


def test_a_file_takes_its_place_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_whole(path, "früher\n")
    with beside(path) as part:
        part.write_bytes(b"new")
        assert path.read_bytes() == "früher\n".encode()
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_what_goes_wrong_leaves_the_older_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_whole(path, b"older")
    with pytest.raises(KeyboardInterrupt), beside(path) as part:
        part.write_bytes(b"half")
        raise KeyboardInterrupt
    with pytest.raises(FileNotFoundError), beside(path):
        pass
    assert path.read_bytes() == b"older"
    assert list(tmp_path.iterdir()) == [path]
