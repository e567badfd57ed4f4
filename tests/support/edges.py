"""This helper makes edges in memory, of songs that are told apart by what they sound like."""

import numpy as np

from model.features.edges import EDGE_RATE_HZ
from model.learning.edge_set import EdgeSet


def tone_edges(
    songs: int, chunks: int, ceiling_samples: int, *, seed: int = 0, second_channel: bool = True
) -> EdgeSet:
    """Songs of one tone each over noise; the second channel is the same, or noise alone."""
    rng = np.random.default_rng(seed)
    count = songs * chunks
    chunk_song = np.repeat(np.arange(songs), chunks)
    pitch_hz = rng.permutation(np.geomspace(60.0, 560.0, songs))[chunk_song]
    time_s = np.arange(ceiling_samples) / EDGE_RATE_HZ

    def edges() -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        phase = rng.uniform(0, 2 * np.pi, (count, 1))
        tone = 0.3 * np.sin(2 * np.pi * pitch_hz[:, None] * time_s + phase)
        noise = rng.normal(0, 0.02, (count, 2, ceiling_samples))
        noise[:, 0] += tone
        if second_channel:
            noise[:, 1] += tone
        return noise.astype(np.float32)

    return EdgeSet(
        chunk_song=chunk_song,
        chunk_samples=np.full(count, 2 * ceiling_samples),
        rows=np.arange(count),
        heads=edges(),
        tails=edges(),
        source={"coded_audio_hashes": [f"hash{number}" for number in range(songs)], "seed": seed},
    )
