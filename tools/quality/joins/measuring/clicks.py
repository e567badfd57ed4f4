"""This measure finds clicks, samples that those around do not lead to expect, and says whose they are."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from model.base.arrays import DoubleArray, FloatArray

ORDER = 24
MARGIN_S = 0.015
"""Predicted and compared over this much around each stretch."""
STRETCH_S = 0.03
LONE_FRAMES = 24
"""A click is this short; a drum goes on."""
TIMES_OTHERS = 6.0
"""A click's error is this many times the largest one elsewhere in its surroundings."""
LEAST = 0.003
"""Errors below it (-50 dBFS) are not heard as clicks."""
NEAR_FRAMES = 32
"""So much around a click is looked for in the songs."""
SAME = 0.7
"""A song has the click where its errors of prediction correlate with those of the stream by so much, ..."""
MOST_LOUDER = 30.0
"""... and are not so many times softer: what a song hardly has is not its own."""


@dataclass(frozen=True, kw_only=True, eq=False)
class SongPiece:
    """A song as it is in its file, at the time of a piece of the stream."""

    audio: FloatArray
    """`(slack + frames + slack, 2)`, for `frames` of the stream."""
    slack: int
    """By so much it may be off."""


@dataclass(frozen=True, kw_only=True)
class Click:
    """A click in one channel of the stream."""

    frame: int
    side: int


def find_clicks(audio: FloatArray, begin: int, end: int, rate_hz: int) -> list[Click]:
    """Return the clicks in frames `begin` to `end` of `(frames, 2)` audio, one in 30 ms at most.

    Both channels are whitened by linear prediction fitted to the surroundings (Godsill and Rayner, 1998,
    chapter 5); what stands out alone, far above every other error within 15 ms, is a click.
    """
    margin, stretch = round(MARGIN_S * rate_hz), round(STRETCH_S * rate_hz)
    found = []
    for start in range(begin, end, stretch):
        stop = min(start + stretch, end)
        first, last = max(0, start - margin), min(len(audio), stop + margin)
        if last - first <= 4 * ORDER:
            continue
        for side in range(audio.shape[1]):
            signal = audio[first:last, side].astype(np.float64)
            error = np.abs(_errors(signal, _prediction(signal)))
            if (place := _alone(error, start - first, stop - first)) is not None:
                found.append(Click(frame=first + place, side=side))
                break
    return found


def clicks_around(click: Click, rate_hz: int) -> tuple[int, int]:
    """Return the frames of the stream, from and to, that `is_of_song` looks at."""
    margin = round(MARGIN_S * rate_hz)
    return click.frame - margin, click.frame + margin


def is_of_song(audio: FloatArray, side: int, songs: Sequence[SongPiece]) -> bool:
    """Return whether a song has the click in the middle of `(frames, 2)` audio, at the same place.

    The songs go through the filter that whitens the stream there; a click is the song's own where what is
    left of it goes the same way.
    """
    signal = audio[:, side].astype(np.float64)
    prediction = _prediction(signal)
    middle = len(signal) // 2
    near = slice(max(0, middle - NEAR_FRAMES), middle + NEAR_FRAMES)
    heard = _errors(signal, prediction)[near]
    for song in songs:
        errors = _errors(song.audio[:, side].astype(np.float64), prediction)
        errors = errors[near.start : near.start + len(heard) + 2 * song.slack]
        if len(errors) < len(heard):
            continue
        products = np.correlate(errors, heard, "valid")
        energies = np.correlate(np.square(errors), np.ones(len(heard)), "valid")
        energy = float(np.square(heard).sum())
        alike = products / np.sqrt(np.maximum(energies * energy, 1e-30))
        loud = energies * MOST_LOUDER**2 >= energy
        if bool((loud & (np.abs(alike) >= SAME)).any()):
            return True
    return False


def _prediction(wide: DoubleArray) -> DoubleArray:
    """Return the weights, `(ORDER,)`, by which each sample is foretold from those before it."""
    rows = np.lib.stride_tricks.sliding_window_view(wide, ORDER)[:-1]
    # A click must not teach its own prediction: large steps count little in the fit.
    steps = np.abs(np.diff(wide))[ORDER - 1 :]
    weight = 1.0 / (1.0 + (steps / (4 * np.median(steps) + 1e-9)) ** 2)
    weighted = rows * weight[:, None]
    matrix = weighted.T @ rows + 1e-9 * np.eye(ORDER)
    weights: DoubleArray = np.linalg.solve(matrix, weighted.T @ wide[ORDER:])
    return weights


def _errors(wide: DoubleArray, prediction: DoubleArray) -> DoubleArray:
    """Return the errors of prediction, `(len(wide),)`; 0 at first."""
    rows = np.lib.stride_tricks.sliding_window_view(wide, ORDER)[:-1]
    return np.concatenate([np.zeros(ORDER), wide[ORDER:] - rows @ prediction])


def _alone(error: DoubleArray, first: int, stop: int) -> int | None:
    """Return the place of the largest error from `first` to `stop`, if it stands alone."""
    place = first + int(error[first:stop].argmax())
    others = np.concatenate([error[: max(0, place - LONE_FRAMES)], error[place + LONE_FRAMES :]])
    alone = error[place] > LEAST and error[place] > TIMES_OTHERS * others.max(initial=0.0)
    return place if alone else None
