"""What the checks look at: one device."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from lineside.agent.clock import Clock
from lineside.agent.link.http import Http
from lineside.agent.link.join_state import JoinState
from lineside.agent.link.tls import for_server
from lineside.agent.paths import Paths
from lineside.contract.errors import LinesideError


class Subject:
    """A device with its files, its machine (`/` but in tests), and a connection of its own to the control plane."""

    def __init__(self, paths: Paths, joined: JoinState, machine: Path = Path("/")) -> None:
        self.paths = paths
        self.joined = joined
        self.machine = machine
        self.clock = Clock()
        self.clock.joined(joined.joined_at)

    @property
    def alone(self) -> bool:
        """Whether the device has no control plane."""
        return not self.joined.url

    @cached_property
    def reached(self) -> LinesideError | None:
        """Ask the control plane something anybody may ask, once; why there was no answer, or None."""
        client = Http(self.joined.url, for_server(str(self.paths.ca)), self.clock)
        try:
            client.request("GET", "/device/v1/ca", None, {}).read()
        except LinesideError as error:
            return error
        finally:
            client.close()
        return None
