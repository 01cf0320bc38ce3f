"""Every operation by name. What is not here is answered with a ServiceError that names it."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from lineside.agent.bus import components, configuration, deployments, iotcore, lifecycle, pubsub, services
from lineside.agent.bus.protocol import Operation

UNSUPPORTED = (
    "GetThingShadow",
    "UpdateThingShadow",
    "DeleteThingShadow",
    "ListNamedShadowsForThing",
    "CreateDebugPassword",
    "AuthorizeClientDeviceAction",
    "GetClientDeviceAuthToken",
    "VerifyClientDeviceIdentity",
    "SubscribeToCertificateUpdates",
)
"""Operations of Greengrass V2 that are refused by name: shadows, the debug console, client devices."""


class Parts(msgspec.Struct, frozen=True):
    """What does the operations."""

    pubsub: pubsub.PubSub
    iotcore: iotcore.IotCore
    configuration: configuration.Configuration
    lifecycle: lifecycle.Lifecycle
    components: components.Components
    deployments: deployments.Deployments
    services: services.Services


def table(parts: Parts) -> Mapping[str, Operation]:
    """Operation by name."""
    empty = lifecycle.EmptyRequest
    return {
        "PublishToTopic": Operation(parts.pubsub.publish, pubsub.PublishRequest),
        "SubscribeToTopic": Operation(parts.pubsub.subscribe, pubsub.SubscribeRequest, True),
        "PublishToIoTCore": Operation(parts.iotcore.publish, iotcore.PublishRequest),
        "SubscribeToIoTCore": Operation(parts.iotcore.subscribe, iotcore.SubscribeRequest, True),
        "SubscribeToIoTCoreConnectionStatus": Operation(parts.iotcore.subscribe_to_status, iotcore.StatusRequest, True),
        "GetConfiguration": Operation(parts.configuration.get, configuration.GetRequest),
        "UpdateConfiguration": Operation(parts.configuration.update, configuration.UpdateRequest),
        "SubscribeToConfigurationUpdate": Operation(
            parts.configuration.subscribe, configuration.SubscribeRequest, True
        ),
        "SubscribeToValidateConfigurationUpdates": Operation(parts.lifecycle.subscribe_to_validation, empty, True),
        "SendConfigurationValidityReport": Operation(parts.lifecycle.report_validity, lifecycle.ReportRequest),
        "UpdateState": Operation(parts.lifecycle.update_state, lifecycle.StateRequest),
        "SubscribeToComponentUpdates": Operation(parts.lifecycle.subscribe_to_updates, empty, True),
        "DeferComponentUpdate": Operation(parts.lifecycle.defer, lifecycle.DeferRequest),
        **_managing(parts),
        "GetSecretValue": Operation(parts.services.secret, services.SecretRequest),
        "PutComponentMetric": Operation(parts.services.metrics, services.MetricRequest),
        "ValidateAuthorizationToken": Operation(parts.services.validate_token, services.TokenRequest),
    }


def _managing(parts: Parts) -> Mapping[str, Operation]:
    empty, name, id = lifecycle.EmptyRequest, components.NameRequest, deployments.IdRequest
    return {
        "ListComponents": Operation(parts.components.list, empty),
        "GetComponentDetails": Operation(parts.components.details, name),
        "RestartComponent": Operation(parts.components.restart, name),
        "StopComponent": Operation(parts.components.stop, name),
        "PauseComponent": Operation(parts.components.pause, name),
        "ResumeComponent": Operation(parts.components.resume, name),
        "CreateLocalDeployment": Operation(parts.deployments.create, deployments.CreateRequest),
        "GetLocalDeploymentStatus": Operation(parts.deployments.status, id),
        "ListLocalDeployments": Operation(parts.deployments.list, empty),
        "CancelLocalDeployment": Operation(parts.deployments.cancel, id),
    }
