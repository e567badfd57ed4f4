"""This helper counts the kinds of nodes of an exported graph, those inside of loops and branches too."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import onnx

LOOPS = frozenset({"Loop", "Scan", "If"})
"""What a layer becomes that tf2onnx has no node for: 10 to 20 times dearer for one example."""


def node_kinds(content: bytes) -> Counter[str]:
    """Return how many nodes of each kind a graph has."""
    return Counter(_kinds(onnx.load_from_string(content).graph))


def _kinds(graph: Any) -> Iterator[str]:
    for node in graph.node:
        yield node.op_type
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                yield from _kinds(inner)
