"""A scoring says how a model is asked, its features what it sees."""

from typing import Literal

Scoring = Literal["pairs", "vectors", "buckets"]
"""`pairs`: one graph, [tail | head] -> probability. `vectors`: a graph for ends, one for starts, and a metric
between them, calibrated. `buckets`: one graph to K classes, and a walk through them."""
Features = Literal["edges", "spectra"]
"""`edges`: `(edge_samples, 1)` next to a cut. `spectra`: `(SPECTRUM_FRAMES, SPECTRUM_BINS)` next to a cut."""
VectorMetric = Literal["dot", "correlation", "product"]
"""How an end is compared with a start: `stream.index.metrics`."""
CORRELATION_SHIFT = 4
"""Values by which metric `correlation` moves one vector over the other, at most a quarter of them."""
EMBEDDED: frozenset[Scoring] = frozenset({"vectors", "buckets"})
"""Scorings in which a graph sees each chunk of a pool once, and what comes of it is kept beside the pool."""
PAIR_ROLE = "pair"
VECTOR_ROLES = ("ends", "starts")
"""Graphs of scoring `vectors`: what is seen of a tail or of a head -> `embedding`."""
CLASSES_ROLE = "classes"
"""Graph of scoring `buckets`: what is seen of [tail | head], one after the other -> logits of K."""
