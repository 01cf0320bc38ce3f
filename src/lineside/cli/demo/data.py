"""The data: a folder somebody named, or tags rendered once and kept; imported as a dataset version."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from lineside.cli.demo.display import Stage
from lineside.cli.demo.plane import last_words
from lineside.cli.demo.scene import Scene
from lineside.client import Client
from lineside.client.folder import upload_folder
from lineside.contract.dataset import DatasetVersion, ImportReport
from lineside.contract.errors import LinesideError
from lineside.contract.ids import is_name

_RENDERED = ("--count", "240", "--seed", "0", "--groups", "24")
_RENDER = (sys.executable, "-m", "lineside.pipeline.render")
_RENDER_SECONDS = 300.0


def the_data(scene: Scene) -> Path:
    """The folder to import. Without one named, tags are rendered below the demo's root, unless they are there."""
    if scene.settings.data is not None:
        return scene.settings.data.expanduser().resolve()
    with scene.display.stage("render", "Render labelled tags") as stage:
        if scene.root.rendered.is_dir():
            scene.unchanged.append("render")
            stage.outcome = "rendered before"
        else:
            made = render(scene, stage, scene.root.rendered, _RENDERED)
            stage.outcome = f"{made} pictures made by a program, not photographs"
    return scene.root.rendered


def import_data(scene: Scene, folder: Path) -> DatasetVersion:
    """Send what the control plane lacks and import the folder."""
    with scene.display.stage("data", "Import the data") as stage:

        def moved(done: int, total: int, what: str) -> None:
            stage.move(what, done / max(total, 1), f"{done} of {total}")

        def upload(client: Client) -> ImportReport:
            return upload_folder(client, folder, dataset_name(folder), moved)

        report = scene.plane.ask(upload)
        if not report.created:
            scene.unchanged.append("data")
        version = report.version
        sides = ", ".join(f"{count} {side}" for side, count in version.splits.items())
        stage.outcome = f"{version.id}: {version.images} images, {version.boxes} boxes ({sides})"
    return version


def dataset_name(folder: Path) -> str:
    """The folder's name, with what a name may not hold replaced by hyphens."""
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", folder.name).strip("-_")[:63]
    return name if is_name(name) else "data"


def render(scene: Scene, stage: Stage, folder: Path, options: Sequence[str]) -> int:
    """Render labelled tags into a folder that is not there, with the renderer's options, `--count` first; answers how
    many. Raises `demo.render_failed`, `demo.waited_in_vain`."""
    part, count = folder.with_suffix(".part"), int(options[1])
    log = scene.root.logs / "render.log"
    child = scene.processes.start("render", "helpers", [*_RENDER, str(part), *options], log)
    deadline = time.monotonic() + _RENDER_SECONDS
    while child.status is None:
        if time.monotonic() > deadline:
            raise LinesideError(
                "demo.waited_in_vain", what="the tags to be rendered", seconds=f"{_RENDER_SECONDS:.0f}", where=log
            )
        made = sum(1 for file in part.rglob("*") if file.is_file())
        stage.move(f"pictures of {folder.name}", min(made / count, 1.0), f"{made}")
        time.sleep(0.2)
    if child.status != 0:
        raise LinesideError("demo.render_failed", why=last_words(log), log=log)
    part.rename(folder)
    return count
