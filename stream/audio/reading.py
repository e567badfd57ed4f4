"""This module turns whatever a reader of audio raises into one sentence about one file."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import soundfile

from model.base.arrays import FloatArray
from model.base.errors import DecodeError
from model.base.quiet import quiet_c_stderr


@dataclass(frozen=True, kw_only=True, eq=False)
class AudioBlock:
    """Some frames of a file as they come: `(n, 2)` float32 at their own rate, which may change on the way."""

    samples: FloatArray
    sample_rate_hz: int


@contextmanager
def reading(
    path: Path, todo: str = "convert it, or remove it", doing: str = "be read as audio"
) -> Iterator[None]:
    """Raise as `DecodeError` whatever a library raises inside: a damaged file leads to anything.

    doing, todo: what of the sentence differs. What the C libraries print is dropped.
    """
    try:
        with quiet_c_stderr():
            yield
    except DecodeError:
        raise
    except MemoryError as error:
        raise DecodeError(f"{path} needs more memory than there is; cut it into shorter files") from error
    # Not only their own errors: ValueError, AssertionError, UnicodeError have all been seen.
    except Exception as error:
        raise DecodeError(f"{path} cannot {doing} ({reason(error)}); {todo}") from error


def reason(error: Exception) -> str:
    """Return a library's words without the path, which the sentence names already."""
    if isinstance(error, soundfile.LibsndfileError):
        return str(error.error_string).rstrip(".")
    said = getattr(error, "strerror", None) or str(error).partition("\n")[0]
    return (said or type(error).__name__)[:200].rstrip(".")
