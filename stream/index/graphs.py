"""This module loads one graph of a model into onnxruntime and checks its tensors against the contract."""

import threading
from collections.abc import Mapping
from pathlib import Path

from model.base.arrays import FloatArray
from model.base.errors import ModelError
from model.base.graph_runtime import onnxruntime
from model.saved.contract import GraphSpec

ENDLESS_S = 120.0
"""A run that takes longer does not end: the report's network takes 15 s for 256 pairs on two slow cores."""


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


def open_session(path: Path, *, threads: int) -> onnxruntime.InferenceSession:
    """Load the graph in a file, whatever its tensors are; `ModelError` when it cannot be run."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    # Idle workers must sleep: spinning would take a core from the audio threads.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises many types of its own, none with a public root
        raise ModelError(f"{path} is not a graph that can be run; train or copy the model again") from error
