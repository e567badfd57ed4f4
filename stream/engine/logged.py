"""A logged decision is checked before it is replayed, because what it says is used in kernels."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

import numpy as np

from stream.joins.kinds.registry import plan_type
from stream.joins.stretch import check_course
from stream.pool.pool import ChunkKey

_MOST_FRAMES = 2**45
"""Of a stream: more than twenty years."""
_MOST_SECONDS = 1e6
"""Of a song: eleven days."""
_MOST_FADE_FRAMES = 40 * 48_000
_MOST_DB = 120.0
_MAY_BE_NEGATIVE = ("shift_frames", "enter_frame", "begin_frame", "leave_frame")
"""A song may be entered before it begins: then silence is faded in first, and maybe left again."""
_LENGTHS = ("before_frames", "after_frames", "ramp_frames", "come_frames")
_COURSES = ("played_frames", "heard_frames")
_SPANS = ("lows", "mids", "highs")


def check_decisions(decisions: Sequence[object], stops: Sequence[object]) -> None:
    """Raise `ValueError` in words for the first value of a log that no run can have written."""
    for number, decision in enumerate(decisions):
        where = f"decision {number}"
        told = _mapping(decision, where)
        _check_decision(told, where)
        if number == 0:
            _seconds(_mapping(told.get("to"), f"to of {where}").get("start_s"), f"start_s of {where}")
            settings = _mapping(told.get("settings"), f"settings of {where}")
            _whole(settings.get("engine_rate_hz"), "engine_rate_hz")
            _number(settings.get("fade_s"), "fade_s")
            if settings.get("target_lufs") is not None:
                _number(settings.get("target_lufs"), "target_lufs")
            _whole(settings.get("reach_frames"), "reach_frames")
    for stop in stops:
        _whole(stop, "t_out_frames of the stop")


def _check_decision(told: Mapping[str, Any], where: str) -> None:
    _whole(told.get("t_out_frames"), f"t_out_frames of {where}")
    if told.get("jump_frames") is not None:
        _whole(told["jump_frames"], f"jump_frames of {where}")
    if not isinstance(told.get("natural"), bool):
        raise ValueError(f"natural of {where} is {_shown(told.get('natural'))}, expected true or false")
    to = _mapping(told.get("to"), f"to of {where}")
    for field in fields(ChunkKey):
        if field.type in (int, "int"):
            _whole(to.get(field.name), f"{field.name} of {where}")
        elif not isinstance(to.get(field.name), str):
            raise ValueError(f"{field.name} of {where} is {_shown(to.get(field.name))}, expected a text")
    if told.get("join") is not None:
        _check_join(_mapping(told["join"], f"join of {where}"), f"the join of {where}")


def _check_join(join: Mapping[str, Any], where: str) -> None:
    for field in fields(plan_type(join.get("kind"))):
        value, what = join.get(field.name), f"{field.name} of {where}"
        if field.name == "terms":
            _mapping(value, what)
        elif field.name in _LENGTHS:
            _whole(value, what, most=_MOST_FADE_FRAMES)
        elif field.name == "beat_frames":
            _whole(value, what, least=1, most=_MOST_FADE_FRAMES)
        elif field.name in (*_COURSES, *_SPANS):
            _wholes(value, what)
        elif field.name in _MAY_BE_NEGATIVE:
            _whole(value, what, least=-_MOST_FADE_FRAMES)
        elif field.type in (int, "int"):
            _whole(value, what)
        else:
            _number(value, what)
    if "played_frames" in join:
        check_course(*(np.array(join[name], dtype=np.int64) for name in _COURSES))


def _whole(value: object, what: str, *, least: int = 0, most: int = _MOST_FRAMES) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise ValueError(f"{what} is {_shown(value)}, expected a whole number from {least} to {most}")


def _wholes(values: object, what: str) -> None:
    if not isinstance(values, list) or len(values) < 2:
        raise ValueError(f"{what} is {_shown(values)}, expected whole numbers")
    for value in values:
        _whole(value, what, most=_MOST_FADE_FRAMES)


def _number(value: object, what: str) -> None:
    good = isinstance(value, int | float) and not isinstance(value, bool)
    if not good or not math.isfinite(value) or abs(value) > _MOST_DB:  # type: ignore[arg-type]
        raise ValueError(f"{what} is {_shown(value)}, expected a number")


def _seconds(value: object, what: str) -> None:
    good = isinstance(value, int | float) and not isinstance(value, bool)
    if not good or not 0 <= value <= _MOST_SECONDS:  # type: ignore[operator]
        raise ValueError(f"{what} is {_shown(value)}, expected 0 to {_MOST_SECONDS:g} seconds")


def _mapping(value: object, what: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{what} is {_shown(value)}, expected an object")
    return value


def _shown(value: object) -> str:
    text = "missing" if value is None else repr(value)
    return text if len(text) <= 40 else f"{text[:40]}..."
