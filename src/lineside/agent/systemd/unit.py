"""The systemd unit of one agent: `lineside agent unit`.

Restarted always, watched by a watchdog, and hardened as far as components still run: they need a shell, Python (which
may write and execute memory), their devices (cameras), the network, and other users to run as. So the agent keeps the
capabilities that starting others takes, and gives up changing the machine itself: kernel, modules, clock, /usr, /boot.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

WATCHDOG_SECONDS = 120
"""How long the manager waits for a sign of life."""

_UNIT = """\
# Made by: lineside agent unit
[Unit]
Description=Lineside agent of {root}
Wants=network-online.target
After=network-online.target time-sync.target
# A device in a factory goes on trying, however often a start failed.
StartLimitIntervalSec=0

[Service]
Type=notify
# The loader is the main process while it tries a new agent; its child speaks then.
NotifyAccess=all
ExecStart={command}
WatchdogSec={watchdog}
Restart=always
RestartSec=5
TimeoutStartSec=300
# Components have 20 seconds to stop, together.
TimeoutStopSec=45
KillMode=mixed
{user}\
# Components get cgroups of their own below this one, where the kernel allows it.
Delegate=yes
OOMPolicy=continue
UMask=0022
# What components do not need.
ProtectSystem=strict
ReadWritePaths={writable}
ProtectHome={home}
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectClock=yes
ProtectHostname=yes
PrivateTmp=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
SystemCallArchitectures=native
{privileges}\

[Install]
WantedBy=multi-user.target
"""


def unit(root: Path, command: Sequence[str], user: str | None = None) -> str:
    """The unit's text. `user` None runs the agent as root, which lets it run components as other users."""
    in_home = any(root.is_relative_to(home) for home in ("/home", "/root", "/run/user"))
    return _UNIT.format(
        root=_plain(str(root)),
        writable=_quoted(str(root)),
        command=" ".join(_quoted(part).replace("$", "$$") for part in command),
        watchdog=WATCHDOG_SECONDS,
        user=f"User={user}\n" if user else "",
        home="no" if in_home else "read-only",
        privileges="NoNewPrivileges=yes\nCapabilityBoundingSet=\n" if user else "",
    )


def _quoted(text: str) -> str:
    """One word of a list, whatever is in it (systemd.syntax(7), "Quoting")."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return _plain(f'"{escaped}"' if any(mark in text for mark in " \t'\"\\;") else text)


def _plain(text: str) -> str:
    """A `%` would begin a specifier (systemd.unit(5))."""
    return text.replace("%", "%%")
