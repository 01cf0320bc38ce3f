"""The way in: a folder a local deployment, handed over by one rename, taken by the agent now or at its next start.

<root>/local/spool/ID/request.json     what is asked for (`Spooled`)
<root>/local/spool/ID/recipes/…        files that were copied, so that a stick may be pulled out
<root>/local/spool/ID/artifacts/…
<root>/local/spool/ID/bundle.zip
<root>/local/spool/ID.cancel           the deployment is not wanted any more
"""

from __future__ import annotations

import os
import shutil
import signal
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from lineside.agent.bus.ports import LocalDeploymentRequest
from lineside.agent.durable import remove_tree, sync_directory, sync_file, sync_tree, write_atomically
from lineside.agent.lock import holder
from lineside.agent.paths import Paths
from lineside.contract.errors import LinesideError
from lineside.contract.reading import UNREADABLE

WAKE = signal.SIGURG
"""What tells a running agent to look; a process that knows nothing of it ignores it."""
BUNDLE = "bundle.zip"
_LONG_AGO = 86400.0


class Spooled(msgspec.Struct, frozen=True, kw_only=True):
    """A local deployment (`deploy`) or an offline bundle (`import`) that waits to be taken."""

    schema: str = "lineside.local/1"
    id: str
    kind: str
    created_at: float
    what: str
    request: LocalDeploymentRequest = LocalDeploymentRequest()


class Spool:
    """The folder of one root."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        self.folder = paths.root / "local" / "spool"

    def place(self, id: str) -> Path:
        """The folder of a deployment."""
        return self.folder / id

    def deploy(self, request: LocalDeploymentRequest, what: str, recipes: Iterable[Path] = ()) -> str:
        """Hand over a local deployment; its id. Given `recipes`, these and its artifacts are copied first.

        Raises `local.file_unreadable`.
        """
        id, recipes = str(uuid.uuid4()), list(recipes)
        with self._building(id) as building:
            if recipes:
                _copy_all(recipes, building / "recipes")
                request = msgspec.structs.replace(request, recipes=str(self.place(id) / "recipes"))
            if recipes and request.artifacts:
                _copy_tree(Path(request.artifacts), building / "artifacts")
                request = msgspec.structs.replace(request, artifacts=str(self.place(id) / "artifacts"))
            spooled = Spooled(id=id, kind="deploy", created_at=time.time(), what=what, request=request)
            self._hand_over(spooled, building)
        return id

    def bundle(self, path: Path, what: str) -> str:
        """Hand over an offline bundle; its id. Raises `local.file_unreadable`."""
        id = str(uuid.uuid4())
        with self._building(id) as building:
            _copy(path, building / BUNDLE)
            self._hand_over(Spooled(id=id, kind="import", created_at=time.time(), what=what), building)
        return id

    def cancel(self, id: str) -> None:
        """Say that a deployment is not wanted any more."""
        self.folder.mkdir(parents=True, exist_ok=True)
        write_atomically(self.folder / f"{id}.cancel", b"")

    def cancelled(self) -> list[str]:
        """Deployments that are not wanted any more."""
        return [path.stem for path in self.folder.glob("*.cancel") if not path.name.startswith(".")]

    def forget_cancel(self, id: str) -> None:
        """It was heard."""
        (self.folder / f"{id}.cancel").unlink(missing_ok=True)

    def waiting(self) -> list[Spooled]:
        """What was handed over, oldest first; what cannot be read is not there."""
        found = []
        for path in self.folder.glob("*/request.json"):
            if path.parent.name.startswith("."):
                continue
            try:
                found.append(msgspec.json.decode(path.read_bytes(), type=Spooled))
            except (OSError, *UNREADABLE):
                continue
        return sorted(found, key=lambda one: (one.created_at, one.id))

    def drop(self, id: str) -> None:
        """Remove a deployment's folder."""
        remove_tree(self.place(id))

    def tidy(self, keep: set[str]) -> None:
        """After a start: remove folders of deployments that have ended, and what was begun long ago and never ended."""
        for path in self.folder.glob("*/"):
            begun = path.name.startswith(".")
            old = begun and abs(time.time() - path.stat().st_mtime) > _LONG_AGO
            if old or (not begun and path.name not in keep):
                remove_tree(path)

    def wake(self) -> bool:
        """Tell the agent that runs on the root to look; whether there is one."""
        pid = holder(self._paths)
        if pid is None:
            return False
        try:
            os.kill(pid, WAKE)
        except ProcessLookupError:
            return False
        return True

    @contextmanager
    def _building(self, id: str) -> Iterator[Path]:
        """A folder to build a deployment in; removed when that fails."""
        building = self.folder / f".{id}.tmp"
        try:
            building.mkdir(parents=True)
        except OSError as error:
            raise LinesideError("agent.root_read_only", root=self._paths.root) from error
        try:
            yield building
        finally:
            remove_tree(building)

    def _hand_over(self, spooled: Spooled, building: Path) -> None:
        write_atomically(building / "request.json", msgspec.json.encode(spooled))
        sync_tree(building)
        building.rename(self.place(spooled.id))
        sync_directory(self.folder)


def _copy_all(files: Iterable[Path], folder: Path) -> None:
    folder.mkdir()
    for path in files:
        _copy(path, folder / path.name)


def _copy_tree(source: Path, target: Path) -> None:
    """Regular files and folders; anything else is left out."""
    target.mkdir()
    for path in sorted(source.rglob("*")):
        copy = target / path.relative_to(source)
        if path.is_dir() and not path.is_symlink():
            copy.mkdir(parents=True, exist_ok=True)
        elif path.is_file():
            copy.parent.mkdir(parents=True, exist_ok=True)
            _copy(path, copy)


def _copy(source: Path, target: Path) -> None:
    try:
        shutil.copyfile(source, target)
    except OSError as error:
        raise LinesideError("local.file_unreadable", path=source, why=error.strerror) from error
    sync_file(target)
