"""The cutter cuts a song into chunks that tile it, at its silences or into equal lengths."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from model.base.arrays import DoubleArray, FloatArray, IntArray
from model.base.errors import EndlosError
from stream.audio.samples import SongSamples, in_parts
from tools.songs.power import song_powers
from tools.songs.silence import detect_silence_pydub, measure_energy, silent_ranges, to_int16

WINDOW_S = 0.01
"""Grid on which levels are looked at."""
DEAD_AIR_DB = -60.0
"""Windows at both ends of a song below this RMS level belong to no chunk, ..."""
DYING_DB = 30.0
"""... nor those this far below the song: the last of a fade-out, in which nobody hears the song any more."""
QUIET_SPOT_WINDOWS = 5
"""What is longer than the ceiling is split in the middle of its quietest 50 ms."""
SWALLOWED_SHARE = 0.5
"""A threshold that calls more of the song silent than this is lowered until it no longer does."""
THRESHOLD_STEP_DB = 1.0


@dataclass(frozen=True, kw_only=True)
class CutSettings:
    """How songs are cut."""

    cut: Literal["silence", "equal", "beat"] = "beat"
    cutter: Literal["numba", "pydub"] = "numba"
    """What looks for silence; both find the same."""
    silence_db: float = -16.0
    """Level in dBFS up to which a stretch counts as silence (report, section 2.1)."""
    silence_ms: int = 300
    """Length of that stretch (report, section 2.1)."""
    chunk_s: float = 5.0
    """Length of equal chunks; about that of chunks of bars, and of the parts of one over `max_chunk_s`."""
    bars: int | None = None
    """Bars of a chunk cut on the beat; None: the power of two that comes nearest to `chunk_s`."""
    min_chunk_s: float = 2.0
    """Shortest chunk; equal chunks may be asked for shorter."""
    max_chunk_s: float = 15.0
    """Longest chunk cut at silences or on the beat, at least twice `min_chunk_s`: so any can be split."""

    def __post_init__(self) -> None:
        if self.cut not in ("silence", "equal", "beat"):
            raise EndlosError(f"there is no cut {self.cut!r}; take beat, silence or equal")
        if self.bars is not None and not self.bars >= 1:
            raise EndlosError(f"chunks of {self.bars} bars make no sense; give 1 or more")
        if self.cutter not in ("numba", "pydub"):
            raise EndlosError(f"there is no cutter {self.cutter!r}; take numba or pydub")
        if not (math.isfinite(self.silence_db) and self.silence_db <= 0):
            raise EndlosError(f"silence at {self.silence_db} dBFS makes no sense; give a level up to 0 dBFS")
        if not self.silence_ms >= 1:
            raise EndlosError(f"silence of {self.silence_ms} ms makes no sense; give 1 ms or more")
        lengths_s = (self.chunk_s, self.min_chunk_s, self.max_chunk_s)
        if not all(math.isfinite(length) and length > 0 for length in lengths_s):
            raise EndlosError(f"chunk lengths of {lengths_s} s make no sense; give numbers above 0")
        if self.max_chunk_s < 2 * self.min_chunk_s:
            raise EndlosError(
                f"chunks of {self.min_chunk_s:g} to {self.max_chunk_s:g} s cannot tile every song; "
                f"the longest must be at least twice the shortest, {2 * self.min_chunk_s:g} s"
            )


@dataclass(frozen=True, kw_only=True, eq=False)
class CutResult:
    """Where a song was cut; chunk i is `bounds[i]:bounds[i + 1]`.

    bounds: `(chunks + 1,)` int64, rising, in samples at the song's own rate; empty when there is no chunk.
    """

    bounds: IntArray
    note: str
    """What was done, in words."""


def cut_song(audio: SongSamples, sample_rate_hz: int, settings: CutSettings) -> CutResult:
    """Cut a song into chunks that tile it from its first to its last audible window.

    audio: `(frames, channels)` float32; samples that are no finite number count as 0.

    `silence`: cut in the middle of each silent range. A chunk shorter than the floor joins the shorter of
    its neighbours, the shortest chunk first; then one longer than the ceiling is split into parts of about
    `chunk_s`, each cut at the quietest spot around the even division. A threshold that swallows the song is
    lowered first, and the note says so. Every chunk lies between floor and ceiling, to the sample.
    `equal`: cut every `chunk_s`; a remainder shorter than the floor (than `chunk_s`, if that is less) joins
    its predecessor, and a song of less than `chunk_s` is one chunk.
    `beat` is `tools.songs.cut_beat`'s; here it does as `silence`.
    A song that is silent, or audible for less than the floor, gives no chunk.
    """
    audio = _finite(audio)
    window = max(1, round(sample_rate_hz * WINDOW_S))
    powers = song_powers(audio, window)
    power, audible = powers.whole, _audible(powers.heard)
    if len(audible) == 0:
        return _no_chunk("silent")
    start, stop = _ends(audible, window, len(audio))
    floor_s = min(settings.min_chunk_s, settings.chunk_s) if settings.cut == "equal" else settings.min_chunk_s
    floor = max(1, round(floor_s * sample_rate_hz))
    part = max(1, round(settings.chunk_s * sample_rate_hz))
    if stop - start < floor:
        option = "--min-chunk-s" if floor_s == settings.min_chunk_s else "--chunk-s"
        return _no_chunk(
            f"{(stop - start) / sample_rate_hz:.2f} s audible, "
            f"shorter than the shortest chunk of {floor_s:g} s; "
            f"to have it, build the pool with a lower {option}"
        )
    if settings.cut == "equal":
        bounds = np.append(np.arange(start, stop, part), stop)
        if len(bounds) > 2 and bounds[-1] - bounds[-2] < floor:
            bounds = np.delete(bounds, -2)
        return CutResult(bounds=bounds, note=f"equal chunks of {settings.chunk_s:g} s")
    level_db = 10 * math.log10(float(power[audible].mean()))
    ranges, note = _silent_ranges(audio, sample_rate_hz, (start, stop), level_db, settings)
    middles = np.rint(ranges.mean(axis=1) * (sample_rate_hz / 1000)).astype(np.int64)
    silences = np.unique(middles[(middles > start) & (middles < stop)])
    kept = _merged(np.concatenate(([start], silences, [stop])), floor)
    # Rounding to samples must not bring the ceiling below twice the floor.
    ceiling = max(round(settings.max_chunk_s * sample_rate_hz), 2 * floor)
    bounds = _split(kept, floor, ceiling, part, power, window)
    forced = len(bounds) - len(kept)
    return CutResult(
        bounds=bounds,
        note=f"{note}; {len(kept) - 2} cuts in silences, {forced} where it is quietest",
    )


def audible_part(audio: SongSamples, sample_rate_hz: int) -> tuple[int, int] | None:
    """Return where a song's first audible window begins and its last one ends, None when it is silent."""
    window = max(1, round(sample_rate_hz * WINDOW_S))
    audible = _audible(song_powers(audio, window).heard)
    return _ends(audible, window, len(audio)) if len(audible) else None


