"""A local cluster works for one command, speaks to nobody else, and leaves nothing behind."""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from model.base.errors import EndlosError
from stream.pool.pool import open_pool
from tests.support.traced import traceable, traced
from tests.support.waiting import wait_until
from tools.work.cluster import dask_client_class
from tools.work.local_cluster import scheduler_of


def test_without_a_cluster_there_is_none() -> None:
    with scheduler_of(None, None) as none, scheduler_of("tcp://192.0.2.1:8786", None) as named:
        assert (none, named) == (None, "tcp://192.0.2.1:8786")


def test_two_clusters_are_one_too_many() -> None:
    with (
        pytest.raises(EndlosError, match="--scheduler and --local-cluster are two clusters"),
        scheduler_of("tcp://192.0.2.1:8786", 1),
    ):
        pass


def test_a_build_by_a_local_cluster_speaks_to_nobody_and_leaves_nothing(
    tiny_music: Path, tmp_path: Path, require_real: Callable[[str, bool], None]
) -> None:
    require_real("no strace: install it (Debian: strace)", traceable())
    words = ("pool", "build", str(tiny_music), "--out", str(tmp_path / "pool"), "--local-cluster", "1")
    done = traced(words, tmp_path / "home", lambda running: None)
    assert done.code == 0, done.printed
    assert "3 files in " in done.printed and "distributed" not in done.printed
    assert (done.spoken_to, done.looked_up, done.written) == (set(), [], set())
    assert len(open_pool(tmp_path / "pool").songs) == 3


def test_its_workers_hear_no_interrupt_and_say_nothing_as_they_end() -> None:
    # Ctrl-C reaches the whole group, and each worker would print where it was.
    with scheduler_of(None, 1) as address, dask_client_class()(address, set_as_default=False) as client:
        client.wait_for_workers(1)
        assert list(client.run(_deaf).values()) == [True]
        assert list(client.run(_silent).values()) == [True]
    assert not _deaf()


def test_a_worker_in_the_middle_of_an_item_ends_with_its_cluster() -> None:
    with scheduler_of(None, 1) as address, dask_client_class()(address, set_as_default=False) as client:
        client.wait_for_workers(1)
        (process,) = client.run(os.getpid).values()
        held = client.submit(_endless, pure=False)
        wait_until(lambda: any(client.processing().values()), "it works")
    assert held.status == "cancelled" and not Path(f"/proc/{process}").exists()


def _endless() -> None:
    while True:
        sum(range(1_000))


def _deaf() -> bool:
    return signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, [])


def _silent() -> bool:
    return sys.unraisablehook is not sys.__unraisablehook__
