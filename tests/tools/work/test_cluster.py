"""A cluster brings every item back, whoever is killed, and refuses workers that would do other work."""

import os
import re
import shutil
import signal
import time
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

import tools.work.cluster
from model.base.errors import EndlosError
from stream.pool.columns import columns
from stream.pool.pool import open_pool
from tests.support.columns import in_order
from tests.support.dask_cluster import REPOSITORY, DaskCluster
from tests.support.music import quick_settings, write_music
from tests.support.waiting import wait_until
from tools.pools.build import build_pool
from tools.pools.report import BuildProgress
from tools.work.cluster import Cluster
from tools.work.cluster_state import ClusterState
from tools.work.fitness import Site
from tools.work.workers import Crashed, Room

NO_ROOM: Room = lambda name, size: False  # noqa: E731


@pytest.fixture(scope="module")
def dask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskCluster]:
    """Two workers that are as good as this process, and one with another version."""
    folder = tmp_path_factory.mktemp("dask")
    with DaskCluster(folder / "work") as cluster:
        for package in ("model", "stream", "tools", "tests"):
            kept_out = shutil.ignore_patterns("pretrained", "__pycache__", "results.jsonl")
            shutil.copytree(REPOSITORY / package, folder / "other" / package, ignore=kept_out)
        with (folder / "other" / "tools" / "__init__.py").open("a", encoding="utf-8") as file:
            file.write("# another version\n")
        cluster.add_worker()
        cluster.add_worker()
        cluster.add_worker(code=folder / "other")
        yield cluster


def work(item: str, room: Room) -> str | bool:
    """Tell who worked on it; of other words, raise, ask for room, or wait to be killed (the first time)."""
    verb, _, rest = item.partition(":")
    if verb == "until":
        wait_until(Path(rest).exists, f"{rest} is there")
        return verb
    if verb == "raise":
        raise ValueError(rest)
    if verb == "room":
        return room("name", int(rest))
    runs = Path(rest)
    (runs / f"{verb} {uuid.uuid4().hex}").write_text(str(os.getpid()))
    if verb == "victim" and len(list(runs.glob("victim *"))) == 1:
        time.sleep(1000)
    return verb


def quiet(state: ClusterState) -> None:
    """Tell nobody."""


