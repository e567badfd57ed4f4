"""A model records by audio hash which songs it learned from, and this module compares them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from model.base.arrays import BoolArray
from model.saved.contract import ModelContract
from model.saved.contract_file import HASHES, load_contract
from model.saved.second_stage import load_second_stage

BEFORE = "learned_before"


def songs_record(
    audio_hashes: Sequence[str], before: frozenset[str] | None = frozenset()
) -> dict[str, object]:
    """Return what a training records of its songs; JSON values only.

    before: what the model that training began from had learned from; None when that cannot be told.
    """
    record: dict[str, object] = {HASHES: list(audio_hashes)}
    if before is None or before:
        record[BEFORE] = None if before is None else sorted(before)
    return record


def learned_songs(contract: ModelContract) -> frozenset[str] | None:
    """Return the audio hashes of all songs that a training learned from; None when it cannot be told.

    It cannot where songs are recorded otherwise (once by their path in the music folder, later by the bytes
    of their files, which a tagger changes), or where the model that training began from cannot tell.
    """
    record = contract.training.get("train")
    if not isinstance(record, dict):
        return None
    learned: set[str] = set()
    for part in (record.get(HASHES), record.get(BEFORE, [])):
        if not isinstance(part, list) or not all(isinstance(audio_hash, str) for audio_hash in part):
            return None
        learned.update(part)
    return frozenset(learned)


def known_songs(folder: Path, audio_hashes: Sequence[str], *, second_stage: bool = True) -> BoolArray | None:
    """Return `(n,)`: whether a model learned from each of these songs; None when it cannot be told.

    second_stage: whether songs count that its second stage alone was fitted on.
    """
    learned = learned_songs(load_contract(folder))
    if learned is None:
        return None
    stage = load_second_stage(folder) if second_stage else None
    if stage is not None:
        learned |= stage.learned_from
    return np.array([audio_hash in learned for audio_hash in audio_hashes], dtype=np.bool_)


def cannot_tell(model: str) -> str:
    """Return the sentence for a model that cannot tell what it learned from."""
    return (
        f"it cannot be told whether {model} learned from these songs: "
        "its record does not name what it learned from by audio hash; train it again"
    )
