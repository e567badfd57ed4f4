"""What the header of an array file says is held against the file before room is made for it."""

from pathlib import Path

import numpy as np
import pytest

from model.base.array_files import ArrayFile, ArrayFileError


def test_what_was_saved_is_read_and_mapped(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    for shape in ((), (0, 3), (5,), (7, 2, 3)):
        array = np.random.default_rng(1).normal(size=shape).astype(np.float32)
        np.save(path, array)
        file = ArrayFile.of(path)
        assert (file.shape, file.dtype) == (shape, np.float32)
        for found in (file.read(), file.mapped()):
            np.testing.assert_array_equal(found, array)
    np.testing.assert_array_equal(file.span(3, 2), array[3:5])
    with pytest.raises(ArrayFileError, match="not as long as it says"):
        file.span(6, 2)


@pytest.mark.parametrize(
    "header",
    [
        "{'descr': '<f4', 'fortran_order': False, 'shape': (100000000000, 2), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-5, 2), }",
        "{'descr': '<f4', 'fortran_order': True, 'shape': (5, 2), }",
        "{'descr': '|O', 'fortran_order': False, 'shape': (5, 2), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (5, 2}, }",
        "{'descr': 'nonsense', 'fortran_order': False, 'shape': (5, 2), }",
        "\\x00\\x01",
        "'" * 50,
        "(" * 3_000,
        "",
    ],
)
def test_a_header_that_lies_is_one_sentence(tmp_path: Path, header: str) -> None:
    path = tmp_path / "a.npy"
    path.write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode() + bytes(40))
    with pytest.raises(ArrayFileError, match="it is damaged"):
        ArrayFile.of(path)


def test_a_file_cut_after_it_was_looked_at_is_an_error_where_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    np.save(path, np.arange(1_000))
    file = ArrayFile.of(path)
    with path.open("r+b") as cut:
        cut.truncate(4_000)
    with pytest.raises(ArrayFileError, match="not as long as it says"):
        file.read()
    with pytest.raises(ArrayFileError):
        ArrayFile.of(path)
    with pytest.raises(FileNotFoundError):
        ArrayFile.of(tmp_path / "none.npy")
