"""What twins run: before a test, beside what is tested, and by which digests it is known. Reads only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlalchemy.orm import Session

from lineside.contract.component import ComponentKind
from lineside.contract.deployment import ComponentSpec
from lineside.contract.model import ModelState, ModelVersion
from lineside.contract.recipes.builtin import builtin_digest
from lineside.server.components.recipes import inference_component
from lineside.server.components.service import Components
from lineside.server.components.store import component
from lineside.server.devices.store import wanted_of
from lineside.server.models.service import ModelsService


class Content:
    """Components of the twins' deployments."""

    def __init__(self, models: ModelsService, components: Components) -> None:
        self._models, self._components = models, components

    def kept(self, session: Session, twins: Iterable[str]) -> dict[str, ComponentSpec]:
        """What people deployed to the twins themselves, beside any model: it stays while models are tested."""
        code = {inference_component(name) for name in self._models.names(session)}
        found: dict[str, ComponentSpec] = {}
        for twin in twins:
            for one in wanted_of(session, twin):
                row = component(session, one.name, one.version)
                signed = row is not None and (row.target or row.staging_target)
                ours = row is not None and (row.kind == ComponentKind.MODEL.value or one.name in code)
                if builtin_digest(one.name) is not None or (signed and not ours):
                    found[one.name] = ComponentSpec(
                        component_version=one.version,
                        configuration_update=one.configuration_update,
                        run_with=one.run_with,
                    )
        return found

    def approved_before(self, session: Session, model: ModelVersion) -> dict[str, ComponentSpec]:
        """The newest approved version of the same model, from which devices will be updated; nothing without one."""
        for one in self._models.versions(session, ModelState.APPROVED):
            if one.name == model.name and one.version != model.version and self._components.is_packaged(session, one):
                packaged = self._components.packaged(session, one)
                return {part.name: ComponentSpec(component_version=part.version) for part in packaged}
        return {}

    def is_anything_wanted(self, session: Session, twins: Iterable[str]) -> bool:
        """Whether any twin is to run something now."""
        return any(wanted_of(session, twin) for twin in twins)

    def digests(self, session: Session, content: Mapping[str, ComponentSpec]) -> dict[str, str]:
        """The recipes' digests of a deployment's components."""
        return {
            name: builtin_digest(name) or self._components.row(session, name, spec.component_version).recipe_digest
            for name, spec in content.items()
        }
