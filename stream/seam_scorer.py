"""Scores of approach `tower` with its second stage: embeddings find, seam distances tell what goes on."""

import logging
from pathlib import Path

import numpy as np

from model.errors import PoolError
from model.files import beside
from model.kernels import FloatArray, HalfArray, IntArray
from model.seam import SEAM_VALUES, SEAM_VERSION, SeamSides, seam_sides
from model.second_stage import SecondStage
from stream.pool import Pool, generation_folder
from stream.shortlist import EmbeddingIndex

log = logging.getLogger(__name__)

SHORT_LIST = 4_096
"""Of more candidates than this, those whose embeddings fit best go through the second stage; others get 0."""


class SeamScorer:
    """How naturally a start follows an end. Takes 2 us for each candidate on the short list.

    Any thread may call it: of what it keeps, only whole rows are ever exchanged.
    """

    def __init__(self, embeddings: EmbeddingIndex, sides: SeamSides, stage: SecondStage) -> None:
        """embeddings: metric `dot`; both in pool order."""
        self.embeddings = embeddings
        self._sides = sides
        self._stage = stage
        self._last: tuple[int, FloatArray] | None = None

    def score(
        self, reference: int, candidates: IntArray | None = None, *, timeout_s: float | None = None
    ) -> FloatArray:
        """Return `(n,)` float32 in [0, 1] for `candidates` (rows), or for all `N` chunks when None."""
        last = self._last
        if last is not None and last[0] == reference:
            return last[1] if candidates is None else last[1][candidates]
        dots = self.embeddings.scores(reference, candidates)
        scores = np.zeros(len(dots), dtype=np.float32)
        rows = np.arange(len(dots))
        if len(dots) > SHORT_LIST:
            rows = np.sort(np.argpartition(-dots, SHORT_LIST)[:SHORT_LIST])
        chosen = rows if candidates is None else candidates[rows]
        scores[rows] = self._stage.probabilities(dots[rows], self._sides.distances_db(reference, chosen))
        if candidates is None:
            scores.flags.writeable = False
            self._last = reference, scores
        return scores

    def kept(self, reference: int) -> FloatArray | None:
        """Return the scores of all `N` chunks if they were asked for last."""
        last = self._last
        return last[1] if last is not None and last[0] == reference else None

    def cancel(self) -> None:
        """Do nothing: no score takes long."""


def pool_sides(pool: Pool, *, apart_s: float = 0.0) -> SeamSides:
    """Return what is compared of a pool's chunks: mapped where an earlier call left it.

    Else it is computed and left there, or kept in memory where nothing may be written. `PoolError` when the
    pool has no spectra.
    """
    if pool.spectra is None:
        raise PoolError(
            f"{pool.folder} keeps no spectra; run `endlos pool build` again, or use another model"
        )
    return sides_of(generation_folder(pool.folder, pool.generation), pool.spectra, apart_s=apart_s)


def sides_of(home: Path, spectra: HalfArray, *, apart_s: float = 0.0) -> SeamSides:
    """Return what is compared of the chunks of a generation in the folder `home`, as `pool_sides` does."""
    path = home / f"seam-{SEAM_VERSION}-{round(apart_s * 1000)}.npy"
    expected = (2, len(spectra), SEAM_VALUES)
    try:
        sides = np.load(path, mmap_mode="r", allow_pickle=False)
        if sides.shape == expected and sides.dtype == np.int16:
            return SeamSides(ends=sides[0], starts=sides[1])
        log.warning("%s is of other chunks and is made again", path)
    except FileNotFoundError:
        pass
    except (OSError, ValueError, EOFError) as error:
        log.warning("%s cannot be read (%s) and is made again", path, error)
    made = seam_sides(spectra, apart_s=apart_s)
    _keep(np.stack([made.ends, made.starts]), path)
    return made


def _keep(sides: np.ndarray[tuple[int, ...], np.dtype[np.int16]], path: Path) -> None:
    try:
        with beside(path) as part, part.open("wb") as file:
            np.save(file, sides, allow_pickle=False)
    except OSError as error:
        log.info("%s is not kept: %s", path, error)
