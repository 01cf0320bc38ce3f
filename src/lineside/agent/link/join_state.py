"""What joining left behind: who this device is and where its control plane is. Written last, in one step."""

from __future__ import annotations

import msgspec

from lineside.agent.durable import write_atomically
from lineside.agent.paths import Paths
from lineside.contract.errors import LinesideError


class JoinState(msgspec.Struct, frozen=True, kw_only=True):
    """`url` is the device API's address; its certificates and keys lie beside this file."""

    device: str
    url: str
    twin: bool
    ca_sha256: str
    joined_at: str
    mqtt_host: str | None = None
    mqtt_port: int | None = None


def load(paths: Paths) -> JoinState:
    """The join state. Raises `agent.not_joined`."""
    try:
        return msgspec.json.decode(paths.join.read_bytes(), type=JoinState)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise LinesideError("agent.not_joined", root=paths.root) from error


def save(paths: Paths, state: JoinState) -> None:
    """From here on the root belongs to a joined device."""
    write_atomically(paths.join, msgspec.json.format(msgspec.json.encode(state)))
