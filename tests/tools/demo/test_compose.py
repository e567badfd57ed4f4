"""Scores of the demo songs have forms that tile, varied collections, and right chords that move little."""

from itertools import pairwise

import numpy as np
import pytest

from tools.demo.compose import STEADY_PARTS, compose_score, lay_out
from tools.demo.harmony import UPPER_VOICES, phrase, voicings
from tools.demo.styles import STYLES, Progression

LOOPS = [loop for style in STYLES for loops in style.progressions.values() for loop in loops]
PATTERNS = [
    pattern
    for style in STYLES
    for group in (
        *(style.kicks, style.backbeats, style.hats, style.open_hats, style.shakers, style.percussion),
        *(style.basses, style.chord_rhythms),
    )
    for pattern in group
]


def test_sections_tile_the_song() -> None:
    for bars in range(1, 400):
        sections = lay_out(bars)
        assert sections[0].start == 0 and sections[-1].stop == bars
        assert all(one.stop == other.start for one, other in pairwise(sections))
        assert all(section.stop > section.start for section in sections)
        if bars >= 40:
            names = {section.name for section in sections}
            assert names == {"intro", "groove", "break", "build", "main", "outro"}
            assert all(section.start % 4 == 0 for section in sections)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_patterns_are_one_bar(pattern: str) -> None:
    assert len(pattern) == 16


def test_a_collection_varies() -> None:
    scores = [compose_score(3, index, 60) for index in range(9)]
    assert len({score.bpm for score in scores}) == 9
    assert len({score.title for score in scores}) == 9
    assert len({score.key.split()[0] for score in scores}) == 9
    assert [score.style for score in scores[3:6]] == list(STYLES)


def test_what_a_song_is_does_not_depend_on_its_length() -> None:
    short, long = compose_score(5, 1, 20), compose_score(5, 1, 200)
    assert (short.title, short.bpm, short.key, short.sounds) == (long.title, long.bpm, long.key, long.sounds)


@pytest.mark.parametrize("index", range(3))
def test_kick_and_backbeat_stand_on_the_grid(index: int) -> None:
    score = compose_score(0, index, 120)
    step_s = score.bar_s / 16
    for part in STEADY_PARTS:
        steps = np.array([note.start_s / step_s for note in score.parts[part]])
        even = steps[np.round(steps) % 2 == 0]
        assert len(even) > 40
        np.testing.assert_allclose(even, np.round(even), atol=1e-6)


@pytest.mark.parametrize("index", range(6))
def test_notes_are_in_the_song_and_in_range(index: int) -> None:
    score = compose_score(2, index, 45)
    for notes in score.parts.values():
        for note in notes:
            assert -0.01 <= note.start_s < 45 and note.length_s > 0 and 0 < note.velocity < 1.3
    assert all(28 <= note.pitch <= 60 for note in score.parts["bass"])
    assert all(50 <= note.pitch <= 77 for note in score.parts["chords"])
    assert all(55 <= note.pitch <= 92 for note in score.parts["lead"])


@pytest.mark.parametrize("loop", LOOPS)
def test_voicings_hold_the_chord_and_move_little(loop: Progression) -> None:
    for tonic in range(12):
        voiced = voicings(loop, tonic)
        for chord, voices in zip(loop, voiced, strict=True):
            expected = {(tonic + chord.root + voice) % 12 for voice in UPPER_VOICES[chord.quality]}
            assert {pitch % 12 for pitch in voices} == expected
            assert list(voices) == sorted(set(voices))
        moves = [
            abs(one - other)
            for last, following in pairwise([*voiced, voiced[0]])
            for one, other in zip(last, following, strict=True)
        ]
        assert np.mean(moves) <= 2.5 and max(moves) <= 7


def test_a_phrase_brings_its_motif_back() -> None:
    loop = list(STYLES[0].progressions["minor"][0])
    notes = phrase(np.random.default_rng(4), "minor", 9, loop * 2, low_pitch=62)
    rhythm = {bar: [note.step for note in notes if note.bar == bar] for bar in range(8)}
    assert rhythm[0] == rhythm[2] == rhythm[4] == rhythm[6]
    assert rhythm[1] == rhythm[5] and rhythm[3] == rhythm[7]
    assert all(note.step + note.steps <= 16 for note in notes)
