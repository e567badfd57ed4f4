"""The song table keeps what is known of songs packed, and makes a song when one is asked for.

As an object a song takes two kilobytes, and of all of them a stream looks at one or two at a time.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from model.base.arrays import IntArray
from stream.pool.songs import Song

_BETWEEN, _BETWEEN_HASHES = "\0", "\n"
"""No text of a song holds the first, no hash the second."""
_NUMBERS: dict[str, type[Any]] = {
    "song_id": np.int64,
    "sample_rate_hz": np.int64,
    "channels": np.int64,
    "frames": np.int64,
    "loudness_lufs": np.float64,
    "true_peak_db": np.float64,
    "seekable": np.bool_,
}
_TEXTS = ("path", "name", "audio_hash", "title", "artist", "album", "cut", "other_hashes")
_RARE = tuple(field.name for field in fields(Song) if field.name not in (*_NUMBERS, *_TEXTS))
_MADE = 256
"""Songs that are kept once they are made, at most."""


class SongTable(Sequence[Song]):
    """Songs in order; any thread may ask."""

    def __init__(self, songs: Iterable[Song]) -> None:
        """Pack songs, one after the other."""
        numbers: dict[str, list[Any]] = {name: [] for name in _NUMBERS}
        texts, ends, end = [], [0], 0
        self._rare: dict[int, dict[str, Any]] = {}
        for place, song in enumerate(songs):
            for name, values in numbers.items():
                values.append(getattr(song, name))
            rare = {name: value for name in _RARE if (value := getattr(song, name))}
            if rare:
                self._rare[place] = rare
            told = (str(song.path), *(getattr(song, name) for name in _TEXTS[1:-1]))
            text = _BETWEEN.join((*told, _BETWEEN_HASHES.join(song.other_hashes)))
            texts.append(text.encode("utf-8", "surrogatepass"))
            end += len(texts[-1])
            ends.append(end)
        self._made: dict[int, Song] = {}
        self._texts = b"".join(texts)
        self._hashes: tuple[npt.NDArray[np.bytes_], IntArray] | None = None
        self._ends = np.array(ends, dtype=np.int64)
        self._numbers = {name: np.array(numbers[name], dtype=kind) for name, kind in _NUMBERS.items()}

    def __len__(self) -> int:
        return len(self._ends) - 1

    @overload
    def __getitem__(self, place: int) -> Song: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[Song, ...]: ...
    def __getitem__(self, place: int | slice) -> Song | tuple[Song, ...]:
        if isinstance(place, slice):
            return tuple(self[one] for one in range(*place.indices(len(self))))
        made = self._made.get(place)
        if made is None:
            number = range(len(self))[place]
            if len(self._made) >= _MADE:
                self._made.clear()
            made = self._made[number] = self._song(number)
        return made

    def _song(self, number: int) -> Song:
        path, *texts, others = self._told(number)
        known: dict[str, Any] = {name: values[number].item() for name, values in self._numbers.items()}
        known |= dict(zip(_TEXTS[1:-1], texts, strict=True))
        known["other_hashes"] = tuple(others.split(_BETWEEN_HASHES)) if others else ()
        return Song(path=Path(path), **known, **self._rare.get(number, {}))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    __hash__ = None  # type: ignore[assignment]

    def number_of(self, audio_hash: str) -> int | None:
        """Return the place of the song of this hash, else of one that has it among others; or None."""
        if self._hashes is None:
            told = [(text, number) for number, text in enumerate(self.texts("audio_hash"))]
            for number, others in enumerate(self.texts("other_hashes")):
                told += [(text, number) for text in others.split(_BETWEEN_HASHES) if text]
            names = np.array([text.encode("utf-8", "surrogatepass") for text, _ in told], dtype=np.bytes_)
            order = np.argsort(names, kind="stable")
            self._hashes = names[order], np.array([number for _, number in told], dtype=np.int64)[order]
        names, numbers = self._hashes
        wanted = audio_hash.encode("utf-8", "surrogatepass")
        place = int(np.searchsorted(names, wanted))
        return int(numbers[place]) if place < len(names) and names[place] == wanted else None

    def numbers(self, name: str) -> npt.NDArray[Any]:
        """Return one number of every song, `(S,)` float64, int64 or bool."""
        return self._numbers[name]

    def texts(self, name: str) -> Iterator[str]:
        """Return one text of every song, in order; of `other_hashes` those of a song a line each."""
        column = _TEXTS.index(name)
        return (self._told(number)[column] for number in range(len(self)))

    def _told(self, number: int) -> list[str]:
        first, end = self._ends[number], self._ends[number + 1]
        return self._texts[first:end].decode("utf-8", "surrogatepass").split(_BETWEEN)
