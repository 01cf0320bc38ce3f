"""Which recipes name which secrets. Recipes never change, so each is read once."""

from __future__ import annotations

from functools import lru_cache

from sqlalchemy.orm import Session

from lineside.contract.desired import DesiredComponent
from lineside.contract.errors import LinesideError
from lineside.contract.reading import UNREADABLE
from lineside.contract.recipes.document import parse
from lineside.contract.recipes.findings import Strict
from lineside.contract.recipes.header import read_header
from lineside.contract.recipes.nodes import Reading
from lineside.contract.secret import names_secret, patterns
from lineside.server.adapters.objects import ObjectStore
from lineside.server.components import store as components

_REMEMBERED = 4096


class Naming:
    """Reads recipes for the secrets they name."""

    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects
        self._patterns = lru_cache(_REMEMBERED)(self._read)

    def named(self, wanted: tuple[DesiredComponent, ...], device: str, secret: str) -> bool:
        """Whether a device's desired components name a secret."""
        return any(
            names_secret(pattern, device, secret) for one in wanted for pattern in self._patterns(one.recipe_digest)
        )

    def anything(self, wanted: tuple[DesiredComponent, ...]) -> bool:
        """Whether they name any."""
        return any(self._patterns(one.recipe_digest) for one in wanted)

    def components(self, session: Session, secret: str) -> tuple[str, ...]:
        """Every component version whose recipe names a secret, on whichever device."""
        return tuple(
            sorted(
                f"{row.name} {row.version}"
                for row in components.newest(session)
                if any(names_secret(pattern, "*", secret) for pattern in self._patterns(row.recipe_digest))
            )
        )

    def _read(self, recipe_digest: str) -> tuple[str, ...]:
        """The resources in a recipe's default configuration; a built-in component's is not here and names none."""
        if not self._objects.exists(recipe_digest):
            return ()
        findings = Strict()
        try:
            root = parse(self._objects.get(recipe_digest), findings)
            header = read_header(Reading(findings), root) if root is not None else None
        except (LinesideError, *UNREADABLE):
            return ()
        return patterns(header.default_configuration) if header is not None else ()
