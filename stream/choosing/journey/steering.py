"""The steering says what a listener wants now, of songs, of how long phrases are and of where to go."""

from dataclasses import dataclass, replace

from model.base.errors import EndlosError
from stream.pool.feedback import SongOpinion

MOST_WITHIN_S = 86_400.0
LEAST_PHRASE_FACTOR, MOST_PHRASE_FACTOR = 0.25, 4.0


@dataclass(frozen=True, kw_only=True)
class Steering:
    """What a listener wants beyond the settings; songs are named by the hash of their audio.

    A song that the pool does not hold is ignored. `EndlosError` for what cannot be meant.
    """

    muted: frozenset[str] = frozenset()
    """Nothing of these songs is chosen, as long as something else is left."""
    favoured: frozenset[str] = frozenset()
    """Songs that are chosen more readily."""
    other_songs: float | None = None
    """Share of the phrases that end in another song; None: as the settings have it."""
    phrase_factor: float = 1.0
    """Phrases last so many times as long as by the settings, at least and at most; a walk has none."""
    towards: str | None = None
    """The song that is to be reached by good joins within a few phrases; None: wherever the stream goes."""
    within_s: float | None = None
    """It is to be reached within so much music, by the best doors that lead there; None: within a few
    phrases."""

    def __post_init__(self) -> None:
        if self.other_songs is not None and not 0.0 <= self.other_songs <= 1.0:
            raise EndlosError(f"other_songs is {self.other_songs}, expected 0 to 1")
        if not LEAST_PHRASE_FACTOR <= self.phrase_factor <= MOST_PHRASE_FACTOR:
            raise EndlosError(
                f"phrase_factor is {self.phrase_factor}, "
                f"expected {LEAST_PHRASE_FACTOR} to {MOST_PHRASE_FACTOR:g}"
            )
        if self.within_s is not None and not 0.0 <= self.within_s <= MOST_WITHIN_S:
            raise EndlosError(f"within_s is {self.within_s}, expected 0 to {MOST_WITHIN_S:g} seconds")
        if self.within_s is not None and self.towards is None:
            raise EndlosError("within_s says when a song is to be reached; say which, by towards")
        both = self.muted & self.favoured
        if both:
            raise EndlosError(f"song {min(both)} is both muted and favoured; choose one of them")
        if self.towards in self.muted:
            raise EndlosError(f"song {self.towards} is muted, so that nothing leads there; favour it first")

    def judged(self, audio_hash: str, opinion: SongOpinion | None) -> "Steering":
        """Return this steering with another opinion of one song; None: with none."""
        one = frozenset((audio_hash,))
        songs = {"muted": self.muted - one, "favoured": self.favoured - one}
        if opinion is not None:
            songs[opinion] |= one
        towards = None if self.towards in songs["muted"] else self.towards
        within_s = None if towards is None else self.within_s
        return replace(
            self, muted=songs["muted"], favoured=songs["favoured"], towards=towards, within_s=within_s
        )

    def arrived(self) -> "Steering":
        """Return this steering without a song that is to be reached."""
        return replace(self, towards=None, within_s=None)

    def since(self, before: "Steering") -> dict[str, object]:
        """Return what has changed, as the decision log has it; songs by audio hash."""
        changed: dict[str, object] = {
            name: value
            for name in ("other_songs", "phrase_factor", "towards", "within_s")
            if (value := getattr(self, name)) != getattr(before, name)
        }
        songs = {
            "muted": self.muted - before.muted,
            "unmuted": before.muted - self.muted,
            "favoured": self.favoured - before.favoured,
            "unfavoured": before.favoured - self.favoured,
        }
        return changed | {name: sorted(hashes) for name, hashes in songs.items() if hashes}

    def share_of_others(self, settled: float) -> float:
        """Return the share of phrases that end in another song; settled: by the settings."""
        return settled if self.other_songs is None else self.other_songs


NOT_STEERED = Steering()
"""The stream goes by its settings alone."""
