"""This module measures the traits of a song's chunks, at both ends of each."""

import numpy as np
import numpy.typing as npt

from model.base.arrays import DoubleArray, FloatArray, IntArray
from stream.audio.samples import SongSamples
from stream.pool.traits import ChunkTraits
from tools.songs.loudness import BLOCK_S, SILENCE_LUFS
from tools.songs.rhythm.chroma import CHROMA_RATE_HZ, find_key, unit_chroma
from tools.songs.rhythm.onsets import ATTACK_RATE_HZ
from tools.songs.rhythm.rhythm import Rhythm
from tools.songs.voice.singing import VoiceCurve
from tools.songs.weighting import SPANS, weighted_squares

_LEAST_CONFIDENCE = 0.3
"""Around an end with less than this, the song has no beat there."""
END_CHROMA_S = 1.5
KEY_CONTEXT_S = 10.0
"""The key of a chunk is that of the music from so long before it to so long after."""
ONSET_WITHIN_S = 2.0
CLEAR_RISE = 0.8
"""Decades of energy, over three bands, of an attack that counts as an onset."""
WHOLE_SONG_TRAITS = ("start_full_db", "end_full_db", "start_voice", "end_voice", "start_bars", "end_bars")
SETTLING_S = 0.1
"""The filters of the loudness measure have settled after this."""
MORE_BEATS = 4
"""This many beats are imagined before the first one and after the last one."""


def measure_traits(
    audio: SongSamples, sample_rate_hz: int, bounds: IntArray, rhythm: Rhythm, voice: VoiceCurve
) -> ChunkTraits:
    """Return the traits of the chunks of one song.

    audio: `(frames, 2)` float32; bounds: `(n + 1,)` int64, chunk i is `bounds[i]:bounds[i + 1]`, `n >= 1`.
    """
    starts, ends = bounds[:-1], bounds[1:]
    at_start, at_end = (_Beats(rhythm, ends_s / sample_rate_hz) for ends_s in (starts, ends))
    chroma = [
        _chroma(rhythm, start / sample_rate_hz, end / sample_rate_hz)
        for start, end in zip(starts.tolist(), ends.tolist(), strict=True)
    ]
    keys = [find_key(around) for _, _, around in chroma]
    tempo = np.where(at_start.tempo_bpm > 0, at_start.tempo_bpm, at_end.tempo_bpm)
    single = np.float32
    return ChunkTraits(
        tempo_bpm=tempo.astype(single),
        beat_confidence=np.minimum(at_start.confidence, at_end.confidence).astype(single),
        beats_per_bar=np.where(tempo > 0, rhythm.bars.beats_per_bar, 0).astype(np.int64),
        bar_confidence=np.where(tempo > 0, rhythm.bars.confidence, 0.0).astype(single),
        start_beat_s=at_start.until_next_s.astype(single),
        end_beat_s=at_end.since_last_s.astype(single),
        start_bar_beat=at_start.bar_beat.astype(single),
        end_bar_beat=at_end.bar_beat.astype(single),
        start_lufs=_loudness(audio, sample_rate_hz, starts, ends, at_start=True),
        end_lufs=_loudness(audio, sample_rate_hz, starts, ends, at_start=False),
        start_chroma=np.stack([first for first, _, _ in chroma]),
        end_chroma=np.stack([last for _, last, _ in chroma]),
        key=np.array([key for key, _ in keys], dtype=np.int64),
        key_confidence=np.array([confidence for _, confidence in keys], dtype=single),
        voice_across=voice.at(ends / sample_rate_hz),
        start_onset_s=_onsets(rhythm, starts / sample_rate_hz, ends / sample_rate_hz),
        # Known once the whole song is.
        **dict.fromkeys(WHOLE_SONG_TRAITS, np.full(len(starts), np.nan, dtype=single)),
    )


class _Beats:
    """Tempo, beats and bars at some instants of a song."""

    def __init__(self, rhythm: Rhythm, instants_s: DoubleArray) -> None:
        """instants_s: `(n,)`, rising."""
        times_s, position = _more_beats(rhythm)
        count = len(instants_s)
        unknown = np.full(count, np.nan)
        self.tempo_bpm, self.confidence = np.zeros(count), np.zeros(count)
        self.until_next_s, self.since_last_s, self.bar_beat = unknown, unknown.copy(), unknown.copy()
        if not len(times_s):
            return
        beats = rhythm.beats
        self.confidence = np.interp(instants_s, beats.times_s, beats.confidence)
        nearest = np.clip(np.searchsorted(beats.times_s, instants_s), 0, len(beats) - 1)
        following = np.searchsorted(times_s, instants_s - 1e-9)
        inside = (following > 0) & (following < len(times_s)) & (self.confidence >= _LEAST_CONFIDENCE)
        self.tempo_bpm = np.where(inside, beats.tempo_bpm[nearest], 0.0)
        after = np.clip(following, 1, len(times_s) - 1)
        # A beat at the instant itself is both the next one and the last one.
        exact = np.abs(times_s[after] - instants_s) < 1e-6
        last_s = np.where(exact, times_s[after], times_s[after - 1])
        gap_s = times_s[after] - times_s[after - 1]
        self.until_next_s = np.where(inside, np.maximum(times_s[after] - instants_s, 0.0), np.nan)
        self.since_last_s = np.where(inside, np.maximum(instants_s - last_s, 0.0), np.nan)
        metre = rhythm.bars.beats_per_bar
        if metre:
            # Counted to the next beat: the last bar before a slip may be a beat short.
            share = (times_s[after] - instants_s) / gap_s
            self.bar_beat = np.where(inside, (position[after] - share) % metre, np.nan)


