"""The helm keeps a planner to what the listener wants, and to the songs that can be read."""

from collections.abc import Callable, Iterable
from dataclasses import replace

from model.base.arrays import BoolArray, IntArray
from stream.choosing.generation import Chunk, Generation
from stream.choosing.history import AskedSong, Course
from stream.choosing.journey.leaning import Leaning, Steered, chunks_of, opened_to
from stream.choosing.journey.steering import Steering
from stream.choosing.phrases import Phrases
from stream.choosing.repeats import Entries
from stream.choosing.weighing.weights import CostWeights
from stream.doors.ranking import DoorRanking


class Helm:
    """What the listener wants among the chunks of one generation; belongs to one thread.

    `lean` is called before anything is asked, and again whenever what it is given has changed.
    """

    def __init__(self, steering: Steering) -> None:
        self.steering = steering
        self.asked: AskedSong | None = None
        """When it was first looked for the song that is asked for."""
        self.left_out: BoolArray
        """`(N,)`, chunks that are not chosen."""
        self.why: tuple[str, ...]
        """Why some are that should not be."""
        self._banned_hashes: frozenset[str] = frozenset()
        self._generation: Generation
        self._phrases: Phrases
        self._leaning: Leaning

    @property
    def muted(self) -> BoolArray:
        """Chunks of songs that are muted, `(N,)`."""
        return self._leaning.muted

    @property
    def banned(self) -> frozenset[str]:
        """Hashes of the songs that cannot be read."""
        return self._banned_hashes

    def turn(self, steering: Steering) -> None:
        """Take up what the listener wants from now on."""
        before = self.steering
        if (steering.towards, steering.within_s) != (before.towards, before.within_s):
            self.asked = None
        self.steering = steering

    def lean(
        self,
        generation: Generation,
        phrases: Phrases,
        reach: Callable[[int, IntArray], float] | None,
        doors: DoorRanking,
    ) -> None:
        """Find what the steering means in a generation; reach, doors: as `Leaning.of` takes them."""
        self._generation, self._phrases = generation, phrases
        self._leaning = Leaning.of(generation, self.steering, phrases, reach, doors)
        self.ban(self._banned_hashes)

    def ban(self, hashes: frozenset[str]) -> None:
        """Leave out these songs, whose files cannot be read, and no others."""
        self._banned_hashes = hashes
        self.left_out, self.why = self._leaning.left_out(chunks_of(self._generation, hashes))

    def arrive(self, chunk: Chunk) -> None:
        """Take it that a chunk is heard: where its song is the one that was asked for, it is reached."""
        if self._is_reached(chunk):
            self.steering, self.asked = self.steering.arrived(), None

    def aim(self, coming: Iterable[Chunk]) -> BoolArray | None:
        """Return what of the song to be reached may be played, `(N,)`; None where `coming` reaches it."""
        if self.steering.towards is None or self._leaning.target is None:
            return None
        target = self._leaning.target & ~self.left_out
        reached = any(self._is_reached(chunk) for chunk in coming)
        return None if reached or not target.any() else target

    def steered(
        self, here: Entries, coming: Iterable[Chunk], course: Course, row: int, weights: CostWeights
    ) -> Steered:
        """Return where a phrase may begin as a listener wants it.

        coming: what plays, and what is planned; row: the last of it. course: as if it had been heard.
        """
        target = self.aim(coming)
        here = replace(here, reasons=(*self.why, *here.reasons))
        if target is None:
            return self._leaning.at_ease(here, weights)
        if self.asked is None:
            self.asked = AskedSong(joins=course.joins, heard_s=course.heard_s)
        here = opened_to(here, target, self._phrases)
        if self.steering.within_s is None:
            return self._leaning.aimed(here, target, max(0, course.joins - self.asked.joins), weights)
        until_s = self.steering.within_s - (course.heard_s - self.asked.heard_s)
        song = self._generation.index.song
        return self._leaning.timed(here, target, song=song, row=row, until_s=until_s, weights=weights)

    def _is_reached(self, chunk: Chunk) -> bool:
        song = self.steering.towards
        return song is not None and chunk.generation.song_of(song) == chunk.song_index
