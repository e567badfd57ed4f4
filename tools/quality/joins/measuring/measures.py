"""These measures say what a join does to level, spectrum, key and beat in the audio around it."""

from dataclasses import dataclass, fields

import numpy as np

from model.base.arrays import DoubleArray, FloatArray
from stream.joins.levels import k_weighted_power, loudness_lufs
from tools.quality.joins.measuring.clicks import clicks_around, find_clicks, is_of_song
from tools.quality.joins.measuring.pulse import beat_error_s, onset_strength, pulse
from tools.quality.joins.measuring.sides import LEAD_S, Sides, fade_level_db
from tools.quality.joins.spectra import chroma
from tools.quality.joins.windows import Window

_LEVEL_S = 0.4
TONAL_S = 2.0
FLUX_S = 0.05
_STEADY_S = 3.0
LEVEL_HOP_FRAMES = 64
LEAST_SIDE_S = 3.0
"""Tempo and beat are told from no less, ..."""
SIDE_S = 12.0
"""... and from so much where there is as much."""
ONE_TEMPO = 0.03
"""Tempi that differ by no more are one."""
LONG_S = 3.0
GUARD_S = 0.005


@dataclass(frozen=True, kw_only=True)
class JoinMeasure:
    """One boundary in figures; nan where a figure cannot be told."""

    beat_ms: float
    """How far B's beats are off A's grid, without sign; nan unless both sides have a beat of one tempo.

    Of a join in which both sound for more than `LONG_S` it is told of each song alone, from its file: how A
    is heard up to the centre, in the tempo that it is brought to, and B from there on.
    """
    tempo_ratio: float
    """The faster tempo over the slower one, octaves folded: 1 to 1.41; nan unless a beat is heard on both
    sides."""
    two_tempi: float
    """1 where both sides have a beat and their tempi differ by more than `ONE_TEMPO`, 0 where they do not."""
    tonal_distance: float
    """1 minus the cosine of the chroma of 2 s before and after: 0 the same notes, 1 others."""
    loudness_jump_lu: float
    """K-weighted loudness of the 400 ms after the fade over that of the 400 ms before it, without sign."""
    dip_db: float
    """Level inside the fade over what both songs lead to expect; negative: a dip. nan without a fade."""
    flux_z: float
    """Spectral flux within 50 ms of the centre, in standard deviations over 3 s on either side."""
    clicks: float
    """Samples that jump out of the waveform in the fade, and in neither song's file at that place."""
    song_clicks: float
    """Those that a song has of its own; nan without the songs."""


NAMES = tuple(field.name for field in fields(JoinMeasure))


def measure_boundary(window: Window, sides: Sides | None = None) -> JoinMeasure:
    """Measure one boundary of a stream.

    Without the songs at hand `dip_db` is nan, the beats of a long fade are those before and after it, and all
    clicks are the join's.
    """
    rate_hz, centre, place = window.rate_hz, window.centre, window.boundary
    begin, end = centre - place.before_frames, centre + place.after_frames
    first, stop = centre - window.free_before_frames, centre + window.free_after_frames
    strength, step_s = onset_strength(window.audio[first:stop].mean(axis=1), rate_hz)
    split = round((centre - first) / rate_hz / step_s)
    beat_ms, tempo = _beats(strength, step_s, split)
    if place.fade_frames - place.alone_frames > LONG_S * rate_hz:
        beat_ms, tempo = _beats_of_long(window, sides)
    made, own = _clicks(window, sides)
    return JoinMeasure(
        beat_ms=beat_ms,
        tempo_ratio=tempo,
        two_tempi=float(tempo > 1.0 + ONE_TEMPO) if tempo == tempo else float("nan"),
        tonal_distance=_tonal(window.audio, rate_hz, (first, begin, end, stop)),
        loudness_jump_lu=_jump(window.audio, rate_hz, (first, begin, end, stop)),
        dip_db=_dip(window, sides),
        flux_z=_flux(strength, step_s, split),
        clicks=made,
        song_clicks=own,
    )


def _clicks(window: Window, sides: Sides | None) -> tuple[float, float]:
    """Return how many clicks the join made, and how many of those that are heard in it a song has."""
    place, rate_hz = window.boundary, window.rate_hz
    guard = round(GUARD_S * rate_hz)
    begin, end = window.centre - place.before_frames - guard, window.centre + place.after_frames + guard
    found = find_clicks(window.audio, begin, end, rate_hz)
    if sides is None:
        return float(len(found)), float("nan")
    own = 0
    for click in found:
        first, stop = clicks_around(click, rate_hz)
        songs = sides.at(place, first - window.centre, stop - window.centre)
        own += is_of_song(window.audio[first:stop], click.side, songs)
    return float(len(found) - own), float(own)


