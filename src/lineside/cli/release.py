"""A model version as a deployment document: its model component and the inference component that runs it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lineside.cli.options import ModelRef
from lineside.contract.component import Component
from lineside.contract.deployment import ComponentSpec, ConfigurationUpdate, DeploymentDocument
from lineside.contract.errors import LinesideError


def release_document(
    components: Sequence[Component], group: str, model: ModelRef, merge: dict[str, Any] | None = None
) -> DeploymentDocument:
    """What deploys `model` to `group`; `merge` goes into the inference component's configuration.

    `components` come newest first. Raises `cli.not_released`, or `deployment.not_released` for unsigned code.
    """
    name, version = model
    released = [component for component in components if component.target]
    weights = _first(released, f"{name}.model", f"{version}.0.0")
    inference = _first(released, f"{name}.inference")
    code = _first(components, f"{name}.inference")
    if weights is not None and inference is None and code is not None:
        command = f"lineside components sign {code.name} {code.version} --key FILE"
        state = "its builders have not signed it"
        raise LinesideError(
            "deployment.not_released", name=code.name, version=code.version, state=state, command=command
        )
    if weights is None or inference is None:
        raise LinesideError("cli.not_released", model=f"{name}:{version}")
    update = ConfigurationUpdate(merge=merge or {})
    return DeploymentDocument(
        group_name=group,
        deployment_name=f"{name}:{version}",
        components={
            weights.name: ComponentSpec(component_version=weights.version),
            inference.name: ComponentSpec(component_version=inference.version, configuration_update=update),
        },
    )


def _first(components: Sequence[Component], name: str, version: str | None = None) -> Component | None:
    return next((c for c in components if c.name == name and version in (None, c.version)), None)