def _audible(power: DoubleArray) -> IntArray:
    """Return the windows that are neither dead air nor dying away."""
    alive = power > 10 ** (DEAD_AIR_DB / 10)
    if not alive.any():
        return np.empty(0, dtype=np.int64)
    return np.flatnonzero(alive & (power > power[alive].mean() * 10 ** (-DYING_DB / 10)))


def _ends(audible: IntArray, window: int, frames: int) -> tuple[int, int]:
    return int(audible[0]) * window, min((int(audible[-1]) + 1) * window, frames)


def _no_chunk(note: str) -> CutResult:
    return CutResult(bounds=np.empty(0, dtype=np.int64), note=note)


def _finite(audio: SongSamples) -> SongSamples:
    if all(np.isfinite(part).all() for part in in_parts(audio)):
        return audio
    finite: FloatArray = np.nan_to_num(np.asarray(audio), nan=0.0, posinf=0.0, neginf=0.0)
    return finite


def _silent_ranges(
    audio: SongSamples,
    sample_rate_hz: int,
    audible: tuple[int, int],
    level_db: float,
    settings: CutSettings,
) -> tuple[IntArray, str]:
    start_ms, stop_ms = (1000 * sample / sample_rate_hz for sample in audible)
    energy = measure_energy((to_int16(part) for part in in_parts(audio)), len(audio), sample_rate_hz)

    def silent_share(threshold_db: float) -> float:
        ranges = silent_ranges(energy, settings.silence_ms, threshold_db)
        within = np.clip(ranges, start_ms, stop_ms)
        return float((within[:, 1] - within[:, 0]).sum() / (stop_ms - start_ms))

    threshold_db = settings.silence_db
    share = asked_share = silent_share(threshold_db)
    # Below dead air there is nothing to tell apart: such a song is made of real silences.
    while share > SWALLOWED_SHARE and threshold_db > DEAD_AIR_DB:
        threshold_db = max(threshold_db - THRESHOLD_STEP_DB, DEAD_AIR_DB)
        share = silent_share(threshold_db)
    note = f"silence at {threshold_db:g} dBFS"
    if threshold_db != settings.silence_db:
        below_db = level_db - threshold_db
        side = "below" if below_db >= 0 else "above"
        note = (
            f"{settings.silence_db:g} dBFS calls {100 * asked_share:.0f} % of it silent: "
            f"cut at {threshold_db:g} dBFS, {abs(below_db):.1f} dB {side} its own level"
        )
    if settings.cutter == "pydub":
        samples = to_int16(np.asarray(audio))
        return detect_silence_pydub(samples, sample_rate_hz, settings.silence_ms, threshold_db), note
    return silent_ranges(energy, settings.silence_ms, threshold_db), note


