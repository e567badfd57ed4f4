"""The suite asks the questions of the benchmark in their order."""

import importlib
from collections.abc import Sequence

from model.base.errors import EndlosError
from tools.bench.figures import Figure, missing
from tools.bench.questions import QUESTION_MODULES, QUESTIONS
from tools.bench.settings import BenchSettings

_PEERS = "peers"


def chosen(only: str | None, *, peers: bool) -> tuple[str, ...]:
    """Return the questions that `--only` names, else all; the peers only if they are asked for.

    Raises `EndlosError` on a name that is none.
    """
    if only is None:
        return tuple(name for name in QUESTIONS if peers or name != _PEERS)
    names = [name.strip() for name in only.split(",") if name.strip()]
    unknown = sorted(set(names) - set(QUESTIONS))
    if unknown or not names:
        raise EndlosError(
            f"--only {only!r} names no part of the benchmark; expected some of {', '.join(QUESTIONS)}"
        )
    return tuple(name for name in QUESTIONS if name in names or (peers and name == _PEERS))


def measure_questions(questions: Sequence[str], settings: BenchSettings) -> list[Figure]:
    """Return the figures of every question; one that fails is a row that says why, and the others go on."""
    figures = []
    for question in questions:
        module, function = QUESTION_MODULES[question]
        try:
            figures += getattr(importlib.import_module(module), function)(settings)
        except EndlosError as error:
            figures.append(missing(question, "failed", str(error), failed=True))
    return figures
