"""This module finds the rhythm and harmony of a whole song once, for the cutter and the traits."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soxr

from model.base.arrays import DoubleArray, FloatArray
from model.features.phase import middle, out_of_phase
from stream.audio.samples import SongSamples, collect, in_parts
from tools.songs.rhythm.bars import Bars, find_bars
from tools.songs.rhythm.beats import Beats, track_beats
from tools.songs.rhythm.chroma import chroma_frames
from tools.songs.rhythm.onsets import RHYTHM_RATE_HZ, Attacks, find_attacks, onset_envelope

CLEAR_BEAT = 0.5
"""Confidence from which a song counts as one with a beat."""
CONFIDENCE_WEIGHT = 5.0
"""Standard errors of standing out that a certain beat is worth."""
OFF_MARGIN = 1.2
"""The places half way between the likelier beats must be better by so much to be the beats."""


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


def find_rhythm(audio: SongSamples, sample_rate_hz: int, *, scratch: Path | None = None) -> Rhythm:
    """Return rhythm and harmony of a song, `(frames, 2)` float32; scratch: as `decode` has it."""
    mono = collect(_mono(audio, sample_rate_hz), scratch)
    bands = onset_envelope(mono)
    attacks = find_attacks(mono)
    chroma = chroma_frames(mono)
    on, off = track_beats(bands, attacks)
    on_bars, off_bars = (find_bars(beats, bands, chroma) for beats in (on, off))
    gain = off_bars.standing_out - on_bars.standing_out
    gain += CONFIDENCE_WEIGHT * (off.song_confidence - on.song_confidence)
    # Harmony changes on beats, not between them: it may overrule off-beat basses and chords.
    if gain > OFF_MARGIN and (off.song_confidence >= CLEAR_BEAT or on.song_confidence < CLEAR_BEAT):
        on, on_bars = off, off_bars
    return Rhythm(beats=on, bars=on_bars, attacks=attacks, chroma=chroma)


def _mono(audio: SongSamples, sample_rate_hz: int) -> Iterator[FloatArray]:
    """Yield the middle of a song at `RHYTHM_RATE_HZ`, part by part, `(samples,)` each.

    It is the side where channels are out of phase (`model.features.phase`).
    """
    stream = soxr.ResampleStream(sample_rate_hz, RHYTHM_RATE_HZ, 1, dtype="float32", quality="HQ")
    side = out_of_phase(in_parts(audio))
    for part in in_parts(audio):
        yield stream.resample_chunk(middle(part, side=side))
    yield stream.resample_chunk(np.empty(0, dtype=np.float32), last=True)
