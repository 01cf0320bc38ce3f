"""Carrying out steps: one handler for one kind, in a table. Each may be repeated after a crash without harm."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Collection
from typing import Any

import msgspec

from lineside.agent import crash
from lineside.agent.attention import Attention, Interrupted, RestartAsked, Superseded
from lineside.agent.bus.ports import Listeners
from lineside.agent.link.error import LinkError
from lineside.agent.link.join_state import JoinState
from lineside.agent.loader.control import SelfUpdate
from lineside.agent.paths import Paths
from lineside.agent.platforms import this_platform
from lineside.agent.ports import Supplies
from lineside.agent.supervision.launch import Launch, prepare
from lineside.agent.supervision.supervise import Supervisor
from lineside.agent.supervision.walls.users import identity
from lineside.agent.updating import packages
from lineside.agent.updating.installed import EMPTY, Component, ComponentSet, Package, document_of
from lineside.agent.updating.once import After, bootstrap, reboot, uninstall
from lineside.agent.updating.plan import Current, Facts, plan
from lineside.agent.updating.prints import fingerprints, with_configuration
from lineside.agent.updating.questions import Nobody, Questions
from lineside.agent.updating.state import State
from lineside.agent.updating.steps import (
    AwaitAgent,
    Begin,
    Bootstrap,
    Collect,
    Commit,
    Configure,
    FetchArtifact,
    FetchRecipe,
    Notify,
    RefreshTrust,
    Settle,
    Stage,
    Start,
    Step,
    Stop,
    SwitchAgent,
    Uninstall,
    Validate,
)
from lineside.agent.updating.store import Store
from lineside.agent.updating.supplied import BUILTIN, is_signed, with_builtins
from lineside.agent.updating.switching import Switching
from lineside.agent.updating.trust import Trust
from lineside.contract.desired import Desired, DesiredComponent
from lineside.contract.errors import LinesideError
from lineside.contract.ids import digest_of
from lineside.contract.recipes.builtin import builtin_recipe
from lineside.contract.recipes.reader import read_recipe
from lineside.contract.recipes.recipe import Recipe

_log = logging.getLogger(__name__)

MAX_TRIES = 5
"""Agent processes that may begin the same trial before it is given up."""


SOAK_PATIENCE = 120.0
"""Seconds, beside ten times the soak, within which everything must once have been ready for the soak."""

_TRIES = 3  # of a component's start, until the supervisor calls it BROKEN
_UNLIMITED = 3600.0  # for a step that says Timeout: 0
_START_STEPS = ("bootstrap", "install", "startup", "probe", "goldeninputs", "recover")


def _start_patience(launch: Launch) -> float:
    """Seconds after which a component that is neither ready nor BROKEN is given up: all its own time-outs together."""
    steps = (launch.lifecycle[key] for key in _START_STEPS if key in launch.lifecycle)
    return 60.0 + _TRIES * sum(step.timeout or _UNLIMITED for step in steps)


def user_of(launch: Launch) -> int | None:
    """The user a component runs as; None when it is the agent's own, or one that cannot be (its start will say so)."""
    with contextlib.suppress(LinesideError):
        who = identity(launch.name, launch.run_with.posix_user)
        return None if who is None else who.uid
    return None


