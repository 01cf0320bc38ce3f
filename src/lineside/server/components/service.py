"""What is done with components: packing a model, signing it for twins, and whether what was signed still holds.

Bytes go to the object store and targets into the TUF repository before the transaction commits; both are the same when
repeated, so a kill in between is made good by doing it all again. Signing for the fleet is `approvals`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from sqlalchemy.orm import Session

from lineside.contract.component import Component, ComponentKind, ComponentPage
from lineside.contract.errors import LinesideError
from lineside.contract.ids import digest_of
from lineside.contract.model import ModelVersion
from lineside.contract.recipes.recipe import Dependency
from lineside.contract.trust import ApprovalStatement, release_target, staging_target
from lineside.server.adapters.tuf import NewTarget, Repository
from lineside.server.clock import rfc3339
from lineside.server.components import code, recipes, store
from lineside.server.components.packaging import Packed, pack_inference, pack_model
from lineside.server.components.previous import previous_of
from lineside.server.components.statement import statement_of
from lineside.server.components.store import ComponentRow, PackageRow
from lineside.server.components.validity import why_void
from lineside.server.runs.store import run_by_id
from lineside.server.services import Core


class Components:
    """The components room's use cases; every method takes part in the caller's transaction."""

    def __init__(self, core: Core, repository: Repository | None = None, sources: Path | None = None) -> None:
        """`sources` is the folder of the code that devices run; None is the installed package."""
        self._core = core
        self.repository = repository or core.repository()
        self._sources = sources or code.installed_sources()

    def package(self, session: Session, model: ModelVersion) -> tuple[Component, Component]:
        """Pack a model version as (model component, inference component). The same content gives the same versions.

        The model comes with the approved version before it, when there is one: see `previous`.
        """
        there = store.versions(session, recipes.inference_component(model.name))
        known = {row.version: row.recipe_digest for row in there}
        previous = previous_of(session, self._core.objects, model)
        files = self.add(session, pack_model(self._core.objects, model, previous))
        inference = self.add(session, pack_inference(self._core.objects, self._sources, model.name, known))
        pair = PackageRow(
            model=model.name,
            version=model.version,
            model_version=files.version,
            inference_version=inference.version,
        )
        session.merge(pair)
        session.flush()
        return files.value(), inference.value()

    def packaged(self, session: Session, model: ModelVersion) -> tuple[Component, Component]:
        """The components a model version was last packed as. Raises `request.not_found`."""
        files, inference = self.packaged_rows(session, model)
        return files.value(), inference.value()

    def is_packaged(self, session: Session, model: ModelVersion) -> bool:
        """Whether a model version was packed, as it is for its twin test."""
        return session.get(PackageRow, (model.name, model.version)) is not None

    def packaged_rows(self, session: Session, model: ModelVersion) -> tuple[ComponentRow, ComponentRow]:
        """As `packaged`, the rows themselves."""
        pair = session.get(PackageRow, (model.name, model.version))
        if pair is None:
            raise LinesideError("request.not_found", what="component", name=recipes.model_component(model.name))
        return (
            self.row(session, recipes.model_component(model.name), pair.model_version),
            self.row(session, recipes.inference_component(model.name), pair.inference_version),
        )

    def stage(self, session: Session, components: Iterable[Component]) -> tuple[Component, ...]:
        """Sign recipes under staging/, which only twins accept."""
        rows = [self.row(session, one.name, one.version) for one in components]
        paths = [staging_target(row.name, row.version) for row in rows]
        self.repository.publish(
            [
                NewTarget(path=path, digest=row.recipe_digest, size=row.recipe_size)
                for row, path in zip(rows, paths, strict=True)
            ]
        )
        for row, path in zip(rows, paths, strict=True):
            row.staging_target = path
        return tuple(row.value() for row in rows)

    def released(self, session: Session, row: ComponentRow, by: str) -> None:
        """Everybody who must has signed a component for the fleet."""
        row.target = release_target(ComponentKind(row.kind), row.name, row.version)
        self._core.events.record(
            session,
            kind="component.released",
            subject=f"{row.name} {row.version}",
            message=f"{row.name} {row.version} is signed for the fleet.",
            actor=by,
        )

    def why_void(self, session: Session, row: ComponentRow, model: ModelVersion | None) -> str:
        """Why what was signed about a component no longer holds, empty when it does; `model` is what it carries."""
        path = row.target or release_target(ComponentKind(row.kind), row.name, row.version)
        wanted = None if model is None else self.statement(session, model, row)
        try:
            signed = self.repository.find(path)
        except LinesideError as error:
            if error.code != "trust.metadata_damaged":
                raise
            return error.message.rstrip(".")
        return why_void(self._core.objects, row, signed, wanted)

    def statement(self, session: Session, model: ModelVersion, row: ComponentRow) -> ApprovalStatement:
        """What approvers would sign about a model today, packed as `row`."""
        run = run_by_id(session, model.lineage.run) if model.lineage.run else None
        return statement_of(model, row.recipe_digest, run.by if run else "")

    def page(self, session: Session, name: str | None = None, offset: int = 0, limit: int = 100) -> ComponentPage:
        """Component versions, newest first: of one name, or all."""
        rows, total = store.page(session, name, offset, limit)
        return ComponentPage(components=tuple(row.value() for row in rows), offset=offset, total=total)

    def versions(self, session: Session, name: str) -> list[ComponentRow]:
        """All versions of a component, oldest first."""
        return store.versions(session, name)

    def dependencies(self, session: Session, name: str, version: str) -> Mapping[str, Dependency]:
        """What a component version depends on, as its recipe says. Raises `component.unknown_version`."""
        return recipes.dependencies(self.recipe(session, name, version))

    def recipe(self, session: Session, name: str, version: str) -> bytes:
        """A component version's recipe. Raises `component.unknown_version`."""
        return self._core.objects.get(self.row(session, name, version).recipe_digest)

    def tested_with(self, session: Session, name: str, version: str) -> str | None:
        """The newest model version (name:version) that was packed with this inference component."""
        packages = store.packages(session)
        names = (one for one in packages if recipes.inference_component(one.model) == name)
        return next((f"{one.model}:{one.version}" for one in names if one.inference_version == version), None)

    def row(self, session: Session, name: str, version: str) -> ComponentRow:
        """A component version. Raises `component.unknown`, `component.unknown_version`."""
        row = store.component(session, name, version)
        if row is not None:
            return row
        known = ", ".join(one.version for one in store.versions(session, name))
        if not known:
            raise LinesideError("component.unknown", name=name)
        raise LinesideError("component.unknown_version", name=name, version=version, versions=known)

    def add(self, session: Session, packed: Packed) -> ComponentRow:
        """Store a component version. Raises `component.exists` when it is there with other content."""
        present = store.component(session, packed.name, packed.version)
        if present is not None:
            if present.recipe_digest != digest_of(packed.recipe):
                raise LinesideError("component.exists", name=packed.name, version=packed.version)
            return present
        row = ComponentRow(
            name=packed.name,
            version=packed.version,
            kind=packed.kind.value,
            recipe_digest=self._core.objects.put(packed.recipe),
            recipe_size=len(packed.recipe),
            artifacts=packed.artifacts,
            created_at=rfc3339(self._core.clock.now()),
            model=packed.model,
        )
        session.add(row)
        session.flush()
        return row
