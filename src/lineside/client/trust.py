"""Operations of people's API about keys, proposals and signatures."""

from __future__ import annotations

from lineside.client.calls import Calls


class Trust(Calls):
    """Keys, proposals and signatures."""
