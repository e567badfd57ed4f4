"""The waveforms of songs are computed when they are asked for, and the latest are kept."""

from collections import OrderedDict
from functools import partial

from stream.audio.peaks import song_peaks
from stream.pool.pool import Pool
from stream.service.api.answers import Waveform
from stream.service.api.worker import Worker

MOST_KEPT = 64


class Waveforms:
    """Computes and keeps."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, int, int], Waveform] = OrderedDict()

    async def of_song(self, pool: Pool, song: int, points: int, worker: Worker) -> Waveform:
        """Return the waveform of a song, by its index; 503 where too much is asked for. Any event loop."""
        key = (pool.songs[song].audio_hash, pool.generation, points)
        found = self._kept.get(key)
        if found is None:
            found = self._kept[key] = await worker.done(partial(_waveform, pool, song, points))
            while len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
        return found


def _waveform(pool: Pool, song: int, points: int) -> Waveform:
    entry, rows = pool.songs[song], pool.song_rows(song)
    cuts = sorted({*pool.start_sample[rows].tolist(), *pool.end_sample[rows].tolist()})
    return Waveform(
        length_s=entry.frames / entry.sample_rate_hz,
        peaks=[round(peak, 3) for peak in song_peaks(pool, song, points).tolist()],
        cuts_s=[cut / entry.sample_rate_hz for cut in cuts],
    )
