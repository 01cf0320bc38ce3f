"""Keeps the signed metadata fresh: what has used up half of its lifetime is signed anew."""

from __future__ import annotations

from lineside.server.adapters.tuf import Repository
from lineside.server.services import Core


class TimestampLoop:
    """A device refuses metadata that has expired, so a control plane that stops signing stops changing the fleet."""

    def __init__(self, core: Core, repository: Repository) -> None:
        self._core, self._repository = core, repository

    def step(self) -> None:
        """Renew what is due; an event says so."""
        renewed = {role: self._repository.digest(role) for role in self._repository.renew()}
        if renewed:
            with self._core.database.write() as session:
                message = f"Signed anew before it expires: {', '.join(renewed)}."
                self._core.events.record(session, kind="trust.renewed", subject="metadata", message=message)
                for role, digest in renewed.items():
                    self._core.audit.record(session, "trust.renewed", role, digest=digest)
