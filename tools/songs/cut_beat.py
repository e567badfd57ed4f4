"""The beat cutter cuts a song into whole bars just before the downbeat, or else at its silences."""

from dataclasses import dataclass, replace
from math import ceil

import numpy as np

from model.base.arrays import DoubleArray, IntArray
from stream.audio.samples import SongSamples
from tools.songs.cut import CutResult, CutSettings, audible_part, cut_song
from tools.songs.rhythm.rhythm import Rhythm
from tools.songs.voice.singing import VoiceCurve

BEFORE_ONSET_S = 0.012
"""Cuts lie so far before the attack (shared/EVALUATION.md, section 2: cut on beats)."""
QUIET_REACH_S = 0.004
"""They move by at most this to where the waveform is nearest to zero."""
VOICE_COST = 1.5
"""What a cut through a certain voice costs, in chunks of twice or half the wanted length."""
EVIDENCE_GAIN = 0.1
"""What a cut gains for each standard deviation by which it looks like a downbeat."""
ODD_COST = 0.5
"""What a chunk costs whose number of bars is not the usual one."""
OTHER_TEMPO_OCTAVES = 0.2
"""Bars this much longer or shorter than the song's usual ones may have a number of their own to a chunk."""
TOLD_OCTAVES = 0.08
"""A song whose tempo changes by more than this is said to."""


def cut_on_beats(
    audio: SongSamples, sample_rate_hz: int, settings: CutSettings, rhythm: Rhythm, voice: VoiceCurve
) -> CutResult:
    """Cut a song, `(frames, 2)` float32, before downbeats, or as `silence` does where it has no clear beat.

    Chunks have the power of two of bars that comes nearest to `chunk_s`, or `bars` of them, where
    `min_chunk_s` and `max_chunk_s` allow it; they are a bar longer or shorter here and there, so that cuts
    stand on plain downbeats and not where somebody seems to sing.
    """
    beats, bars = rhythm.beats, rhythm.bars
    if not (rhythm.clear and bars.beats_per_bar):
        result = cut_song(audio, sample_rate_hz, replace(settings, cut="silence"))
        if not len(result.bounds):
            return result
        return replace(result, note=f"{result.note}; no clear beat (confidence {beats.song_confidence:.2f})")
    part = audible_part(audio, sample_rate_hz)
    floor = max(1, round(settings.min_chunk_s * sample_rate_hz))
    if part is None or part[1] - part[0] < floor:
        return cut_song(audio, sample_rate_hz, replace(settings, cut="silence"))
    start, stop = part
    bar_s = bars.beats_per_bar * 60.0 / float(np.median(beats.tempo_bpm))
    grid = _bar_grid(rhythm, start / sample_rate_hz, stop / sample_rate_hz)
    places = _quiet_places(audio, sample_rate_hz, grid.times_s)
    inside = (places > start) & (places < stop) & np.append(True, np.diff(places) > 0)
    places = places[inside]
    sung = voice.at(places / sample_rate_hz).astype(np.float64)
    costs = VOICE_COST * sung - EVIDENCE_GAIN * grid.evidence[inside]
    numbers = np.interp([start / sample_rate_hz, stop / sample_rate_hz], grid.times_s, grid.numbers)
    usual = _usual_bars(np.append(grid.bars_s[:1], grid.bars_s[inside]), bar_s, settings)
    bounds = _best_cuts(
        np.concatenate([[start], places, [stop]]),
        np.concatenate([numbers[:1], grid.numbers[inside], numbers[1:]]),
        np.concatenate([[0.0], costs, [0.0]]),
        usual=usual,
        floor=floor,
        ceiling=max(round(settings.max_chunk_s * sample_rate_hz), 2 * floor),
    )
    return CutResult(
        bounds=bounds,
        note=(
            f"on the beat; {_tempo(beats.tempo_bpm)} (confidence {beats.song_confidence:.2f}), "
            f"{bars.beats_per_bar} beats to a bar (confidence {bars.confidence:.2f}), "
            f"{' or '.join(map(str, sorted(set(usual))))} bar{'s' if max(usual) > 1 else ''} to a chunk"
        ),
    )


def usual_bars(bar_s: float, settings: CutSettings) -> int:
    """Return the power of two of bars nearest to `chunk_s` between the shortest and the longest."""
    allowed = [
        bars for bars in (1, 2, 4, 8, 16) if settings.min_chunk_s <= bars * bar_s <= settings.max_chunk_s
    ]
    return min(allowed or [1], key=lambda bars: abs(np.log2(bars * bar_s / settings.chunk_s)))


