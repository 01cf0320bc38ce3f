"""A PostgreSQL of the test's own: a folder, a unix socket, and nothing that anybody else sees."""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from sqlalchemy.engine import make_url

import lineside.server.process  # noqa: F401 every table there is
from lineside.server.database import Base, Database
from tests.eventually import PATIENCE

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
        subprocess.run(command, user=user, cwd=folder, check=True, stdout=subprocess.DEVNULL, timeout=PATIENCE)

    run("initdb", "-U", "lineside", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
    options = f"-c listen_addresses= -c unix_socket_directories={folder} -c fsync=off -c shared_buffers=16MB"
    run("pg_ctl", "start", "-w", "-l", str(folder / "log"), "-o", options)
    try:
        yield f"postgresql+psycopg://lineside@/{{name}}?host={folder}"
    finally:
        run("pg_ctl", "stop", "-w", "-m", "immediate")


class Databases:
    """New databases on a server, as many as tests want; they go with the server."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._numbers = itertools.count()
        self._template: str | None = None

    def empty(self) -> str:
        """The URL of a new, empty database."""
        return self._made("template0")

    def with_tables(self) -> str:
        """The URL of a new database with every table: a copy of one that was made once, which takes 20 ms."""
        if self._template is None:
            url = self.empty()
            made = Database(url)
            Base.metadata.create_all(made.engine)
            made.close()
            self._template = make_url(url).database
        return self._made(str(self._template))

    def _made(self, template: str) -> str:
        name = f"test_{next(self._numbers)}"
        address = self._url.format(name="postgres").replace("+psycopg", "")
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
        return self._url.format(name=name)
