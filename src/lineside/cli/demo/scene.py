"""What every stage of the demo has at hand."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from pathlib import Path

from lineside.cli.connection import first_link
from lineside.cli.demo.display import Display
from lineside.cli.demo.fleet import Fleet
from lineside.cli.demo.plane import ControlPlane, start_control_plane
from lineside.cli.demo.processes import Processes
from lineside.cli.demo.root import DemoRoot


class Story(enum.Enum):
    """What the demo shows."""

    LOOP = "loop"  # the whole loop, once
    DRIFT = "drift"  # what one device sees changes, and the next model comes of it


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the command line asked for."""

    data: Path | None = None
    init: Path | None = None
    devices: int = 3
    yes: bool = False
    exit: bool = False
    port: int | None = None
    epochs: int | None = None
    story: Story = Story.LOOP


@dataclass(frozen=True, kw_only=True)
class Scene:
    """The demo once its control plane is ready. `unchanged` collects what an earlier demo on this root had done."""

    settings: Settings
    root: DemoRoot
    display: Display
    processes: Processes
    plane: ControlPlane
    fleet: Fleet
    unchanged: list[str] = field(default_factory=list)

    @property
    def worker_log(self) -> str:
        """Where the pipeline's words go."""
        return str(self.root.path / "worker.log")


def open_scene(settings: Settings, root: DemoRoot, display: Display, processes: Processes) -> Scene:
    """Start the control plane, and say where to watch."""
    with display.stage("start", "Start the control plane") as stage:
        plane = start_control_plane(root, settings.port, processes, display)
        stage.outcome = f"watch it at {plane.url}"
    if link := first_link(root.path):
        display.say(f"    To look at the pages, choose a password for `admin` at {link}")
    fleet = Fleet(plane, root, processes)
    plane.tick = fleet.keep_running
    return Scene(settings=settings, root=root, display=display, processes=processes, plane=plane, fleet=fleet)
