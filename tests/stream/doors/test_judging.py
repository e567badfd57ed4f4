"""A door is judged by what a pool knows, and says of kinds that it rejects why."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model.base.arrays import FloatArray
from model.base.errors import EndlosError
from stream.doors.door import Door, JoinKind
from stream.doors.facts import FACT, DoorFacts
from stream.doors.gapless import gapless_successor
from stream.doors.judging import judge_door
from stream.doors.settings import DoorSettings
from stream.doors.side import DoorSide
from stream.pool.pool import Pool
from stream.pool.timeline import SongTimeline
from tests.support.beaten import RATE_HZ, beaten_pool, beaten_song, known_timeline, steady_beats

SECONDS = 80.0
EXIT_S = 20.0
"""Where A is left, and B is entered."""


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Pool:
    """Two songs of noise: what is known of them stands in the timelines."""
    noise = np.random.default_rng(0).normal(0.0, 0.1, (round(SECONDS * RATE_HZ), 2)).astype(np.float32)
    beats = known_timeline(SECONDS, steady_beats(SECONDS, 120.0))
    return beaten_pool(tmp_path_factory.mktemp("doors"), [noise, noise], [beats, beats])


def timeline(bpm: float = 120.0, **known: object) -> SongTimeline:
    return known_timeline(SECONDS, steady_beats(SECONDS, bpm), **known)  # type: ignore[arg-type]


def door(
    pool: Pool,
    a: SongTimeline | None,
    b: SongTimeline | None,
    *,
    exit_s: float = EXIT_S,
    settings: DoorSettings | None = None,
) -> Door:
    sure = [0.0 if line is None or not len(line.beats_s) else line.beat_confidence[0] for line in (a, b)]
    traits = replace(pool.traits, beat_confidence=np.array(sure, dtype=np.float32)[pool.chunk_song])
    known = replace(pool, traits=traits)
    sides = (
        DoorSide(pool=known, row=round(exit_s / 2) - 1, timeline=a),
        DoorSide(pool=known, row=round((SECONDS + EXIT_S) / 2), timeline=b),
    )
    return judge_door(*sides, settings or DoorSettings())


def test_two_beats_within_reach_are_blended_over_bars(pool: Pool) -> None:
    found = door(pool, timeline(122.0), timeline(thin=[(0, 50)]))
    assert found.kind is JoinKind.TEMPO_BLEND and found.overlap_bars == 16
    # Other kinds are worth less: twelve seconds of two beats that do not meet, and far less a quick change.
    less = {kind: float(reason.split()[3]) for kind, reason in found.rejected.items()}
    assert less.keys() == {JoinKind.PLAIN_FADE, JoinKind.QUICK_CHANGE}
    assert 1.0 < less[JoinKind.PLAIN_FADE] < less[JoinKind.QUICK_CHANGE] - 0.5
    assert all(reason.startswith("worth at least ") for reason in found.rejected.values())
    assert found.tempo_factor == pytest.approx(120.0 / 122.0, abs=1e-3)
    assert found.overlap_s == pytest.approx(32.0, abs=0.6)
    # Further apart, and both in full: fewer.
    further = door(pool, timeline(127.0), timeline())
    assert further.kind is JoinKind.TEMPO_BLEND and further.overlap_bars == 4
    assert further.worth < found.worth <= 0.0
    # One has the other's beats twice.
    assert door(pool, timeline(61.0), timeline()).tempo_factor == pytest.approx(120.0 / 122.0, abs=1e-3)
    assert door(pool, timeline(), timeline(), settings=DoorSettings(blend_bars=0)).kind is not found.kind


def test_of_a_quick_change_nothing_goes_on_beyond_the_cut() -> None:
    goes_on_s = {kind: Door(kind=kind, overlap_s=4.0).goes_on_s for kind in JoinKind}
    assert goes_on_s.pop(JoinKind.QUICK_CHANGE) == 0.0 and set(goes_on_s.values()) == {4.0}


@pytest.mark.parametrize(
    ("a", "b", "kind", "reason"),
    [
        (timeline(100.0), timeline(), JoinKind.PLAIN_FADE, "tempi differ by"),
        (timeline(beats_per_bar=3), timeline(), JoinKind.PLAIN_FADE, "beats a bar do not go into"),
        (timeline(confidence=0.3), timeline(), JoinKind.PLAIN_FADE, "song that is left is not sure"),
        (timeline(), timeline(confidence=0.3), JoinKind.PLAIN_FADE, "next song is not sure"),
        (None, None, JoinKind.PLAIN_FADE, "not sure"),
        (timeline(voice=[(0, 60)]), timeline(voice=[(0, 60)]), JoinKind.PLAIN_FADE, "two voices"),
    ],
)
def test_what_cannot_be_blended_says_why_and_meets_otherwise(
    pool: Pool, a: SongTimeline | None, b: SongTimeline | None, kind: JoinKind, reason: str
) -> None:
    found = door(pool, a, b)
    assert found.kind is kind
    assert reason in found.rejected[JoinKind.TEMPO_BLEND]
    assert found.penalties and found.worth < 0.0


def test_kinds_and_lengths_compete_by_worth(pool: Pool) -> None:
    far = door(pool, timeline(100.0), timeline())
    assert far.kind is JoinKind.PLAIN_FADE and far.overlap_s == pytest.approx(12.0)
    assert far.rejected[JoinKind.QUICK_CHANGE].endswith("less")
    assert far.penalties["beats"] == pytest.approx(-0.5)
    # Where A has but seconds left, a change on the beat is worth more than so short a fade.
    ending = door(pool, timeline(100.0, silent=[(EXIT_S + 2.0, SECONDS)]), timeline())
    assert ending.kind is JoinKind.QUICK_CHANGE and ending.rejected[JoinKind.PLAIN_FADE].endswith("less")
    assert far.worth > ending.worth


def test_a_blend_ends_before_the_tempo_changes(pool: Pool) -> None:
    changed = np.concatenate([steady_beats(EXIT_S + 17.0, 120.0), EXIT_S + 17.0 + steady_beats(40.0, 160.0)])
    assert door(pool, known_timeline(SECONDS, changed), timeline(thin=[(0, 50)])).overlap_bars == 8


def test_a_song_is_heard_no_longer_than_it_sounds(pool: Pool) -> None:
    silent = timeline(silent=[(EXIT_S + 10.0, EXIT_S + 12.0)])
    assert door(pool, silent, timeline()).overlap_bars == 4
    beatless = replace(silent, beats_s=np.empty(0), beat_confidence=np.empty(0, dtype=np.float32))
    # A fade may begin a second sooner, amid the last chunk.
    assert door(pool, beatless, timeline()).overlap_s == pytest.approx(11.0)
    # It ends cold: nothing is left of it.
    ended = door(pool, timeline(), timeline(), exit_s=SECONDS)
    assert ended.kind in (JoinKind.SHORT_BLEND, JoinKind.QUICK_CHANGE)
    without = door(pool, beatless, timeline(), exit_s=SECONDS)
    assert without.kind is JoinKind.SHORT_BLEND and "1.0 s for each other" in without.rejected["plain_fade"]


def test_voices_shorten_a_blend_and_speak_against_it(pool: Pool) -> None:
    sung = door(pool, timeline(voice=[(EXIT_S + 9.0, 60.0)]), timeline(voice=[(EXIT_S + 9.0, 60.0)]))
    assert sung.kind is JoinKind.TEMPO_BLEND and sung.overlap_bars == 4
    alone = door(pool, timeline(voice=[(EXIT_S, 60.0)]), timeline())
    assert alone.penalties["cut_voice"] < -0.5 and "voices" not in alone.penalties


def test_a_song_that_never_thins_out_is_worth_less(pool: Pool) -> None:
    full = door(pool, timeline(), timeline())
    thinned = door(pool, timeline(thin=[(EXIT_S, 60.0)]), timeline())
    assert full.penalties["full"] < -0.2 and full.worth < thinned.worth


def test_a_song_that_is_nearly_over_is_hardly_worth_entering(pool: Pool) -> None:
    entries = np.array([40, 50, 77])
    leaving = DoorSide(pool=pool, row=9, timeline=timeline())
    doors = [
        judge_door(leaving, DoorSide(pool=pool, row=row, timeline=timeline()), DoorSettings())
        for row in entries
    ]
    assert [found.penalties.get("over", 0.0) for found in doors] == pytest.approx([0.0, 0.0, -1.75])
    # The estimate knows it too.
    assert DoorFacts(pool).entries(entries)[:, FACT.room].tolist() == pytest.approx([1.0, 1.0, 6.0 / 48.0])


def test_no_quick_change_leads_into_what_is_over_before_its_echo_is(pool: Pool) -> None:
    fast, slow = timeline(150.0), timeline()
    traits = replace(pool.traits, beat_confidence=np.ones(len(pool), dtype=np.float32))
    known = replace(pool, traits=traits)
    leaving = DoorSide(pool=known, row=9, timeline=fast)
    # Bars take 2 s; of the song there are 10 s, 6 s and 2 s.
    found = [
        judge_door(leaving, DoorSide(pool=known, row=row, timeline=slow), DoorSettings())
        for row in (75, 77, 79)
    ]
    assert [entered.kind for entered in found[:2]] == [JoinKind.QUICK_CHANGE, JoinKind.QUICK_CHANGE]
    assert [entered.overlap_s for entered in found[:2]] == pytest.approx([4.0, 2.0])
    assert found[2].kind is not JoinKind.QUICK_CHANGE
    assert "is over before" in found[2].rejected[JoinKind.QUICK_CHANGE]


def test_within_a_song_a_door_is_a_splice(pool: Pool) -> None:
    sides = [DoorSide(pool=pool, row=row, timeline=timeline()) for row in (3, 9)]
    assert judge_door(*sides, DoorSettings()) == Door(kind=JoinKind.SPLICE)


def albums(folder: Path, songs: list[FloatArray], album: str = "An album") -> Pool:
    made = beaten_pool(folder, songs, [None] * len(songs))
    loud = np.full(len(made), -20.0, dtype=np.float32)
    traits = replace(made.traits, end_lufs=loud, start_lufs=loud.copy())
    return replace(
        made,
        songs=tuple(replace(song, album=album) for song in made.songs),
        traits=traits,
    )


def test_tracks_that_run_into_each_other_go_on(tmp_path: Path) -> None:
    whole = beaten_song(12.0, steady_beats(12.0, 120.0, 0.3), 4)
    halves = [whole[: 6 * RATE_HZ], whole[6 * RATE_HZ :]]
    album = albums(tmp_path / "a", halves)
    assert gapless_successor(album, 2) == 3 and gapless_successor(album, 1) is None
    sides = [DoorSide(pool=album, row=row, timeline=None) for row in (2, 3)]
    assert judge_door(*sides, DoorSettings()).kind is JoinKind.GAPLESS
    # Another wave, no album, or a pause.
    offset = (whole[6 * RATE_HZ :] + np.float32(0.4)).astype(np.float32)
    assert gapless_successor(albums(tmp_path / "b", [halves[0], offset]), 2) is None
    assert gapless_successor(albums(tmp_path / "c", halves, album=""), 2) is None
    silent = replace(album.traits, start_lufs=np.full(len(album), -65.0, dtype=np.float32))
    assert gapless_successor(replace(album, traits=silent), 2) is None


def test_settings_that_cannot_be_are_refused() -> None:
    for wrong in ({"stretch": 0.2}, {"blend_bars": -1}, {"plain_fade_s": 1.0}):
        with pytest.raises(EndlosError, match="expected"):
            DoorSettings(**wrong)  # type: ignore[arg-type]


def test_songs_shorter_than_a_blend_and_mono_beside_stereo_meet_for_what_there_is(tmp_path: Path) -> None:
    stereo = beaten_song(9.0, steady_beats(9.0, 120.0), 1)
    stereo[:, 1] = 0.0
    short = beaten_song(9.0, steady_beats(9.0, 120.0), 2)
    for beats_s, kind in ((steady_beats(9.0, 120.0), "quick_change"), (np.empty(0), "plain_fade")):
        line = known_timeline(9.0, beats_s)
        made = beaten_pool(tmp_path / kind, [stereo, short], [line, line])
        found = judge_door(
            DoorSide(pool=made, row=0, timeline=line),
            DoorSide(pool=made, row=4, timeline=line),
            DoorSettings(),
        )
        assert found.kind == kind and found.overlap_s <= 4.5
        assert found.rejected[JoinKind.TEMPO_BLEND]
