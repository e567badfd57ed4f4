"""This module loads one graph of a model into onnxruntime and checks its tensors against the contract."""

from pathlib import Path

from model.base.errors import ModelError
from model.base.graph_runtime import onnxruntime
from model.saved.contract import GraphSpec


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