def _jump(audio: FloatArray, rate_hz: int, marks: tuple[int, int, int, int]) -> float:
    first, begin, end, stop = (mark // LEVEL_HOP_FRAMES for mark in marks)
    reach = round(_LEVEL_S * rate_hz / LEVEL_HOP_FRAMES)
    power = k_weighted_power(audio, rate_hz, LEVEL_HOP_FRAMES)
    before, after = power[max(first, begin - reach) : begin], power[end : min(stop, end + reach)]
    if min(len(before), len(after)) < reach // 2:
        return float("nan")
    return abs(loudness_lufs(after) - loudness_lufs(before))


def _dip(window: Window, sides: Sides | None) -> float:
    place = window.boundary
    if sides is None or not place.joined:
        return float("nan")
    lead = round(LEAD_S * window.rate_hz)
    heard = window.audio[
        window.centre - place.before_frames - lead : window.centre + place.after_frames + lead
    ]
    a, b = sides.around(place, lead)
    # A long fade begins at its boundary, and both are as loud in its middle.
    both = place.fade_frames - place.alone_frames
    middle = place.alone_frames + both // 2 if both > LONG_S * window.rate_hz else place.before_frames
    return fade_level_db(heard, a, b, lead, middle, window.rate_hz)


def _tonal(audio: FloatArray, rate_hz: int, marks: tuple[int, int, int, int]) -> float:
    first, begin, end, stop = marks
    reach = round(TONAL_S * rate_hz)
    sides = audio[max(first, begin - reach) : begin], audio[end : min(stop, end + reach)]
    if min(len(side) for side in sides) < rate_hz // 2:
        return float("nan")
    before, after = (chroma(side.mean(axis=1), rate_hz).mean(axis=0) for side in sides)
    size = float(np.linalg.norm(before) * np.linalg.norm(after))
    return 1.0 - float(before @ after) / size if size > 1e-9 else float("nan")


def _flux(strength: DoubleArray, step_s: float, split: int) -> float:
    reach, near = round(_STEADY_S / step_s), round(FLUX_S / step_s)
    around = strength[max(0, split - reach) : split + reach]
    if len(around) < reach // 2:
        return float("nan")
    peak = strength[max(0, split - near) : split + near + 1].max()
    return float((peak - around.mean()) / (around.std() + 1e-6))


def _beats(strength: DoubleArray, step_s: float, split: int) -> tuple[float, float]:
    """Return the beat error in ms and the tempo ratio; nan where no beat is heard on both sides."""
    if min(split, len(strength) - split) * step_s < LEAST_SIDE_S:
        return float("nan"), float("nan")
    reach = round(SIDE_S / step_s)
    first = max(0, split - reach)
    return _against(strength[first:split], strength[split : split + reach], step_s, (split - first) * step_s)


def _beats_of_long(window: Window, sides: Sides | None) -> tuple[float, float]:
    """Return beat error and tempo ratio, as `_beats` does, of a join inside which both beats are heard."""
    place, rate_hz = window.boundary, window.rate_hz
    side, least = round(SIDE_S * rate_hz), round(LEAST_SIDE_S * rate_hz)
    first, split, stop = -side, 0, 0
    if sides is None:
        first, stop = -place.before_frames - side, -place.before_frames
        split = place.after_frames
        first = max(-window.free_before_frames, first)
        before = window.audio[window.centre + first : window.centre + stop]
        after = window.audio[window.centre + split : window.centre + split + side]
    else:
        if place.course is not None:
            # Before both sound A's beat is still changing.
            first = place.alone_frames - place.before_frames
            stop = max(0, min(place.after_frames, first + side))
        before = sides.left_as_heard(place, first, stop)
        after = sides.entered(place, 0, side)
        # Beyond its ends a file is silent, which says nothing of its beat.
        silent = _silent_frames(before)
        before, first = before[silent:], first + silent
        after = after[: len(after) - _silent_frames(after[::-1])]
    if min(len(before), len(after)) < least:
        return float("nan"), float("nan")
    strength, step_s = onset_strength(before.mean(axis=1), rate_hz)
    entered, _ = onset_strength(after.mean(axis=1), rate_hz)
    return _against(strength, entered, step_s, (split - first) / rate_hz)


def _silent_frames(audio: FloatArray) -> int:
    """Return how many frames at the beginning are silent, to the last bit."""
    sounding = np.flatnonzero(audio.any(axis=1))
    return int(sounding[0]) if len(sounding) else len(audio)


def _against(left: DoubleArray, entered: DoubleArray, step_s: float, split_s: float) -> tuple[float, float]:
    """Return beat error in ms and tempo ratio of `(n,)` onset strengths; the second begin at `split_s`.

    The error is nan where tempi differ: there is no grid that both are on.
    """
    before, after = pulse(left, step_s), pulse(entered, step_s)
    if before is None or after is None:
        return float("nan"), float("nan")
    octaves = np.log2(after.period_s / before.period_s)
    ratio = float(2.0 ** abs(octaves - round(octaves)))
    error_ms = 1e3 * beat_error_s(before, after, split_s)
    return error_ms if ratio <= 1.0 + ONE_TEMPO else float("nan"), ratio


def table(measures: list[JoinMeasure]) -> DoubleArray:
    """Return `(n, len(NAMES))`, a row for each."""
    rows = [[getattr(row, name) for name in NAMES] for row in measures]
    return np.array(rows, dtype=np.float64).reshape(len(rows), len(NAMES))
