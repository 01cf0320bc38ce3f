"""Components' secret tokens: who is on the other side of a connection."""

from __future__ import annotations

import os
import threading
from collections import deque

_KEPT = 2


class Tokens:
    """A new token each time a component is started; the one before stays good while its processes end.

    A token belongs to one user of this device: a user id given when it is issued, else the first one that is seen with
    it. root may always use it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_token: dict[str, str] = {}
        self._by_component: dict[str, deque[str]] = {}
        self._users: dict[str, int] = {}

    def issue(self, component: str, user: int | None = None) -> str:
        """A new token for a component."""
        token = os.urandom(16).hex().upper()
        with self._lock:
            tokens = self._by_component.setdefault(component, deque())
            tokens.append(token)
            self._by_token[token] = component
            if user is not None:
                self._users[token] = user
            if len(tokens) > _KEPT:
                old = tokens.popleft()
                del self._by_token[old]
                self._users.pop(old, None)
        return token

    def component(self, token: str) -> str | None:
        """Whose token it is."""
        with self._lock:
            return self._by_token.get(token)

    def admit(self, token: str, user: int) -> str | None:
        """Whose token a process of this user shows; None when it may not have it."""
        with self._lock:
            component = self._by_token.get(token)
            if component is None or user == 0:
                return component
            return component if self._users.setdefault(token, user) == user else None
