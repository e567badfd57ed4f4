"""A local cluster is a scheduler of our own and its workers, on this machine and for one command."""

import asyncio
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from model.base.errors import EndlosError
from tools.work import unheard
from tools.work.cluster import dask_client_class
from tools.work.workers import deaf_to_interrupts

_HERE = "127.0.0.1"
_ONE_THREAD = (
    *("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"),
    *("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"),
)
_QUIET = {"DASK_LOGGING__DISTRIBUTED": "critical", "DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "False"}
"""Nobody reads what a worker would log, or sees its samples of where the time goes."""
_END_S = 0.5
"""A worker that holds nothing ends by itself in this time; the others are killed."""
_CLOSED_S = 10.0


@contextmanager
def scheduler_of(scheduler: str | None, local_workers: int | None) -> Iterator[str | None]:
    """Give the address of a scheduler: the named one, or one that is started with so many local workers.

    None where neither is asked for. `EndlosError` when both are, or Dask is not installed.
    """
    if local_workers is None:
        yield scheduler
        return
    if scheduler is not None:
        raise EndlosError("--scheduler and --local-cluster are two clusters; give one of them")
    dask_client_class()
    import dask
    from distributed import LocalCluster

    start: Any = LocalCluster
    settings = {
        # Nobody asked for pages about it.
        "distributed.scheduler.http.routes": [],
        "distributed.worker.http.routes": [],
        "distributed.worker.preload": [unheard.__name__],
        # A worker is a core, and its threads would wait for each other.
        "distributed.nanny.pre-spawn-environ": dict.fromkeys(_ONE_THREAD, "1") | _QUIET,
    }
    with (
        tempfile.TemporaryDirectory(prefix="endlos-cluster-", ignore_cleanup_errors=True) as folder,
        dask.config.set(settings),
    ):
        cluster: Any = None
        try:
            # An interrupt while it starts comes right after. Its threads, and so its workers, stay deaf.
            with warnings.catch_warnings(), deaf_to_interrupts():
                warnings.simplefilter("ignore")  # of a port that it would have liked better
                cluster = start(
                    n_workers=local_workers,
                    threads_per_worker=1,
                    processes=True,
                    host=_HERE,
                    dashboard_address=None,
                    # A long song is in a file; its memory is not Dask's to judge.
                    memory_limit=0,
                    local_directory=folder,
                    silence_logs=False,
                )
            yield str(cluster.scheduler_address)
        finally:
            if cluster is not None:
                with suppress(Exception):
                    cluster.sync(_end_workers, cluster, callback_timeout=_CLOSED_S)
                with suppress(Exception):
                    cluster.close(timeout=_CLOSED_S)


async def _end_workers(cluster: Any) -> None:
    """End its workers, also in the middle of an item: Dask itself would wait for that for some seconds."""
    ends = (nanny.close(timeout=_END_S) for nanny in cluster.workers.values())
    await asyncio.gather(*ends, return_exceptions=True)
