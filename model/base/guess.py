"""A guess is offered where a word is none of those that are known."""

import difflib
from collections.abc import Sequence


def did_you_mean(word: str, known: Sequence[str]) -> str:
    """Return in brackets which of the known words is most like a wrong one; nothing where none is."""
    best = difflib.get_close_matches(word, known, n=1)
    return f" (did you mean {best[0]}?)" if best else ""
