"""Which platform this device is, as recipes name it."""

from __future__ import annotations

import platform as host

_ARCHITECTURES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "aarch64", "arm64": "aarch64", "i686": "x86"}


def this_platform() -> dict[str, str]:
    """`os` and `architecture` as recipes name them: linux; amd64, aarch64, arm, x86."""
    machine = host.machine().lower()
    architecture = "arm" if machine.startswith("armv") else _ARCHITECTURES.get(machine, machine)
    return {"os": host.system().lower(), "architecture": architecture}
