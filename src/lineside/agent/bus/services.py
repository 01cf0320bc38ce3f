"""Small operations: secrets, a component's measurements, and checking somebody else's token."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import msgspec

from lineside.agent.bus.authorization import COMPONENT_METRIC, SECRETS, Policies
from lineside.agent.bus.connection import Call
from lineside.agent.bus.failures import Failure, invalid
from lineside.agent.bus.ports import Host, Metric
from lineside.agent.bus.protocol import Defer, Later
from lineside.agent.bus.pubsub import unauthorized
from lineside.agent.bus.tokens import Tokens

STREAM_MANAGER = "aws.greengrass.StreamManager"
MAX_METRICS = 100
_UNITS = frozenset({"BYTES", "BYTES_PER_SECOND", "COUNT", "COUNT_PER_SECOND", "MEGABYTES", "SECONDS"})


class SecretRequest(msgspec.Struct, rename="camel"):
    """GetSecretValue. `refresh` changes nothing: the device holds what was deployed."""

    secret_id: str
    version_id: str | None = None
    version_stage: str | None = None
    refresh: bool | None = None


class _Metric(msgspec.Struct):
    name: str
    unit: str
    value: float


class MetricRequest(msgspec.Struct):
    """PutComponentMetric."""

    metrics: list[_Metric]


class TokenRequest(msgspec.Struct):
    """ValidateAuthorizationToken."""

    token: str


class Services:
    """Owned by the bus's thread."""

    def __init__(self, host: Host, policies: Policies, tokens: Tokens, defer: Defer) -> None:
        self._host = host
        self._policies = policies
        self._tokens = tokens
        self._defer = defer

    def secret(self, call: Call, request: SecretRequest) -> Later:
        """GetSecretValue: by version or by stage; neither is AWSCURRENT."""
        if request.version_id and request.version_stage:
            raise invalid("Name a secret's versionId or its versionStage, not both.")
        if not self._policies.allows(call.component, SECRETS, call.operation, request.secret_id):
            raise unauthorized(call, SECRETS, request.secret_id)
        stage = request.version_stage or (None if request.version_id else "AWSCURRENT")

        def work() -> Mapping[str, Any]:
            found = self._host.secret(request.secret_id, request.version_id, stage)
            value = {"secretString": found.text} if found.text is not None else {"secretBinary": found.data or b""}
            stages = list(found.stages)
            return {"secretId": found.id, "versionId": found.version, "versionStage": stages, "secretValue": value}

        return self._defer(call, work)

    def metrics(self, call: Call, request: MetricRequest) -> Later:
        """PutComponentMetric: all of them or none."""
        if not 0 < len(request.metrics) <= MAX_METRICS:
            raise invalid(f"Between 1 and {MAX_METRICS} metrics can be put at once.")
        for one in request.metrics:
            if not 0 < len(one.name.encode()) <= 32 or one.unit not in _UNITS or not 0 <= one.value < math.inf:
                raise invalid(
                    f"The metric {one.name!r} needs a name of at most 32 bytes, a unit and a value from 0 on."
                )
            if not self._policies.allows(call.component, COMPONENT_METRIC, call.operation, one.name):
                raise unauthorized(call, COMPONENT_METRIC, one.name)
        found = [Metric(name=one.name, unit=one.unit, value=one.value) for one in request.metrics]
        component = call.component
        return self._defer(call, lambda: self._host.metrics(component, found))

    def validate_token(self, call: Call, request: TokenRequest) -> Mapping[str, bool]:
        """ValidateAuthorizationToken: for the stream manager, which asks whether a client of its own is a component."""
        if call.component != STREAM_MANAGER:
            raise Failure("UnauthorizedError", f"{call.component} may not validate tokens; only {STREAM_MANAGER} may.")
        if self._tokens.component(request.token) is None:
            raise Failure("InvalidTokenError", "No component has this token.")
        return {"isValid": True}