def _more_beats(rhythm: Rhythm) -> tuple[DoubleArray, IntArray]:
    """Return times and places in the bar of a song's beats, and of some before and after them."""
    times_s, position = rhythm.beats.times_s, rhythm.bars.position
    if len(times_s) < 2:
        return np.empty(0), np.empty(0, dtype=np.int64)
    metre = max(1, rhythm.bars.beats_per_bar)
    more = np.arange(1, MORE_BEATS + 1)
    before_s = times_s[0] - more[::-1] * (times_s[1] - times_s[0])
    after_s = times_s[-1] + more * (times_s[-1] - times_s[-2])
    return (
        np.concatenate([before_s, times_s, after_s]),
        np.concatenate([(position[0] - more[::-1]) % metre, position, (position[-1] + more) % metre]),
    )


def _chroma(rhythm: Rhythm, start_s: float, end_s: float) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the chroma of a chunk's start, of its end, and of it with its surroundings."""

    def between(first_s: float, last_s: float) -> FloatArray:
        first = max(0, round(first_s * CHROMA_RATE_HZ))
        last = max(first + 1, round(last_s * CHROMA_RATE_HZ))
        return unit_chroma(rhythm.chroma[:, first:last])

    return (
        between(start_s, min(end_s, start_s + END_CHROMA_S)),
        between(max(start_s, end_s - END_CHROMA_S), end_s),
        between(start_s - KEY_CONTEXT_S, end_s + KEY_CONTEXT_S),
    )


def _loudness(
    audio: SongSamples, sample_rate_hz: int, starts: IntArray, ends: IntArray, *, at_start: bool
) -> FloatArray:
    """Return `(n,)` float32: K-weighted loudness of a block at an end of each chunk (BS.1770-4, ungated)."""
    block, settling = round(BLOCK_S * sample_rate_hz), round(SETTLING_S * sample_rate_hz)
    firsts, lasts = starts, np.minimum(ends, starts + block)
    if not at_start:
        firsts, lasts = np.maximum(starts, ends - block), ends
    begins = settling + (settling + block) * np.arange(SPANS)
    levels = np.empty(len(starts), dtype=np.float32)
    for begin in range(0, len(starts), SPANS):
        here = list(zip(firsts[begin:].tolist(), lasts[begin : begin + SPANS].tolist(), strict=False))
        spans = np.zeros((SPANS, settling + block, 2), dtype=np.float32)
        for span, (first, last) in enumerate(here):
            lead = min(settling, first)
            spans[span, settling - lead : settling + last - first] = audio[first - lead : last]
        squares = weighted_squares(spans.reshape(-1, 2), sample_rate_hz, begins, settling, block)
        for span, (first, last) in enumerate(here):
            power = float(squares[span, : last - first].sum()) / (last - first)
            level = max(SILENCE_LUFS, -0.691 + 10 * np.log10(power)) if power > 0 else SILENCE_LUFS
            levels[begin + span] = level
    return levels


def _onsets(rhythm: Rhythm, starts_s: npt.NDArray[np.float64], ends_s: npt.NDArray[np.float64]) -> FloatArray:
    rise = rhythm.attacks.rise
    onsets = np.full(len(starts_s), np.nan, dtype=np.float32)
    for index, (start_s, end_s) in enumerate(zip(starts_s.tolist(), ends_s.tolist(), strict=True)):
        first = round(start_s * ATTACK_RATE_HZ)
        part = rise[first : round(min(end_s, start_s + ONSET_WITHIN_S) * ATTACK_RATE_HZ)]
        clear = np.flatnonzero(part >= CLEAR_RISE)
        if len(clear):
            # The first one's own peak, not the slope that leads up to it.
            top = clear[0] + int(part[clear[0] : clear[0] + 20].argmax())
            onsets[index] = max(0.0, (first + top) / ATTACK_RATE_HZ - start_s)
    return onsets
