"""The advice on a file that cannot be written is for its own reason."""

import errno
import sqlite3
from pathlib import Path

import pytest

from model.base.errors import PoolError
from model.base.files import what_to_do
from tools.pools.place import storing

REASONS = {
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some space",
    errno.EFBIG: "free some space",
    errno.EACCES: "change who may write there",
    errno.EPERM: "change who may write there",
    errno.EROFS: "read-only",
    errno.EIO: "check the disk",
}


@pytest.mark.parametrize("number", REASONS, ids=errno.errorcode.get)
def test_the_advice_is_for_the_reason(number: int) -> None:
    error = OSError(number, "reason")
    assert REASONS[number] in what_to_do(error)
    assert ("space" in what_to_do(error)) == (REASONS[number] == "free some space")
    with pytest.raises(PoolError, match=REASONS[number]), storing(Path("pool")):
        raise error


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        (sqlite3.SQLITE_FULL, "free some space"),
        (sqlite3.SQLITE_READONLY, "change who may write there"),
        (sqlite3.SQLITE_READONLY_DBMOVED, "change who may write there"),
        (sqlite3.SQLITE_CANTOPEN, "change who may write there"),
        (sqlite3.SQLITE_BUSY, "wait for the other process"),
        (sqlite3.SQLITE_IOERR, "check the disk"),
        (sqlite3.SQLITE_CORRUPT, "restore it"),
    ],
)
def test_the_advice_on_a_database_is_for_its_reason(code: int, advice: str) -> None:
    error = sqlite3.OperationalError("its words")
    error.sqlite_errorcode = code
    with pytest.raises(PoolError, match=advice), storing(Path("pool")):
        raise error
