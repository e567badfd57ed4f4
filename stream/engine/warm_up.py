"""The warm-up compiles or loads every kernel that a live stream runs before the first sound.

Compiling a kernel holds Python's lock for seconds, and the thread that makes the sound needs it. The
kernels of a scorer are compiled when it is opened, those of a ring when it is made.
"""

import numpy as np

from model.base.arrays import FloatArray
from stream.choosing.generation import Generation
from stream.choosing.history import Course
from stream.choosing.journey.leaning import Leaning
from stream.choosing.journey.steering import Steering
from stream.choosing.phrases import Phrases
from stream.choosing.repeats import coverage, entries
from stream.choosing.settings import PlannerSettings
from stream.choosing.weighing.lookahead import Future
from stream.choosing.weighing.terms import Costs
from stream.doors.ranking import DoorRanking
from stream.engine.limiter import Limiter
from stream.index.top import FEW, top
from stream.joins.bands import BandedFade, HandOver
from stream.joins.fades import Limits, choose_fade
from stream.joins.join_case import JOIN_REACH_FRAMES
from stream.joins.levels import Release
from stream.joins.sound import JoinSound, SongSound
from stream.joins.stretch import Stretcher
from stream.joins.surroundings import SURROUNDINGS_HOP_FRAMES, analyse
from stream.scoring.scorer import Scorer, ScoringLateError


def warm_up(generation: Generation) -> None:
    """Run every kernel that may run while a stream plays from this generation, or from one that follows."""
    _choose(generation)
    _join(generation.reader.engine_rate_hz)


def first_score(scorer: Scorer | None) -> None:
    """Score one candidate, before the first decision is under time; what hangs is left to its guard."""
    if scorer is None:
        return
    try:
        scorer.score(0, np.zeros(1, dtype=np.int64))
    except ScoringLateError:
        # The guard has told of it, and decisions find out what is left.
        return


def _choose(generation: Generation) -> None:
    index, chunks, settings = generation.index, len(generation.index), PlannerSettings()
    course, phrases = Course.new(chunks), Phrases.of_pool(generation.pool, settings)
    towards = Steering(towards=generation.pool.songs[0].audio_hash)
    Leaning.of(generation, towards, phrases, lambda row, rows: 0.0)
    allowed = entries(course, phrases, np.zeros(chunks, dtype=np.bool_), window=0, after=0).allowed
    if generation.scorer is None:
        return
    distances_db = index.distances_db(0)
    for count in (1, FEW + 1):
        top(distances_db, allowed, count)
    doors = DoorRanking(generation.pool)
    doors.of_song(0)
    Costs(generation, doors).terms(0, np.array([1]), settings.weights)
    entering = coverage(course, phrases, settings.weights)
    future = Future(index.song)
    future.measure(phrases)
    future.learn(0, distances_db, allowed)
    future.worths(allowed, allowed, entering, 0.0, settings)


def _join(rate_hz: int) -> None:
    noise = np.random.default_rng(0).normal(0.0, 0.5, (2 * JOIN_REACH_FRAMES, 2)).astype(np.float32)
    seam = analyse(noise, rate_hz)
    limits = Limits(longest_frames=rate_hz, before_cut_frames=rate_hz, after_start_frames=rate_hz)
    choose_fade(seam, seam, 0, 0.0, limits, rate_hz)
    loud: FloatArray = Release(offset_db=1.0, frames=len(noise)).applied(noise, 0)
    # So fast that it leaps.
    course = np.array([0, len(noise)]), np.array([0, round(1.1 * len(noise))])
    going, coming = (SongSound(lambda start, stop: noise[: stop - start], 0) for _ in range(2))
    frames = rate_hz // 2
    fade = BandedFade(
        Stretcher(going, *course, rate_hz),
        coming,
        frames=frames,
        enters_frame=0,
        bands=[HandOver.at_once(0, frames // (2 + band)) for band in range(3)],
        rate_hz=rate_hz,
    )
    JoinSound(fade.make, frames, coming).pull(frames)
    limiter = Limiter(rate_hz)
    limiter.push(loud, watched=True)
    limiter.pull(SURROUNDINGS_HOP_FRAMES)