def _usual_bars(bars_s: DoubleArray, song_bar_s: float, settings: CutSettings) -> list[int]:
    """Return the usual number of bars of a chunk from each place on: the song's, but in another tempo."""
    if settings.bars is not None:
        return [settings.bars] * len(bars_s)
    here_s = np.where(np.abs(np.log2(bars_s / song_bar_s)) > OTHER_TEMPO_OCTAVES, bars_s, song_bar_s)
    return [usual_bars(bar_s, settings) for bar_s in here_s.tolist()]


def _tempo(tempo_bpm: DoubleArray) -> str:
    slowest, usual, fastest = np.percentile(tempo_bpm, (5, 50, 95))
    if np.log2(fastest / slowest) > TOLD_OCTAVES:
        return f"{slowest:.1f} to {fastest:.1f} bpm"
    return f"{usual:.1f} bpm"


@dataclass(frozen=True, kw_only=True, eq=False)
class _BarGrid:
    """The downbeats of a song, each `(downbeats,)`; bars go on before the first beat and after the last.

    times_s: rising. numbers: which bar begins there, in bars from the first beat, with a part of a bar
    where the song slips. bars_s: length of a bar there. evidence: as in `tools.songs.rhythm.bars.Bars`, 0
    where imagined.
    """

    times_s: DoubleArray
    numbers: DoubleArray
    bars_s: DoubleArray
    evidence: DoubleArray


def _bar_grid(rhythm: Rhythm, start_s: float, stop_s: float) -> _BarGrid:
    metre = rhythm.bars.beats_per_bar
    downbeats = np.flatnonzero(rhythm.bars.position == 0)
    times_s, bars_s = rhythm.beats.times_s[downbeats], metre * 60.0 / rhythm.beats.tempo_bpm[downbeats]
    numbers = downbeats / metre
    before = np.arange(max(0, ceil((times_s[0] - start_s) / bars_s[0])), 0, -1)
    after = 1 + np.arange(max(0, ceil((stop_s - times_s[-1]) / bars_s[-1])))
    around = (len(before), len(after))
    return _BarGrid(
        times_s=np.concatenate([times_s[0] - before * bars_s[0], times_s, times_s[-1] + after * bars_s[-1]]),
        numbers=np.concatenate([numbers[0] - before, numbers, numbers[-1] + after]),
        bars_s=np.pad(bars_s, around, mode="edge"),
        evidence=np.pad(rhythm.bars.evidence[downbeats], around),
    )


def _quiet_places(audio: SongSamples, sample_rate_hz: int, downbeats_s: DoubleArray) -> IntArray:
    reach = round(QUIET_REACH_S * sample_rate_hz)
    places = np.rint((downbeats_s - BEFORE_ONSET_S) * sample_rate_hz).astype(np.int64)
    for index, place in enumerate(places.tolist()):
        first = max(0, place - reach)
        near = np.abs(audio[first : max(0, place + reach + 1)]).sum(axis=1)
        if len(near):
            places[index] = first + int(near.argmin())
    return places


def _best_cuts(
    places: IntArray, numbers: DoubleArray, costs: DoubleArray, *, usual: list[int], floor: int, ceiling: int
) -> IntArray:
    """Return the cheapest way from the first to the last place in chunks of `floor` to `ceiling` samples.

    numbers: of the bars, as `_BarGrid` has them; usual: bars of a chunk that begins at each place. Where no
    chunk of bars fits (a pause in the beat longer than `ceiling`), it is split evenly.
    """
    least = np.full(len(places), np.inf)
    least[0] = 0.0
    origin = np.zeros(len(places), dtype=np.int64)
    for end in range(1, len(places)):
        for begin in range(end - 1, -1, -1):
            length = places[end] - places[begin]
            if length < floor:
                continue
            bars = numbers[end] - numbers[begin]
            cost = least[begin] + costs[end] + np.log2(bars / usual[begin]) ** 2
            if abs(bars - usual[begin]) > 0.3:
                cost += ODD_COST
            if length > ceiling:
                cost += 100.0
            if cost < least[end]:
                least[end], origin[end] = cost, begin
            if length > ceiling and np.isfinite(least[end]):
                break
    bounds = [len(places) - 1]
    while bounds[-1] > 0:
        bounds.append(int(origin[bounds[-1]]))
    cuts = places[bounds[::-1]]
    whole = [cuts[:1]]
    for begin, end in zip(cuts[:-1].tolist(), cuts[1:].tolist(), strict=True):
        parts = -(-(end - begin) // ceiling)
        whole.append(np.rint(np.linspace(begin, end, parts + 1)[1:]).astype(np.int64))
    return np.concatenate(whole)
