"""Talking to the service manager: one datagram a message to the socket that `NOTIFY_SOCKET` names (sd_notify(3))."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping


class Notifier:
    """Says READY, STATUS, WATCHDOG and STOPPING. Where nobody listens it says nothing; it never fails."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._address = environment.get("NOTIFY_SOCKET", "")
        self.watchdog_seconds = _watchdog_seconds(environment)

    @property
    def listening(self) -> bool:
        """Whether a service manager listens."""
        return bool(self._address)

    def ready(self, status: str) -> None:
        """The agent has started."""
        self._send(f"READY=1\nSTATUS={_one_line(status)}\nMAINPID={os.getpid()}")

    def status(self, text: str) -> None:
        """One line for `systemctl status`."""
        self._send(f"STATUS={_one_line(text)}")

    def alive(self) -> None:
        """The watchdog need not bite yet."""
        self._send("WATCHDOG=1")

    def stopping(self) -> None:
        """The agent ends now, by its own will or because it was told to."""
        self._send("STOPPING=1")

    def _send(self, message: str) -> None:
        if not self._address:
            return
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
                sender.setblocking(False)
                sender.sendto(message.encode(), address)
        except OSError:  # a manager that has gone, or is too busy: the next message says the same
            return


def _watchdog_seconds(environment: Mapping[str, str]) -> float | None:
    """How often the manager wants to hear from this process (sd_watchdog_enabled(3)); None when it does not ask."""
    wanted, process = environment.get("WATCHDOG_USEC", ""), environment.get("WATCHDOG_PID", "")
    if not wanted.isdigit() or int(wanted) == 0:
        return None
    if process and process != str(os.getpid()) and process != str(os.getppid()):  # the loader may be our parent
        return None
    return int(wanted) / 1_000_000


def _one_line(text: str) -> str:
    return " ".join(text.split())
