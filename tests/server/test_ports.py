"""The sockets the control plane listens on."""

from __future__ import annotations

import socket
from pathlib import Path

from lineside.server.ports import listen
from lineside.server.settings import Settings


def test_listeners_are_named_tcp_so_that_asyncio_switches_nagle_off(tmp_path: Path) -> None:
    listeners = listen(tmp_path, Settings(), asked=())
    try:
        sockets = (listeners.people, listeners.devices, listeners.mqtt)
        assert {one.proto for one in sockets} == {socket.IPPROTO_TCP}
    finally:
        listeners.close()
