"""The mixdown plays each part of a score, sets its level, ducks and echoes it, and masters the sum."""

from collections.abc import Callable

import numpy as np

from model.base.arrays import FloatArray
from tools.demo import drums, effects, voices
from tools.demo.compose import OPENNESS, Note, Score
from tools.demo.effects import DEMO_RATE_HZ

MIX_DB = {
    "kick": -13.0,
    "backbeat": -22.5,
    "hat": -32.0,
    "open_hat": -30.0,
    "shaker": -34.0,
    "percussion": -29.0,
    "roll": -25.0,
    "crash": -31.0,
    "riser": -29.0,
    "bass": -15.5,
    "chords": -19.0,
    "pad": -23.0,
    "lead": -21.5,
}
"""Level of each part where it plays (400 ms RMS, dBFS), whatever its timbre; mastering sets the whole."""

SOUND_DB = {"rim": -5.0}
"""Corrections for sounds so short that their level says too little of their peaks."""

REVERB_SEND = {
    "backbeat": 0.25,
    "percussion": 0.3,
    "roll": 0.25,
    "crash": 0.3,
    "riser": 0.3,
    "hat": 0.04,
    "open_hat": 0.06,
    "chords": 0.3,
    "pad": 0.35,
    "lead": 0.4,
}
REVERB_GAIN = 0.8

PAN = {"hat": 0.18, "open_hat": -0.15, "shaker": -0.3, "percussion": 0.35, "lead": 0.08}
"""-1 left, 1 right."""

DUCKED = {"bass": 0.8, "chords": 1.0, "pad": 1.0, "lead": 0.3}
"""How much of the style's ducking each part takes."""

PRESENCE_HZ = 2200.0
PRESENCE_DB = 4.5
TARGET_LUFS = -15.0
DRIVE_DB = -12.5
"""Level (400 ms RMS, dBFS) at which the mix meets the saturation."""
_CEILING_DB = -2.0
TRUE_PEAK_DB = -1.2
FADE_IN_S = 0.006
LONGEST_FADE_OUT_S = 6.0

Voice = Callable[[Note], FloatArray]


def mix_down(score: Score, rng: np.random.Generator) -> FloatArray:
    """Return the song, `(2, round(seconds * DEMO_RATE_HZ))` float32 at `DEMO_RATE_HZ`.

    Its first beat stands on frame 0, beat n at n * 60 / bpm seconds; kick and backbeat are exactly there.
    """
    frames = round(score.seconds * DEMO_RATE_HZ)
    mix = np.zeros((2, frames), np.float32)
    send = np.zeros(frames, np.float32)
    kicks = [round(note.start_s * DEMO_RATE_HZ) for note in score.parts.get("kick", ())]
    dips = effects.duck_curve(frames, kicks, score.style.duck, release_s=0.75 * 60 / score.bpm)
    for part, notes in score.parts.items():
        stem = _played(notes, _voice(part, score, rng), frames)
        if part == "chords":
            stem = _opened(stem, _openness(score, frames))
            if score.sounds["chords"] == "rhodes":
                stem *= _auto_pan(frames, score.bpm)
        gain_db = MIX_DB[part] + score.style.levels_db.get(part, 0.0) - effects.level_db(stem)
        gain_db += SOUND_DB.get(score.sounds.get(part, ""), 0.0)
        stem *= np.float32(10 ** (gain_db / 20)) * _pan_gains(PAN.get(part, 0.0))
        if part in DUCKED:
            stem *= 1 - np.float32(DUCKED[part]) * (1 - dips)
        if part == "lead":
            stem += effects.ping_pong(stem, delay_s=0.75 * 60 / score.bpm, feedback=0.42)
        mix += stem
        if part in REVERB_SEND:
            send += np.float32(REVERB_SEND[part]) * effects.mid(stem)
    mix += np.float32(REVERB_GAIN) * effects.reverberated(
        send, effects.reverb_kernel(rng, score.style.reverb_s)
    )
    return _faded(mastered(mix))


def mastered(mix: FloatArray) -> FloatArray:
    """Return a mix without DC, gently saturated, at `TARGET_LUFS`, its true peak under `TRUE_PEAK_DB`."""
    audio = effects.toned(mix, 24, PRESENCE_HZ, PRESENCE_DB)
    audio *= np.float32(10 ** ((DRIVE_DB - effects.level_db(audio)) / 20))
    audio = np.tanh(0.9 * audio) / np.float32(0.9)
    audio *= np.float32(10 ** ((TARGET_LUFS - effects.mix_loudness_lufs(audio)) / 20))
    audio = effects.limited(audio, 10 ** (_CEILING_DB / 20))
    excess = effects.mix_true_peak(audio) / 10 ** (TRUE_PEAK_DB / 20)
    return audio / np.float32(max(1.0, excess))


