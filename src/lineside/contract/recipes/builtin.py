"""Components that come with the agent: names that Greengrass's own components have and that others depend on.

Each has a recipe as any component has, made here, the same bytes everywhere: a deployment names it by version, a
desired document by the target `builtin/NAME-VERSION.json` and the digest of these bytes. The agent takes the bytes from
here and asks for no signature, because they came with the agent's own code.

The versions say which of Greengrass's interfaces is spoken, so that requirements such as `^2.0.0` are met.
"""

from __future__ import annotations

import functools
from typing import Any

from lineside.contract.ids import canonical, digest_of

PUBLISHER = "Lineside"

NUCLEUS = "aws.greengrass.Nucleus"
CLI = "aws.greengrass.Cli"
TOKEN_EXCHANGE = "aws.greengrass.TokenExchangeService"
STREAM_MANAGER = "aws.greengrass.StreamManager"
SECRET_MANAGER = "aws.greengrass.SecretManager"
SUBSCRIPTION_ROUTER = "aws.greengrass.LegacySubscriptionRouter"

VERSIONS: dict[str, str] = {
    NUCLEUS: "2.15.0",
    CLI: "2.15.0",
    TOKEN_EXCHANGE: "2.0.3",
    STREAM_MANAGER: "2.2.0",
    SECRET_MANAGER: "2.2.0",
    SUBSCRIPTION_ROUTER: "2.1.13",
}
"""Every built-in component with its one version."""

_DESCRIPTIONS = {
    NUCLEUS: "The agent itself.",
    CLI: "Local deployments and the state of components, over the local bus.",
    TOKEN_EXCHANGE: "Answers for components that ask for AWS credentials: Lineside has none to give.",
    STREAM_MANAGER: "Streams on disk, exported through the control plane.",
    SECRET_MANAGER: "Secrets of this device, over the local bus.",
    SUBSCRIPTION_ROUTER: "Routes topics between components and the broker, as its configuration says.",
}

_CONFIGURATIONS: dict[str, dict[str, Any]] = {
    SUBSCRIPTION_ROUTER: {"subscriptions": {}},
    STREAM_MANAGER: {"STREAM_MANAGER_SERVER_PORT": 8088, "STREAM_MANAGER_AUTHENTICATE_CLIENT": True},
}

_LIFECYCLES: dict[str, dict[str, Any]] = {
    STREAM_MANAGER: {
        "Run": 'exec "$LINESIDE_PYTHON" -m lineside.agent.streams',
        "Probe": {"Script": '"$LINESIDE_PYTHON" -m lineside.agent.streams --probe', "Timeout": 30},
    }
}


def is_builtin(name: str) -> bool:
    """Whether a component of this name comes with the agent."""
    return name in VERSIONS


def builtin_version(name: str) -> str | None:
    """The one version of a built-in component; None for any other name."""
    return VERSIONS.get(name)


def builtin_target(name: str) -> str | None:
    """What a desired document calls its recipe: `builtin/NAME-VERSION.json`; None for any other name."""
    return f"builtin/{name}-{VERSIONS[name]}.json" if name in VERSIONS else None


def builtin_digest(name: str) -> str | None:
    """The digest of its recipe; None for any other name."""
    data = builtin_recipe(name)
    return None if data is None else digest_of(data)


@functools.cache
def builtin_recipe(name: str) -> bytes | None:
    """The recipe of a built-in component, always the same bytes; None for any other name."""
    if name not in VERSIONS:
        return None
    return canonical(
        {
            "RecipeFormatVersion": "2020-01-25",
            "ComponentName": name,
            "ComponentVersion": VERSIONS[name],
            "ComponentDescription": _DESCRIPTIONS[name],
            "ComponentPublisher": PUBLISHER,
            "ComponentConfiguration": {"DefaultConfiguration": _CONFIGURATIONS.get(name, {})},
            "Manifests": [{"Platform": {"os": "*"}, "Lifecycle": _LIFECYCLES.get(name, {})}],
        }
    )
