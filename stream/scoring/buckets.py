"""The buckets of a pool hold each chunk in the class that the transition into it most likely belongs to."""

from dataclasses import dataclass

import numpy as np

from model.base.arrays import FloatArray, IntArray
from stream.index.metrics import kept_nats
from stream.index.vector_index import EmbeddingIndex


@dataclass(frozen=True, kw_only=True, eq=False)
class Buckets:
    """The chunks of a pool sorted into buckets, and the walk that leads from bucket to bucket.

    bucket: `(N,)` int64, the most likely class of each chunk. likely: `(N,)` float32, the logarithm of how
    likely it is, by which the chunks of a bucket are ranked. sizes: `(K,)` int64, chunks in each bucket.
    walk: `(L,)` int64, the class of each transition along the reference songs. None is written to.
    """

    bucket: IntArray
    likely: FloatArray
    sizes: IntArray
    walk: IntArray

    @classmethod
    def of(cls, vectors: EmbeddingIndex, walk: tuple[int, ...]) -> "Buckets":
        """Sort chunks by the vectors of such a model, whose starts are distributions over its classes."""
        nats = kept_nats(vectors.successors[:, : vectors.width])
        bucket = nats.argmax(axis=1)
        return cls(
            bucket=bucket,
            likely=nats[np.arange(len(bucket)), bucket],
            sizes=np.bincount(bucket, minlength=vectors.width),
            walk=np.asarray(walk, dtype=np.int64),
        )

    @property
    def empty(self) -> int:
        """How many buckets no chunk falls into."""
        return int(np.count_nonzero(self.sizes == 0))
