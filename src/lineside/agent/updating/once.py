"""Lifecycle steps that run once and belong to no running component: Bootstrap and Uninstall."""

from __future__ import annotations

import enum
import logging
import os
import shlex
import shutil
import subprocess

from lineside.agent.attention import Attention
from lineside.agent.supervision.launch import Launch
from lineside.agent.supervision.scripts import run_once
from lineside.contract.errors import LinesideError

REBOOT_COMMAND = "LINESIDE_REBOOT_COMMAND"
"""Environment variable: what restarts the device, if neither `systemctl reboot` nor `reboot` does."""
_REBOOT_PATIENCE = 60.0

_log = logging.getLogger(__name__)


class After(enum.Enum):
    """What a Bootstrap step asks for, by its exit status."""

    GO_ON = 0
    RESTART = 100  # the agent
    REBOOT = 101  # the device


def bootstrap(launch: Launch, attention: Attention) -> After:
    """Run a component's Bootstrap step. Raises `deploy.bootstrap_failed`, `Interrupted`, `Superseded`."""
    finished = run_once(launch, "bootstrap", attention.off)
    attention.check()
    try:
        return After(finished.code)
    except ValueError as error:
        raise LinesideError("deploy.bootstrap_failed", name=launch.name, why=finished.why, log=launch.log) from error


def uninstall(launch: Launch, attention: Attention) -> None:
    """Run a component's Uninstall step; that it fails is only logged. Raises `Interrupted`, `Superseded`."""
    try:
        finished = run_once(launch, "uninstall", attention.off)
    except (LinesideError, OSError) as error:
        _log.warning("the Uninstall step of %s could not be started: %s", launch.name, error)
        return
    attention.check()
    if not finished.ok:
        _log.warning("the Uninstall step of %s failed (%s); see %s", launch.name, finished.why, launch.log)


def reboot() -> None:
    """Restart the device. Raises `deploy.reboot_failed`."""
    text = os.environ.get(REBOOT_COMMAND)
    command = shlex.split(text) if text else ["systemctl", "reboot"] if shutil.which("systemctl") else ["reboot"]
    _log.warning("restarting the device: %s", shlex.join(command))
    try:
        subprocess.run(command, check=True, timeout=_REBOOT_PATIENCE, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.SubprocessError) as error:
        raise LinesideError("deploy.reboot_failed", command=shlex.join(command), why=error) from error
