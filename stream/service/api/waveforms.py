"""The waveforms of songs are computed by one thread of their own, and the latest are kept."""

import asyncio
import threading
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor

from stream.audio.peaks import song_peaks
from stream.pool.pool import Pool
from stream.service.api.answers import Waveform

MOST_KEPT = 64
MOST_WAITING = 8


class Waveforms:
    """Computes and keeps; `of_song` belongs to event loops, of which there may be several."""

    def __init__(self) -> None:
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="waveforms")
        self._waiting = threading.BoundedSemaphore(MOST_WAITING)
        self._kept: OrderedDict[tuple[str, int, int], Waveform] = OrderedDict()

    async def of_song(self, pool: Pool, song: int, points: int) -> Waveform | None:
        """Return the waveform of a song, by its index; None where too many wait for theirs already."""
        key = (pool.songs[song].audio_hash, pool.generation, points)
        found = self._kept.get(key)
        if found is not None:
            return found
        if not self._waiting.acquire(blocking=False):
            return None
        try:
            found = await asyncio.wrap_future(self._worker.submit(_waveform, pool, song, points))
        finally:
            self._waiting.release()
        self._kept[key] = found
        while len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)
        return found

    def close(self) -> None:
        """End the thread when it has done what it does."""
        self._worker.shutdown(wait=False, cancel_futures=True)


def _waveform(pool: Pool, song: int, points: int) -> Waveform:
    entry, rows = pool.songs[song], pool.song_rows(song)
    cuts = sorted({*pool.start_sample[rows].tolist(), *pool.end_sample[rows].tolist()})
    return Waveform(
        length_s=entry.frames / entry.sample_rate_hz,
        peaks=[round(peak, 3) for peak in song_peaks(pool, song, points).tolist()],
        cuts_s=[cut / entry.sample_rate_hz for cut in cuts],
    )
