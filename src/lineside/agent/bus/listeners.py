"""The updater's side of the bus: each call crosses over to the bus's thread, and waits for answers in its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from lineside.agent.bus.configuration import Configuration
from lineside.agent.bus.lifecycle import SILENT, Lifecycle
from lineside.agent.bus.questions import Question
from lineside.agent.bus.server import Server

ANSWER_SECONDS = 60.0
"""How long a component may take to say whether an update may go ahead, unless the policy says otherwise."""


class Listening:
    """All of `ports.Listeners` but `environment`. With no bus running nobody listens and nobody objects."""

    def __init__(self, server: Server, configuration: Configuration, lifecycle: Lifecycle) -> None:
        self._server = server
        self._configuration = configuration
        self._lifecycle = lifecycle
        self.refresh: Callable[[], None] = lambda: None

    def listens(self, component: str) -> bool:
        """See `Listeners.listens`."""
        return component in self._configuration.listening

    def configuration_changed(self, component: str, before: dict[str, Any], after: dict[str, Any]) -> None:
        """See `Listeners.configuration_changed`."""
        self._server.post(lambda: self._configuration.changed(component, before, after))
        self._server.post(self.refresh)

    def validate(
        self,
        deployment: str,
        configurations: dict[str, dict[str, Any]],
        timeout: float,
        cancelled: Callable[[], bool] | None = None,
    ) -> dict[str, str]:
        """See `Listeners.validate`."""
        question: Question[str] = Question()
        asked: list[str] = []
        if not self._server.alive or not configurations:
            return {}

        def ask() -> None:
            asked.extend(self._lifecycle.validate(deployment, configurations, question))

        self._server.post(ask)
        answers = question.wait(timeout, cancelled)
        self._server.post(lambda: self._lifecycle.forget(deployment))
        refused = {name: why for name, why in answers.items() if why}
        return refused | {name: SILENT for name in asked if name not in answers}

    def ask_to_update(
        self,
        deployment: str,
        components: Sequence[str],
        *,
        restarting: bool,
        timeout: float = ANSWER_SECONDS,
        cancelled: Callable[[], bool] | None = None,
    ) -> float:
        """See `Listeners.ask_to_update`."""
        question: Question[float] = Question()
        if not self._server.alive or not components:
            return 0.0
        self._server.post(lambda: self._lifecycle.announce(deployment, components, restarting, question))
        answers = question.wait(timeout, cancelled)
        self._server.post(lambda: self._lifecycle.forget(deployment))
        return max(answers.values(), default=0.0)

    def updated(self, deployment: str) -> None:
        """See `Listeners.updated`."""
        self._server.post(lambda: self._lifecycle.updated(deployment))
        self._server.post(self.refresh)
