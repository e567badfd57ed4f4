"""Approach `binary` chooses the edge length that its network sees of each side of a seam."""

from model.approaches.binary.settings import BinarySettings
from model.features.edges import EDGE_RATE_HZ
from model.learning.edge_set import EdgeSet


def choose_edge_samples(edges: EdgeSet, settings: BinarySettings) -> tuple[int, str | None]:
    """Return the edge of the model in samples at `EDGE_RATE_HZ`, and what is to be said about it.

    edges: of the training songs. Preset `seed` takes their shortest chunk (report, section 2.2), but no more
    than the pool keeps. Raises `ModelError` when the pool keeps less than what was asked for.
    """
    wanted = settings.chosen_edge_samples
    if wanted is not None:
        edges.check_edge(wanted)
        return wanted, None
    shortest = max(2, int(edges.chunk_samples.min()))
    ceiling = edges.ceiling_samples
    if shortest > ceiling:
        return ceiling, (
            f"the edge is {ceiling / EDGE_RATE_HZ:.2f} s, the longest that the pool keeps; "
            f"the shortest chunk, which the report takes, has {shortest / EDGE_RATE_HZ:.2f} s"
        )
    return shortest, f"the edge is the shortest chunk: {shortest / EDGE_RATE_HZ:.2f} s, {shortest} samples"
