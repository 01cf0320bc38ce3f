"""Operations of people's API about captures."""

from __future__ import annotations

from lineside.client.calls import Calls
from lineside.client.connection import path
from lineside.contract.capture import Capture, CapturePage


class Capturing(Calls):
    """Captures."""

    def captures(
        self,
        *,
        device: str | None = None,
        strategy: str | None = None,
        model: str | None = None,
        request: str | None = None,
        since: str | None = None,
        until: str | None = None,
        before: str | None = None,
        offset: int = 0,
        limit: int = 100,
    ) -> CapturePage:
        """Uploaded captures, newest first; `model` is NAME:VERSION, `request` a collection, `before` the `next` of the
        page before. Times are of arrival (RFC 3339)."""
        query = {"device": device, "strategy": strategy, "model": model, "request": request, "since": since}
        query |= {"until": until, "before": before}
        return self.connection.call("GET", "/captures", CapturePage, query={**query, "offset": offset, "limit": limit})

    def capture(self, capture: str) -> Capture:
        """One capture; its image is the blob `record.digest`."""
        return self.connection.call("GET", path("captures", capture), Capture)