def _merged(bounds: IntArray, floor: int) -> IntArray:
    while len(bounds) > 2:
        lengths = np.diff(bounds)
        shortest = int(lengths.argmin())
        if lengths[shortest] >= floor:
            break
        before = lengths[shortest - 1] if shortest > 0 else np.inf
        after = lengths[shortest + 1] if shortest + 1 < len(lengths) else np.inf
        bounds = np.delete(bounds, shortest if before <= after else shortest + 1)
    return bounds


def _split(
    bounds: IntArray, floor: int, ceiling: int, part: int, power: DoubleArray, window: int
) -> IntArray:
    cuts = [int(bounds[0])]
    for start, stop in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
        length = stop - start
        if length > ceiling:
            # The ceiling is at least two floors, so some number of parts fits between both.
            parts = min(max(round(length / part), -(-length // ceiling)), length // floor)
            shortest, longest = length // parts, -(-length // parts)
            # Both ends of a part may move towards or from each other.
            reach = min((shortest - floor) // 2, (ceiling - longest) // 2, shortest // 4)
            cuts += [_quietest(start + length * i // parts, reach, power, window) for i in range(1, parts)]
        cuts.append(stop)
    return np.array(cuts, dtype=np.int64)


def _quietest(middle: int, reach: int, power: DoubleArray, window: int) -> int:
    """Return the middle of the quietest spot whose middle lies within `reach` of `middle`."""
    half = QUIET_SPOT_WINDOWS * window // 2
    first = -(-(middle - reach - half) // window)
    last = (middle + reach - half) // window
    first, last = max(first, 0), min(last, len(power) - QUIET_SPOT_WINDOWS)
    if first > last:
        return middle
    spots = np.lib.stride_tricks.sliding_window_view(
        power[first : last + QUIET_SPOT_WINDOWS], QUIET_SPOT_WINDOWS
    ).sum(axis=1)
    return (first + int(spots.argmin())) * window + half
