"""Who may use the stream manager: components, by the token that the agent gave them, asked for over the local bus."""

from __future__ import annotations

import logging
import threading
import time

from lineside.agent.bus.client import BusError, Client

REMEMBER_SECONDS = 60.0
"""How long a good token is believed without asking again."""

_MOST = 256  # tokens remembered
_log = logging.getLogger(__name__)


def everybody(token: str | None) -> bool:
    """Anybody on this device."""
    return True


class Admission:
    """Asks ValidateAuthorizationToken, and believes a good answer for a while. No bus, no admission."""

    def __init__(self) -> None:
        self._known: dict[str, float] = {}
        self._lock = threading.Lock()

    def __call__(self, token: str | None) -> bool:
        """Whether a token is one of a component's."""
        if not token:
            return False
        with self._lock:
            if time.monotonic() < self._known.get(token, 0.0):
                return True
        valid = self._ask(token)
        if valid:
            with self._lock:
                if len(self._known) >= _MOST:
                    self._known.clear()
                self._known[token] = time.monotonic() + REMEMBER_SECONDS
        return valid

    def _ask(self, token: str) -> bool:
        try:
            with Client() as bus:
                return bus.call("ValidateAuthorizationToken", {"token": token}).get("isValid") is True
        except BusError as error:
            _log.info("a client was turned away: %s", error.message)
        except (OSError, KeyError) as error:
            _log.error("the local bus does not answer, so nobody is let in: %s", error)
        return False
