"""The watch over a leader says whether it takes what it is offered, so that none waits for a stalled one."""

from dataclasses import dataclass

from stream.outputs.guarded import GuardedOutputs
from stream.outputs.output import Leader, OutputStatus

LEADER_STALL_S = 0.8
"""A leader that plays and yet takes nothing for this long is not waited for."""
LEADER_START_S = 4.0
"""The same for one that is only about to play: some devices take seconds to open."""


@dataclass(frozen=True, kw_only=True)
class LeaderSeen:
    """What a leader said of itself when it was looked at."""

    space_frames: int
    status: OutputStatus


class LeaderWatch:
    """Looks at a leader again and again; belongs to the pacer's thread."""

    def __init__(self, leader: Leader, outputs: GuardedOutputs, block_frames: int, now_s: float) -> None:
        self._leader = leader
        self._outputs = outputs
        self._block_frames = block_frames
        self._moved_s = now_s
        self._stood = False
        self.has_played = False
        self.refills = False
        """Whether it fills up anew after it stood still, with what the others would have in advance."""

    def begin(self, now_s: float) -> None:
        """Be patient from now on: nothing was offered until now."""
        self._moved_s = now_s

    def rests(self) -> bool:
        """Return whether it stands still because it was asked to."""
        status = self._outputs.ask(self._leader, self._leader.status)
        return status is not None and status.state == "paused"

    def look(self, now_s: float) -> LeaderSeen | None:
        """Return how it is; None where it is gone, or has stood still for longer than it is waited for."""
        seen = self._ask()
        if seen is None:
            return None
        state, takes = seen.status.state, self._takes(seen)
        if takes:
            self._moved_s = now_s
        if state not in ("starting", "playing"):
            self._stood = False
            return None
        if now_s - self._moved_s > (LEADER_START_S if state == "starting" else LEADER_STALL_S):
            self._stood = True
            return None
        if self._stood and takes:
            # What its ring holds is from before, with holes; it goes over to what is pulled now.
            self._outputs.ask(self._leader, self._leader.skip)
            self._stood, self.refills = False, True
            return self._ask()
        return seen

    def pass_by(self) -> None:
        """Take note that it is given a block without room for it: what it holds has a hole from now on."""
        self._stood = True

    def _takes(self, seen: LeaderSeen) -> bool:
        return seen.space_frames >= self._block_frames

    def _ask(self) -> LeaderSeen | None:
        space_frames = self._outputs.ask(self._leader, self._leader.space_frames)
        status = self._outputs.ask(self._leader, self._leader.status)
        if space_frames is None or status is None:
            return None
        return LeaderSeen(space_frames=space_frames, status=status)
