"""What a document comes to, before anything is stored: read, resolved, and held against the devices it is for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import msgspec
from sqlalchemy.orm import Session

from lineside.contract.deployment import ComponentSpec, Deployment, DeploymentDocument
from lineside.contract.errors import LinesideError
from lineside.contract.model import ModelState, ModelVersion
from lineside.contract.recipes.builtin import is_builtin
from lineside.contract.recipes.versions import is_exact
from lineside.contract.rollout import RolloutPlan
from lineside.contract.twin import TWINS
from lineside.server.components.service import Components
from lineside.server.components.store import ComponentRow
from lineside.server.deployments import model, planning, store
from lineside.server.deployments.catalogue import Shelf
from lineside.server.deployments.platforms import fits
from lineside.server.deployments.resolution import check_builtin, resolve
from lineside.server.deployments.store import DeploymentRow
from lineside.server.deployments.union import Wish, unite


class ModelVersions(Protocol):
    """Who knows model versions."""

    def by_label(self, session: Session, label: str) -> ModelVersion | None:
        """The version that is written `name:version`, if there is one."""
        ...


class Ends(Protocol):
    """Who knows how rollouts ended."""

    def stopped(self, session: Session, deployment: Deployment) -> bool:
        """Whether its rollout failed or was aborted: the same document may be tried again."""
        ...

    def leads(self, session: Session, deployment: Deployment) -> bool:
        """Whether its rollout succeeded, or is on its way there: it did not fail, is not going back, was not aborted,
        and no other took over before its end."""
        ...


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A deployment that nobody has stored yet."""

    group: str
    document: DeploymentDocument
    components: dict[str, ComponentSpec]
    plan: RolloutPlan
    digest: str
    notes: tuple[str, ...]

    @property
    def staging(self) -> bool:
        return self.group == TWINS

    @property
    def asked(self) -> dict[str, str]:
        return model.asked_of(self.document)

    def wish(self) -> Wish:
        """What it adds to what a device runs."""
        return Wish(group=self.group, components=self.components, asked=self.asked)


_NEXT = {
    ModelState.AWAITING_APPROVAL: "lineside models approve {label}",
    ModelState.CANDIDATE: "Wait for its twin test: lineside models show {label}",
    ModelState.IN_TWIN: "Wait for its twin test: lineside models show {label}",
}
_LOOK = "See why, and deploy another version: lineside models show {label}"
_SIGN = "lineside components sign {row.name} {row.version} --key FILE"
_SHOW = "lineside components show {row.name} {row.version}"


class Drafting:
    """Makes drafts; reads only."""

    def __init__(self, components: Components, models: ModelVersions, rollouts: Ends) -> None:
        self._components, self._models, self._rollouts = components, models, rollouts

    def draft(self, session: Session, document: DeploymentDocument) -> Draft:
        """What a document comes to. Raises `deployment.…`, `rollout.plan_invalid`, `component.…`, `recipe.version`."""
        group = model.group_of(document)
        model.check_policies(document)
        plan = planning.plan_of(document)
        components = self._resolved(session, group, document)
        return Draft(
            group=group,
            document=document,
            components=components,
            plan=plan,
            digest=model.content_of(group, components, document, plan),
            notes=planning.notes_of(document),
        )

    def check(self, session: Session, draft: Draft) -> None:
        """Whether the group's devices can follow a draft. Raises `deployment.platform`, and `deployment.conflict` when
        it does not go together with what another group wants of a device that is in both."""
        for platform, devices in store.platforms_of(session, draft.group).items():
            for name, spec in draft.components.items():
                version = spec.component_version
                if not is_builtin(name) and not fits(self._components.recipe(session, name, version), platform):
                    who = f"{devices} devices of" if devices > 1 else "a device of"
                    raise LinesideError(
                        "deployment.platform",
                        name=name,
                        version=version,
                        platform=platform,
                        devices=f"{who} the group {draft.group}",
                    )
        shelf = self._shelf(session, draft.group)
        for group in store.groups_sharing_devices(session, draft.group):
            other = self.followed(session, group)
            if other is not None:
                unite([other.wish(), draft.wish()], shelf)

    def followed(self, session: Session, group: str) -> DeploymentRow | None:
        """The newest deployment of a group that leads: what its devices follow, or soon will."""
        rows = store.newest_of_group(session, group)
        return next((row for row in rows if self._rollouts.leads(session, row.value())), None)

    def _resolved(self, session: Session, group: str, document: DeploymentDocument) -> dict[str, ComponentSpec]:
        """The document's components and what they depend on, all of them released (staged is enough for twins)."""
        if group != TWINS and not store.group_exists(session, group):
            raise LinesideError("deployment.unknown_group", group=group)
        named: dict[str, ComponentSpec] = {}
        for name, spec in document.components.items():
            builtin = check_builtin(name, spec.component_version)
            if builtin is None:
                self._check_known(session, name, spec.component_version)
            named[name] = msgspec.structs.replace(spec, component_version=builtin or spec.component_version)
        return resolve(named, self._shelf(session, group))

    def _check_known(self, session: Session, name: str, version: str) -> None:
        """Raises `component.unknown`, `component.unknown_version`."""
        if is_exact(version) or not self._components.versions(session, name):
            self._components.row(session, name, version)

    def _shelf(self, session: Session, group: str) -> Shelf:
        if group == TWINS:
            return Shelf(session, self._components, staging=True)
        return Shelf(session, self._components, check=self._check_signed)

    def _check_signed(self, session: Session, row: ComponentRow) -> None:
        """Raises `deployment.not_released` when it is not signed for the fleet, `deployment.void` when what was signed
        is no longer what is here."""
        if row.target is None:
            raise self._not_released(session, row)
        why = self._components.why_void(session, row, self._model(session, row.model))
        if why:
            command = f"lineside models show {row.model}" if row.model else _SHOW.format(row=row)
            raise LinesideError("deployment.void", name=row.name, version=row.version, why=why, command=command)

    def _not_released(self, session: Session, row: ComponentRow) -> LinesideError:
        """Say in which state the model is that the component waits for, and what to do."""
        label = row.model or self._components.tested_with(session, row.name, row.version)
        about = self._model(session, label)
        state = f"model {label} is {about.state.value}" if about else "no model needs it"
        if row.model is None and (about is None or about.state is ModelState.APPROVED):
            state, command = "its builders have not signed it", _SIGN.format(row=row)
        else:
            command = (_NEXT.get(about.state, _LOOK) if about else "lineside models list").format(label=label)
        return LinesideError(
            "deployment.not_released", name=row.name, version=row.version, state=state, command=command
        )

    def _model(self, session: Session, label: str | None) -> ModelVersion | None:
        return self._models.by_label(session, label) if label else None


def components_in_words(components: Mapping[str, ComponentSpec]) -> str:
    """`tags.model 1.0.0, …`, or `nothing`."""
    return ", ".join(f"{name} {spec.component_version}" for name, spec in sorted(components.items())) or "nothing"