def _played(notes: list[Note], voice: Voice, frames: int) -> FloatArray:
    """Add each note's sound at its place; sounds that come again are made once."""
    stem = np.zeros((2, frames), np.float32)
    made: dict[tuple[int, float, float], FloatArray] = {}
    for note in notes:
        start = max(0, round(note.start_s * DEMO_RATE_HZ))
        if start >= frames:
            continue
        # Three strengths of touch are enough for timbre; loudness follows the velocity itself.
        touch = min(1.0, max(1, round(3 * note.velocity)) / 3)
        key = (note.pitch, round(note.length_s, 4), touch)
        if key not in made:
            made[key] = voice(note._replace(velocity=touch))
        sound = made[key][..., : frames - start]
        stem[:, start : start + sound.shape[-1]] += np.float32(note.velocity) * sound
    return stem


def _voice(part: str, score: Score, rng: np.random.Generator) -> Voice:
    if part in ("bass", "chords", "lead"):
        return _pitched(score.sounds[part])
    if part == "pad":
        pitches = sorted({note.pitch for note in score.parts["pad"]})
        loops = {pitch: voices.pad(rng, pitch) for pitch in pitches}
        return lambda note: voices.held_pad(loops[note.pitch], note.length_s)
    if part == "riser":
        return lambda note: drums.riser(rng, note.length_s)
    kit = _kit(part, score.sounds["backbeat"], rng)
    return lambda note: kit[note.pitch % len(kit)]


def _pitched(sound: str) -> Voice:
    if sound in ("saw", "round", "sub"):
        return lambda note: voices.bass(sound, note.pitch, note.length_s)
    play = {
        "rhodes": voices.rhodes,
        "organ": voices.organ,
        "stab": voices.stab,
        "pluck": voices.pluck,
        "bell": voices.bell,
        "vibes": voices.vibes,
        "flute": voices.flute,
    }[sound]
    return lambda note: play(note.pitch, note.length_s, note.velocity)


def _kit(part: str, backbeat: str, rng: np.random.Generator) -> list[FloatArray]:
    """Return the variants of a drum, so that no two hits in a row need be the same."""
    if part == "kick":
        return [drums.kick(rng)]
    if part == "backbeat":
        return [{"clap": drums.clap, "snare": drums.snare, "rim": drums.rim}[backbeat](rng)]
    if part == "hat":
        return [drums.hat(rng, 0.028 + 0.004 * variant) for variant in range(4)]
    if part == "open_hat":
        return [drums.hat(rng, 0.11) for _ in range(4)]
    if part == "shaker":
        return [drums.shaker(rng) for _ in range(4)]
    if part == "percussion":
        return [drums.conga(rng, pitch_hz) for pitch_hz in (196.0, 262.0, 208.0, 294.0)]
    if part == "roll":
        return [drums.snare(rng)]
    return [drums.crash(rng)]


def _opened(stem: FloatArray, openness: FloatArray) -> FloatArray:
    """Fade from a dark version of the part to the part itself; both are in phase, so nothing combs."""
    dark = effects.band_pass(stem, 0, 480)
    return dark + openness * (stem - dark)


def _openness(score: Score, frames: int) -> FloatArray:
    times_s, values = [], []
    for section in score.sections:
        start, stop = OPENNESS[section.name]
        times_s += [section.start * score.bar_s, section.stop * score.bar_s - 0.02]
        values += [start, stop]
    return np.interp(np.arange(frames) / DEMO_RATE_HZ, times_s, values).astype(np.float32)


def _auto_pan(frames: int, bpm: float) -> FloatArray:
    """The suitcase piano's slow swing between the sides, three to a half bar."""
    radians = np.arange(frames) * (2 * np.pi * 1.5 * bpm / 60 / DEMO_RATE_HZ)
    swing = np.float32(0.22) * np.sin(radians.astype(np.float32))
    return np.stack([1 + swing, 1 - swing])


def _pan_gains(pan: float) -> FloatArray:
    """Equal power; the middle is 1 on both sides."""
    angle = (pan + 1) * np.pi / 4
    return np.array([[np.cos(angle)], [np.sin(angle)]], np.float32) * np.float32(np.sqrt(2))


def _faded(audio: FloatArray) -> FloatArray:
    fade_in = int(FADE_IN_S * DEMO_RATE_HZ)
    fade_out = int(min(LONGEST_FADE_OUT_S, 0.1 * audio.shape[1] / DEMO_RATE_HZ) * DEMO_RATE_HZ)
    audio[:, :fade_in] *= np.sin(np.linspace(0, np.pi / 2, fade_in, dtype=np.float32)) ** 2
    audio[:, -fade_out:] *= np.cos(np.linspace(0, np.pi / 2, fade_out, dtype=np.float32)) ** 2
    return audio
