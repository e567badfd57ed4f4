"""A place on a network drive is known by the system's table of mounts."""

from pathlib import Path

import pytest

from tools.running.remote import is_remote

# As proc_pid_mountinfo(5) has it.
MOUNTS = r"""22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:44 / /mnt/nas rw,relatime shared:7 - nfs4 nas:/music rw,vers=4.2
31 22 0:45 / /mnt/my\040nas rw,relatime - cifs //nas/music rw
32 30 8:2 / /mnt/nas/local rw,relatime shared:8 master:2 - xfs /dev/sdb1 rw
33 22 0:46 / /mnt/over rw - nfs nas:/old rw
34 22 8:3 / /mnt/over rw - ext4 /dev/sdc1 rw
35 22 0:50 / /mnt/ssh rw,nosuid - fuse.sshfs me@nas: rw
36 22 8:4 / /mnt/windows rw - fuseblk /dev/sdd1 rw
"""


@pytest.mark.parametrize(
    ("place", "remote"),
    [
        ("/home/me/Music", False),
        ("/mnt/nas", True),
        ("/mnt/nas/Albums", True),
        ("/mnt/nastier", False),
        ("/mnt/my nas/Albums", True),
        ("/mnt/nas/local/Albums", False),
        ("/mnt/over", False),
        ("/mnt/ssh/Music", True),
        ("/mnt/windows/Music", False),
    ],
)
def test_the_innermost_mount_tells(place: str, remote: bool, tmp_path: Path) -> None:
    (tmp_path / "mounts").write_text(MOUNTS)
    assert is_remote(Path(place), tmp_path / "mounts") is remote


def test_without_a_table_a_place_is_near(tmp_path: Path) -> None:
    assert not is_remote(tmp_path, tmp_path / "nothing")
    assert is_remote(Path(r"\\nas\music"), tmp_path / "nothing")
