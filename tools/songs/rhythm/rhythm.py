"""This module finds the rhythm and harmony of a whole song once, for the cutter and the traits."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soxr

from model.base.arrays import DoubleArray, FloatArray
from model.features.phase import louder_side, middle, phase_energies
from stream.audio.samples import SongSamples, collect, in_parts
from tools.songs.rhythm.bars import Bars, find_bars
from tools.songs.rhythm.beats import Beats, track_beats
from tools.songs.rhythm.chroma import chroma_frames
from tools.songs.rhythm.onsets import RHYTHM_RATE_HZ, Attacks, Onsets, find_attacks, find_onsets

CLEAR_BEAT = 0.5
"""Confidence from which a song counts as one with a beat."""
_PART_FRAMES = 1 << 16
"""So much is resampled at a time: of more soxr keeps what a near cache does not."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Rhythm:
    """What is known of a song's time and tones; seconds count from its first sample."""

    beats: Beats
    bars: Bars
    attacks: Attacks
    chroma: FloatArray
    """`(12, frames)`, of `tools.songs.rhythm.chroma.chroma_frames`."""

    @property
    def clear(self) -> bool:
        """Whether the song has a beat that can be trusted."""
        return self.beats.song_confidence >= CLEAR_BEAT

    def downbeats_s(self) -> DoubleArray:
        """Return when bars begin, in seconds."""
        return self.beats.times_s[self.bars.position == 0] if self.bars.beats_per_bar else np.empty(0)


def find_rhythm(
    audio: SongSamples,
    sample_rate_hz: int,
    *,
    scratch: Path | None = None,
    energies: DoubleArray | None = None,
) -> Rhythm:
    """Return rhythm and harmony of a song, `(frames, 2)` float32.

    scratch: as `decode` has it; energies: its `phase_energies`, where they are known.
    """
    if energies is None:
        energies = phase_energies(in_parts(audio))
    parts = _mono(audio, sample_rate_hz, side=louder_side(energies))
    mono = collect(parts, scratch, expected=round(len(audio) * RHYTHM_RATE_HZ / sample_rate_hz))
    return rhythm_of(find_onsets(mono), find_attacks(mono), chroma_frames(mono))


def rhythm_of(onsets: Onsets, attacks: Attacks, chroma: FloatArray) -> Rhythm:
    """Return the rhythm of a song by what was heard of it."""
    beats = track_beats(onsets, attacks, chroma)
    return Rhythm(beats=beats, bars=find_bars(beats, onsets, chroma), attacks=attacks, chroma=chroma)


def _mono(audio: SongSamples, sample_rate_hz: int, *, side: bool) -> Iterator[FloatArray]:
    """Yield the middle of a song, or its side, at `RHYTHM_RATE_HZ`, part by part, `(samples,)` each.

    The side is looked at where channels are out of phase (`model.features.phase`).
    """
    stream = soxr.ResampleStream(sample_rate_hz, RHYTHM_RATE_HZ, 1, dtype="float32", quality="HQ")
    for part in in_parts(audio, _PART_FRAMES):
        yield stream.resample_chunk(middle(part, side=side))
    yield stream.resample_chunk(np.empty(0, dtype=np.float32), last=True)
