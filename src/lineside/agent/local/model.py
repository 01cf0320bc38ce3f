"""What a device decided by itself, as it is kept on disk: components on top of the desired document, and deployments.

Overlay   what was deployed here and stays, until the next revision names the same component
Trial     the local deployment under way, with the overlay that is to come of it
Bad       a desired document that failed: local deployments then go on top of what ran before it
Entry     one local deployment in the history
"""

from __future__ import annotations

import msgspec

from lineside.agent.bus.ports import LocalDeployment
from lineside.contract.deployment import UpdatePolicy, ValidationPolicy
from lineside.contract.desired import DesiredComponent
from lineside.contract.errors import ErrorReport

HISTORY = 50
"""How many ended deployments are remembered."""


class LocalComponent(msgspec.Struct, frozen=True, kw_only=True):
    """A component as it was deployed here, on top of the revision `since`; `recipe`: that of an unsigned one."""

    component: DesiredComponent
    since: int
    recipe: bytes = b""


class Overlay(msgspec.Struct, frozen=True, kw_only=True):
    """Components put on top of the desired document, and those taken out of it (at which revision), by name."""

    components: dict[str, LocalComponent] = {}
    removed: dict[str, int] = {}


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """A local deployment under way. `names`: what it changes; `document`: what names its document to the planner;
    `files`: where its artifacts lie, by digest; `desired`: for a bundle made for this device, what names the desired
    document that came with it; `base`: what it goes on top of, when the desired document cannot be fetched now."""

    id: str
    overlay: Overlay
    names: tuple[str, ...]
    failure_policy: str = "ROLLBACK"
    files: dict[str, str] = {}
    bundle: str = ""  # path of the bundle that it came with
    desired: str = ""
    document: str = ""
    base: tuple[DesiredComponent, ...] | None = None
    update_policy: UpdatePolicy | None = None
    validation_policy: ValidationPolicy | None = None


class Bad(msgspec.Struct, frozen=True, kw_only=True):
    """The desired document `desired` failed with `error`; `base` is what ran before and runs again."""

    desired: str
    error: ErrorReport
    base: tuple[DesiredComponent, ...]


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One local deployment as it stands or ended."""

    id: str
    kind: str  # deploy or import
    status: str  # QUEUED, IN_PROGRESS, SUCCEEDED, FAILED, CANCELED
    created_at: float
    what: str  # for people: names and versions
    error: ErrorReport | None = None

    def public(self) -> LocalDeployment:
        """As the local bus tells it."""
        why = f"{self.error.code}: {self.error.message}" if self.error else ""
        return LocalDeployment(id=self.id, status=self.status, created_at=self.created_at, error=why)


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """Everything of this in one value, replaced in one transaction. `history` has the newest first."""

    overlay: Overlay = Overlay()
    trial: Trial | None = None
    bad: Bad | None = None
    history: tuple[Entry, ...] = ()

    def entry(self, id: str) -> Entry | None:
        """The deployment of that id."""
        return next((one for one in self.history if one.id == id), None)

    def with_entry(self, entry: Entry) -> Record:
        """The record with this deployment added or changed."""
        if self.entry(entry.id) is None:
            kept = (entry, *self.history)[:HISTORY]
        else:
            kept = tuple(entry if one.id == entry.id else one for one in self.history)
        return msgspec.structs.replace(self, history=kept)
