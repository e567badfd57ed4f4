"""Options that several commands share are declared once and reach each command gathered in one argument."""

import functools
import inspect
from collections.abc import Callable, Sequence


def command_option(name: str, kind: object, default: object) -> inspect.Parameter:
    """Return one option; kind: its type, annotated with `typer.Option`."""
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)


def gathered(
    argument: str, options: Sequence[inspect.Parameter], make: Callable[..., object]
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return a decorator: the command has these options, and gets for `argument` what is made of them.

    make: called with every option by name.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        signature = inspect.signature(command)
        own = [each for each in signature.parameters.values() if each.name != argument]
        names = [each.name for each in options]

        @functools.wraps(command)
        def run(**given: object) -> None:
            values = {name: given.pop(name) for name in names}
            command(**given, **{argument: make(**values)})

        # What typer reads.
        seen = [*own, *options]
        run.__signature__ = signature.replace(parameters=seen)  # type: ignore[attr-defined]
        run.__annotations__ = {each.name: each.annotation for each in seen}
        return run

    return decorate
