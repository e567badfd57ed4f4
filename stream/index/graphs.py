"""This module loads one graph of a model into onnxruntime and checks its tensors against the contract."""

import json
import tempfile
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from pathlib import Path

import numpy as np

from model.base.arrays import FloatArray
from model.base.errors import ModelError
from model.base.graph_runtime import onnxruntime
from model.saved.contract import GraphSpec

ENDLESS_S = 120.0
"""A run, or a load, that takes longer does not end: the report's network takes 15 s for 256 pairs on two slow
cores."""
_PROVIDER = "CPUExecutionProvider"


def open_graph(folder: Path, graph: GraphSpec, *, threads: int) -> onnxruntime.InferenceSession:
    """Load a graph of the model in `folder`; `ModelError` when it cannot be run, or is not as promised."""
    path = folder / graph.file
    session = open_session(path, threads=threads)
    for role, found, promised in (
        ("input", session.get_inputs(), graph.inputs),
        ("output", session.get_outputs(), graph.outputs),
    ):
        shapes = [(t.name, tuple(d if isinstance(d, int) else None for d in t.shape)) for t in found]
        expected = [(t.name, t.shape) for t in promised]
        if shapes != expected:
            raise ModelError(
                f"{path} has the {role} {shapes}, its model.json promises {expected}; "
                "train or copy the model again"
            )
    return session


def run_graph(
    session: onnxruntime.InferenceSession,
    feeds: Mapping[str, FloatArray],
    options: onnxruntime.RunOptions | None = None,
) -> list[FloatArray]:
    """Run a graph and return what it gives; `ModelError` when it has not ended after `ENDLESS_S`.

    options: those of the caller, who may end the run earlier by them. Any thread may call it.
    """
    options = options or onnxruntime.RunOptions()
    late = threading.Event()

    def end() -> None:
        late.set()
        options.terminate = True

    timer = threading.Timer(ENDLESS_S, end)
    timer.daemon = True
    timer.start()
    try:
        found: list[FloatArray] = session.run(None, dict(feeds), options)
        return found
    except Exception as error:  # onnxruntime raises many types of its own, none with a public root
        if late.is_set():
            raise ModelError(
                f"a graph of the model has not ended after {ENDLESS_S:.0f} s; use another model"
            ) from error
        raise
    finally:
        timer.cancel()


def row_bytes(path: Path) -> int:
    """Return how many bytes the nodes of a graph of one input give for one row of a batch.

    By a run of one row that onnxruntime writes down. So many at most are in use at once, times the rows.
    """
    with tempfile.TemporaryDirectory() as place:
        options = onnxruntime.SessionOptions()
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(place) / "run")
        session = open_session(path, threads=1, options=options)
        (seen,) = session.get_inputs()
        row = np.zeros([1, *seen.shape[1:]], dtype=np.float32)
        run_graph(session, {seen.name: row})
        events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    return sum(int(event["args"]["output_size"]) for event in events if "output_size" in event["args"])


def open_session(
    path: Path, *, threads: int, options: onnxruntime.SessionOptions | None = None
) -> onnxruntime.InferenceSession:
    """Load the graph in a file, whatever its tensors are; `ModelError` when it cannot be run.

    options: those of the caller, where they are to say more than how it is run here.
    """
    options = options or onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    # Idle workers must sleep: spinning would take a core from the audio threads.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return _in_time(lambda: onnxruntime.InferenceSession(str(path), options, providers=[_PROVIDER]))
    except TimeoutError:
        raise ModelError(f"{path} has not been loaded after {ENDLESS_S:.0f} s; use another model") from None
    except Exception as error:  # onnxruntime raises many types of its own, none with a public root
        raise ModelError(f"{path} is not a graph that can be run; train or copy the model again") from error


def _in_time(load: Callable[[], onnxruntime.InferenceSession]) -> onnxruntime.InferenceSession:
    """Return what `load` returns; `TimeoutError` after `ENDLESS_S`.

    What is constant in a graph is computed while it is loaded, and nothing ends that: its thread is left
    behind, and ends with the process.
    """
    loaded: Future[onnxruntime.InferenceSession] = Future()

    def work() -> None:
        try:
            loaded.set_result(load())
        except BaseException as error:
            loaded.set_exception(error)

    threading.Thread(target=work, name="load graph", daemon=True).start()
    return loaded.result(ENDLESS_S)
