"""The walk leads a stream from bucket to bucket, and takes the chunk of each that suits what plays best."""

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from model.base.arrays import BoolArray, FloatArray, IntArray
from model.base.errors import ModelError, PoolError
from model.saved.second_stage import carried_second_stage
from stream.choosing.candidates import Search
from stream.choosing.generation import Chunk, Generation
from stream.choosing.history import BEFORE_THE_WALK
from stream.choosing.phrases import Phrases
from stream.choosing.repeats import coverage
from stream.choosing.settings import PlannerSettings
from stream.choosing.situation import Situation
from stream.choosing.step import Step, WalkStop
from stream.choosing.viewpoint import OTHER_SONG_LOGIT
from stream.choosing.weighing.terms import COST_TERMS
from stream.index.edge_index import NO_SUCCESSOR
from stream.index.top import top
from stream.scoring.buckets import Buckets
from stream.scoring.ladder import band_logits

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, eq=False)
class Pick:
    """The chunk that a walk goes on with, and why."""

    row: int
    stop: WalkStop
    probability: float
    """Of its being of the bucket."""
    rank: int
    """1 is the best of the bucket."""
    considered: int
    terms: Mapping[str, float]
    """What spoke for and against it, by name, in log-odds."""

    def step(
        self, generation: Generation, after: Chunk | None, natural: int, reasons: tuple[str, ...]
    ) -> Step:
        """Return the step to it, which goes on in the song where the chunk is row `natural`."""
        found = list(reasons)
        if self.stop.empty:
            found.append(f"bridged {_buckets(self.stop.empty)} that no chunk falls into")
        if self.stop.spent:
            found.append(f"bridged {_buckets(self.stop.spent)} of which nothing may be played now")
        return Step(
            after=after,
            chunk=generation.chunk(self.row),
            natural=self.row == natural,
            rung="walk",
            score=self.probability,
            rank=self.rank,
            candidates=len(generation.index),
            considered=self.considered,
            reasons=tuple(found),
            terms=self.terms,
            stop=self.stop,
        )


class Walk:
    """Walks through the buckets of one generation; belongs to one thread, and remembers nothing.

    Where it stands is the history's: `stream.choosing.history.Course.stop`.
    """

    def __init__(self, search: Search, phrases: Phrases, settings: PlannerSettings) -> None:
        """`ModelError` where the generation has no buckets."""
        buckets = search.generation.opened.buckets
        if buckets is None:
            raise ModelError(
                "the model sorts nothing into buckets, so that there is no walk through them; "
                "take one of approach categorical, or leave out --walk"
            )
        self._search = search
        self._phrases = phrases
        self._buckets: Buckets = buckets
        self._settings = settings
        self._index = search.generation.index
        self._sides = search.generation.pool.sides
        self._stage = carried_second_stage()
        # Compiled, or loaded, here: no decision of a stream waits for that.
        self._seams(0, np.zeros(1, dtype=np.int64))

    def first(self, banned: BoolArray, rng: np.random.Generator) -> Pick | None:
        """Draw the chunk that a stream begins with, of the first bucket that has any."""
        found = self._bucket(BEFORE_THE_WALK, ~banned)
        if found is None:
            return None
        rows, stop = found
        return self._draw(rows, stop, {"bucket": self._buckets.likely[rows]}, rng)

    def draw(self, now: Situation, rng: np.random.Generator) -> Pick | None:
        """Draw the chunk that follows, of the next bucket that has one to be played; None where none has.

        What really follows in the song may be it as well, unless the song has gone on for long enough. With
        `now.asked` it is a chunk of another song, where there is one.
        """
        song, row, search = self._index.song, now.row, self._search
        other = song != song[row]
        liked, disliked = search.liking.after(row)
        mask = ~now.here.blocked
        mask[now.first_row : row + 1] = False
        mask[disliked] = False
        successor = int(self._index.successor[row])
        if successor != NO_SUCCESSOR and (now.natural == NO_SUCCESSOR or row >= now.exits[-1]):
            mask[successor] = False
        if now.asked and (mask & other).any():
            mask &= other
        if now.pull is not None and now.pull.only is not None and (mask & now.pull.only).any():
            mask &= now.pull.only
        found = self._bucket(now.history.stop, mask)
        if found is None:
            return None
        rows, stop = found
        weights = self._settings.weights
        nothing = np.zeros(len(rows), dtype=np.float32)
        costs = search.costs.terms(row, rows, weights)
        terms = {
            "bucket": self._buckets.likely[rows],
            "seam": self._seams(row, rows),
            **{name: costs[:, column] for column, name in enumerate(COST_TERMS)},
            "liked": np.float32(weights.liked) * np.isin(rows, liked),
            "coverage": coverage(now.history, self._phrases, weights, now.here.mean_plays, rows),
            "favoured": nothing if now.pull is None else now.pull.favoured[rows],
            "towards": nothing if now.pull is None else now.pull.towards[rows],
            "other_song": np.float32(OTHER_SONG_LOGIT * now.history.owed) * other[rows],
        }
        return self._draw(rows, stop, terms, rng)

    def _bucket(self, place: int, mask: BoolArray) -> tuple[IntArray, WalkStop] | None:
        """Return the chunks where `mask` holds of the next bucket that has any, and where that is."""
        buckets = self._buckets
        ahead = np.roll(buckets.walk, -(place + 1))
        playable = np.bincount(buckets.bucket[mask], minlength=len(buckets.sizes)) > 0
        steps = int(playable[ahead].argmax())
        bucket = int(ahead[steps])
        if not playable[bucket]:
            return None
        empty = int(np.count_nonzero(buckets.sizes[ahead[:steps]] == 0))
        stop = WalkStop(
            place=(place + 1 + steps) % len(ahead), bucket=bucket, empty=empty, spent=steps - empty
        )
        return np.flatnonzero(mask & (buckets.bucket == bucket)), stop

    def _draw(
        self, rows: IntArray, stop: WalkStop, terms: dict[str, FloatArray], rng: np.random.Generator
    ) -> Pick:
        totals = np.stack(list(terms.values())).sum(axis=0, dtype=np.float32)
        best = top(totals, np.ones(len(rows), dtype=np.bool_), self._settings.top_k)
        odds = np.exp((totals[best] - totals[best[0]]).astype(np.float64) / self._settings.temperature)
        rank = int(rng.choice(len(best), p=odds / odds.sum()))
        chosen = int(best[rank])
        return Pick(
            row=int(rows[chosen]),
            stop=stop,
            probability=math.exp(self._buckets.likely[rows[chosen]]),
            rank=rank + 1,
            considered=len(rows),
            terms={name: float(values[chosen]) for name, values in terms.items()}
            | {"total": float(totals[chosen])},
        )

    def _seams(self, row: int, rows: IntArray) -> FloatArray:
        """Return `(n,)` how well the starts of `rows` fit the end of `row`, in log-odds."""
        if self._sides is not None:
            try:
                return self._stage.seam_logits(self._sides.distances_db(row, rows))
            except PoolError as error:
                self._sides = None
                _log.warning("%s; until then levels of bands say how well a seam fits", error)
        return band_logits(self._index.distances_db(row)[rows])


def _buckets(count: int) -> str:
    return "a bucket" if count == 1 else f"{count} buckets"
