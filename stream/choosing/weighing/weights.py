"""The weights say how much each thing counts when it is weighed what may follow."""

import math
from dataclasses import dataclass, fields

from model.base.errors import EndlosError


@dataclass(frozen=True, kw_only=True)
class CostWeights:
    """How much each thing counts, in log-odds; all at least 0, and 0 leaves it out.

    Rhythm and tone outweigh the rest because detectors hear them first where two songs meet; what these hear
    of level, chroma and likeness to the real neighbours is little (docs/joins-tried.md).
    """

    tempo: float = 0.8
    """For each percent of difference beyond `tempo_free_percent`."""
    tempo_free_percent: float = 1.5
    tempo_most: float = 8.0
    octave: float = 0.5
    """For half or double the tempo."""
    beatless: float = 1.0
    """For a beat that begins or ends with the join."""
    bar: float = 1.2
    """For another place in the bar, by a beat or more."""
    key: float = 0.3
    """For each step on the circle of fifths beyond the first."""
    chroma: float = 1.5
    """For pitch classes that have nothing in common."""
    level: float = 0.1
    """For each LU between the start and what really follows, beyond the first; half of it for each dB between
    the two chunks as a whole, and by which A ends quieter than it is, beyond `level_free_db`."""
    level_free_db: float = 3.0
    level_most: float = 5.0
    voice: float = 1.5
    """For a voice that is cut, at either side."""
    next: float = 1.0
    """For a start whose embedding has nothing in common with what really follows."""
    before: float = 0.5
    """For an end whose embedding has nothing in common with what really precedes."""
    next_bands: float = 0.03
    """For each dB of difference, over the bands, between the start and what really follows."""
    before_bands: float = 0.02
    """For each dB of difference, over the bands, between the end and what really precedes."""
    bands_most: float = 3.0
    rhythm: float = 5.5
    """For a rhythm that has nothing in common with the one before; twice that for its opposite."""
    tone: float = 0.25
    """For each dB of difference, over the bands of `model.features.texture`, between end and start."""
    straight_on: float = 0.0
    """What it is worth to go on in the song instead of leaving a phrase; a join within the song has to be
    worth as much by the model and all that is weighed at any time, or it is not made."""
    hub: float = 0.5
    """For each log-odd by which a chunk is liked by all more than others are (`stream.scoring.hubs`)."""
    liked: float = 2.0
    """For a join that the listener liked."""
    favoured: float = 1.5
    """For a start in a song that the listener favours."""
    towards: float = 1.0
    """For a start in the song that the listener asked for, once more with each phrase that ended since."""
    coverage: float = 1.0
    """For each factor e by which a phrase was played more often than the mean."""
    coverage_most: float = 3.0
    due: float = 2.0
    """For each time that a phrase was played less often than the mean, but for the first; without bound."""
    door: float = 4.0
    """For each log-odd that a door to another song is worth less than the best (`stream.doors`)."""
    late: float = 4.0
    """For each round, in which every song could have been heard once, by which a song is late."""
    arc: float = 14.0
    """For music that is as lively as can be where it should be as calm as can be, or the other way round."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not (math.isfinite(value) and value >= 0):
                raise EndlosError(f"the weight {field.name} is {value:g}; give a number of 0 or more")
