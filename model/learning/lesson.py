"""A lesson hands a trainer what it learns from; a report says what came of it. Nothing heavy is imported."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from model.learning.settings import TrainSettings


class Music(Protocol):
    """Something of some songs that can be learned from."""

    @property
    def source(self) -> dict[str, object]:
        """What it is of: JSON values only; a checkpoint is of the same."""


class Figures(Protocol):
    """What is measured on one set of music: a dataclass of numbers."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    def brief(self) -> str:
        """Return the few that are told while it is trained."""


MusicT = TypeVar("MusicT", bound=Music)
SettingsT = TypeVar("SettingsT", bound=TrainSettings)
FiguresT = TypeVar("FiguresT", bound=Figures)


@dataclass(frozen=True, kw_only=True, eq=False)
class Lesson(Generic[MusicT, SettingsT]):
    """What a trainer is given."""

    train: MusicT
    """What is learned from."""
    unseen: MusicT | None
    """What is measured on besides: other songs; None where none are kept back."""
    out: Path
    """Folder of the model."""
    settings: SettingsT
    start: Path | None = None
    """Folder of the model whose weights training begins from."""
    unseen_name: str
    """What `unseen` is called: whether it can be told that `start` had not learned from it."""
    resume: bool = False
    """Whether the interrupted training in `out` is gone on with."""


@dataclass(frozen=True, kw_only=True)
class TrainProgress(Generic[FiguresT]):
    """Where a training stands."""

    epoch: int
    """The running one, from 1."""
    epochs: int
    step: int
    """Batches done, over all epochs."""
    steps: int
    loss: float
    """Mean over the running epoch, as the optimiser sees it (varied examples, dropout on)."""
    elapsed_s: float
    remaining_s: float
    validations: dict[str, FiguresT] | None
    """By the name of the set, once at the end of an epoch that is measured."""


@dataclass(frozen=True, kw_only=True)
class ReportTable:
    """A table of a report: headings, and rows as wide."""

    head: tuple[str, ...]
    rows: Sequence[tuple[object, ...]]


@dataclass(frozen=True, kw_only=True)
class TrainReport:
    """What came of a training; nothing in it that JSON does not know. An approach adds fields and tables."""

    folder: str
    learned_parameters: int
    epochs: int
    elapsed_s: float
    export_difference: float
    """Largest difference between Keras and onnxruntime on real music, in units of the largest value."""
    notes: tuple[str, ...]
    files: tuple[str, ...]

    def amount(self) -> str:
        """Return what was learned from, in a few words."""
        return f"{self.epochs} epochs"

    def tables(self) -> Sequence[ReportTable]:
        """Return the figures as a person reads them."""
        return ()

    def remarks(self) -> Sequence[str]:
        """Return what is to be said below the figures."""
        return ()
