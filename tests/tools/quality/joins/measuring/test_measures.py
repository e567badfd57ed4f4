"""Measures of joins find the click, the dip, the late beat and the jump in level that are built in."""

from dataclasses import replace

import numpy as np
import pytest

from model.base.arrays import FloatArray
from tools.quality.joins.boundaries import Boundary, boundary
from tools.quality.joins.hearing.between import LATEST_BORDER_S, MIDDLE, NATURAL, WithBetween
from tools.quality.joins.measuring.measures import measure_boundary
from tools.quality.joins.measuring.peak import PeakMeter
from tools.quality.joins.measuring.sides import Sides, fade_level_db
from tools.quality.joins.windows import Window, cut_windows

RATE_HZ = 44_100
PLACE = Boundary(
    centre_frames=0,
    before_frames=2205,
    after_frames=2205,
    joined=True,
    from_key=("a", 0, 1),
    to_key=("b", 0, 1),
    left_s=0.0,
    entered_s=0.0,
)


def noise(seconds: float, level: float, seed: int) -> FloatArray:
    rng = np.random.default_rng(seed)
    return rng.normal(0.0, level, (round(seconds * RATE_HZ), 2)).astype(np.float32)


def window(audio: FloatArray, place: Boundary = PLACE) -> Window:
    half = len(audio) // 2
    return Window(
        boundary=place,
        audio=audio,
        rate_hz=RATE_HZ,
        centre=half,
        free_before_frames=half,
        free_after_frames=half,
    )


def drums(seconds: float, period_s: float, first_s: float) -> FloatArray:
    """Short noise bursts, one every `period_s`, over a faint floor."""
    audio = noise(seconds, 1e-3, 1)
    burst = noise(0.05, 0.3, 2) * np.exp(-np.arange(round(0.05 * RATE_HZ)) / 400)[:, None].astype(np.float32)
    for at_s in np.arange(first_s, seconds - 0.06, period_s):
        start = round(at_s * RATE_HZ)
        audio[start : start + len(burst)] += burst
    return audio


def test_a_boundary_tells_what_its_line_tells() -> None:
    line = {
        "t_out_frames": 1000,
        "from": {"audio_hash": "a", "start_sample": 1, "end_sample": 2, "end_s": 3.5},
        "to": {"audio_hash": "b", "start_sample": 3, "end_sample": 4, "start_s": 0.25},
        "natural": False,
        "fade_s": 0.2,
        "join": {
            "kind": "tempo_blend",
            "before_frames": 20,
            "after_frames": 60,
            "ramp_frames": 5,
            "terms": {"beat_error_ms": 4.0},
        },
        "settings": {"engine_rate_hz": RATE_HZ},
    }
    found = boundary(line)
    assert found is not None
    assert (found.before_frames, found.after_frames, found.fade_frames) == (20, 60, 80)
    assert found.other_song and found.joined and found.beat_error_ms == 4.0
    assert (found.kind, found.alone_frames) == ("tempo_blend", 5)
    assert boundary({**line, "from": None}) is None


