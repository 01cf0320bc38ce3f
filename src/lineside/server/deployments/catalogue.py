"""What can be deployed, as resolution asks for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from sqlalchemy.orm import Session

from lineside.contract.recipes.recipe import Dependency
from lineside.server.components.service import Components
from lineside.server.components.store import ComponentRow

Check = Callable[[Session, ComponentRow], None]


class Shelf:
    """What is signed for the fleet, with `staging` also what is staged. What is looked into must pass `check`."""

    def __init__(
        self, session: Session, components: Components, *, staging: bool = False, check: Check | None = None
    ) -> None:
        self._session, self._components, self._staging, self._check = session, components, staging, check
        self._known: dict[tuple[str, str], Mapping[str, Dependency]] = {}  # resolving asks again and again

    def versions(self, name: str) -> Sequence[str]:
        """See `resolution.Catalogue`."""
        rows = self._components.versions(self._session, name)
        return [row.version for row in rows if row.target or (self._staging and row.staging_target)]

    def dependencies(self, name: str, version: str) -> Mapping[str, Dependency]:
        """See `resolution.Catalogue`. Raises what `check` does, before a recipe that may have been changed is read."""
        if (name, version) not in self._known:
            if self._check is not None:
                self._check(self._session, self._components.row(self._session, name, version))
            self._known[name, version] = self._components.dependencies(self._session, name, version)
        return self._known[name, version]
