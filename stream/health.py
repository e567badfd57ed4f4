"""Health: whether sound leaves the outputs."""

from collections.abc import Mapping, Sequence

from stream.outputs.base import Output
from stream.outputs.broadcast import Broadcast
from stream.outputs.encoded import EncodedOutput

AUDIBLE_WITHIN_S = 10.0
"""Health: how lately sound must have left an encoder."""


def silences(outputs: Sequence[Output], broadcasts: Mapping[str, Broadcast]) -> dict[str, float | None]:
    """Return how long ago each encoder delivered sound, in seconds, None: never."""
    encoders = {**{output.name: output for output in outputs}, **{b.name: b for b in broadcasts.values()}}
    return {
        name: output.silent_for_s() for name, output in encoders.items() if isinstance(output, EncodedOutput)
    }


def healthy(silences: Mapping[str, float | None]) -> bool:
    """Return whether any encoder delivers sound: one server that is down is no reason to restart endlos."""
    return any(silence is not None and silence < AUDIBLE_WITHIN_S for silence in silences.values())
