"""Options that would do nothing beside others are told where they were typed, in one sentence."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import typer


@dataclass(frozen=True, kw_only=True)
class IdleOptions:
    """Options that do nothing where something else holds."""

    names: Sequence[str]
    """Of the command's parameters."""
    where: bool
    """Whether it holds."""
    why: str
    """What holds, and why nothing is left for them to do; goes on from "--option does nothing"."""


def refuse_idle(context: typer.Context, *rules: IdleOptions) -> None:
    """Raise `typer.BadParameter` for options that were typed and do nothing (`idle_told`)."""
    for told in idle_told(context, *rules):
        raise typer.BadParameter(told)


def idle_told(context: typer.Context, *rules: IdleOptions) -> Iterator[str]:
    """Yield a sentence for each rule by which options that were typed do nothing.

    What a variable or the configuration file says is for many runs, and is left out where it does not fit.
    """
    for rule in rules:
        typed = [name for name in rule.names if rule.where and was_typed(context, name)]
        if typed:
            options = [_spelled(context, name) for name in typed]
            told = (
                f"{', '.join(options[:-1])} and {options[-1]} do"
                if len(options) > 1
                else f"{options[0]} does"
            )
            yield f"{told} nothing {rule.why}; leave {'them' if len(options) > 1 else 'it'} out"


def was_typed(context: typer.Context, name: str) -> bool:
    """Return whether a parameter stands on the command line itself."""
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def _spelled(context: typer.Context, name: str) -> str:
    (found,) = (each for each in context.command.params if each.name == name)
    return max(found.opts, key=len)
