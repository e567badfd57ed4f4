"""The composer turns a seed into a score, with one song's choices, sections, and every note."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from model.base.arrays import DoubleArray
from tools.demo.harmony import KEY_NAMES, Chord, bass_pitch, phrase, voicings
from tools.demo.styles import STYLES, Style

BEATS_PER_BAR = 4
STEPS_PER_BAR = 16
QUAD_BARS = 4

# Where each section ends, as a part of the song; sections end on whole groups of four bars.
FORM = (("intro", 0.12), ("groove", 0.34), ("break", 0.46), ("build", 0.58), ("main", 0.88), ("outro", 1.0))
LONG_FORM = (
    *(("intro", 0.06), ("groove", 0.2), ("break", 0.27), ("build", 0.32), ("main", 0.5)),
    *(("groove", 0.6), ("break", 0.67), ("build", 0.72), ("main", 0.93), ("outro", 1.0)),
)
LONG_FORM_BARS = 96
LEAD_LOW_PITCH = 62

PARTS = ("kick", "backbeat", "hat", "open_hat", "shaker", "percussion", "bass", "chords", "pad", "lead")
_LEVELS = {
    "intro": (0.9, 0.0, 0.7, 0.0, 0.7, 0.8, 0.0, 0.6, 0.6, 0.0),
    "groove": (1.0, 0.9, 0.9, 0.8, 0.7, 0.7, 0.95, 0.85, 0.5, 0.8),
    "break": (0.0, 0.0, 0.35, 0.0, 0.7, 0.5, 0.0, 0.75, 1.0, 0.9),
    "build": (0.8, 0.0, 0.8, 0.0, 0.9, 0.8, 0.0, 0.85, 0.8, 0.0),
    "main": (1.0, 1.0, 1.0, 1.0, 0.9, 0.9, 1.0, 1.0, 0.7, 1.0),
    "outro": (0.9, 0.6, 0.7, 0.0, 0.7, 0.7, 0.8, 0.6, 0.6, 0.0),
}
"""How loud each of `PARTS` plays in each section; at 0 it rests."""

OPENNESS = {
    "intro": (0.1, 0.55),
    "groove": (0.75, 0.85),
    "break": (0.45, 0.8),
    "build": (0.35, 1.0),
    "main": (1.0, 1.0),
    "outro": (0.7, 0.15),
}
"""The low-pass of the chords at a section's start and end: 0 closed, 1 open."""

DRUMS = PARTS[:6]
STEADY_PARTS = frozenset({"kick", "backbeat"})
"""Parts that stand exactly on the grid, so that the beat is plain to hear and to track."""


class Note(NamedTuple):
    """One note or hit: when and how long in seconds, MIDI pitch (drums: a variant), velocity 0 to 1."""

    start_s: float
    length_s: float
    pitch: int
    velocity: float


class Section(NamedTuple):
    """A part of the form, in bars: `start` to `stop`."""

    name: str
    start: int
    stop: int


@dataclass(frozen=True, kw_only=True)
class Score:
    """All that a song is before it sounds."""

    title: str
    style: Style
    bpm: float
    key: str
    sounds: dict[str, str]
    """The timbre of `backbeat`, `bass`, `chords` and `lead`."""
    sections: tuple[Section, ...]
    parts: dict[str, list[Note]]
    seconds: float

    @property
    def bar_s(self) -> float:
        """Length of a bar in seconds."""
        return 60.0 * BEATS_PER_BAR / self.bpm

    def beats_s(self) -> DoubleArray:
        """Return when its beats are, `(beats,)`; each of `BEATS_PER_BAR` begins a bar."""
        return np.arange(int(self.seconds * self.bpm / 60.0), dtype=np.float64) * (60.0 / self.bpm)


