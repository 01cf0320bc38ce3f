"""Operations of people's API about who may do what."""

from __future__ import annotations

from lineside.client.calls import Calls


class People(Calls):
    """Who may do what."""