class Executor:
    """Carries out steps on one device, and observes what is. `local`: digests of recipes that were deployed here."""

    def __init__(
        self,
        paths: Paths,
        joined: JoinState,
        state: State,
        store: Store,
        control: Supplies,
        supervisor: Supervisor,
        attention: Attention,
        local: Callable[[], Collection[str]] = frozenset,
        self_update: SelfUpdate | None = None,
    ) -> None:
        self._paths = paths
        self._joined = joined
        self._state = state
        self._store = store
        self._control = control
        self._supervisor = supervisor
        self._attention = attention
        self._listeners: Listeners = Nobody()
        self._questions = Questions(self._listeners, attention)
        self._local = local
        self._switching = Switching(self_update, paths, attention)
        self._trust = Trust(control, paths, attention, twin=joined.twin)
        self.refreshed: Callable[[float], None] = lambda expires: None  # told when signed metadata expires
        self._platform = this_platform()
        self._recipes: dict[str, Recipe] = {}
        self._bus: dict[str, dict[str, str]] = {}  # the bus's variables that components were started with
        self.still = threading.RLock()  # while it is held, what is remembered and what runs are one
        self._planned_from = EMPTY  # the good set that the last plan started from
        self.begun: str | None = None  # document of the trial that this process has begun
        self._handlers: dict[type[Any], Callable[[Any], None]] = {
            RefreshTrust: self._refresh,
            FetchRecipe: self._fetch_recipe,
            FetchArtifact: self._fetch_artifact,
            Stage: self._stage,
            Validate: self._validate,
            Notify: lambda step: self._questions.notify(step),
            Begin: self._begin,
            SwitchAgent: self._switch_agent,
            AwaitAgent: self._switching.await_confirmed,
            Stop: self._stop,
            Bootstrap: self._bootstrap,
            Configure: self._configure,
            Start: self._start,
            Settle: self._settle,
            Commit: self._commit,
            Uninstall: self._uninstall,
            Collect: self._collect,
        }

    def attach(self, listeners: Listeners) -> None:
        """Where components listen, before the first round."""
        self._listeners = listeners
        self._questions = Questions(listeners, self._attention)

    def carry_out(self, step: Step) -> None:
        """Do one step. Raises `LinesideError` when it cannot be done, `Interrupted`, `Superseded`."""
        self._handlers[type(step)](step)

    def plan(self, desired: Desired) -> list[Step]:
        """The next steps towards a document. Raises `recipe.…`."""
        with self.still:
            current = self.observe(desired, document_of(desired))
            self._planned_from = current.good
        listening = frozenset(name for name in current.running if self._listeners.listens(name))
        facts = Facts(listening=listening, local=frozenset(self._local()), **self._switching.facts())
        return plan(current, desired, facts)

    def over(self, desired: Desired) -> None:
        """A trial has failed: components that were told of it hear that it is over."""
        self._listeners.updated(desired.deployment or document_of(desired))

    def adopt(self, component: Component) -> None:
        """A running component has changed its own configuration: neither it nor any other is restarted for that."""
        running = self._supervisor.running()
        before = [own for own, _ in self._supervisor.components().values()]
        after = [component if own.name == component.name else own for own in before]
        old, new = (
            fingerprints(ComponentSet(document="", revision=0, components=tuple(items)), self._recipes)
            for items in (before, after)
        )
        for own in after:
            if own is component:
                print_now = with_configuration(running[own.name], own.configuration)
                self._supervisor.reconfigure(own, print_now)
            elif running.get(own.name) == old[own.name]:  # its scripts may mention the configuration
                self._supervisor.reconfigure(own, new[own.name])

    def observe(self, desired: Desired, document: str) -> Current:
        """What is, for planning. Raises `recipe.…` when the desired document names a recipe that cannot be read."""
        attempt = self._state.attempt()
        sets = [self._state.good(), self._state.previous(), *([attempt.wanted] if attempt else [])]
        wanted = {item.recipe_digest for one in sets for item in one.components}
        wanted |= {item.recipe_digest for item in with_builtins(desired.components, self._recipes)}
        found = self._state.packages()
        wanted |= {package.recipe_digest for package in found.values()}
        return Current(
            good=sets[0],
            previous=sets[1],
            attempt=attempt,
            outcome=self._state.outcome(),
            recipes={digest: self._recipe(digest) for digest in wanted if self._store.has(digest)},
            stored=self._store.digests(),
            verified=self._state.verified(document),
            packages=found,
            running=self._supervisor.running(),
            begun=self.begun is not None and attempt is not None and attempt.wanted.document == self.begun,
            asked=self._questions.asked(document),
        )

    def check_disk(self) -> None:
        """After a start: forget packages that are no longer what their recipe says, so that they are staged anew.

        What the sets name and the disk has, though nobody remembers it, is remembered again: the state may be new.
        """
        self._remember_packages()
        for (name, version), package in self._state.packages().items():
            recipe_there = self._store.verify(package.recipe_digest)
            if not recipe_there or not packages.intact(self._recipe(package.recipe_digest), self._store, self._paths):
                self._state.drop_package(name, version)
        known = set(self._state.packages())
        for name, version in set(packages.installed(self._paths)) - known:
            packages.remove(self._paths, name, version)

    def _remember_packages(self) -> None:
        known = self._state.packages()
        for one in (self._state.good(), self._state.previous()):
            for item in one.components:
                if (item.name, item.version) in known or not self._store.verify(item.recipe_digest):
                    continue
                recipe = self._recipe(item.recipe_digest)
                if packages.intact(recipe, self._store, self._paths):
                    found = {artifact.name: artifact.digest for artifact in recipe.artifacts}
                    package = Package(recipe_digest=item.recipe_digest, artifacts=found)
                    self._state.add_package(item.name, item.version, package)

    def _recipe(self, digest: str) -> Recipe:
        if digest not in self._recipes:
            self._recipes[digest] = read_recipe(self._store.read(digest), self._platform)
        return self._recipes[digest]

    # --- one handler a kind ---------------------------------------------------------------------------------------

    def _refresh(self, step: RefreshTrust) -> None:
        self.refreshed(self._trust.refresh())

    def _fetch_recipe(self, step: FetchRecipe) -> None:
        wanted = step.component
        data = self._signed(wanted) if is_signed(wanted.target) else self._supplied(wanted)
        if data is not None:
            recipe = read_recipe(data, self._platform)
            if (recipe.name, recipe.version) != (wanted.name, wanted.version):
                why = f"it is that of {recipe.name} {recipe.version}"
                raise LinesideError("trust.recipe_mismatch", name=f"{wanted.name} {wanted.version}", why=why)
            self._store.put(data)
        crash.point("recipe.stored")
        self._state.add_verified(step.document, wanted.target)

    def _signed(self, wanted: DesiredComponent) -> bytes | None:
        """A recipe from the control plane, if it is not stored; its signature is checked in any case."""
        target = self._trust.check(wanted)
        if self._store.has(wanted.recipe_digest):
            return None
        data = self._trust.fetch(wanted, target)
        self._state.add_transferred(len(data))
        return data

    def _supplied(self, wanted: DesiredComponent) -> bytes | None:
        """The recipe of a component that came with the agent; one that a person on this device deployed is stored."""
        data = builtin_recipe(wanted.name) if wanted.target.startswith(BUILTIN) else None
        if data is None:
            raise LinesideError("trust.unknown_target", target=wanted.target)
        if digest_of(data) != wanted.recipe_digest:
            why = f"this agent has {digest_of(data)}, {wanted.recipe_digest} is wanted"
            raise LinesideError("trust.recipe_mismatch", name=wanted.name, why=why)
        return data

    def _fetch_artifact(self, step: FetchArtifact) -> None:
        received: list[int] = []
        try:
            self._store.fetch(self._control, step.digest, step.name, received.append, self._attention)
        except LinkError:
            self._attention.check()  # whoever broke the round off made the read fail
            raise
        finally:
            self._state.add_transferred(sum(received))

    def _stage(self, step: Stage) -> None:
        component = step.component
        recipe = self._recipe(component.recipe_digest)
        self._state.drop_package(component.name, component.version)
        found = packages.stage(recipe, self._store, self._paths, self._attention)
        package = Package(recipe_digest=component.recipe_digest, artifacts=found)
        self._state.add_package(component.name, component.version, package)
        crash.point("stage.recorded")

    def _validate(self, step: Validate) -> None:
        try:
            self._questions.validate(step)
        except LinesideError as error:
            self._state.refuse(step.wanted, error.report())
            raise

    def _begin(self, step: Begin) -> None:
        with self.still:
            if self._state.good() != self._planned_from:
                raise Superseded  # a component has changed its own configuration since the trial was planned
            attempt = self._state.begin(step.wanted)
        self.begun = step.wanted.document
        crash.point("attempt.begun")
        if attempt.tries > MAX_TRIES:
            raise LinesideError("deploy.interrupted", times=MAX_TRIES, revision=step.wanted.revision)

    def _switch_agent(self, step: SwitchAgent) -> None:
        own = step.component
        recipe = None if own is None else self._recipe(own.recipe_digest)
        self._switching.switch(step, recipe, trial=self.begun == step.document)

    def _stop(self, step: Stop) -> None:
        self._supervisor.stop(step.name)
        crash.point("component.stopped")

    def _bootstrap(self, step: Bootstrap) -> None:
        after = bootstrap(self._prepare(step.component, step.within), self._attention)
        self._state.add_bootstrapped(step.component.name)
        crash.point("bootstrapped")
        if after is After.RESTART:
            raise RestartAsked
        if after is After.REBOOT:
            reboot()
            raise Interrupted

    def _configure(self, step: Configure) -> None:
        component = step.component
        before = self._supervisor.components()[component.name][0].configuration
        launch = self._prepare(component, step.within, self._bus.get(component.name))
        self._supervisor.reconfigure(component, step.fingerprint, launch)
        crash.point("component.configured")
        self._listeners.configuration_changed(component.name, before, component.configuration)

    def _start(self, step: Start) -> None:
        component = step.component
        launch = self._prepare(component, step.within)
        package = self._state.packages()[component.name, component.version]
        if package.uninstalled:
            package = msgspec.structs.replace(package, uninstalled=False)
            self._state.add_package(component.name, component.version, package)
        self._supervisor.start(component, step.fingerprint, package.artifacts, launch)
        error = self._supervisor.await_ready(component.name, _start_patience(launch))
        crash.point("component.started")
        if error is not None and step.trial:
            raise error

    def _prepare(self, component: Component, within: ComponentSet, bus: dict[str, str] | None = None) -> Launch:
        """What a component is started with; `bus`: the bus's variables that it has already."""
        launch = prepare(component, within, self._recipes, self._joined, self._paths)
        if bus is None:
            bus = self._bus[component.name] = self._listeners.environment(component.name, user_of(launch))
        return msgspec.structs.replace(launch, environment=launch.environment | bus)

    def _settle(self, step: Settle) -> None:
        self._supervisor.settle(step.seconds, SOAK_PATIENCE + 10 * step.seconds)
        crash.point("settled")

    def _commit(self, step: Commit) -> None:
        self._state.commit()
        self.begun = None
        crash.point("committed")
        self._store.remove_partial()
        self._listeners.updated(step.deployment)

    def _uninstall(self, step: Uninstall) -> None:
        component = step.component
        within = ComponentSet(document="", revision=0, components=(component,))
        uninstall(self._prepare(component, within), self._attention)
        package = self._state.packages().get((component.name, component.version))
        if package is not None:
            package = msgspec.structs.replace(package, uninstalled=True)
            self._state.add_package(component.name, component.version, package)
        crash.point("uninstalled")

    def _collect(self, step: Collect) -> None:
        for name, version in step.packages:
            self._state.drop_package(name, version)
            packages.remove(self._paths, name, version)
        self._store.remove(step.digests)
        crash.point("collected")
