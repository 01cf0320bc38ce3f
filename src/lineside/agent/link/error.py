"""The one exception of the link whose answer is: try again later."""

from __future__ import annotations

from typing import Any

from lineside.contract.errors import LinesideError


class LinkError(LinesideError):
    """No answer, or none that helps. `retry_after`: seconds the control plane asked for; `status`: what it said."""

    def __init__(
        self, code: str, /, *, retry_after: float | None = None, http_status: int | None = None, **params: Any
    ) -> None:
        super().__init__(code, **params)
        self.retry_after = retry_after
        self.status = http_status
