"""A contract stands in `model.json`, and is checked before any graph is loaded."""

import hashlib
import json
import re
import stat
from dataclasses import asdict
from pathlib import Path
from typing import Any

from model.base.errors import ModelError
from model.base.files import write_whole
from model.saved.carried import CONTRACT_FILE, carried_models
from model.saved.contract import FORMAT_VERSION, GraphSpec, ModelContract, TensorSpec
from model.saved.schema import a_number, a_text, an_object, anything, list_of, map_of, nothing_or, whole
from model.saved.scoring import Features, Scoring

_SAID_BY_APPROACH: dict[str, tuple[Scoring, Features]] = {
    "binary": ("pairs", "edges"),
    "tower": ("vectors", "spectra"),
}
"""Scoring and features of format 1, in which the approach alone said them."""
SECOND_STAGE_FILE = "second_stage.json"
"""Beside the contract of a model that has one: `model.saved.second_stage`."""
HASHES = "coded_audio_hashes"
"""Of what was learned from. Another name than when songs were known by the bytes of their files."""
MOST_JSON_BYTES = 64 * 2**20
"""A larger `model.json` is none."""
_MOST_STEPS = 16_384
"""Of a walk: at 3 s a chunk, 13 hours of reference songs."""

_SHAPE = list_of(nothing_or(whole(1, 2**31)))
_TENSORS = list_of(an_object({"name": a_text, "shape": _SHAPE, "dtype": a_text}))
_SCHEMA = an_object(
    {
        "format_version": whole(0, 2**31),
        "approach": a_text,
        "scoring": a_text,
        "features": a_text,
        "preset": a_text,
        "edge_rate_hz": whole(1, 10**6),
        "edge_samples": whole(0, 10**8),
        "opset": whole(0, 10**4),
        "graphs": map_of(an_object({"file": a_text, "inputs": _TENSORS, "outputs": _TENSORS})),
    },
    {
        "training": map_of(anything),
        "metrics": map_of(anything),
        "calibration": nothing_or(map_of(a_number)),
        "metric": a_text,
        "walk": nothing_or(list_of(whole(0, 2**31), most=_MOST_STEPS)),
        "spectral_version": nothing_or(whole(0, 2**31)),
    },
)


def save_contract(contract: ModelContract, folder: Path) -> None:
    """Write `model.json` into `folder`, beside and renamed."""
    text = json.dumps(asdict(contract), indent=2)
    # A walk has thousands of steps: on one line.
    text = re.sub(r'"walk": \[[^]]*\]', lambda walk: " ".join(walk[0].split()), text)
    write_whole(folder / CONTRACT_FILE, text + "\n")


def load_contract(folder: Path) -> ModelContract:
    """Read and check the contract of `folder`; `ModelError` when missing, broken or of another format."""
    path = folder / CONTRACT_FILE
    try:
        content = plain_file(folder, CONTRACT_FILE, MOST_JSON_BYTES).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ModelError(
            f"{folder} is not a model: it has no {CONTRACT_FILE}; give the folder that "
            f"`endlos train --out` wrote, or one that endlos carries: {', '.join(carried_models())}"
        ) from None
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        raise ModelError(f"{path} is not a model contract (no text); train or copy the model again") from None
    try:
        fields = json.loads(content)
        version = fields["format_version"]
        if version == 1:
            fields["scoring"], fields["features"] = _SAID_BY_APPROACH[fields["approach"]]
            fields["format_version"] = FORMAT_VERSION
        elif version != FORMAT_VERSION:
            raise ModelError(
                f"{path} has format {version}, this endlos reads format {FORMAT_VERSION}; "
                "train the model again or install the matching endlos"
            )
        problem = _SCHEMA(fields, "")
        if problem is not None:
            raise ValueError(problem)
        fields["graphs"] = {
            role: GraphSpec(
                file=graph["file"],
                inputs=_tensors(graph["inputs"]),
                outputs=_tensors(graph["outputs"]),
            )
            for role, graph in fields["graphs"].items()
        }
        if fields.get("walk") is not None:
            fields["walk"] = tuple(fields["walk"])
        contract = _checked(folder, fields)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ModelError(
            f"{path} is not a model contract ({error}); train or copy the model again"
        ) from error
    for graph in contract.graphs.values():
        try:
            plain_file(folder, graph.file)
        except FileNotFoundError:
            raise ModelError(f"{folder / graph.file} is missing; train or copy the model again") from None
        except OSError as error:
            raise ModelError(f"{folder / graph.file} cannot be read: {error.strerror}") from error
    return contract


def plain_file(folder: Path, name: str, most_bytes: int | None = None) -> Path:
    """Return the file of a model that is called `name`, which may come from anyone.

    `ModelError` unless it is a plain file inside the folder: no path, no device, no link that leads
    out of it, not larger than `most_bytes`. `OSError` when it is not there, or cannot be looked at.
    """
    path = folder / name
    if name in ("", ".", "..") or "\0" in name or Path(name).name != name or "\\" in name:
        raise ModelError(
            f"{folder} names a file {name[:80]!r}, expected one inside it; do not use this model"
        )
    found = path.stat()
    if not path.resolve().is_relative_to(folder.resolve()) or not stat.S_ISREG(found.st_mode):
        raise ModelError(
            f"{path} is no plain file inside the model's folder; copy the model with the files themselves"
        )
    if most_bytes is not None and found.st_size > most_bytes:
        raise ModelError(f"{path} has {found.st_size} bytes, expected at most {most_bytes}; copy it again")
    return path


def content_hash(folder: Path, contract: ModelContract) -> str:
    """Return a hash of what decides the scores of the model in `folder`: graphs, edges, second stage."""
    digest = _graphs_digest(folder, contract)
    second_stage = folder / SECOND_STAGE_FILE
    if second_stage.is_file():
        digest.update(second_stage.read_bytes())
    return digest.hexdigest()


def graphs_hash(folder: Path, contract: ModelContract) -> str:
    """Return a hash of what decides the embeddings that the model in `folder` gives."""
    return _graphs_digest(folder, contract).hexdigest()


def _graphs_digest(folder: Path, contract: ModelContract) -> hashlib.blake2b:
    digest = hashlib.blake2b(digest_size=16)
    digest.update(f"{contract.approach} {contract.edge_rate_hz} {contract.edge_samples}".encode())
    if contract.metric != "dot":
        # Only then: those of older models, which name none, stay what they were.
        digest.update(f" {contract.metric}".encode())
    if contract.walk is not None:
        digest.update(f" {contract.walk}".encode())
    for role, graph in sorted(contract.graphs.items()):
        content = (folder / graph.file).read_bytes()
        digest.update(f"\n{role} {len(content)}\n".encode())
        digest.update(content)
    return digest


def _checked(folder: Path, fields: dict[str, Any]) -> ModelContract:
    try:
        return ModelContract(**fields)
    except ModelError as error:
        raise ModelError(f"{folder}: {error}") from error


def _tensors(specs: list[dict[str, Any]]) -> tuple[TensorSpec, ...]:
    return tuple(
        TensorSpec(name=spec["name"], shape=tuple(spec["shape"]), dtype=spec["dtype"]) for spec in specs
    )
