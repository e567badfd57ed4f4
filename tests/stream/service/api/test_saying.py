"""Announcements come over the interface, or are refused in one sentence that names no file of ours."""

import http.client
import io
import json
import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import soundfile

from stream.service.announcing.limits import MOST_ANNOUNCEMENT_BYTES, MOST_ANNOUNCEMENTS
from tests.support.interface import PlayedPool
from tests.support.waiting import PATIENCE_S


@pytest.fixture(scope="module")
def played(tiny_pool: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlayedPool]:
    pool = Path(shutil.copytree(tiny_pool, tmp_path_factory.mktemp("own") / "pool"))
    with closing(PlayedPool(pool)) as running:
        yield running


def said(played: PlayedPool, data: bytes, name: str = "", mark: str | None = "1") -> tuple[int, str]:
    headers = {"Content-Type": "application/octet-stream"} | ({} if mark is None else {"X-Endlos": mark})
    connection = http.client.HTTPConnection("127.0.0.1", played.port, timeout=PATIENCE_S)
    with closing(connection):
        connection.request("POST", f"/api/say{name}", data, headers)
        answer = connection.getresponse()
        told = answer.read()
        return answer.status, json.loads(told)["detail"] if told else ""


def test_as_many_as_may_wait_are_taken_and_no_more(played: PlayedPool) -> None:
    file = io.BytesIO()
    soundfile.write(file, np.full((8000, 1), 0.1), 8000, format="FLAC")
    assert said(played, file.getvalue(), mark=None)[0] == 403
    # None of them begins meanwhile.
    played.session.set_pause(True)
    for _ in range(MOST_ANNOUNCEMENTS):
        assert said(played, file.getvalue()) == (202, "")
    assert said(played, file.getvalue()) == (409, "4 announcements wait already; try again in a minute")


def test_what_is_none_is_refused(played: PlayedPool) -> None:
    status, detail = said(played, b"no music at all", "?name=news.mp3")
    assert status == 422
    assert detail.startswith("news.mp3 is not audio that can be decoded")
    status, detail = said(played, b"")
    assert status == 422 and detail.startswith("the recording ") and "/" not in detail
    assert said(played, bytes(MOST_ANNOUNCEMENT_BYTES + 1))[0] == 413
