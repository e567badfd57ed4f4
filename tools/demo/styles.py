"""A style of demo songs offers tempi, progressions, patterns and timbres to choose from.

Patterns are one bar of sixteen 16ths. Drums: a digit is a velocity, `.` rests. Bass: `r` root, `o` octave,
`f` fifth, `s` seventh, `a` the semitone or tone that leads to the next root. Chords: `x` soft, `X` loud.
`-` holds what came before.
"""

from dataclasses import dataclass

from tools.demo.harmony import Chord

Progression = tuple[Chord, ...]


@dataclass(frozen=True, kw_only=True)
class Style:
    """What songs of one style have in common, and what each may choose from."""

    genre: str
    tempi_bpm: tuple[float, ...]
    swing: tuple[float, float]
    """Range of the delay of every second 16th, as a part of a 16th."""
    progressions: dict[str, tuple[Progression, ...]]
    """Progressions by mode; a song takes two of one mode."""
    kicks: tuple[str, ...]
    backbeats: tuple[str, ...]
    hats: tuple[str, ...]
    open_hats: tuple[str, ...]
    shakers: tuple[str, ...]
    percussion: tuple[str, ...]
    basses: tuple[str, ...]
    chord_rhythms: tuple[str, ...]
    backbeat_sounds: tuple[str, ...]
    bass_sounds: tuple[str, ...]
    chord_sounds: tuple[str, ...]
    lead_sounds: tuple[str, ...]
    reverb_s: float
    duck: float
    """How far the kick pushes bass, chords and pad down, 0 to 1."""
    roll: bool
    """Whether a drum roll leads out of the build."""
    levels_db: dict[str, float]
    """Corrections to the mix."""
    title_words: tuple[tuple[str, ...], tuple[str, ...]]


def _progression(*chords: tuple[int, str]) -> Progression:
    return tuple(Chord(root, quality) for root, quality in chords)


MINOR_LOOPS = (
    _progression((0, "m9"), (8, "maj9"), (3, "maj9"), (10, "69")),
    _progression((0, "m9"), (5, "m9"), (8, "maj9"), (7, "m7")),
    _progression((8, "maj9"), (7, "m7"), (0, "m9"), (10, "9sus")),
    _progression((0, "m11"), (10, "69"), (8, "maj9"), (7, "m7")),
)
DEEP_LOOPS = (
    _progression((0, "m9"), (8, "maj9"), (5, "m9"), (7, "m7")),
    _progression((5, "m9"), (10, "13"), (3, "maj9"), (8, "maj9")),
    _progression((0, "m9"), (5, "9"), (0, "m11"), (10, "69")),
    _progression((8, "maj9"), (10, "69"), (0, "m9"), (0, "m11")),
)
MAJOR_LOOPS = (
    _progression((0, "maj9"), (9, "m9"), (2, "m9"), (7, "9sus")),
    _progression((5, "maj9"), (4, "m7"), (2, "m9"), (0, "maj9")),
    _progression((2, "m9"), (7, "13"), (0, "maj9"), (9, "m9")),
    _progression((0, "maj9"), (4, "m7"), (5, "maj9"), (7, "9sus")),
)

HOUSE = Style(
    genre="House",
    tempi_bpm=(124.0, 122.0, 125.0, 123.0, 126.0, 122.5, 124.5, 123.5, 125.5),
    swing=(0.06, 0.16),
    progressions={"minor": MINOR_LOOPS},
    kicks=("9...9...9...9...", "9...9...9...9.4.", "9...9...9..39..."),
    backbeats=("....9.......9...", "....9.......9..3", "....9..2....9..."),
    hats=("5.3.5.3.5.3.5.3.", "4263426342634263", "62.462.462.462.4"),
    open_hats=("..8...8...8...8.", "..8...8...8...86"),
    shakers=("4252425242524252", "..5...5...5.3.5."),
    percussion=("......5..4......", "...5..4...5.....", "..........5.4.6."),
    basses=("..r-..r-..r-..o-", "r..r..o..r-..s.a", "r-.r..r-..o.f.a.", "..r..r-...r..o-."),
    chord_rhythms=("X-..x-..x-...x-.", "...X-..x-..X-...", "X--...x-..X--...", "..X-..x-..X-..x-"),
    backbeat_sounds=("clap",),
    bass_sounds=("saw", "round"),
    chord_sounds=("organ", "stab", "rhodes"),
    lead_sounds=("pluck", "bell"),
    reverb_s=1.8,
    duck=0.62,
    roll=True,
    levels_db={},
    title_words=(
        ("Neon", "Velvet", "Midnight", "Copper", "Silver", "Crystal"),
        ("Avenue", "Mirrors", "Signal", "Arcade", "Parade", "Skyline"),
    ),
)

