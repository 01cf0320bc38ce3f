"""Operations of people's API about loops."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from lineside.client.calls import Calls
from lineside.client.connection import path
from lineside.contract.loop import Loop, LoopApplied, LoopDocument, StartLoop
from lineside.contract.run import Run


class Looping(Calls):
    """Loops: what is trained again, and what starts it."""

    def loops(self) -> list[Loop]:
        """All loops, by name."""
        return self.connection.call("GET", "/loops", list[Loop])

    def loop(self, name: str) -> Loop:
        """One loop."""
        return self.connection.call("GET", path("loops", name), Loop)

    def apply_loop(self, document: LoopDocument, *, new_secret: bool = False) -> LoopApplied:
        """Make a loop, or change it; its code files were sent as blobs before."""
        raw = self.connection.send(
            "PUT",
            path("loops", document.name),
            data=msgspec.json.encode(document),
            query={"new_secret": "true" if new_secret else None},
            content_type="application/json",
        )
        return msgspec.json.decode(raw, type=LoopApplied)

    def start_loop(self, name: str, settings: Mapping[str, Any] = {}, from_step: str | None = None) -> Run:
        """Start a run of a loop now, other than its document says in places."""
        body = StartLoop(settings=dict(settings), from_step=from_step)
        return self.connection.call("POST", path("loops", name, "start"), Run, body=body)

    def remove_loop(self, name: str) -> Loop:
        """It starts nothing any more; what it has started goes on."""
        return self.connection.call("POST", path("loops", name, "remove"), Loop)
