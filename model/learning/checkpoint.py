"""A checkpoint holds every variable of network and optimiser, and how far the training was; no pickle."""

import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from model.base.errors import ModelError
from model.base.files import write_whole

CHECKPOINT_FILE = "checkpoint.npz"


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """What a training needs to go on as if it had never stopped."""

    identity: dict[str, Any]
    """Settings and data that must be the same again; JSON values only."""
    step: int
    """Batches that were learned from, over all epochs."""
    loss_sum: float
    """Sum of the running epoch's losses, each batch's times its pairs."""
    elapsed_s: float
    history: list[dict[str, Any]]
    """Finished epochs."""
    variables: list[Any]
    """Arrays, in the order of `training_variables`."""


def training_variables(network: Any) -> list[Any]:
    """Return every Keras variable that a step changes: weights, statistics, random states, optimiser."""
    found = {id(variable): variable for variable in (*network.variables, *network.optimizer.variables)}
    return list(found.values())


def save_checkpoint(checkpoint: Checkpoint, folder: Path) -> None:
    """Write the checkpoint into `folder`, beside and renamed."""
    state = json.dumps(
        {
            "identity": checkpoint.identity,
            "step": checkpoint.step,
            "loss_sum": checkpoint.loss_sum,
            "elapsed_s": checkpoint.elapsed_s,
            "history": checkpoint.history,
        }
    )
    arrays = {f"v{number:04d}": np.asarray(value) for number, value in enumerate(checkpoint.variables)}
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, state=np.array(state), **arrays)
    write_whole(folder / CHECKPOINT_FILE, buffer.getvalue())


def load_checkpoint(folder: Path) -> Checkpoint | None:
    """Return the checkpoint in `folder`, None when there is none; `ModelError` when it is damaged."""
    path = folder / CHECKPOINT_FILE
    if not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as stored:
            state = json.loads(str(stored["state"]))
            variables = [stored[name] for name in sorted(stored.files) if name != "state"]
        return Checkpoint(
            identity=state["identity"],
            step=int(state["step"]),
            loss_sum=float(state["loss_sum"]),
            elapsed_s=float(state["elapsed_s"]),
            history=state["history"],
            variables=variables,
        )
    except (OSError, ValueError, KeyError, TypeError, EOFError, BadZipFile) as error:
        raise ModelError(f"{path} is damaged ({error}); delete it and train again") from error


def restore_variables(network: Any, values: list[Any]) -> None:
    """Put the values of a checkpoint into a compiled network; `ModelError` when they do not fit."""
    variables = training_variables(network)
    shapes = [tuple(variable.shape) for variable in variables]
    if shapes != [tuple(np.shape(value)) for value in values]:
        raise ModelError("the checkpoint is of another network (or another Keras); delete it and train again")
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
