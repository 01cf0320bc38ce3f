"""Agents as components, made from the code under test: one that is well, and ones that are not."""

from __future__ import annotations

from pathlib import Path

import msgspec

from lineside.agent.loader.control import install
from lineside.agent.loader.package import write_component
from lineside.contract.deployment import ConfigurationUpdate
from lineside.contract.desired import DesiredComponent
from tests.agent.agents import AgentProcess
from tests.agent.control_plane import ControlPlane

MAIN = "lineside/agent/__main__.py"
CRASHES = b"raise SystemExit(3)"
HANGS = b"import signal; signal.pause()"
CANNOT_REACH = b"""
import sys
from lineside.agent.link.error import LinkError
from lineside.agent.link.https import Link
from lineside.agent.main import main

def desired(self, etag):
    raise LinkError("link.unreachable", url="nowhere", why="this agent is broken")

Link.desired = desired
sys.exit(main())
"""


def write(folder: Path, version: str, main: bytes | None = None, *, whole: bool = True) -> Path:
    """The component of an agent, with another program if one is given; without its packages unless it is `whole`."""
    changes = {} if main is None else {MAIN: main}
    return write_component(folder / version, version, changes, None if whole else ())


def release(plane: ControlPlane, recipe: Path, **configuration: object) -> DesiredComponent:
    """Sign an agent's recipe and offer its artifacts."""
    for path in (recipe.parent / "artifacts").iterdir():
        plane.add_blob(path.read_bytes())
    update = ConfigurationUpdate(merge=configuration)
    return plane.release(msgspec.json.decode(recipe.read_bytes()), update=update)


def with_loader(agent: AgentProcess) -> AgentProcess:
    """The agent, installed so that it may change itself."""
    install(agent.paths)
    return agent
