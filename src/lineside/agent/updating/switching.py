"""Making way for another agent: what the planner needs to know for it, and the two steps that do it."""

from __future__ import annotations

import logging
from typing import Any

from lineside.agent.attention import Attention, RestartAsked
from lineside.agent.loader.control import CONFIRM_SECONDS, SelfUpdate
from lineside.agent.paths import Paths
from lineside.agent.updating import environments
from lineside.agent.updating.installed import Component
from lineside.agent.updating.steps import AwaitAgent, SwitchAgent
from lineside.contract.errors import LinesideError
from lineside.contract.recipes.recipe import Recipe

_log = logging.getLogger(__name__)


class Switching:
    """One agent's wish to be another. Without a `self_update` it stays what it is."""

    def __init__(self, self_update: SelfUpdate | None, paths: Paths, attention: Attention) -> None:
        self._self = self_update
        self._paths = paths
        self._attention = attention
        self._refused: str | None = None  # the digest of an agent that could not be asked for outside a trial

    def facts(self) -> dict[str, Any]:
        """What `plan.Facts` says of the agent."""
        running = None if self._self is None else self._self.running()
        if self._self is None or running is None:
            return {}
        failed = running.failed if self._refused is None else self._refused
        return {"agent": running.digest, "agent_failed": failed, "agent_on_trial": self._self.on_trial()}

    def switch(self, step: SwitchAgent, recipe: Recipe | None, *, trial: bool) -> None:
        """Raises `RestartAsked`: the loader then starts the other agent, which goes on with the plan.

        In a trial it raises `agent.…` when that cannot be; outside one, the agent that runs has to do.
        """
        try:
            self._ask(step.component, recipe, step.document)
        except LinesideError as error:
            if trial:
                raise
            _log.error("%s", error)
            self._refused = step.component.recipe_digest if step.component is not None else ""
            return
        raise RestartAsked

    def await_confirmed(self, step: AwaitAgent) -> None:
        """Raises what `attention` raises."""
        while self._self is not None and self._self.on_trial():
            self._attention.clear()
            self._attention.wait(0.5)

    def _ask(self, wanted: Component | None, recipe: Recipe | None, document: str) -> None:
        if self._self is None:
            raise LinesideError("agent.update_unsupported")
        if wanted is None or recipe is None:
            self._self.switch("", "", None, document, CONFIRM_SECONDS)
            return
        python = environments.python_of(recipe, self._paths)
        if python is None:
            why = "it brings no wheels"
            raise LinesideError("agent.package_invalid", name=wanted.name, version=wanted.version, why=why)
        seconds = wanted.configuration.get("confirmSeconds", CONFIRM_SECONDS)
        patience = float(seconds) if isinstance(seconds, int | float) else CONFIRM_SECONDS
        self._self.switch(wanted.version, wanted.recipe_digest, python, document, patience)
