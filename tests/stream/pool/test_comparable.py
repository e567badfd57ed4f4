"""Traits are brought into units by hand-made examples."""

import numpy as np

from stream.pool.comparable import UNHEARD_LUFS, fifths, heard_levels_lu, tempo_octaves


def test_twice_the_tempo_is_an_octave_and_no_beat_is_none() -> None:
    found = tempo_octaves(np.array([60.0, 120.0, 0.0], dtype=np.float32))
    assert found.dtype == np.float32 and found[1] - found[0] == 1.0 and np.isnan(found[2])


def test_keys_stand_on_the_circle_of_fifths_and_a_minor_where_its_relative_major_does() -> None:
    c, g, f, a_minor, e_minor = 0, 7, 5, 9 + 12, 4 + 12
    np.testing.assert_array_equal(fifths(np.array([c, g, f, a_minor, e_minor, -1])), [0, 1, 11, 0, 1, np.nan])


def test_levels_are_against_the_song_and_silence_has_none() -> None:
    lufs = np.array([-20.0, UNHEARD_LUFS, -80.0], dtype=np.float32)
    np.testing.assert_array_equal(
        heard_levels_lu(lufs, np.full(3, -14.0, np.float32)), [-6.0, np.nan, np.nan]
    )
