"""Ports: chosen at the first start, then kept, because devices remember them.

At the first start a busy default gives way to the next free port. A port that was asked for, or kept, does not.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import msgspec

from lineside.contract.errors import LinesideError
from lineside.contract.reading import UNREADABLE
from lineside.server.adapters.files import write_atomic
from lineside.server.settings import Settings

NAMES = ("port", "device_port", "mqtt_port")
_TRIES = 200


@dataclass(frozen=True)
class Listeners:
    """Bound and listening sockets."""

    people: socket.socket
    devices: socket.socket
    mqtt: socket.socket | None  # None where another broker is used

    def close(self) -> None:
        """Close them all."""
        for listener in (self.people, self.devices, self.mqtt):
            if listener is not None:
                listener.close()


def listen(root: Path, settings: Settings, asked: Collection[str]) -> Listeners:
    """Bind all ports and keep their numbers in R/ports.json. `asked` names the settings that were given by hand.

    Raises `start.port_busy`.
    """
    kept = _kept(root / "ports.json")
    sockets: dict[str, socket.socket] = {}
    try:
        for name in NAMES if not settings.mqtt_url else NAMES[:2]:
            fixed = getattr(settings, name) if name in asked else kept.get(name)
            host = settings.host if name == "port" else settings.device_host
            sockets[name] = _bind(host, fixed, getattr(settings, name), name)
        numbers = {name: bound.getsockname()[1] for name, bound in sockets.items()}
        numbers = kept | numbers
        if numbers != kept:
            write_atomic(root / "ports.json", msgspec.json.encode(numbers))
    except BaseException:
        for bound in sockets.values():
            bound.close()
        raise
    return Listeners(sockets["port"], sockets["device_port"], sockets.get("mqtt_port"))


def _bind(host: str, fixed: int | None, default: int, name: str) -> socket.socket:
    first = default if fixed is None else fixed
    for port in range(first, first + _TRIES):
        bound = _try(host, port)
        if bound is not None and fixed in (None, port):
            return bound
        if bound is not None:  # the asked one is busy; this one is free: say so
            bound.close()
            flag = "--" + name.replace("_", "-")
            raise LinesideError("start.port_busy", port=fixed, suggestion=port, flag=flag)
    raise LinesideError("start.port_busy", port=first, suggestion=0, flag="--" + name.replace("_", "-"))


def _try(host: str, port: int) -> socket.socket | None:
    """A listening socket, or None when the port is busy. It listens at once: else another may bind the same port."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named TCP, or asyncio leaves Nagle on and each answer on a kept connection waits 40 ms for an acknowledgement.
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
        bound.listen(128)
    except OSError as error:
        bound.close()
        if error.errno in (errno.EADDRINUSE, errno.EACCES):
            return None
        raise LinesideError("start.setting_invalid", why=f"cannot listen on {host}: {error.strerror}") from error
    except OverflowError as error:
        bound.close()
        raise LinesideError("start.setting_invalid", why=f"{port} is not a TCP port") from error
    return bound


def _kept(path: Path) -> dict[str, int]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, int])
    except FileNotFoundError:
        return {}
    except UNREADABLE as error:
        raise LinesideError("start.setting_invalid", why=f"{path} is damaged ({error}); remove it") from error
