"""A remote place is one on a network drive, whose changes by others no system tells."""

import re
from pathlib import Path

_MOUNTS = Path("/proc/self/mountinfo")
_REMOTE = re.compile(
    r"nfs\d*|cifs|smb\d*|smbfs|9p|afs|ceph|glusterfs|lustre|davfs|virtiofs|vboxsf|fuse\.(?!portal$).*"
)
"""Types of file systems that others write to as well, or that pass no changes on."""


def is_remote(place: Path, mounts: Path = _MOUNTS) -> bool:
    """Whether `place` (absolute) is on a network drive, as far as the system says so.

    mounts: the system's table of mounts (Linux: proc_pid_mountinfo(5)); without one only the names of
    Windows tell.
    """
    if str(place).startswith("\\\\"):
        return True
    try:
        lines = mounts.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return False
    found, remote = -1, False
    for line in lines:
        mount, _, told = line.partition(" - ")
        # Spaces and the like stand there as octal numbers.
        point = re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), mount.split(" ")[4])
        # Of two at one place the later one covers the other.
        if place.is_relative_to(point) and len(point) >= found:
            found, remote = len(point), _REMOTE.fullmatch(told.split(" ")[0]) is not None
    return remote
