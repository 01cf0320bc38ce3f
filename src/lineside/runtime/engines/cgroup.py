"""Where the control groups of this process say what they give it: its own, and all above it.

A container sees its own group as the root; a component that an agent has put into a group of its own, or a service
that systemd has, finds the way in `/proc/self/cgroup` (cgroups(7)). What holds is the least of all on the way.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

MOUNT, OWN = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")


def folders(controller: str, mount: Path = MOUNT, own: Path = OWN) -> Iterator[Path]:
    """Folders in which `controller` ("cpu", "memory") may limit this process: version 2's, then version 1's, each from
    its own group up to the root. Those that are not there (seen from inside a container) are left out."""
    for names, path in _groups(own):
        if names == [""]:
            yield from _upwards(mount, path)
        elif controller in names:
            yield from _upwards(mount / controller, path)
    if not own.exists():
        yield from (mount, mount / controller)


def _groups(own: Path) -> list[tuple[list[str], str]]:
    """Controllers (one empty name: version 2) and path of each hierarchy, version 2 first."""
    try:
        lines = own.read_text().splitlines()
    except OSError:
        return []
    parts = (line.split(":", 2) for line in lines if line.count(":") >= 2)
    return sorted((names.split(","), path) for _, names, path in parts)


def _upwards(root: Path, path: str) -> Iterator[Path]:
    own = root / path.strip("/")
    for folder in (own, *own.parents):
        if folder.is_dir():
            yield folder
        if folder == root:
            return
