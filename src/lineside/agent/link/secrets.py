"""Secrets on their way to this device: asked for after each poll, at no cost while nothing changed (ETag).

What the control plane gives replaces what it gave before: a secret that this device's components no longer name is
gone. Before that, what an older agent left in clear is sealed, and after a change of keys everything is sealed anew.
"""

from __future__ import annotations

import logging

from lineside.agent.ports import ControlPlane
from lineside.agent.secrets import Secrets
from lineside.contract.errors import LinesideError

_NOT_THERE = "request.no_such_path"  # a control plane that is older than its devices

_log = logging.getLogger(__name__)


class SecretsLink:
    """Keeps the secrets of a device what the control plane says. For the link's thread."""

    def __init__(self, control: ControlPlane, secrets: Secrets) -> None:
        self._control = control
        self._secrets = secrets
        self._sealed = False

    def look(self) -> None:
        """The control plane has just answered. What fails now is tried again after the next poll."""
        try:
            if not self._sealed:
                self._secrets.seal_old()
                self._sealed = True
            self._secrets.reseal()
            answer = self._control.secrets(self._secrets.etag)
            if answer is not None:
                self._secrets.take(*answer)
        except LinesideError as error:
            if error.code != _NOT_THERE:
                _log.warning("secrets: %s", error.message)
        except OSError as error:  # what is wrong with secrets' files must not keep the desired document away
            _log.warning("secrets: %s", error)
