"""The journey record counts returns, absences, tempi and energy of a stream, from its steps."""

import math
from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from model.base.arrays import BoolArray, DoubleArray
from stream.choosing.generation import Generation
from stream.choosing.journey.arcs import pool_energy
from stream.choosing.step import Step
from tools.bench.budgets import Budgets
from tools.bench.figures import Figure

LATELY = 8
"""A change of song back to one of so many songs that were left before it is a return."""
STRETCHED_PERCENT = 4.0
"""A song is stretched by so much without anyone hearing it."""


@dataclass(kw_only=True)
class _Stay:
    """One stay in a song."""

    song: int
    from_s: float
    until_s: float
    rows: list[int] = field(default_factory=list)


class JourneyRecord:
    """Where a stream went, as steps are heard one after the other; belongs to one thread."""

    def __init__(self, generation: Generation) -> None:
        self._pool = generation.pool
        self._energy = pool_energy(generation.pool).astype(np.float64)
        self._log_tempo = _log_tempi(generation.pool.traits.tempo_bpm.astype(np.float64))
        self._stays: list[_Stay] = []
        self._heard_s = 0.0
        self._phrases = self._changes = 0
        self._apart_percent: list[float] = []
        self._skipped_s: list[float] = []
        self._terms: Counter[str] = Counter()

    def take(self, step: Step) -> None:
        """Count a step."""
        song, row = step.chunk.song_index, step.chunk.row
        self._phrases += step.ends_phrase
        if not self._stays or self._stays[-1].song != song:
            self._stays.append(_Stay(song=song, from_s=self._heard_s, until_s=self._heard_s))
            if step.leaves_song and step.after is not None:
                overlap_s = 0.0 if step.door is None else step.door.goes_on_s
                self._skipped_s.append(self._skipped(self._stays[-2], overlap_s))
                self._changes += 1
                self._terms.update(step.terms)
                tempi = self._pool.traits.tempo_bpm[[step.after.row, row]]
                if (tempi > 0).all():
                    self._apart_percent.append(folded_percent(float(tempi[0]), float(tempi[1])))
        self._heard_s += step.length_s
        self._stays[-1].until_s = self._heard_s
        self._stays[-1].rows.append(row)

    def told(self) -> dict[str, float]:
        """Return plain values; nan where nothing can be told."""
        songs = [stay.song for stay in self._stays]
        artists = [self._pool.songs[song].artist for song in songs]
        lengths_s = [stay.until_s - stay.from_s for stay in self._stays]
        apart = np.array(self._apart_percent)
        changes = max(1, self._changes)
        return {
            "changes_of_song": self._changes,
            "stay_p50_s": float(np.median(lengths_s)),
            "other_song_percent": 100.0 * self._changes / max(1, self._phrases),
            "returns_percent": 100.0 * self._returns(songs, LATELY) / changes,
            "returns_of_three_percent": 100.0 * self._returns(songs, 3) / changes,
            "same_artist_percent": 100.0
            * sum(bool(name) and name == artists[n] for n, name in enumerate(artists[1:]))
            / changes,
            "songs_heard": len(set(songs)),
            "songs": len(self._pool.songs),
            "longest_absence": self._longest_absence(float(np.mean(lengths_s))),
            "skipped_most_s": max(self._skipped_s, default=float("nan")),
            "tempo_known_percent": 100.0 * len(apart) / changes,
            "within_stretch_percent": _percent(apart <= STRETCHED_PERCENT),
            "within_twice_percent": _percent(apart <= 2 * STRETCHED_PERCENT),
            "energy_steps": steps_over_random(self._means(self._energy)),
            "tempo_steps": steps_over_random(self._means(self._log_tempo)),
            **{f"term_{name}": value / changes for name, value in sorted(self._terms.items())},
        }

    def _skipped(self, stay: _Stay, overlap_s: float) -> float:
        """Return how much of a song was not heard before a stay in it and after it."""
        pool, rows = self._pool, self._pool.song_rows(stay.song)
        rate_hz = pool.songs[stay.song].sample_rate_hz
        before = int(pool.start_sample[stay.rows[0]] - pool.start_sample[rows.start])
        after = int(pool.end_sample[rows.stop - 1] - pool.end_sample[stay.rows[-1]])
        return before / rate_hz + max(0.0, after / rate_hz - overlap_s)

    def _returns(self, songs: list[int], lately: int) -> int:
        found, left = 0, list[int]()
        for before, song in pairwise(songs):
            left = [one for one in left if one != before] + [before]
            found += song in left[-lately:]
        return found

    def _longest_absence(self, stay_s: float) -> float:
        """Return for how long any song was not heard, over the time in which each could have been once."""
        fair_s = stay_s * len(self._pool.songs)
        last_s = np.zeros(len(self._pool.songs))
        longest_s = 0.0
        for stay in self._stays:
            longest_s = max(longest_s, stay.from_s - last_s[stay.song])
            last_s[stay.song] = stay.until_s
        return max(longest_s, float((self._heard_s - last_s).max())) / fair_s

    def _means(self, values: DoubleArray) -> DoubleArray:
        of_stays = [values[stay.rows] for stay in self._stays]
        means: DoubleArray = np.array(
            [np.nanmean(one) if np.isfinite(one).any() else np.nan for one in of_stays]
        )
        known: DoubleArray = means[np.isfinite(means)]
        return known


def journey_figures(question: str, budgets: Budgets, told: dict[str, float]) -> list[Figure]:
    """Return the figures of a part of the benchmark for what a `JourneyRecord` told."""
    note = (
        f"{told['songs_heard']} of {told['songs']} songs heard in {told['changes_of_song']} changes, "
        f"{told['other_song_percent']:.0f} % of what ends a phrase"
    )
    rows = (
        (f"returns to the last {LATELY} songs", "%", "returns_percent", budgets.returns_percent),
        ("longest absence of a song, in rounds", "", "longest_absence", budgets.absence_rounds),
        (f"tempi within {STRETCHED_PERCENT:g} % at a change", "%", "within_stretch_percent", None),
        ("steps of energy, over random", "", "energy_steps", None),
    )
    enough = told["songs"] >= 2 * LATELY
    return [
        Figure(
            question=question,
            name=name,
            unit=unit,
            value=None if math.isnan(told[key]) else told[key],
            at_most=at_most if enough else None,
            note=note if key == "returns_percent" else "",
        )
        for name, unit, key, at_most in rows
    ]


def folded_percent(a_bpm: float, b_bpm: float) -> float:
    """Return by how many percent two tempi differ, half and double taken as the same."""
    octaves = abs(float(np.log2(a_bpm / b_bpm)))
    folded: float = min(octaves, abs(octaves - 1.0))
    return float(100.0 * (2.0**folded - 1.0))


def steps_over_random(values: DoubleArray) -> float:
    """Return how far apart neighbours are in the mean, over any two: 1 is a random walk."""
    if len(values) < 3:
        return float("nan")
    sorted_values = np.sort(values)
    weights = 2.0 * np.arange(len(values)) - len(values) + 1.0
    any_two = 2.0 * float((weights * sorted_values).sum()) / (len(values) * (len(values) - 1.0))
    return float(np.abs(np.diff(values)).mean()) / any_two if any_two > 0 else float("nan")


def _log_tempi(tempo_bpm: DoubleArray) -> DoubleArray:
    return np.where(tempo_bpm > 0, np.log2(np.where(tempo_bpm > 0, tempo_bpm, 1.0)), np.nan)


def _percent(values: BoolArray) -> float:
    return 100.0 * float(np.mean(values)) if len(values) else float("nan")
