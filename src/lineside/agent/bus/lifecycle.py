"""What a component says about itself and its updates: UpdateState, validation of configuration, deferring an update."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import msgspec

from lineside.agent.bus.connection import Call
from lineside.agent.bus.failures import Failure, invalid
from lineside.agent.bus.ports import Host
from lineside.agent.bus.questions import Question
from lineside.contract.reported import ComponentState

VALIDATE_EVENT = "ValidateConfigurationUpdateEvents"
UPDATE_EVENT = "ComponentUpdatePolicyEvents"
WENT_AWAY = "it closed its subscription before it answered"
SILENT = "it did not answer in time"


class EmptyRequest(msgspec.Struct):
    """A request without keys."""


class StateRequest(msgspec.Struct):
    """UpdateState."""

    state: Literal["RUNNING", "ERRORED"]


class _Report(msgspec.Struct, rename="camel"):
    status: Literal["ACCEPTED", "REJECTED"]
    deployment_id: str
    message: str | None = None


class ReportRequest(msgspec.Struct, rename="camel"):
    """SendConfigurationValidityReport."""

    configuration_validity_report: _Report


class DeferRequest(msgspec.Struct, rename="camel"):
    """DeferComponentUpdate."""

    deployment_id: str
    message: str | None = None
    recheck_after_ms: int | None = None


class Listening:
    """Who has streams open for one kind of event. `left` is called when a component's last one closes."""

    def __init__(self) -> None:
        self._calls: dict[str, dict[Call, None]] = {}
        self.left: Callable[[str], None] = lambda component: None

    def add(self, call: Call) -> None:
        """Take up a stream."""
        self._calls.setdefault(call.component, {})[call] = None
        call.on_close = lambda: self._remove(call)

    def __contains__(self, component: str) -> bool:
        return component in self._calls

    def tell(self, component: str, model: str, payload: bytes) -> None:
        """Send an event on each of a component's streams."""
        for call in list(self._calls.get(component, ())):
            call.event(model, payload)

    def everybody(self) -> list[str]:
        """All who listen."""
        return list(self._calls)

    def _remove(self, call: Call) -> None:
        calls = self._calls.get(call.component, {})
        calls.pop(call, None)
        if not calls and self._calls.pop(call.component, None) is not None:
            self.left(call.component)


class Lifecycle:
    """Owned by the bus's thread; the updater's enters through the bus (`listeners.py`)."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._validators = Listening()
        self._deferrers = Listening()
        self._validations: dict[str, Question[str]] = {}  # by deployment; an empty answer is consent
        self._deferrals: dict[str, Question[float]] = {}
        self._validators.left = self._validator_left
        self._deferrers.left = self._deferrer_left

    # --- operations -----------------------------------------------------------------------------------------------

    def update_state(self, call: Call, request: StateRequest) -> None:
        """UpdateState: RUNNING ends the wait for a Startup step, ERRORED counts as an error."""
        self._host.report_state(call.component, ComponentState(request.state))

    def subscribe_to_validation(self, call: Call, request: EmptyRequest) -> None:
        """SubscribeToValidateConfigurationUpdates: this component judges its new configurations."""
        self._validators.add(call)

    def report_validity(self, call: Call, request: ReportRequest) -> None:
        """SendConfigurationValidityReport."""
        report = request.configuration_validity_report
        question = self._validations.get(report.deployment_id)
        verdict = "" if report.status == "ACCEPTED" else report.message or "it rejected the configuration"
        if question is None or not question.answer(call.component, verdict):
            raise invalid("No validation of this deployment is waiting for this component.")

    def subscribe_to_updates(self, call: Call, request: EmptyRequest) -> None:
        """SubscribeToComponentUpdates: this component is asked before it is stopped, and told when that is over."""
        self._deferrers.add(call)

    def defer(self, call: Call, request: DeferRequest) -> None:
        """DeferComponentUpdate: so many milliseconds, 0 to go ahead."""
        if call.component not in self._deferrers:
            raise invalid("This component has not subscribed to component updates.")
        question = self._deferrals.get(request.deployment_id)
        seconds = max(0, request.recheck_after_ms or 0) / 1000
        if question is None or not question.answer(call.component, seconds):
            raise Failure("ServiceError", "The time to answer this update is over, or it was never announced.")

    # --- what the updater asks -------------------------------------------------------------------------------------

    def validate(
        self, deployment: str, configurations: Mapping[str, Mapping[str, Any]], question: Question[str]
    ) -> list[str]:
        """Ask the components that listen what they think of their new configuration; who was asked."""
        asked = [name for name in configurations if name in self._validators]
        self._validations[deployment] = question
        question.ask(asked)
        for name in asked:
            event = {"configuration": configurations[name], "deploymentId": deployment}
            payload = msgspec.json.encode({"validateConfigurationUpdateEvent": event})
            self._validators.tell(name, VALIDATE_EVENT, payload)
        return asked

    def announce(self, deployment: str, components: Sequence[str], restarting: bool, question: Question[float]) -> None:
        """Tell the components that listen that they are about to be stopped."""
        asked = [name for name in components if name in self._deferrers]
        self._deferrals[deployment] = question
        question.ask(asked)
        event = {"preUpdateEvent": {"deploymentId": deployment, "isGgcRestarting": restarting}}
        for name in asked:
            self._deferrers.tell(name, UPDATE_EVENT, msgspec.json.encode(event))

    def forget(self, deployment: str) -> None:
        """No answers about this deployment are waited for."""
        self._validations.pop(deployment, None)
        self._deferrals.pop(deployment, None)

    def updated(self, deployment: str) -> None:
        """Tell everybody who listens that the update is over."""
        self.forget(deployment)
        payload = msgspec.json.encode({"postUpdateEvent": {"deploymentId": deployment}})
        for name in self._deferrers.everybody():
            self._deferrers.tell(name, UPDATE_EVENT, payload)

    def _validator_left(self, component: str) -> None:
        for question in self._validations.values():
            question.answer(component, WENT_AWAY)

    def _deferrer_left(self, component: str) -> None:
        for question in self._deferrals.values():
            question.answer(component, 0.0)
