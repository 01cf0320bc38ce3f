"""The kinds of step a plan is made of: plain data, carried out by `lineside.agent.updating.execute`."""

from __future__ import annotations

from typing import Any

import msgspec

from lineside.agent.updating.installed import Component, ComponentSet
from lineside.contract.desired import DesiredComponent


class RefreshTrust(msgspec.Struct, frozen=True, tag=True):
    """Bring the signed metadata up to date."""


class FetchRecipe(msgspec.Struct, frozen=True, tag=True):
    """Check who signed a component's recipe, and fetch it unless it is stored."""

    component: DesiredComponent
    document: str


class FetchArtifact(msgspec.Struct, frozen=True, tag=True):
    """Fetch one artifact into the store."""

    digest: str
    name: str


class Stage(msgspec.Struct, frozen=True, tag=True):
    """Put a component's artifacts where its recipe expects them."""

    component: Component


class Validate(msgspec.Struct, frozen=True, tag=True):
    """Ask components that run whether they would take their new configurations, by name."""

    wanted: ComponentSet
    deployment: str
    configurations: dict[str, dict[str, Any]]
    seconds: float


class Notify(msgspec.Struct, frozen=True, tag=True):
    """Tell components that they are about to be stopped, and wait while they put it off, `seconds` at most."""

    document: str
    deployment: str
    names: tuple[str, ...]
    seconds: float


class Begin(msgspec.Struct, frozen=True, tag=True):
    """Remember on disk that this set is being tried: from here on a failure means rolling back."""

    wanted: ComponentSet


class Stop(msgspec.Struct, frozen=True, tag=True):
    """Stop a running component."""

    name: str


class SwitchAgent(msgspec.Struct, frozen=True, tag=True):
    """Make way for another agent, tried for the document (None: the one that was installed by hand)."""

    component: Component | None
    document: str


class AwaitAgent(msgspec.Struct, frozen=True, tag=True):
    """Wait until this agent, which is on trial itself, has shown its loader that it is well, or is ended by it."""


class Bootstrap(msgspec.Struct, frozen=True, tag=True):
    """Run a component's Bootstrap step, once in a trial; it may ask for the agent or the device to be restarted."""

    component: Component
    within: ComponentSet


class Configure(msgspec.Struct, frozen=True, tag=True):
    """Give a running component its new configuration without a restart: it listens."""

    component: Component
    fingerprint: str
    within: ComponentSet


class Start(msgspec.Struct, frozen=True, tag=True):
    """Write a component's configuration, start it, wait until it is ready. In a `trial`, BROKEN is a failure."""

    component: Component
    fingerprint: str
    within: ComponentSet
    trial: bool


class Settle(msgspec.Struct, frozen=True, tag=True):
    """Wait until everything was ready for `seconds` in a row, then probe once more."""

    seconds: float


class Commit(msgspec.Struct, frozen=True, tag=True):
    """The set under trial becomes the good set; `deployment` is over."""

    deployment: str


class Uninstall(msgspec.Struct, frozen=True, tag=True):
    """Run the Uninstall step of a component that has left, once."""

    component: Component


class Collect(msgspec.Struct, frozen=True, tag=True):
    """Remove packages and stored objects that nothing needs."""

    packages: tuple[tuple[str, str], ...]
    digests: frozenset[str]


Step = (
    RefreshTrust
    | FetchRecipe
    | FetchArtifact
    | Stage
    | Validate
    | Notify
    | Begin
    | SwitchAgent
    | Stop
    | Bootstrap
    | Configure
    | Start
    | Settle
    | AwaitAgent
    | Commit
    | Uninstall
    | Collect
)


def brief(step: Step) -> str:
    """A step in a few words for the log: configurations, which may hold secrets, are left out."""
    about = getattr(step, "component", None)
    words = [type(step).__name__]
    if about is not None:
        words.append(f"{about.name} {about.version}")
    words += [str(value) for key in ("name", "names", "seconds") if (value := getattr(step, key, None)) is not None]
    return " ".join(words)