def test_items_come_back_and_workers_ask_and_another_version_gets_none(
    dask: DaskCluster, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    asked = []

    def room(name: str, size_bytes: int) -> bool:
        asked.append((name, size_bytes))
        return size_bytes < 150

    # The last item lasts until the third worker has been looked at, however slow that one is to come.
    told_file = tmp_path / "told"
    items = [f"{number}:{tmp_path}" for number in range(5)] + [f"until:{told_file}"]
    states: list[ClusterState] = []

    def told() -> list[str]:
        # Dask has words of its own, where a machine is busy.
        return [record.getMessage() for record in caplog.records if record.name == "endlos"]

    def tell(state: ClusterState) -> None:
        states.append(state)
        if told():
            told_file.touch()

    cluster = Cluster(dask.address, Site(writes=tmp_path), tell)
    results = dict(cluster.run_all(work, ["raise:why", "room:100", "room:200", *items], room))
    assert results.pop("raise:why") == Crashed(reason="ValueError: why")
    assert (results.pop("room:100"), results.pop("room:200")) == (True, False)
    assert sorted(asked) == [("name", 100), ("name", 200)]
    assert results == {item: item.partition(":")[0] for item in items}
    assert sum(share.items for share in states[-1].shares) == 9
    (refusal,) = told()
    assert "gets no work: it has endlos (code) " in refusal and "install the same version there" in refusal
    assert not list(tmp_path.glob("cluster-*"))


def test_whoever_was_not_killed_goes_on_and_nothing_else_is_done_twice(
    dask: DaskCluster, tmp_path: Path
) -> None:
    dask.add_worker()
    items = [f"{name}:{tmp_path}" for name in ("victim", *map(str, range(8)))]

    def kill(state: ClusterState) -> None:
        waiting = list(tmp_path.glob("victim *"))
        if len(waiting) == 1 and state.lost == 0:
            os.kill(int(waiting[0].read_text()), signal.SIGKILL)

    cluster = Cluster(dask.address, Site(writes=tmp_path), kill)
    results = dict(cluster.run_all(work, items, NO_ROOM))
    assert results == {item: item.partition(":")[0] for item in items}
    runs = [path.name.partition(" ")[0] for path in tmp_path.iterdir()]
    assert sorted(runs) == sorted([*map(str, range(8)), "victim", "victim"])


def test_a_pool_is_the_same_bit_for_bit_though_a_worker_was_killed(dask: DaskCluster, tmp_path: Path) -> None:
    dask.add_worker()
    songs = [f"{name}.wav" for name in "abcdef"] + ["g.ogg"]
    write_music(tmp_path / "music", songs, seconds=4.0)
    killed = []

    def kill(progress: BuildProgress) -> None:
        if progress.cluster is not None and progress.cluster.straggler is not None and not killed:
            killed.append(progress.cluster.straggler.address)
            os.kill(_process_of(dask.address, killed[0]), signal.SIGKILL)

    alone = build_pool([tmp_path / "music"], tmp_path / "alone", quick_settings())
    settings = quick_settings(scheduler=dask.address)
    report = build_pool([tmp_path / "music"], tmp_path / "many", settings, kill)
    assert killed
    assert (report.songs, report.analysed, report.failed) == (7, 7, ())
    assert report.decoded_bytes == alone.decoded_bytes > 0
    assert sum(share.items for share in report.workers) == 7
    one, many = open_pool(tmp_path / "alone"), open_pool(tmp_path / "many")
    assert [song.name for song in many.songs] == [song.name for song in one.songs] == songs
    for name in columns(one.edge_samples):
        values = [in_order(pool, name).tobytes() for pool in (one, many)]
        assert values[0] == values[1], name


def _process_of(scheduler: str, worker: str) -> int:
    from distributed import Client

    with Client(scheduler, set_as_default=False) as client:
        return int(client.run(os.getpid, workers=[worker])[worker])


def test_a_machine_without_the_music_is_told_in_a_sentence(
    dask: DaskCluster, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    gone = tmp_path / "music" / "a.wav"
    cluster = Cluster(dask.address, Site(reads={gone: 5}, writes=tmp_path), quiet)
    # The one of another version may be the last to be refused, which is named.
    with pytest.raises(
        EndlosError, match=r"no worker of tcp://\S+ may work: tcp://\S+ (cannot|has)"
    ) as error:
        list(cluster.run_all(work, [f"a:{tmp_path}"], NO_ROOM))
    assert "\n" not in str(error.value)
    assert re.search(r"cannot read \S+a.wav \(No such", caplog.text + str(error.value))


def test_nobody_there_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools.work.cluster, "CONNECT_S", 1.0)
    for address in ("tcp://127.0.0.1:9", "http://127.0.0.1:9", "nonsense://"):
        cluster = Cluster(address, Site(writes=tmp_path), quiet)
        with pytest.raises(EndlosError, match=f"no scheduler answers at {address}; start one"):
            list(cluster.run_all(work, [f"a:{tmp_path}"], NO_ROOM))


def test_a_scheduler_without_workers_and_one_that_goes_away_are_sentences(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with DaskCluster(tmp_path / "dask") as dask:
        with monkeypatch.context() as patch:
            patch.setattr(tools.work.cluster, "WORKERS_S", 0.5)
            cluster = Cluster(dask.address, Site(writes=tmp_path), quiet)
            with pytest.raises(
                EndlosError, match="has no worker that may work; start some with `dask worker"
            ):
                list(cluster.run_all(work, [f"a:{tmp_path}"], NO_ROOM))
        cluster = Cluster(dask.address, Site(writes=tmp_path), lambda state: dask.scheduler_process.kill())
        with (
            closing(cluster.run_all(work, [f"a:{tmp_path}"], NO_ROOM)) as results,
            pytest.raises(EndlosError, match="went away; start it and its workers, and run this again"),
        ):
            next(results)
