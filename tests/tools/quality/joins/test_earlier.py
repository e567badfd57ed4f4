"""A change of song that is played once more as a short blend has the new song at the same time."""

from contextlib import closing
from pathlib import Path

import numpy as np

from stream.joins.settings import SoundSettings
from tools.quality.joins.earlier import Earlier
from tools.quality.joins.streams import EngineStream
from tools.quality.joins.windows import cut_windows


def test_both_songs_are_where_the_engine_has_them(tiny_pool: Path) -> None:
    with (
        closing(EngineStream.of(tiny_pool, "model", 0, None)) as stream,
        closing(Earlier(tiny_pool, SoundSettings())) as earlier,
    ):
        pairs = [
            (window, played)
            for window in cut_windows(stream, 60.0, context_s=2.0)
            if window.boundary.joined
            and window.boundary.other_song
            and window.free_for(window.centre, len(window.audio) - window.centre)
            and (played := earlier.played(window)) is not None
        ]
    assert pairs
    for window, played in pairs:
        assert played.shape == window.audio.shape
        side = window.rate_hz
        for part in (slice(0, side), slice(-side, None)):
            heard, again = window.audio[part].ravel(), played[part].ravel()
            assert np.corrcoef(heard, again)[0, 1] > 0.95
