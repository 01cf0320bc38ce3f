"""What an agent remembers about components: the sets it ran, tries and gave up on."""

from __future__ import annotations

from typing import Any

import msgspec

from lineside.contract.deployment import RunWith
from lineside.contract.desired import Desired
from lineside.contract.errors import ErrorReport
from lineside.contract.ids import content_digest
from lineside.contract.reported import Phase


class Component(msgspec.Struct, frozen=True, kw_only=True):
    """A component as it is installed: its recipe by digest, the configuration that came out for it, as whom it runs."""

    name: str
    version: str
    target: str
    recipe_digest: str
    configuration: dict[str, Any] = {}
    run_with: RunWith | None = None


class ComponentSet(msgspec.Struct, frozen=True, kw_only=True):
    """Components that run together, and the desired document they answer."""

    document: str
    revision: int
    components: tuple[Component, ...] = ()

    def named(self, name: str) -> Component | None:
        """The component of that name."""
        return next((item for item in self.components if item.name == name), None)


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """A set under trial. `tries` counts how many agent processes have begun it; `bootstrapped` names the components
    whose Bootstrap step it has seen through."""

    wanted: ComponentSet
    tries: int
    bootstrapped: tuple[str, ...] = ()


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How a document failed; kept until another document comes. `held`: left as it is (DO_NOTHING); `refused`: a
    component objected before anything was stopped."""

    document: str
    revision: int
    error: ErrorReport
    held: bool = False
    refused: bool = False


class Package(msgspec.Struct, frozen=True, kw_only=True):
    """A staged component version: which recipe is in its directories, and the digests found on disk by file name.

    `uninstalled`: its Uninstall step has run since it ran last.
    """

    recipe_digest: str
    artifacts: dict[str, str]
    uninstalled: bool = False


EMPTY = ComponentSet(document="", revision=0)


def document_of(desired: Desired) -> str:
    """What names a desired document to its device: revision and what should run, without pace settings."""
    return f"r{desired.revision}-{content_digest(desired.components)[7:19]}"


def trial_failed_phase(good: ComponentSet, outcome: Outcome) -> Phase:
    """What to report after a failed trial: rolled back when there was something to return to."""
    if outcome.refused:
        return Phase.REFUSED
    return Phase.ROLLED_BACK if good.components and not outcome.held else Phase.FAILED
