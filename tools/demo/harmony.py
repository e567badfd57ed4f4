"""The harmony of the demo songs has voicings that move little, and motifs that come back."""

from itertools import pairwise
from typing import NamedTuple

import numpy as np

UPPER_VOICES = {
    "m7": (3, 7, 10, 12),
    "m9": (3, 7, 10, 14),
    "m11": (3, 10, 14, 17),
    "maj9": (4, 7, 11, 14),
    "69": (4, 7, 9, 14),
    "13": (4, 10, 14, 21),
    "9": (4, 7, 10, 14),
    "9sus": (5, 7, 10, 14),
}
"""Semitones over the root that the chord instruments play; the bass has the root."""

PENTATONIC = {"minor": (0, 3, 5, 7, 10), "major": (0, 2, 4, 7, 9)}
"""Semitones over the tonic."""

KEY_NAMES = ("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")

VOICING_CENTRE = 63
LOWEST_BASS = 31
MOTIF_CELLS = (
    (0, 3, 6, 10),
    (0, 2, 6, 8, 11),
    (2, 3, 6, 10, 12),
    (0, 6, 7, 10),
    (4, 6, 10, 11, 14),
    (0, 3, 4, 8, 14),
    (3, 6, 8, 12),
)
ANSWER_CELLS = ((0, 6), (0, 3, 10), (2, 8), (0,), (0, 4, 6))


class Chord(NamedTuple):
    """A chord of a progression: `root` in semitones over the tonic, `quality` a key of `UPPER_VOICES`."""

    root: int
    quality: str


class MelodyNote(NamedTuple):
    """A note of a phrase: its bar and 16th step, its length in steps, and its MIDI pitch."""

    bar: int
    step: int
    steps: int
    pitch: int


def bass_pitch(chord: Chord, tonic: int) -> int:
    """Return the MIDI pitch of the chord's root in the octave of the bass."""
    return LOWEST_BASS + (tonic + chord.root - LOWEST_BASS) % 12


def voicings(progression: tuple[Chord, ...], tonic: int) -> list[tuple[int, ...]]:
    """Return four MIDI pitches for each chord, so that the voices move as little as they can, round the loop.

    tonic: pitch class, 0 is C.
    """
    choices = [_candidates(chord, tonic) for chord in progression]
    loops = []
    for first in choices[0]:
        loop = [first]
        for candidates in choices[1:]:
            loop.append(min(candidates, key=lambda voicing, last=loop[-1]: _move(last, voicing)))  # type: ignore[misc]
        cost = sum(_move(one, other) for one, other in pairwise([*loop, first]))
        loops.append((cost, loop))
    return min(loops)[1]


def _candidates(chord: Chord, tonic: int) -> list[tuple[int, ...]]:
    classes = sorted((tonic + chord.root + voice) % 12 for voice in UPPER_VOICES[chord.quality])
    found = []
    for turn in range(4):
        rotated = [*classes[turn:], *(pitch + 12 for pitch in classes[:turn])]
        for octave in (36, 48, 60):
            close = [octave + pitch for pitch in rotated]
            # Drop 2: the second voice from the top an octave down opens the chord.
            dropped = sorted([close[0], close[1], close[2] - 12, close[3]])
            found += [tuple(voices) for voices in (close, dropped) if voices[0] >= 50 and voices[-1] <= 77]
    return found


def _move(last: tuple[int, ...], voicing: tuple[int, ...]) -> float:
    steps = sum(abs(one - other) for one, other in zip(last, voicing, strict=True))
    off_centre = abs(sum(voicing) / len(voicing) - VOICING_CENTRE)
    # Seconds at the bottom are mud, semitones at the top bite.
    mud = 5.0 * (voicing[1] - voicing[0] < 3) + 5.0 * (voicing[-1] - voicing[-2] < 2)
    return steps + 0.7 * off_centre + mud


def phrase(
    rng: np.random.Generator, mode: str, tonic: int, chords: list[Chord], low_pitch: int
) -> list[MelodyNote]:
    """Return a melody, one bar for each of `chords`: motif, answer, the motif varied, a longer answer.

    low_pitch: the tonic of the melody is the first one at or over this MIDI pitch.
    """
    scale = PENTATONIC[mode]
    base = low_pitch + (tonic - low_pitch) % 12
    motif = _contour(rng, MOTIF_CELLS[rng.integers(len(MOTIF_CELLS))], start=int(rng.integers(1, 5)))
    answers = rng.choice(len(ANSWER_CELLS), size=2, replace=False)
    notes: list[MelodyNote] = []
    for bar, chord in enumerate(chords):
        if bar % 2 == 0:
            shift = 0 if bar % 4 == 0 else int(rng.choice([-1, 1]))
            line = [(step, degree + shift) for step, degree in motif]
        else:
            last_degree = motif[-1][1]
            line = _contour(rng, ANSWER_CELLS[answers[bar // 2 % 2]], start=last_degree)
        steps = [step for step, _ in line] + [16]
        for (step, degree), following in zip(line, steps[1:], strict=True):
            octave, index = divmod(degree, len(scale))
            pitch = base + 12 * octave + scale[index]
            length = min(following - step, 8)
            # Notes that a listener hangs on to belong to the chord; passing ones need not.
            if step % 8 == 0 or length >= 4:
                pitch = _nearest_chord_tone(pitch, chord, tonic)
            notes.append(MelodyNote(bar, step, length, pitch))
    return notes


def _contour(rng: np.random.Generator, cell: tuple[int, ...], start: int) -> list[tuple[int, int]]:
    degree = start
    line = []
    for step in cell:
        line.append((step, degree))
        degree += int(rng.choice([-2, -1, -1, 1, 1, 2]))
        degree = max(-1, min(6, degree))
    return line


def _nearest_chord_tone(pitch: int, chord: Chord, tonic: int) -> int:
    tones = {(tonic + chord.root + voice) % 12 for voice in (0, *UPPER_VOICES[chord.quality])}
    return min(
        (pitch + offset for offset in range(-4, 5) if (pitch + offset) % 12 in tones),
        key=lambda candidate: (abs(candidate - pitch), candidate),
    )
