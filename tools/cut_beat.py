"""Cut a song into whole bars, each cut just before the downbeat's attack; without a beat, at its silences."""

from dataclasses import replace

import numpy as np

from model.kernels import DoubleArray, FloatArray, IntArray
from tools.cut import CutResult, CutSettings, audible_part, cut_song
from tools.rhythm import Rhythm
from tools.voice import voice_across

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


def cut_on_beats(audio: FloatArray, sample_rate_hz: int, settings: CutSettings, rhythm: Rhythm) -> CutResult:
    """Cut a song, `(frames, 2)` float32, before downbeats, or as `silence` does where it has no clear beat.

    Chunks have the power of two of bars that comes nearest to `chunk_s`, or `bars` of them, where
    `min_chunk_s` and `max_chunk_s` allow it; they are a bar longer or shorter here and there, so that cuts
    stand on plain downbeats and not in what seems to be a sung note.
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
    usual = settings.bars or usual_bars(bar_s, settings)
    downbeats_s, evidence = _all_downbeats(rhythm, bar_s, start / sample_rate_hz, stop / sample_rate_hz)
    places = _quiet_places(audio, sample_rate_hz, downbeats_s)
    inside = (places > start) & (places < stop) & np.append(True, np.diff(places) > 0)
    places, evidence = places[inside], evidence[inside]
    voice = voice_across(audio, sample_rate_hz, places.astype(np.float64))
    costs = VOICE_COST * voice.astype(np.float64) - EVIDENCE_GAIN * evidence
    bounds = _best_cuts(
        np.concatenate([[start], places, [stop]]),
        np.concatenate([[0.0], costs, [0.0]]),
        usual=usual,
        bar=bar_s * sample_rate_hz,
        floor=floor,
        ceiling=max(round(settings.max_chunk_s * sample_rate_hz), 2 * floor),
    )
    return CutResult(
        bounds=bounds,
        note=(
            f"on the beat; {float(np.median(beats.tempo_bpm)):.1f} bpm "
            f"(confidence {beats.song_confidence:.2f}), "
            f"{bars.beats_per_bar} beats to a bar (confidence {bars.confidence:.2f}), "
            f"{usual} bar{'s' if usual > 1 else ''} to a chunk"
        ),
    )


def usual_bars(bar_s: float, settings: CutSettings) -> int:
    """Return the power of two of bars nearest to `chunk_s` between the shortest and the longest."""
    allowed = [
        bars for bars in (1, 2, 4, 8, 16) if settings.min_chunk_s <= bars * bar_s <= settings.max_chunk_s
    ]
    return min(allowed or [1], key=lambda bars: abs(np.log2(bars * bar_s / settings.chunk_s)))


def _all_downbeats(
    rhythm: Rhythm, bar_s: float, start_s: float, stop_s: float
) -> tuple[DoubleArray, DoubleArray]:
    """Return the downbeats and their evidence; the bars go on before the first beat and after the last."""
    first = rhythm.bars.position == 0
    times_s = rhythm.beats.times_s[first]
    before_s = np.arange(times_s[0] - bar_s, start_s, -bar_s)[::-1]
    after_s = np.arange(times_s[-1] + bar_s, stop_s, bar_s)
    evidence = rhythm.bars.evidence[first]
    return (
        np.concatenate([before_s, times_s, after_s]),
        np.concatenate([np.zeros(len(before_s)), evidence, np.zeros(len(after_s))]),
    )


def _quiet_places(audio: FloatArray, sample_rate_hz: int, downbeats_s: DoubleArray) -> IntArray:
    reach = round(QUIET_REACH_S * sample_rate_hz)
    places = np.rint((downbeats_s - BEFORE_ONSET_S) * sample_rate_hz).astype(np.int64)
    for index, place in enumerate(places.tolist()):
        first = max(0, place - reach)
        near = np.abs(audio[first : place + reach + 1]).sum(axis=1)
        if len(near):
            places[index] = first + int(near.argmin())
    return places


def _best_cuts(
    places: IntArray, costs: DoubleArray, *, usual: int, bar: float, floor: int, ceiling: int
) -> IntArray:
    """Return the cheapest way from the first to the last place in chunks of `floor` to `ceiling` samples.

    Where no chunk of bars fits (a pause in the beat longer than `ceiling`), it is split evenly.
    """
    least = np.full(len(places), np.inf)
    least[0] = 0.0
    origin = np.zeros(len(places), dtype=np.int64)
    for end in range(1, len(places)):
        for begin in range(end - 1, -1, -1):
            length = places[end] - places[begin]
            if length < floor:
                continue
            cost = least[begin] + costs[end] + np.log2(length / (usual * bar)) ** 2
            if abs(length / bar - usual) > 0.3:
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
