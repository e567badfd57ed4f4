"""What a side tells once for all doors is what each would find, and no shortcut changes what is chosen."""

from dataclasses import replace

import numpy as np
import pytest

from stream.doors.door import Door, JoinKind
from stream.doors.judging import judge_door
from stream.doors.policies import POLICIES, SINGS, DoorCase, voice_over_voice
from stream.doors.settings import DoorSettings
from stream.doors.side import DoorSide, mean_of
from stream.doors.worths import BAR_WORTHS
from stream.pool.pool import Pool
from stream.pool.timeline import BANDS_STEP_S, VOICE_STEP_S, SongTimeline
from tests.support.beaten import RATE_HZ, beaten_pool, known_timeline, steady_beats

SECONDS = 80.0
CHUNKS = round(SECONDS / 2)


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Pool:
    """Two songs of noise, whose traits differ from chunk to chunk."""
    rng = np.random.default_rng(0)
    noise = rng.normal(0.0, 0.1, (round(SECONDS * RATE_HZ), 2)).astype(np.float32)
    beats = known_timeline(SECONDS, steady_beats(SECONDS, 120.0))
    made = beaten_pool(tmp_path_factory.mktemp("sides"), [noise, noise], [beats, beats])
    drawn = {
        name: rng.uniform(0.5, 1.0, len(made)).astype(np.float32)
        for name in ("beat_confidence", "bar_confidence", "key_confidence")
    }
    return replace(made, traits=replace(made.traits, key=rng.integers(0, 24, len(made)), **drawn))


def drawn_timeline(rng: np.random.Generator) -> SongTimeline:
    """Beats of about one tempo, voices that come and go, levels of all kinds."""
    line = known_timeline(SECONDS, steady_beats(SECONDS, float(rng.uniform(114.0, 126.0))))
    sung = np.repeat(rng.uniform(0.0, 1.0, 40) ** 2, 20) * rng.uniform(0.0, 1.0, 800)
    levels = np.repeat(rng.uniform(-45.0, -15.0, (20, 3)), 8, axis=0)
    return replace(line, voice=sung.astype(np.float32), bands_db=levels.astype(np.float32))


def drawn_sides(pool: Pool, rng: np.random.Generator) -> tuple[DoorSide, DoorSide]:
    a, b = rng.integers(2, CHUNKS, 2).tolist()
    return (
        DoorSide(pool=pool, row=a, timeline=drawn_timeline(rng)),
        DoorSide(pool=pool, row=CHUNKS + b, timeline=drawn_timeline(rng)),
    )


def worth_of(case: DoorCase) -> float | None:
    """What a case is worth by every policy; None where one forbids it."""
    verdicts = [policy(case) for policy in POLICIES.values()]
    if any(isinstance(verdict, str) for verdict in verdicts):
        return None
    return case.worth + sum(verdict for verdict in verdicts if not isinstance(verdict, str))


def blend(a: DoorSide, b: DoorSide, bars: int) -> Door:
    return judge_door(a, b, DoorSettings(blend_bars=bars))


def test_a_length_that_is_not_looked_at_would_not_have_been_taken(pool: Pool) -> None:
    rng = np.random.default_rng(1)
    lengths = set()
    for _ in range(150):
        a, b = drawn_sides(pool, rng)
        found = blend(a, b, max(BAR_WORTHS))
        known = [blend(a, b, bars) for bars in BAR_WORTHS]
        cases = [
            DoorCase(
                a=a,
                b=b,
                kind=door.kind,
                overlap_s=door.overlap_s,
                bars=door.overlap_bars,
                tempo_factor=door.tempo_factor,
                on_beat=True,
                worth=BAR_WORTHS[door.overlap_bars],
            )
            for door in known
            if door.kind is JoinKind.TEMPO_BLEND
        ]
        if cases:
            worths = [worth for case in cases if (worth := worth_of(case)) is not None]
            assert found.worth == pytest.approx(max(worths), abs=1e-9)
            lengths.add(found.overlap_bars)
    # Each was the best of some two songs.
    assert lengths == set(BAR_WORTHS)


def test_doors_do_not_hang_on_which_were_judged_before(pool: Pool) -> None:
    rng = np.random.default_rng(2)
    pairs = [drawn_sides(pool, rng) for _ in range(6)]
    together = [judge_door(a, b, DoorSettings()) for a, _ in pairs for _, b in pairs]
    fresh = [
        judge_door(
            *(DoorSide(pool=pool, row=side.row, timeline=side.timeline) for side in (a, b)), DoorSettings()
        )
        for a, _ in pairs
        for _, b in pairs
    ]
    assert together == fresh


def test_two_voices_are_counted_where_both_are_heard(pool: Pool) -> None:
    rng = np.random.default_rng(3)
    counted = 0
    for _ in range(300):
        a, b = drawn_sides(pool, rng)
        factor = float(rng.choice([1.0, 0.95, 1.06]))
        case = DoorCase(
            a=a, b=b, kind=JoinKind.PLAIN_FADE, overlap_s=rng.uniform(0.1, 9.0), tempo_factor=factor
        )
        left = a.voice(a.end_s, a.end_s + factor * case.overlap_s)
        entered = b.voice(b.start_s, b.start_s + case.overlap_s)
        count = min(len(left), len(entered))
        # A is heard so many times as fast: stretched over as many steps as there are of both.
        at = np.linspace(0, len(left) - 1, count)
        both = np.interp(at, np.arange(len(left)), left) * entered[:count] if count else np.empty(0)
        together_s = VOICE_STEP_S * np.count_nonzero(both >= SINGS * SINGS)
        assert voice_over_voice(case) == -0.5 * min(together_s, 6.0)
        counted += together_s > 0.0
    assert 50 < counted < 250


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_mean_is_that_of_numpy_to_the_last_bit(dtype: type) -> None:
    rng = np.random.default_rng(4)
    for count in (*range(1, 40), 127, 128, 129, 1_000):
        values = rng.uniform(0.0, 1.0, count).astype(dtype)
        assert mean_of(values) == float(values.mean())


def test_levels_are_those_of_the_bands_as_they_are_heard(pool: Pool) -> None:
    rng = np.random.default_rng(5)
    side, _ = drawn_sides(pool, rng)
    assert side.timeline is not None
    bands_db = side.timeline.bands_db.astype(np.float64)
    for first, stop in ((0, 1), (3, 9), (20, 44)):
        span = bands_db[first:stop]
        heard = np.power(10.0, (span + np.array((-4.0, 0.0, 3.0))) / 10.0).sum(axis=1).mean()
        found = side.loudness_db(first * BANDS_STEP_S, stop * BANDS_STEP_S)
        assert found == pytest.approx(10.0 * np.log10(heard) - side.song.loudness_lufs)