def compose_score(seed: int, index: int, seconds: float) -> Score:
    """Return song `index` of the collection that `seed` stands for, as long as `seconds`.

    What the song is (style, tempo, key, progressions, patterns, timbres) does not depend on `seconds`.
    """
    style_index, turn = index % len(STYLES), index // len(STYLES)
    style = STYLES[style_index]
    # One permutation for the whole collection, so that songs differ for as long as there is something left.
    tempi, openers, closers, keys = (
        np.random.default_rng([seed, salt, style_index * (salt < 3)]).permutation(size)
        for salt, size in enumerate((len(style.tempi_bpm), *map(len, style.title_words), len(KEY_NAMES)))
    )
    bpm = style.tempi_bpm[tempi[turn % len(tempi)]]
    opener = style.title_words[0][openers[turn % len(openers)]]
    # A cycle later the same first word meets another second one.
    closer = style.title_words[1][closers[(turn + turn // len(openers)) % len(closers)]]
    tonic = int(keys[index % len(keys)])
    composer = _Composer(np.random.default_rng([seed, index, 11]), style, bpm, tonic, seconds)
    return Score(
        title=f"{opener} {closer}",
        style=style,
        bpm=bpm,
        key=f"{KEY_NAMES[tonic]} {composer.mode}",
        sounds=composer.sounds,
        sections=composer.sections,
        parts=composer.write(),
        seconds=seconds,
    )


def lay_out(bars: int) -> tuple[Section, ...]:
    """Return the sections of a song of so many bars: they tile it; one that gets no bar is left out."""
    if bars < len(FORM):
        return (Section("main", 0, max(bars, 1)),)
    form = LONG_FORM if bars >= LONG_FORM_BARS else FORM
    grid = QUAD_BARS if bars >= 2 * QUAD_BARS * len(FORM) / 1.5 else 1
    bounds = [round(end * bars / grid) * grid for _, end in form[:-1]] + [bars]
    starts = [0, *bounds[:-1]]
    return tuple(
        Section(name, start, stop)
        for (name, _), start, stop in zip(form, starts, bounds, strict=True)
        if stop > start
    )


class _Composer:
    """Writes the parts of one song; the order of its draws is part of the seed's meaning."""

    def __init__(
        self, rng: np.random.Generator, style: Style, bpm: float, tonic: int, seconds: float
    ) -> None:
        self.rng = rng
        self.style = style
        self.tonic = tonic
        self.bar_s = 60.0 * BEATS_PER_BAR / bpm
        self.step_s = self.bar_s / STEPS_PER_BAR
        self.bars = max(1, int(seconds / self.bar_s))
        self.rest_s = seconds - self.bars * self.bar_s
        self.swing = float(rng.uniform(*style.swing))
        self.mode = self._pick(sorted(style.progressions))
        loops = style.progressions[self.mode]
        main, other = rng.choice(len(loops), size=2, replace=False)
        self.loops = {False: loops[main], True: loops[other]}
        self.voicings = {key: voicings(loop, tonic) for key, loop in self.loops.items()}
        self.bars_per_chord = int(rng.choice([1, 1, 2])) if bpm > 100 else 1
        self.patterns = {
            "kick": self._pick(style.kicks),
            "backbeat": self._pick(style.backbeats),
            "hat": self._pick(style.hats),
            "open_hat": self._pick(style.open_hats),
            "shaker": self._pick(style.shakers),
            "percussion": self._pick(style.percussion),
            "bass": self._pick(style.basses),
            "chords": self._pick(style.chord_rhythms),
        }
        self.sounds = {
            "backbeat": self._pick(style.backbeat_sounds),
            "bass": self._pick(style.bass_sounds),
            "chords": self._pick(style.chord_sounds),
            "lead": self._pick(style.lead_sounds),
        }
        eight = [self.loops[False][bar // self.bars_per_chord % 4] for bar in range(8)]
        self.melody = phrase(rng, self.mode, tonic, eight, low_pitch=LEAD_LOW_PITCH)
        other_eight = [self.loops[True][bar // self.bars_per_chord % 4] for bar in range(8)]
        self.other_melody = phrase(rng, self.mode, tonic, other_eight, low_pitch=LEAD_LOW_PITCH)
        self.sections = lay_out(self.bars)
        self.parts: dict[str, list[Note]] = {}

    def write(self) -> dict[str, list[Note]]:
        for section in self.sections:
            levels = dict(zip(PARTS, _LEVELS[section.name], strict=True))
            for part in DRUMS:
                if levels[part] > 0:
                    self._drums(section, part, levels[part])
            self._tonal(section, levels)
            self._transitions(section)
        if self.rest_s > 0.25:
            self._last_chord()
        return self.parts

    def _drums(self, section: Section, part: str, level: float) -> None:
        pattern = self.patterns[part]
        for bar in range(section.start, section.stop):
            last_of_section = bar == section.stop - 1 and section.stop - section.start > 1
            for step, symbol in enumerate(pattern):
                if symbol == ".":
                    continue
                # The kick makes room before a new section; the open hat answers.
                if part == "kick" and last_of_section and step >= 12 and section.name in ("groove", "build"):
                    continue
                velocity = int(symbol) / 9 * level
                if part not in STEADY_PARTS:
                    velocity *= float(np.clip(self.rng.normal(1.0, 0.08), 0.75, 1.2))
                variant = 1 if part == "percussion" and int(symbol) > 4 else int(self.rng.integers(4))
                self._add(part, bar, step, 1, variant, velocity)
            if part == "backbeat" and last_of_section and section.name in ("groove", "main"):
                for step, velocity in ((13, 0.3), (14, 0.45), (15, 0.6)):
                    self._add(part, bar, step, 1, 0, velocity * level)

    def _tonal(self, section: Section, levels: dict[str, float]) -> None:
        elsewhere = section.name == "break"
        for bar in range(section.start, section.stop):
            slot = bar // self.bars_per_chord % 4
            chord, voices = self.loops[elsewhere][slot], self.voicings[elsewhere][slot]
            following = self.loops[elsewhere][(bar + 1) // self.bars_per_chord % 4]
            gone = (bar - section.start) / (section.stop - section.start)
            # The bass leaves an outro half way.
            if levels["bass"] > 0 and (section.name != "outro" or gone < 0.5):
                self._bass(bar, chord, following, levels["bass"])
            if levels["chords"] > 0:
                self._chords(bar, voices, levels["chords"], calm=elsewhere)
            if levels["pad"] > 0:
                for pitch in voices:
                    self._add("pad", bar, 0, STEPS_PER_BAR, pitch, levels["pad"])
        if levels["lead"] > 0:
            self._lead(section, levels["lead"])

    def _bass(self, bar: int, chord: Chord, following: Chord, level: float) -> None:
        root = bass_pitch(chord, self.tonic)
        target = bass_pitch(following, self.tonic)
        seventh = 11 if chord.quality.startswith("maj") else 9 if chord.quality == "69" else 10
        approach = target - 2 if target >= root else target + 2
        pitches = {"r": root, "o": root + 12, "f": root + 7, "s": root + seventh, "a": approach}
        for step, steps, symbol in _held(self.patterns["bass"]):
            velocity = level * (0.95 if symbol == "r" else 0.8) * float(self.rng.uniform(0.94, 1.0))
            self._add("bass", bar, step, steps * 0.92, pitches[symbol], velocity)

    def _chords(self, bar: int, voices: tuple[int, ...], level: float, *, calm: bool) -> None:
        rhythm = "X---------------" if calm and self.sounds["chords"] == "rhodes" else self.patterns["chords"]
        for step, steps, symbol in _held(rhythm):
            velocity = level * (0.9 if symbol == "X" else 0.7)
            # Hands do not strike four keys at one instant.
            spread_s = 0.006 if self.sounds["chords"] == "rhodes" else 0.0
            for voice, pitch in enumerate(voices):
                loud = velocity * float(self.rng.uniform(0.9, 1.05)) * (1.08 if voice == 3 else 1.0)
                self._add("chords", bar, step, steps * 0.95, pitch, loud, late_s=voice * spread_s)

    def _lead(self, section: Section, level: float) -> None:
        """The melody: late in a groove, all through a break, with a rest in a long main part."""
        length = section.stop - section.start
        skip = length // 8 * 4 if section.name == "groove" else 0
        melody = self.other_melody if section.name == "break" else self.melody
        for bar in range(section.start + skip, section.stop):
            # Phrases start with the harmony's own eight bars, so that they fit its chords.
            place = bar % 8
            if section.name == "main" and length >= 16 and (bar - section.start) // 4 % 4 == 2:
                continue
            for note in melody:
                if note.bar == place:
                    velocity = level * float(self.rng.uniform(0.78, 0.95))
                    self._add("lead", bar, note.step, note.steps * 0.9, note.pitch, velocity)

    def _transitions(self, section: Section) -> None:
        length = section.stop - section.start
        if section.start > 0 and section.name in ("groove", "break", "main", "outro"):
            self._add("crash", section.start, 0, 1, 0, 0.9 if section.name == "main" else 0.6)
        if section.name != "build":
            return
        bars = min(length, 4)
        self._add("riser", section.stop - bars, 0, bars * STEPS_PER_BAR, 0, 0.9)
        if self.style.roll:
            for bar in range(section.stop - min(length, 2), section.stop):
                every = 2 if bar < section.stop - 1 else 1
                for step in range(0, STEPS_PER_BAR, every):
                    gone = (bar - section.stop + 2 + step / STEPS_PER_BAR) / 2
                    self._add("roll", bar, step, 1, 0, 0.25 + 0.6 * gone)

    def _last_chord(self) -> None:
        """The bar that is cut short holds the first chord of the loop, and the tonic, to ring out."""
        steps = self.rest_s / self.step_s
        chord = self.loops[False][self.bars // self.bars_per_chord % 4]
        voices = self.voicings[False][self.bars // self.bars_per_chord % 4]
        self._add("kick", self.bars, 0, 1, 0, 0.9)
        self._add("bass", self.bars, 0, steps, bass_pitch(chord, self.tonic), 0.7)
        for pitch in voices:
            self._add("chords", self.bars, 0, steps, pitch, 0.6)
            self._add("pad", self.bars, 0, steps, pitch, 0.6)

    def _add(
        self, part: str, bar: int, step: int, steps: float, pitch: int, velocity: float, late_s: float = 0.0
    ) -> None:
        start_s = (bar * STEPS_PER_BAR + step + self.swing * (step % 2)) * self.step_s + late_s
        if part not in STEADY_PARTS and step > 0:
            start_s += float(np.clip(self.rng.normal(0.0, 0.0025), -0.006, 0.006))
        self.parts.setdefault(part, []).append(Note(start_s, steps * self.step_s, pitch, velocity))

    def _pick(self, choices: Sequence[str]) -> str:
        return choices[int(self.rng.integers(len(choices)))]


def _held(pattern: str) -> list[tuple[int, int, str]]:
    """Return `(step, steps, symbol)` of each note of a pattern; `-` lengthens the note before it."""
    notes: list[tuple[int, int, str]] = []
    for step, symbol in enumerate(pattern):
        if symbol == "-" and notes and notes[-1][0] + notes[-1][1] == step:
            notes[-1] = (notes[-1][0], notes[-1][1] + 1, notes[-1][2])
        elif symbol not in ".-":
            notes.append((step, 1, symbol))
    return notes
