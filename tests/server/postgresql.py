"""A PostgreSQL of the test's own: a folder, a unix socket, and nothing that anybody else sees."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_FOLDERS = [*map(str, sorted(Path("/usr/lib/postgresql").glob("*/bin"))), *os.get_exec_path()]


def programs() -> Path | None:
    """The folder with initdb and pg_ctl, if PostgreSQL is installed."""
    found = shutil.which("initdb", path=os.pathsep.join(_FOLDERS))
    return Path(found).resolve().parent if found else None


@contextmanager
def server(bin_folder: Path, folder: Path) -> Iterator[str]:
    """A server below `folder`, which must have a short name (a socket's has at most 107 bytes); its URL but for the
    name of the database."""
    folder.mkdir(parents=True, exist_ok=True)
    user = "nobody" if os.geteuid() == 0 else None  # it refuses to run as root
    if user:
        os.chown(folder, pwd.getpwnam(user).pw_uid, -1)

    def run(program: str, *arguments: str) -> None:
        command = [str(bin_folder / program), "-D", str(folder / "data"), *arguments]
        subprocess.run(command, user=user, cwd=folder, check=True, stdout=subprocess.DEVNULL, timeout=60)

    run("initdb", "-U", "lineside", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
    options = f"-c listen_addresses= -c unix_socket_directories={folder} -c fsync=off -c shared_buffers=16MB"
    run("pg_ctl", "start", "-w", "-l", str(folder / "log"), "-o", options)
    try:
        yield f"postgresql+psycopg://lineside@/{{name}}?host={folder}"
    finally:
        run("pg_ctl", "stop", "-w", "-m", "immediate")
