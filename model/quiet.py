"""Importing TensorFlow without the lines that it writes to the terminal before it can be told not to."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def without_noise() -> Iterator[None]:
    """Hold back what native code writes to the error stream; for the first import of TensorFlow.

    Affects the whole process while it lasts. What goes wrong is raised all the same.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        sys.stderr.flush()
        os.dup2(kept, 2)
        os.close(kept)
