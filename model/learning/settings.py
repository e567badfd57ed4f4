"""These settings say what every training is asked for, and which option asks; they import nothing heavy."""

import math
from collections.abc import Collection
from dataclasses import Field, dataclass, field
from typing import Any

from model.base.errors import ModelError

_OPTION = "option"
MOST_CLASSES = 1024
REPORT_SONGS = 3
"""So many songs the report took its classes from."""


@dataclass(frozen=True, kw_only=True)
class TrainOption:
    """How a setting stands on the command line."""

    help: str
    least: float | None = None
    most: float | None = None
    one_of: tuple[str, ...] = ()
    unsaid: str = ""
    """What is taken where the setting, its preset too, says None."""
    metavar: str | None = None
    """What stands for the value in `--help`; None: its type."""


def option(default: Any, help: str, **limits: Any) -> Any:
    """Return a field that a person may give by an option of its name; limits: the fields of `TrainOption`."""
    return field(default=default, metadata={_OPTION: TrainOption(help=help, **limits)})


def option_of(setting: "Field[Any]") -> TrainOption | None:
    """Return the option of a field of settings; None when it has none."""
    return setting.metadata.get(_OPTION)


@dataclass(frozen=True, kw_only=True)
class Reference:
    """Which songs have the transitions that are classes."""

    names: tuple[str, ...]
    """By name or path; none: the first `most` of those that are learned from."""
    most: int | None
    """None: all of them."""
    alone: bool
    """Whether no other song is learned from."""


@dataclass(frozen=True, kw_only=True)
class TrainSettings:
    """What to train and how; None stands for what the preset takes.

    What a preset takes for `NAME` is the property `chosen_NAME`, where there is one.
    """

    preset: str = "fast"
    epochs: int | None = option(None, "Passes over what is learned from.", least=1)
    learning_rate: float | None = option(None, "Step size at the start.", unsaid="Keras'")
    seed: int = option(0, "The same seed trains alike.", least=0)
    validation_share: float = option(0.2, "Share of the songs kept back to measure on.", least=0.0, most=0.95)
    """Share of the songs that training never sees; 0 trains on all."""
    evaluate_every: int = option(
        1, "Epochs from one measurement to the next; the last is always measured.", least=1
    )

    @property
    def reference_songs(self) -> Reference | None:
        """Songs that are never kept back, because they say what there is to learn; None where none do."""
        return None

    def __post_init__(self) -> None:
        check_counts(epochs=self.epochs, evaluate_every=self.evaluate_every)
        if self.learning_rate is not None and not (
            math.isfinite(self.learning_rate) and self.learning_rate > 0
        ):
            raise ModelError(f"a learning rate of {self.learning_rate:g} teaches nothing; give one above 0")
        if not 0 <= self.validation_share < 1:
            raise ModelError(f"validation_share is {self.validation_share:g}; give at least 0 and below 1")
        if not self.seed >= 0:
            raise ModelError(f"the seed is {self.seed}; give 0 or more")


@dataclass(frozen=True, kw_only=True)
class ClassSettings(TrainSettings):
    """What every approach is asked that sorts chunks into classes: transitions of reference songs."""

    classes: int | None = option(
        None,
        "Groups that similar transitions are sorted into.",
        least=2,
        most=MOST_CLASSES,
        unsaid="one for each transition",
    )
    reference: tuple[str, ...] | None = option(
        None,
        "A song whose transitions are the classes, by path or name; may be given again.",
        unsaid=f"the first {REPORT_SONGS}, or all where transitions are grouped",
        metavar="SONG",
    )

    def __post_init__(self) -> None:
        if self.classes is not None and not 2 <= self.classes <= MOST_CLASSES:
            raise ModelError(f"classes is {self.classes}; give 2 to {MOST_CLASSES}")
        super().__post_init__()

    @property
    def chosen_classes(self) -> int | None:
        """Groups of transitions; None where each transition is a class of its own."""
        return self.classes

    @property
    def reference_songs(self) -> Reference:
        """The songs whose transitions are classes; only groups can be learned from other songs, too."""
        alone = self.chosen_classes is None
        return Reference(names=self.reference or (), most=REPORT_SONGS if alone else None, alone=alone)


def check_counts(**counts: int | None) -> None:
    """Raise `ModelError` for a count that is given and below 1."""
    for name, value in counts.items():
        if value is not None and not value >= 1:
            raise ModelError(f"{name} is {value}; give at least 1")


def check_preset(approach: str, preset: str, presets: Collection[str]) -> None:
    """Raise `ModelError` when the approach has no such preset."""
    if preset not in presets:
        raise ModelError(
            f"there is no preset '{preset}' of approach {approach}; take one of {', '.join(presets)}"
        )
