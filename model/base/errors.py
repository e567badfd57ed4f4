"""These exceptions say what went wrong, what was expected and what to do; endlos raises them on purpose."""

from collections.abc import Iterator
from contextlib import contextmanager


class EndlosError(Exception):
    """Root of every error that a user can cause or mend; the command line prints its sentence."""


class DecodeError(EndlosError):
    """A file cannot be decoded, or no longer holds the audio that it held."""


class PoolError(EndlosError):
    """A pool cannot be read, written or used."""


class ModelError(EndlosError):
    """A model cannot be read, or does not fit the pool."""


class OutputError(EndlosError):
    """A sound card, server, or file cannot take the stream."""


class StoppedError(EndlosError):
    """An interrupt ended what was going on; the sentence says what is kept, and how to go on."""


def interrupted(error: BaseException | None) -> bool:
    """Whether an interrupt led to this error: libraries in C, and imports, make one of their own of it."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None


@contextmanager
def told_if_stopped(kept: str) -> Iterator[None]:
    """Have an interrupt end what is done in a `with` block with a sentence.

    kept: what there is then, and how to go on. Raises `StoppedError`.
    """
    try:
        yield
    except BaseException as error:
        if not interrupted(error):
            raise
        raise StoppedError(f"stopped; {kept}") from None