DEEP = Style(
    genre="Deep House",
    tempi_bpm=(106.0, 110.0, 102.0, 108.0, 104.0, 112.0, 100.0, 109.0, 105.0, 103.0, 111.0, 107.0, 101.0),
    swing=(0.1, 0.2),
    progressions={"minor": DEEP_LOOPS},
    kicks=("9...8...9...8...", "9...8...9...8.3.", "9...8..39...8..."),
    backbeats=("....8.......8...", "....8.....3.8...", "....8.......8.2."),
    hats=("..6...6...6...6.", "4.62..6.4.62..6.", "..63..6...63..64"),
    open_hats=("..............5.", "......5.......6."),
    shakers=("5263526352635263", "4253425342534253"),
    percussion=("...5..5...4.6...", "5..4..5.....4.5.", "..4...5..4....56"),
    basses=("r--...r-..o-..s-", "r-...r-.r-...f.a", "r--r--...-o-.s-.", "r-----..r-.o.-f-"),
    chord_rhythms=("X------.x-------", "X---...x---...x-", "..X----...x-----"),
    backbeat_sounds=("rim", "clap"),
    bass_sounds=("round", "sub"),
    chord_sounds=("rhodes", "rhodes", "organ"),
    lead_sounds=("vibes", "flute"),
    reverb_s=2.3,
    duck=0.45,
    roll=False,
    levels_db={"kick": -1.0, "pad": 1.0, "percussion": 2.0},
    title_words=(
        ("Amber", "Ocean", "Quiet", "Evening", "Southern", "Harbour"),
        ("Terrace", "Tide", "Lounge", "Lanterns", "Breeze", "Drift"),
    ),
)

DOWNTEMPO = Style(
    genre="Downtempo",
    tempi_bpm=(90.0, 87.0, 93.0, 88.0, 92.0, 86.0, 94.0, 89.0, 91.0, 95.0, 85.0),
    swing=(0.24, 0.33),
    progressions={"major": MAJOR_LOOPS},
    kicks=("9......38.8.....", "9.....7.8.......", "9..4....8.8....."),
    backbeats=("....9.......9...", "....9..2....9..2", "....9....2..9..."),
    hats=("7.5.7.5.7.5.7.5.", "7.537.5.7.537.53", "6.6.7.636.6.7.6."),
    open_hats=("..............5.", "......4........."),
    shakers=("2.5.2.5.2.5.2.5.", "3.4.3.423.4.3.42"),
    percussion=("..........4..5..", "...4......4.....", "......4.....4..4"),
    basses=("r-----..r-.f.-a-", "r---..o-..r-..s-", "r-----.rf---..a-", "r--.r-..o---f-.."),
    chord_rhythms=("X---------x-----", "X-----x---------", "X--.....x-----x-"),
    backbeat_sounds=("snare",),
    bass_sounds=("sub", "round"),
    chord_sounds=("rhodes",),
    lead_sounds=("flute", "vibes", "bell"),
    reverb_s=2.0,
    duck=0.3,
    roll=False,
    levels_db={"hat": -1.0, "kick": -1.0, "backbeat": 1.0},
    title_words=(
        ("Paper", "Slow", "Winter", "Golden", "Sleepy", "Distant"),
        ("Rain", "Garden", "Window", "Morning", "Train", "Clouds"),
    ),
)

STYLES = (HOUSE, DEEP, DOWNTEMPO)
