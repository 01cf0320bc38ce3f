"""A control plane over HTTP with a component that names secrets, wanted by a device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from lineside.client import Client
from lineside.contract.desired import DesiredComponent
from lineside.contract.ids import canonical
from lineside.server.devices.desired import DesiredDocuments
from lineside.server.testing import Running


def recipe(name: str, resources: Sequence[str]) -> bytes:
    """A recipe that names secrets."""
    policy = {"operations": ["aws.greengrass#GetSecretValue"], "resources": list(resources)}
    control = {"aws.greengrass.SecretManager": {f"{name}:secrets": policy}}
    return canonical(
        {
            "RecipeFormatVersion": "2020-01-25",
            "ComponentName": name,
            "ComponentVersion": "1.0.0",
            "ComponentConfiguration": {"DefaultConfiguration": {"accessControl": control}},
            "Manifests": [{"Platform": {"os": "linux"}, "Lifecycle": {"run": "sleep 1d"}}],
        }
    )


@dataclass
class Plant:
    """A control plane and what a test does with it."""

    lineside: Running
    client: Client

    def want(self, device: str, *recipes: bytes) -> None:
        """Make components with these recipes what a device should run."""
        wanted = tuple(
            DesiredComponent(
                name=f"c{number}",
                version="1.0.0",
                target="apps/x.json",
                recipe_digest=self.lineside.core.objects.put(one),
            )
            for number, one in enumerate(recipes)
        )
        with self.lineside.core.database.write() as session:
            DesiredDocuments(self.lineside.core).set_many(session, [device], wanted, None)

    def audited(self) -> list[tuple[str, str, str]]:
        """(actor, action, subject) of every decision about secrets, oldest first."""
        found = self.client.audit(action="secret").entries
        return [(one.actor, one.action, one.subject) for one in reversed(found)]


@pytest.fixture
def plant(lineside: Running) -> Plant:
    return Plant(lineside, Client(lineside.people_url))
