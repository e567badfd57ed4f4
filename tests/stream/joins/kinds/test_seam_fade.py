"""A seam fade cuts nothing off where a song ends in full and the next one begins so."""

import numpy as np
import pytest

from model.base.arrays import FloatArray
from stream.choosing.generation import Chunk, Generation
from stream.choosing.step import Step
from stream.doors.door import Door, JoinKind
from stream.joins.join_plan import JoinPlan, Leaving
from stream.joins.join_planner import JoinPlanner
from stream.joins.levels import Release
from stream.joins.settings import SoundSettings
from stream.joins.sound import SongSound
from tests.support.pools import make_generation, make_pool

RATE_HZ = 44_100
LOUD, HZ = 0.5, 220.0
SECONDS = 12.0


@pytest.fixture(scope="module")
def generation(tmp_path_factory: pytest.TempPathFactory) -> Generation:
    """Songs that begin and end at the height of a wave, in chunks of 1.5 s."""
    time_s = np.arange(round(SECONDS * RATE_HZ)) / RATE_HZ
    waves = [LOUD * np.cos(2.0 * np.pi * hz * (time_s - SECONDS)) for hz in (HZ, 1.25 * HZ)]
    songs = [np.repeat(wave[:, None], 2, axis=1).astype(np.float32) for wave in waves]
    return make_generation(make_pool(tmp_path_factory.mktemp("cold"), songs))


def song(chunk: Chunk, frame: int) -> SongSound:
    return SongSound(lambda start, stop: chunk.generation.reader.read(chunk.song_index, start, stop), frame)


def joined(plan: JoinPlan, a: Chunk, b: Chunk) -> FloatArray:
    """Return a second of A, the join and a second of B."""
    before = song(a, plan.begin_frame - RATE_HZ).pull(RATE_HZ)
    sound = plan.open(song(a, plan.begin_frame), song(b, plan.first_frame), RATE_HZ)
    return np.concatenate([before, sound.pull(plan.fade_frames + RATE_HZ)])


def step_of(sound: FloatArray) -> float:
    return float(np.abs(np.diff(sound, axis=0)).max())


def planned(a: Chunk, b: Chunk, kind: JoinKind, at_once: int | None, *, amid_join: bool) -> JoinPlan:
    planner = JoinPlanner(SoundSettings(engine_rate_hz=RATE_HZ, target_lufs=None))
    step = Step(after=a, chunk=b, natural=False, rung="full", door=Door(kind=kind))
    return planner.plan(step, Leaving(chunk=a, release=Release(), at_once=at_once, amid_join=amid_join))


@pytest.mark.parametrize("kind", [JoinKind.SHORT_BLEND, JoinKind.SPLICE])
@pytest.mark.parametrize(
    ("leaves_s", "enters_s"), [(12.0, 0.0), (12.0, 4.5), (6.0, 0.0), (6.0, 4.5)], ids=str
)
def test_a_fade_lies_where_both_songs_are(
    generation: Generation, kind: JoinKind, leaves_s: float, enters_s: float
) -> None:
    a = generation.chunk(round(leaves_s / 1.5) - 1)
    b = generation.chunk(8 + round(enters_s / 1.5))
    plan = planned(a, b, kind, None, amid_join=False)
    assert plan.begin_frame + plan.fade_frames <= round(SECONDS * RATE_HZ)
    assert plan.first_frame >= 0
    assert plan.fade_frames >= round(0.09 * RATE_HZ)
    # Two waves at once, faded slowly: no step is larger than theirs together.
    assert step_of(joined(plan, a, b)) < 1.1 * (1.0 + 1.25) * step_of(song(a, 0).pull(RATE_HZ))


@pytest.mark.parametrize("amid_join", [False, True])
def test_who_goes_on_at_once_hears_the_beginning_of_a_song_fade_in(
    generation: Generation, *, amid_join: bool
) -> None:
    a, b = generation.chunk(2), generation.chunk(8)
    at_frame = round(3.7 * RATE_HZ)
    plan = planned(a, b, JoinKind.SPLICE, at_frame, amid_join=amid_join)
    assert plan.first_frame >= 0
    assert at_frame <= plan.begin_frame < at_frame + round(0.1 * RATE_HZ)
    assert step_of(joined(plan, a, b)) < 1.1 * (1.0 + 1.25) * step_of(song(a, 0).pull(RATE_HZ))
