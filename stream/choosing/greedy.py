"""The greedy choice scores every chunk of the pool and takes the best that is left, as the report does."""

import time
from collections.abc import Callable

import numpy as np

from model.base.errors import EndlosError, ModelError
from stream.choosing.generation import Generation
from stream.choosing.step import Step


def greedy_steps(
    generation: Generation,
    first_row: int,
    length: int,
    told: Callable[[int], None] = lambda done: None,
) -> list[Step]:
    """Return `length` steps from the chunk `first_row` on, each into another chunk.

    All chunks of the pool are scored as successors of the last one; the best that was not taken yet follows,
    of equals the first in the pool, and becomes the next reference. A step's `rank` is its chunk's among all
    others, taken ones too; `considered` counts those that were left. told: how many steps there are.
    Raises `EndlosError` when the pool holds fewer chunks, `ModelError` when nothing is scored or a score is
    no number, and whatever the scorer raises.
    """
    chunks, scorer = len(generation.index), generation.scorer
    if not 1 <= length <= chunks:
        raise EndlosError(
            f"--length is {length}, expected 1 to {chunks}: each of the pool's {chunks} chunks is taken once "
            "at most"
        )
    if scorer is None:
        raise ModelError("this model does not say of each chunk how well it follows; take another one")
    first = generation.chunk(first_row)
    steps = [Step(after=None, chunk=first, natural=False, rung="start", candidates=chunks)]
    left = np.ones(chunks, dtype=np.bool_)
    row = first_row
    told(1)
    while len(steps) < length:
        left[row] = False
        began_s = time.perf_counter()
        scores = scorer.score(row)
        if not np.isfinite(scores).all():
            raise ModelError(
                "the model gave scores that are not numbers; train it again, or take another one"
            )
        best = int(np.argmax(np.where(left, scores, -np.inf)))
        better = scores > scores[best]
        better[row] = False
        steps.append(
            Step(
                after=generation.chunk(row),
                chunk=generation.chunk(best),
                natural=best == int(generation.index.successor[row]),
                rung="full",
                score=float(scores[best]),
                rank=1 + int(np.count_nonzero(better)),
                candidates=chunks,
                considered=int(np.count_nonzero(left)),
                decision_ms=(time.perf_counter() - began_s) * 1e3,
            )
        )
        row = best
        told(len(steps))
    return steps
