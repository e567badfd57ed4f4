"""The second stage of approach `tower` weighs its product and the seam distances into one probability."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from model.base.arrays import FloatArray
from model.base.errors import ModelError
from model.base.files import write_whole
from model.features.seam import SEAM_GROUPS, seam_terms
from model.saved.carried import PRETRAINED
from model.saved.contract_file import HASHES, MOST_JSON_BYTES, SECOND_STAGE_FILE, plain_file
from model.saved.seam_network import SEAM_TERMS, SeamNetwork

_CARRIED = PRETRAINED / "seam" / SECOND_STAGE_FILE
_TODO = f"put a copy of {_CARRIED} in its place, as training does, or copy the model again"


@dataclass(frozen=True, kw_only=True, eq=False)
class SecondStage:
    """Probability = sigmoid(`dot` * product of the embeddings + `terms` . seam terms + network + `offset`).

    The network counts within a song alone. What follows does not teach which start of another song sounds
    well: there the sum decides.

    `tools.quality.ranking.stages` fits it on products of several towers, each of songs that it had not
    learned; `offset` and the scale of all make 1/2 where one cannot tell (`model.learning.calibration`).
    """

    dot: float
    terms: FloatArray
    """`(SEAM_TERMS,)` float32."""
    offset: float
    network: SeamNetwork | None = None
    """None where the sum alone decides, as in models of earlier trainings."""
    learned_from: frozenset[str] = frozenset()
    """Audio hashes of the songs that it was fitted on; stages of earlier endlos do not tell."""

    def probabilities(
        self, dots: FloatArray, distances_db: FloatArray, corrections: FloatArray | None = None
    ) -> FloatArray:
        """Return `(n,)` float32 from `(n,)` products and `(n, len(SEAM_GROUPS))` distances.

        corrections: `(n,)` of the network; 0 for starts of other songs.
        """
        terms = seam_terms(distances_db)
        logits = np.float32(self.dot) * dots + terms @ self.terms + np.float32(self.offset)
        if corrections is not None:
            logits += corrections
        # By tanh, which does not overflow.
        found: FloatArray = 0.5 + 0.5 * np.tanh(0.5 * logits)
        return found

    def seam_logits(self, distances_db: FloatArray) -> FloatArray:
        """Return `(n,)` float32: what `(n, len(SEAM_GROUPS))` distances, weighed, speak for a seam."""
        found: FloatArray = seam_terms(distances_db) @ self.terms
        return found


def carried_stage_file() -> bytes:
    """Return the file of the second stage that endlos carries: its weights are of no single tower."""
    return _CARRIED.read_bytes()


def carried_second_stage() -> SecondStage:
    """Return the second stage that endlos carries."""
    return _read(_CARRIED)


def load_second_stage(folder: Path) -> SecondStage | None:
    """Return the second stage of the model in `folder`, None when it has none."""
    path = folder / SECOND_STAGE_FILE
    return _read(path) if path.exists() else None


def _read(path: Path) -> SecondStage:
    try:
        fields = json.loads(plain_file(path.parent, path.name, MOST_JSON_BYTES).read_text(encoding="utf-8"))
        groups = list(fields["groups"])
        terms = np.array(fields["terms"], dtype=np.float32)
        layers = fields.get("network")
        stage = SecondStage(
            dot=float(fields["dot"]),
            terms=terms,
            offset=float(fields["offset"]),
            network=None if layers is None else SeamNetwork.read(layers),
            learned_from=frozenset(map(str, fields.get(HASHES, []))),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ModelError(f"{path} is no second stage of this endlos ({error}); {_TODO}") from error
    if groups != list(SEAM_GROUPS) or terms.shape != (SEAM_TERMS,) or not np.isfinite(terms).all():
        raise ModelError(f"{path} weighs other distances than this endlos measures; {_TODO}")
    return stage


def save_second_stage(stage: SecondStage, path: Path) -> None:
    """Write it beside, then rename."""
    fields = {
        "dot": float(f"{stage.dot:.6g}"),
        "offset": float(f"{stage.offset:.6g}"),
        "groups": list(SEAM_GROUPS),
        "terms": [float(f"{weight:.6g}") for weight in stage.terms],
        HASHES: sorted(stage.learned_from),
    }
    text = json.dumps(fields, indent=2)
    if stage.network is not None:
        # Thousands of weights: on one line.
        text = f'{text[:-2]},\n  "network": {json.dumps(stage.network.plain())}\n}}'
    write_whole(path, text + "\n")
