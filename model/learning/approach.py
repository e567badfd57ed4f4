"""An approach says what is learned, what it sees of a chunk and how it is scored; nothing heavy is here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Protocol

from model.base.errors import ModelError
from model.learning.settings import TrainSettings, check_preset

if TYPE_CHECKING:
    from model.learning.lesson import Lesson, TrainProgress, TrainReport
    from model.saved.contract import ModelContract
    from model.saved.scoring import Features, Scoring


class Trainer(Protocol):
    """Learns from a lesson, tells how far it is, and writes the model into `Lesson.out`."""

    def __call__(
        self, lesson: "Lesson[Any, Any]", progress: "Callable[[TrainProgress[Any]], None] | None" = None
    ) -> "TrainReport":
        """Return what came of it; `ModelError` when music, settings and checkpoint do not fit together."""


@dataclass(frozen=True, kw_only=True)
class Preset:
    """A network of an approach, as a person chooses it."""

    summary: str
    """How long it takes or what it is for, in a few words of `--help`."""
    features: "Features"
    """What it sees of a chunk: `model.learning.edge_set.EdgeSet` or `song_set.SongSet` is learned from."""


@dataclass(frozen=True, kw_only=True)
class Approach:
    """One way to learn what follows what; `model.approaches.registry` lists them."""

    name: str
    summary: str
    """A sentence for `--help`."""
    settings: type[TrainSettings]
    """What can be asked; the options of `endlos train` are made of its fields."""
    presets: Mapping[str, Preset]
    scoring: "Scoring"
    trainer: Callable[[], Trainer]
    """Imports what trains: Keras takes seconds."""
    extra: str = "train"
    """The extra of the package that training needs."""
    own_check: "Callable[[ModelContract], None] | None" = None
    """Raises `ModelError` for a contract that lacks what no other approach has."""

    @property
    def setting_names(self) -> frozenset[str]:
        """Names of what can be asked."""
        return frozenset(setting.name for setting in fields(self.settings))

    def asked(self, preset: str, **settings: Any) -> TrainSettings:
        """Return the settings for what a person asked; `ModelError` for a preset or value that is none."""
        check_preset(self.name, preset, self.presets)
        return self.settings(preset=preset, **settings)

    def check(self, contract: "ModelContract") -> None:
        """Raise `ModelError` for a contract that is not of a model of this approach."""
        features = {preset.features for preset in self.presets.values()}
        if contract.approach != self.name:
            raise ModelError(f"the model is of approach {contract.approach}, expected one of {self.name}")
        if contract.scoring != self.scoring or contract.features not in features:
            raise ModelError(
                f"the model is scored by {contract.scoring} of {contract.features}, approach {self.name} by "
                f"{self.scoring} of {' or '.join(sorted(features))}; train it again"
            )
        if self.own_check is not None:
            self.own_check(contract)
