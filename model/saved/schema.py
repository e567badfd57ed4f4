"""A schema says what a JSON document holds, and the first field that is otherwise becomes one sentence."""

import math
from collections.abc import Callable, Mapping
from typing import Any

FieldCheck = Callable[[Any, str], str | None]
"""Says what is wrong with a value, of the field named; None when nothing is."""


def a_text(value: Any, field: str) -> str | None:
    """Hold a value to be a text."""
    return None if isinstance(value, str) else _otherwise(field, value, "a text")


def a_number(value: Any, field: str) -> str | None:
    """Hold a value to be a finite number."""
    good = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < math.inf
    return None if good else _otherwise(field, value, "a number")


def anything(value: Any, field: str) -> str | None:
    """Let anything pass: what is only kept."""
    return None


def whole(least: int, most: int) -> FieldCheck:
    """Hold a value to be a whole number from `least` to `most`."""

    def check(value: Any, field: str) -> str | None:
        good = type(value) is int and least <= value <= most
        return None if good else _otherwise(field, value, f"a whole number from {least} to {most}")

    return check


def nothing_or(inner: FieldCheck) -> FieldCheck:
    """Hold a value to be null, or what `inner` asks for."""

    def check(value: Any, field: str) -> str | None:
        return None if value is None else inner(value, field)

    return check


def list_of(inner: FieldCheck, most: int = 1_000) -> FieldCheck:
    """Hold a value to be a list of at most `most`, each as `inner` asks."""

    def check(value: Any, field: str) -> str | None:
        if not isinstance(value, list) or len(value) > most:
            return _otherwise(field, value, f"a list of at most {most}")
        return _first(inner(one, f"{field}[{place}]") for place, one in enumerate(value))

    return check


def map_of(inner: FieldCheck) -> FieldCheck:
    """Hold a value to be an object, each field of which is as `inner` asks."""

    def check(value: Any, field: str) -> str | None:
        if not isinstance(value, dict):
            return _otherwise(field, value, "an object")
        return _first(inner(one, f"{field}.{name}") for name, one in value.items())

    return check


def an_object(
    fields: Mapping[str, FieldCheck], optional: Mapping[str, FieldCheck] | None = None
) -> FieldCheck:
    """Hold a value to be an object that has all of `fields`; the optional ones are checked where they are.

    What else it has is for who makes something of it.
    """

    def check(value: Any, field: str) -> str | None:
        if not isinstance(value, dict):
            return _otherwise(field, value, "an object")
        missing = [name for name in fields if name not in value]
        if missing:
            return f"{field or 'it'} has no {missing[0]}"
        checks = {**fields, **(optional or {})}
        return _first(
            inner(value[name], f"{field}.{name}" if field else name)
            for name, inner in checks.items()
            if name in value
        )

    return check


def _first(found: Any) -> str | None:
    return next((problem for problem in found if problem is not None), None)


def _otherwise(field: str, value: Any, expected: str) -> str:
    return f"{field or 'it'} is {str(value)[:60]!r}, expected {expected}"
