"""A scale says how much a study spends, cheap within the hour or full."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from model.base.errors import EndlosError
from tools.quality.study.runs import Options, options


@dataclass(frozen=True, kw_only=True)
class StudyScale:
    """How much is trained and measured."""

    name: str
    told: str
    """What is spent less than the report did, in a sentence."""
    preset: str
    """Of the report's approach."""
    base: Options
    """Its settings where a question says nothing else."""
    edge_samples: int
    """What the network sees of each side where factors are compared, in samples at the report's factor."""
    epochs: tuple[int, ...]
    """What the question about epochs tries."""
    learned_songs: int = 3
    """As in the report."""
    asked_songs: int
    chunks_a_song: int
    repeats: int
    """Other songs are learned from, by another seed, in each."""
    stream_s: float
    every_stream: bool
    """Whether a detector listens to streams of every run, or of some questions alone."""
    guess_cpu_s: float
    """What a run of as many songs as the report learned from is guessed to take until some are done."""
    folds: int
    fold_learned: int
    fold_asked: int
    presets: Mapping[str, int] | None
    """Presets of the approaches that stand in their table, and for how many epochs each is trained at most;
    None: all, for as long as they take."""
    groupings: tuple[int, ...]
    """Numbers of classes that approaches which group transitions are tried with, beside their own."""
    open_edge_samples: int | None
    """Edge of approaches that else look at the shortest chunk; None: that."""

    def with_seeds(self, seeds: int | None) -> "StudyScale":
        """Return the scale with so many repeats and folds, where that is asked for."""
        if seeds is None:
            return self
        if not 1 <= seeds <= 50:
            raise EndlosError(f"{seeds} seeds; give 1 to 50")
        return replace(self, repeats=seeds, folds=max(2, seeds))


CHEAP = StudyScale(
    name="cheap",
    told="The report's network is too dear for an hour, so the questions are asked of preset fast, a "
    "small network in its manner: filters a semitone apart instead of learned ones, pairs drawn anew in "
    "every epoch, edges of one second, 30 epochs. In the table of approaches the report's own network "
    "sees a tenth of a second of each side, the report's networks are trained for 6 epochs and the others "
    "for 15 at most, and presets that take longer are left out. Without --cheap the report's network is "
    "asked.",
    preset="fast",
    base=options(optimizer="rmsprop", batch_size=64, edge_samples=1260, epochs=30),
    edge_samples=1260,
    epochs=(5, 30, 120),
    asked_songs=10,
    chunks_a_song=20,
    repeats=3,
    stream_s=300.0,
    every_stream=False,
    guess_cpu_s=25.0,
    folds=2,
    fold_learned=12,
    fold_asked=10,
    presets={"seed": 6, "fast": 15},
    groupings=(16, 64),
    open_edge_samples=126,
)
FULL = StudyScale(
    name="full",
    told="The questions are asked of the report's network to the letter, with edges as long as the "
    "shortest chunk and 100 epochs, as the report's own comparison of genres had; the question about "
    "epochs goes to its 600.",
    preset="seed",
    base=options(optimizer="rmsprop", batch_size=64, epochs=100),
    edge_samples=1260,
    epochs=(10, 100, 600),
    asked_songs=20,
    chunks_a_song=40,
    repeats=5,
    stream_s=1200.0,
    every_stream=True,
    guess_cpu_s=10_000.0,
    folds=4,
    fold_learned=40,
    fold_asked=20,
    presets=None,
    groupings=(8, 16, 32, 64, 128),
    open_edge_samples=None,
)
