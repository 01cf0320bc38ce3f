"""Operations of people's API about secrets of components."""

from __future__ import annotations

from lineside.client.calls import Calls


class Secrets(Calls):
    """Secrets of components."""
