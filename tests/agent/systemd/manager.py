"""A service manager for tests: the socket that it opens, and nothing else."""

from __future__ import annotations

import socket


class Manager:
    """The socket of a service manager."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind("\0" + address[1:] if address.startswith("@") else address)
        self._socket.settimeout(10)

    def hear(self) -> list[str]:
        """The lines of the next message."""
        return self._socket.recv(4096).decode().split("\n")

    def await_message(self, lines: list[str]) -> None:
        """Hear until these lines come; each message must come within ten seconds."""
        while self.hear() != lines:
            pass

    def close(self) -> None:
        """Go away."""
        self._socket.close()