@pytest.mark.parametrize("gain_db", [-6.0, 0.0, 3.0])
def test_the_level_in_a_fade_is_what_was_put_there(gain_db: float) -> None:
    lead, fade = 4410, 22_050
    a, b = noise(0.7, 0.1, 4), noise(0.7, 0.05, 5)
    angle = np.clip((np.arange(len(a)) - lead + 0.5) / fade, 0, 1) * np.pi / 2
    heard = 0.5 * a * np.cos(angle)[:, None] + 2.0 * b * np.sin(angle)[:, None]
    heard[lead : lead + fade] *= 10 ** (gain_db / 20)
    found = fade_level_db(heard.astype(np.float32), a, b, lead, fade // 2, RATE_HZ)
    assert found == pytest.approx(gain_db, abs=0.4)


def test_two_tempi_are_no_beat_error() -> None:
    one = measure_boundary(window(np.concatenate([drums(6.0, 0.5, 0.2), drums(6.0, 0.5, 0.23)])))
    two = measure_boundary(window(np.concatenate([drums(6.0, 0.5, 0.2), drums(6.0, 0.56, 0.2)])))
    assert (one.two_tempi, two.two_tempi) == (0.0, 1.0)
    assert one.beat_ms == pytest.approx(30.0, abs=9)
    assert np.isnan(two.beat_ms)
    assert two.tempo_ratio == pytest.approx(1.12, abs=0.01)


def test_a_jump_in_level_is_measured_and_its_absence_too() -> None:
    quiet, loud = noise(6.0, 0.05, 7), noise(6.0, 0.1, 8)
    assert measure_boundary(window(np.concatenate([quiet, loud]))).loudness_jump_lu == pytest.approx(
        6.0, abs=0.5
    )
    assert measure_boundary(window(np.concatenate([quiet, quiet]))).loudness_jump_lu < 0.5


class _Files(Sides):
    """Both songs of a join as they are, without a pool; silent beyond their ends."""

    def __init__(self, a: FloatArray, b: FloatArray, centre: int = 6 * RATE_HZ) -> None:
        self._both = a, b
        self._centre = centre
        self._rate_hz = RATE_HZ

    def left(self, place: Boundary, first: int, stop: int) -> FloatArray:
        return self._read(0, first, stop)

    def entered(self, place: Boundary, first: int, stop: int) -> FloatArray:
        return self._read(1, first, stop)

    def _read(self, which: int, first: int, stop: int) -> FloatArray:  # type: ignore[override]
        silent = np.zeros((stop - first, 2), dtype=np.float32)
        begin = max(0, self._centre + first)
        part = self._both[which][begin : max(begin, self._centre + stop)]
        silent[begin - self._centre - first :][: len(part)] = part
        return silent


@pytest.mark.parametrize(("late_s", "alone_s"), [(0.0, 0.0), (0.040, 0.0), (0.040, 2.0)])
def test_beats_and_levels_of_a_long_join(late_s: float, alone_s: float) -> None:
    """Two songs over each other for 8 s, each of them alone before and after."""
    seconds, first_s = 20.0 + alone_s, 6.0 + alone_s
    a, b = drums(seconds, 0.5, 0.2), 2.0 * drums(seconds, 0.5, 0.2 + late_s + alone_s % 0.5)
    share = np.clip((np.arange(len(a)) / RATE_HZ - first_s) / 8.0, 0, 1)[:, None].astype(np.float32)
    heard = a * np.cos(share * np.pi / 2) + b * np.sin(share * np.pi / 2)
    fade = round((8.0 + alone_s) * RATE_HZ)
    place = replace(PLACE, before_frames=0, after_frames=fade, alone_frames=round(alone_s * RATE_HZ))
    joined = Window(
        boundary=place,
        audio=heard,
        rate_hz=RATE_HZ,
        centre=6 * RATE_HZ,
        free_before_frames=6 * RATE_HZ,
        free_after_frames=len(heard) - 6 * RATE_HZ,
    )
    found = measure_boundary(joined, _Files(a, b))
    assert found.beat_ms == pytest.approx(1e3 * late_s, abs=9)
    assert found.tempo_ratio == pytest.approx(1.0, abs=0.01)
    assert found.loudness_jump_lu == pytest.approx(6.0, abs=1.0)
    # Beats that fall on one another are the same sound here, and add up to more.
    assert found.dip_db == pytest.approx(0.0, abs=1.0 if late_s else 2.5)


@pytest.mark.parametrize("off_s", [0.0, 0.060, 0.250])
def test_a_blend_is_judged_by_the_tempo_that_a_is_brought_to(off_s: float) -> None:
    """A at 120 beats a minute is brought to 125 within two seconds, and meets B, or misses it by so much."""
    period_s, ramp, fade = 60 / 125, 2 * RATE_HZ, 14 * RATE_HZ
    factor = 125 / 120
    heard = (0, round(ramp * (1 + factor) / 2), round(ramp * (1 + factor) / 2 + (fade - ramp) * factor))
    # A's beat that sounds as B enters is at its frame heard[1].
    a = drums(30.0, 0.5, (10.0 + heard[1] / RATE_HZ) % 0.5)
    b = drums(40.0, period_s, (12.0 + off_s) % period_s)
    place = replace(
        PLACE,
        before_frames=8 * RATE_HZ,
        after_frames=6 * RATE_HZ,
        alone_frames=ramp,
        course=((0, ramp, fade), heard),
    )
    centre = 18 * RATE_HZ
    left = 10 * RATE_HZ + round(float(np.interp(8 * RATE_HZ, *place.course)))  # type: ignore[misc]
    files = _Files(a, b)
    files.left = lambda _, first, stop: _Files(a, b, left)._read(0, first, stop)  # type: ignore[method-assign]
    files.entered = lambda _, first, stop: _Files(a, b, centre)._read(1, first, stop)  # type: ignore[method-assign]
    joined = Window(
        boundary=place,
        audio=b,
        rate_hz=RATE_HZ,
        centre=centre,
        free_before_frames=12 * RATE_HZ,
        free_after_frames=12 * RATE_HZ,
    )
    found = measure_boundary(joined, files)
    assert found.tempo_ratio == pytest.approx(1.0, abs=0.006)
    expected_s = min(off_s, period_s - off_s)
    assert found.beat_ms == pytest.approx(1e3 * expected_s, abs=10)


def test_a_click_of_a_song_is_not_the_joins() -> None:
    """Both clicks are alike: one is in A's file, the other is nowhere."""
    song = 0.2 * noise(14.0, 0.05, 11)
    song[:, 0] += 0.2 * np.sin(2 * np.pi * 220 * np.arange(len(song)) / RATE_HZ).astype(np.float32)
    middle = 6 * RATE_HZ
    song[middle - 1000] += 0.6
    heard = song.copy()
    place = replace(PLACE, before_frames=4410, after_frames=4410)
    own = measure_boundary(window(heard[: 2 * middle], place), _Files(song, song))
    assert (own.clicks, own.song_clicks) == (0.0, 1.0)
    heard[middle + 2000] += 0.6
    both = measure_boundary(window(heard[: 2 * middle], place), _Files(song, song))
    assert (both.clicks, both.song_clicks) == (1.0, 1.0)
    alone = measure_boundary(window(heard[: 2 * middle], place))
    assert alone.clicks == 2.0 and np.isnan(alone.song_clicks)


def test_the_true_peak_between_the_samples_is_heard() -> None:
    meter = PeakMeter(RATE_HZ)
    time = np.arange(RATE_HZ)
    tone = np.sin(2 * np.pi * time / 4 + np.pi / 4).astype(np.float32) * np.float32(0.5)
    both = np.stack([tone, tone], axis=1)
    for start in range(0, RATE_HZ, 5000):
        meter(both[start : start + 5000])
    assert np.abs(both).max() < 0.36
    assert meter.peak_db == pytest.approx(20 * np.log10(0.5), abs=0.15)


class _Counting:
    """A stream whose samples are their own frame numbers, with boundaries at given places."""

    rate_hz = 1000

    def __init__(self, places: list[tuple[int, bool]]) -> None:
        self.boundaries = [
            Boundary(
                centre_frames=centre,
                before_frames=20,
                after_frames=30,
                joined=joined,
                from_key=("a", 0, 1),
                to_key=("a", 1, 2),
                left_s=0.0,
                entered_s=0.0,
            )
            for centre, joined in places
        ]
        self._at = 0

    def render(self, frames: int) -> FloatArray:
        block = np.arange(self._at, self._at + frames, dtype=np.float32)
        self._at += frames
        return np.stack([block, block], axis=1)


def test_windows_lie_around_their_boundaries_and_know_their_neighbours() -> None:
    places = [(500, True), (2500, True), (4000, False), (4600, True), (150_000, False)]
    found = list(cut_windows(_Counting(places), 200.0, context_s=1.0))
    assert [place.boundary.centre_frames for place in found] == [2500, 4000, 4600, 150_000]
    for place in found:
        centre = place.boundary.centre_frames
        assert place.audio[:, 0].tolist() == list(range(centre - 1020, centre + 1030))
        assert place.audio[place.centre, 0] == centre
    assert found[1].free_before_frames == 1020
    assert found[1].free_after_frames == 600 - 20
    assert found[1].free_for(1020, 580) and not found[1].free_for(1020, 581)


def test_a_window_holds_a_long_join_whole() -> None:
    stream = _Counting([(3000, True), (90_000, True), (170_000, True)])
    stream.boundaries[1] = replace(stream.boundaries[1], before_frames=0, after_frames=70_000)
    found = list(cut_windows(stream, 200.0, context_s=1.0))
    assert [place.boundary.centre_frames for place in found] == [3000, 90_000, 170_000]
    long = found[1]
    assert (long.audio[0, 0], long.audio[-1, 0]) == (89_000, 160_999)
    assert (long.free_before_frames, long.free_after_frames) == (1000, 71_000)
    assert found[2].free_before_frames == 1020


class _Late(_Counting):
    """The same, told of a boundary as late as an engine may tell."""

    rate_hz = 10_000

    def __init__(self, places: list[tuple[int, bool]]) -> None:
        super().__init__(places)
        self._all, self.boundaries = self.boundaries, []

    def render(self, frames: int) -> FloatArray:
        block = super().render(frames)
        self.boundaries += [
            place for place in self._all[len(self.boundaries) :] if place.centre_frames < self._at
        ]
        return block


def test_every_place_between_borders_is_known_in_time() -> None:
    borders = [(centre, False) for centre in range(100_000, 1_000_000, 150_000)]
    stream = WithBetween(_Late(borders))
    found = list(cut_windows(stream, 110.0, context_s=1.0, late_s=LATEST_BORDER_S))
    conditions = [stream.condition(window.boundary) for window in found]
    assert conditions.count(NATURAL) == len(borders)
    assert conditions.count(MIDDLE) == len(borders) - 1
    at = np.array([window.boundary.centre_frames for window in found])
    assert np.diff(at).max() <= 7_500
