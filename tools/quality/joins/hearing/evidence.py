"""The evidence contrasts the middle of a window with the rest of it, which gives a join away."""

import numpy as np

from model.base.arrays import DoubleArray, FloatArray
from tools.quality.joins.spectra import Spectra

REACHES = (2, 4, 8, 16, 32, 64)
"""Frames of the log-mel spectrum that are compared on either side."""
GAPS = (0, 4)
NEAR = 2
FLUX_NEAR = 6
LAGS = (8, 110)
"""Lags at which an onset may repeat itself, 90 ms to 1.3 s."""
POOLED = 4
CHROMA_GAP = 2
CHROMA_REACHES = (4, 8, 16, 28)


def evidence(seen: Spectra) -> FloatArray:
    """Return the features of one window, `(F,)` float32; the same number for every window.

    Contrasts of level and timbre over several reaches, each with its place among the same contrast
    elsewhere in the window; spectral flux; how onsets repeat on either side and across; how well what
    comes after is found again in what was before (self-similarity of log-mel and chroma).
    """
    mel = seen.mel.astype(np.float64)
    middle = len(mel) // 2
    parts = [
        _contrasts(mel, middle),
        _flux(mel, middle),
        _repetition(mel, middle),
        _likeness(mel),
        _tonal(seen.chroma.astype(np.float64)),
        _halves(mel, middle),
    ]
    return np.concatenate(parts).astype(np.float32)


def _contrasts(mel: DoubleArray, middle: int) -> DoubleArray:
    total = np.concatenate([np.zeros((1, mel.shape[1])), np.cumsum(mel, axis=0)])
    found: list[float] = []
    for reach in REACHES:
        for gap in GAPS:
            if 2 * (reach + gap) >= len(mel):
                found += [0.0] * 9
                continue
            at = np.arange(reach + gap, len(mel) - reach - gap + 1)
            after = (total[at + gap + reach] - total[at + gap]) / reach
            step = after - (total[at - gap] - total[at - gap - reach]) / reach
            level = step.mean(axis=1)
            timbre = np.abs(step - level[:, None]).mean(axis=1)
            place = middle - (reach + gap)
            for contrast in (np.abs(step).mean(axis=1), np.abs(level), timbre):
                peak = contrast[max(0, place - NEAR) : place + NEAR + 1].max()
                found += [contrast[place], _standing(peak, contrast), (contrast < peak).mean()]
    return np.array(found)


def _flux(mel: DoubleArray, middle: int) -> DoubleArray:
    step = np.diff(mel, axis=0)
    found: list[float] = []
    for flux in (np.maximum(step, 0).mean(axis=1), np.maximum(-step, 0).mean(axis=1)):
        near = flux[middle - FLUX_NEAR : middle + FLUX_NEAR]
        found += [
            near.max(),
            _standing(near.max(), flux),
            (flux < near.max()).mean(),
            near.mean() / (flux.mean() + 1e-3),
        ]
    return np.array(found)


def _repetition(mel: DoubleArray, middle: int) -> DoubleArray:
    flux = np.maximum(np.diff(mel, axis=0), 0).mean(axis=1)
    onsets = np.maximum(flux - np.convolve(flux, np.ones(31) / 31, "same"), 0)
    before, after = _autocorrelation(onsets[:middle]), _autocorrelation(onsets[middle : 2 * middle])
    lags = np.arange(*LAGS)
    lags = lags[lags < middle]
    centred = onsets - onsets.mean()
    power = float(centred @ centred) + 1e-9
    whole = _autocorrelation(onsets)[lags]
    across = np.array([centred[middle - lag : middle] @ centred[middle : middle + lag] for lag in lags])
    across /= power
    same = lags[lags < min(len(before), len(after))]
    return np.array(
        [
            before[same].max(),
            after[same].max(),
            _correlation(before[same], after[same]),
            abs(int(before[same].argmax()) - int(after[same].argmax())),
            whole.max(),
            across.max(),
            across[whole.argmax()],
        ]
    )


def _likeness(mel: DoubleArray) -> DoubleArray:
    pooled = mel[: len(mel) // POOLED * POOLED].reshape(-1, POOLED, mel.shape[1]).mean(axis=1)
    return _found_again(pooled - pooled.mean(axis=0), 1)


def _tonal(chroma: DoubleArray) -> DoubleArray:
    middle = len(chroma) // 2
    directions = []
    for reach in CHROMA_REACHES:
        before = chroma[max(0, middle - CHROMA_GAP - reach) : middle - CHROMA_GAP].mean(axis=0)
        after = chroma[middle + CHROMA_GAP : middle + CHROMA_GAP + reach].mean(axis=0)
        directions.append(float(_unit(before) @ _unit(after)))
    return np.concatenate([_found_again(chroma, CHROMA_GAP), directions])


def _found_again(rows: DoubleArray, gap: int) -> DoubleArray:
    """Compare what is after the middle with what is before it, and either with itself."""
    unit = _unit(rows)
    likeness = unit @ unit.T
    middle = len(likeness) // 2
    across = likeness[middle + gap :, : middle - gap]
    after = likeness[middle + gap :, middle + gap :] - 2 * np.eye(len(likeness) - middle - gap)
    before = likeness[: middle - gap, : middle - gap] - 2 * np.eye(middle - gap)
    own = (after.mean() + before.mean()) / 2
    best_after, best_before = across.max(axis=1).mean(), across.max(axis=0).mean()
    return np.array(
        [
            across.mean(),
            best_after,
            best_before,
            after.max(axis=1).mean(),
            before.max(axis=1).mean(),
            after.mean(),
            before.mean(),
            best_after - after.max(axis=1).mean(),
            best_before - before.max(axis=1).mean(),
            across.mean() - own,
        ]
    )


def _halves(mel: DoubleArray, middle: int) -> DoubleArray:
    before, after = mel[: middle - 8], mel[middle + 8 :]
    step = np.abs(after.mean(axis=0) - before.mean(axis=0))
    spread = np.abs(after.std(axis=0) - before.std(axis=0))
    ground = np.abs(np.percentile(before, 10, axis=0) - np.percentile(after, 10, axis=0))
    thirds = [band.mean() for band in np.array_split(step, 4)] + [
        band.mean() for band in np.array_split(ground, 3)
    ]
    return np.array(
        [step.mean(), step.max(), spread.mean(), spread.max(), ground.mean(), ground.max(), *thirds]
    )


def _standing(value: float, values: DoubleArray) -> float:
    return float((value - values.mean()) / (values.std() + 1e-3))


def _autocorrelation(values: DoubleArray) -> DoubleArray:
    centred = values - values.mean()
    found = np.correlate(centred, centred, "full")[len(centred) - 1 :]
    result: DoubleArray = found / (found[0] + 1e-9)
    return result


def _correlation(a: DoubleArray, b: DoubleArray) -> float:
    a, b = a - a.mean(), b - b.mean()
    return float(a @ b / (np.sqrt((a @ a) * (b @ b)) + 1e-9))


def _unit(rows: DoubleArray) -> DoubleArray:
    unit: DoubleArray = rows / (np.linalg.norm(rows, axis=-1, keepdims=True) + 1e-9)
    return unit
