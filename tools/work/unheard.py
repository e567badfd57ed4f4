"""A worker of our own cluster says nothing as it ends, as what finalisers of its libraries fail in is over.

Dask imports this as such a worker starts, and calls `dask_setup`.
"""

import sys


def dask_setup(worker: object) -> None:
    """Have nobody told of errors in finalisers: an interrupted worker closes its loop, then its client."""
    sys.unraisablehook = lambda unraisable: None
