"""A build tells how far it is, and reports at the end what it came to."""

from collections.abc import Callable
from dataclasses import dataclass

from stream.pool.pool import Failure
from tools.pools.known.missing import MissingMusic
from tools.pools.scan import NoAudio
from tools.work.cluster_state import ClusterState, WorkerShare


@dataclass(frozen=True, kw_only=True)
class BuildProgress:
    """How far a build is; `total_bytes - done_bytes` over the rate so far is what is left."""

    done: int
    """Files that are dealt with, the unchanged ones among them."""
    total: int
    done_bytes: int
    """Bytes of the files that were analysed by now."""
    total_bytes: int
    """Bytes of all files that are analysed in this build."""
    name: str
    """The file that was dealt with last, relative to its music folder."""
    audio_s: float
    """Music analysed by now."""
    elapsed_s: float
    generation: int | None
    """The generation that can be played now."""
    cluster: ClusterState | None = None
    """Of the workers on other machines; None: only this one works."""


@dataclass(frozen=True, kw_only=True)
class BuildReport:
    """What a build came to."""

    generation: int
    songs: int
    chunks: int
    reused: int
    """Files that were not analysed again."""
    analysed: int
    removed: int
    """Songs of the generation before that are no longer in the pool."""
    copies: tuple[tuple[str, str], ...]
    """Files with the same recording as another song, each with that one, which is played for both."""
    missing: tuple[MissingMusic, ...]
    """Named folders without the music that is expected of them; what the pool had of them is kept."""
    failed: tuple[Failure, ...]
    """Files that cannot be read."""
    skipped: tuple[Failure, ...]
    """Files that are silent or too short."""
    partly: tuple[Failure, ...]
    """Files that are in the pool, but not all that they hold."""
    no_audio: tuple[NoAudio, ...]
    """What lies beside the music and is none, by kind."""
    audio_s: float
    """Music in the pool, whole songs."""
    analysed_s: float
    """Music analysed in this build."""
    elapsed_s: float
    decoded_bytes: int
    """Size of the decoded copies."""
    without_copy: int
    """Songs that need a decoded copy and found no room for one; they are decoded whole to be played."""
    cuts: tuple[tuple[str, str], ...]
    """What the cutter did to each song, by name, in words."""
    workers: tuple[WorkerShare, ...] = ()
    """What each worker of a cluster has done."""


Progress = Callable[[BuildProgress], None]
