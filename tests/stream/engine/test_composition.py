"""A composition is its chunks from the first to the last, joined by the engine or plain."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from model.base.arrays import FloatArray
from model.base.errors import DecodeError, EndlosError
from stream.audio.spans import SpanReader
from stream.choosing.generation import Generation
from stream.choosing.step import Step
from stream.engine.composition import END_FADE_S, JoinedComposition, PlainComposition
from stream.engine.renderer import Renderer
from stream.joins.join_planner import JoinPlanner
from stream.joins.levels import song_gain
from stream.joins.settings import SoundSettings
from tests.support.pools import make_generation, make_pool, noise_song

RATE_HZ = 44_100
SONGS = [noise_song(seconds, seed) for seed, seconds in enumerate((9, 7.5, 6))]
CHUNK_FRAMES = round(1.5 * RATE_HZ)
ROWS = (3, 4, 5, 7, 0, 12, 13, 1)
"""Three that follow each other in their song, then others; the last but one is a song's last."""


@pytest.fixture
def generation(tmp_path: Path) -> Generation:
    return make_generation(make_pool(tmp_path, SONGS))


def steps_of(generation: Generation, rows: Sequence[int]) -> list[Step]:
    return [
        Step(
            after=generation.chunk(before) if number else None,
            chunk=generation.chunk(row),
            natural=number > 0 and int(generation.index.successor[before]) == row,
            rung="full",
        )
        for number, (before, row) in enumerate(zip((rows[0], *rows), rows, strict=False))
    ]


def whole(stream: JoinedComposition | PlainComposition) -> FloatArray:
    return np.concatenate(list(stream.blocks()))


def chunk_audio(generation: Generation, row: int) -> FloatArray:
    pool = generation.pool
    song = SONGS[int(pool.chunk_song[row])]
    return song[int(pool.start_sample[row]) : int(pool.end_sample[row])]


def test_plain_is_the_songs_samples_one_after_the_other(generation: Generation) -> None:
    stream = PlainComposition(steps_of(generation, ROWS), generation.reader)
    expected = [chunk_audio(generation, row) for row in ROWS]
    np.testing.assert_array_equal(whole(stream), np.concatenate(expected))
    starts = np.cumsum([0, *map(len, expected[:-1])])
    assert [placed.start_frame for placed in stream.placed] == starts.tolist()


def test_plain_songs_of_another_rate_are_resampled(tmp_path: Path) -> None:
    pool = make_pool(tmp_path, [noise_song(3, 1, 22_050), noise_song(3, 2, 22_050)], sample_rate_hz=22_050)
    generation = make_generation(pool)
    stream = PlainComposition(steps_of(generation, (2, 1)), SpanReader(pool, RATE_HZ))
    songs = [soundfile.read(song.path, dtype="float32")[0] for song in pool.songs]
    high = [soxr.resample(song, 22_050, RATE_HZ, quality="VHQ") for song in songs]
    expected = np.concatenate([high[1][:CHUNK_FRAMES], high[0][CHUNK_FRAMES:]])
    np.testing.assert_allclose(whole(stream), expected, atol=2e-4)


def test_what_follows_in_its_song_is_the_song_and_ends_faded(generation: Generation) -> None:
    settings = SoundSettings()
    heard = whole(JoinedComposition(steps_of(generation, (1, 2, 3)), settings))
    song = generation.pool.songs[0]
    expected = SONGS[0][CHUNK_FRAMES : 4 * CHUNK_FRAMES] * np.float32(song_gain(song, settings.target_lufs))
    assert len(heard) == 3 * CHUNK_FRAMES
    fade = round(END_FADE_S * RATE_HZ)
    np.testing.assert_allclose(heard[:-fade], expected[:-fade], atol=1e-6)
    ramp = np.arange(fade, 0, -1)[:, None] / fade
    np.testing.assert_allclose(heard[-fade:], expected[-fade:] * ramp, atol=1e-5)


class _InTurn:
    """Steps in turn, and then that of the song, as a planner would give them."""

    def __init__(self, steps: list[Step]) -> None:
        self._steps = iter(steps)

    def take(self, after: object, *, jump: bool = False) -> Step:
        return next(self._steps)

    def peek(self) -> Step | None:
        return None

    def ban(self, audio_hash: str, at: object) -> None:
        raise AssertionError(audio_hash)

    def close(self) -> None:
        return


def test_joins_are_the_engines_own(generation: Generation) -> None:
    settings = SoundSettings()
    # As if the song went on after the last chunk.
    longer = steps_of(generation, (*ROWS, ROWS[-1] + 1, ROWS[-1] + 2))
    starts: list[int] = []
    engine = Renderer(
        _InTurn(longer),
        JoinPlanner(settings),
        on_decision=lambda decision: starts.append(decision.t_out_frames),
    )
    composed = JoinedComposition(steps_of(generation, ROWS), settings)
    heard = whole(composed)
    expected = engine.render(len(heard) + RATE_HZ // 10)
    assert [placed.start_frame for placed in composed.placed] == starts[: len(ROWS)]
    assert len(heard) == starts[len(ROWS)], "it ends where the song would go on"
    kept = len(heard) - round(END_FADE_S * RATE_HZ)
    np.testing.assert_array_equal(heard[:kept], expected[:kept])
    assert np.abs(heard[-1]).max() < 1e-4


@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize("row", [0, 5])
def test_one_chunk_is_a_composition(generation: Generation, plain: bool, row: int) -> None:
    steps = steps_of(generation, (row,))
    stream = (
        PlainComposition(steps, generation.reader) if plain else JoinedComposition(steps, SoundSettings())
    )
    assert len(whole(stream)) == len(chunk_audio(generation, row))
    assert [(placed.start_s, placed.step.chunk.row) for placed in stream.placed] == [(0.0, row)]


@pytest.mark.parametrize("plain", [False, True])
def test_a_song_that_is_gone_ends_it_with_a_sentence(generation: Generation, plain: bool) -> None:
    steps = steps_of(generation, ROWS)
    stream = (
        PlainComposition(steps, generation.reader) if plain else JoinedComposition(steps, SoundSettings())
    )
    blocks = stream.blocks()
    next(blocks)
    path = generation.pool.songs[1].path
    path.unlink()
    with pytest.raises(DecodeError if plain else EndlosError, match=f"{path}.*; put it back"):
        list(blocks)


def test_other_music_under_the_name_of_a_song_is_not_taken(generation: Generation) -> None:
    stream = PlainComposition(steps_of(generation, ROWS), generation.reader)
    soundfile.write(generation.pool.songs[1].path, noise_song(7.5, 9), RATE_HZ, subtype="FLOAT")
    with pytest.raises(DecodeError, match="has changed since the pool was built"):
        whole(stream)


def test_what_is_told_of_a_chunk(generation: Generation) -> None:
    stream = PlainComposition(steps_of(generation, (0, 1, 7)), generation.reader)
    whole(stream)
    told = [placed.as_json() for placed in stream.placed]
    assert [one["chunk"] for one in told] == ["song0.wav#1", "song0.wav#2", "song1.wav#2"]
    assert [one["at_s"] for one in told] == [0.0, 1.5, 3.0]
    assert told[2] == {
        "chunk": "song1.wav#2",
        "song": "song1.wav",
        "artist": "Test",
        "title": "Song 1",
        "audio_hash": "hash1",
        "start_s": 1.5,
        "end_s": 3.0,
        "at_s": 3.0,
        "natural": False,
        "score": None,
        "rank": None,
        "considered": 0,
    }
