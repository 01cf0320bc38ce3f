"""What tests of components and of everything above them use: a model version whose files are in the object store."""

from __future__ import annotations

from sqlalchemy.orm import Session

from lineside.contract.component import Component, ComponentKind
from lineside.contract.ids import canonical
from lineside.contract.model import Lineage, Metrics, ModelState, ModelVersion, Signature, Variant
from lineside.contract.recipes.recipe import RECIPE_FORMAT
from lineside.contract.trust import release_target
from lineside.server.adapters.objects import ObjectStore
from lineside.server.adapters.tuf import NewTarget
from lineside.server.components.packaging import Packed
from lineside.server.components.service import Components
from lineside.server.database import Database


def model_version(
    objects: ObjectStore, version: int = 1, *, name: str = "tags", state: ModelState = ModelState.CANDIDATE
) -> ModelVersion:
    """A registered model; its file is not a real network."""
    data = f"the network of {name}:{version}".encode()
    digest, golden = objects.put(data), objects.put(b"golden images")
    metrics = {"test": Metrics(map50=0.75, map=0.45, per_class={"scratch": 0.45}, images=12, boxes=30)}
    return ModelVersion(
        name=name,
        version=version,
        state=state,
        digest=digest,
        variant="int8",
        signature=Signature(head="compact", input_width=64, input_height=64, labels=("scratch",)),
        variants=(Variant(name="int8", digest=digest, size=len(data), metrics=metrics, chosen=True),),
        metrics=metrics,
        gates=(),
        lineage=Lineage(
            dataset=None,
            dataset_digest=None,
            split_by=None,
            run=None,
            trainer="compact",
            init=None,
            parameters={},
            seed=0,
            code_version="test",
        ),
        golden=golden,
        created_at="2026-01-01T00:00:00.000Z",
    )


def release(components: Components, session: Session, model: ModelVersion) -> tuple[Component, Component]:
    """Sign a packed model and its code for the fleet with the keys of this machine, as if a person had approved it."""
    both = components.packaged_rows(session, model)
    for row in both:
        path = release_target(ComponentKind(row.kind), row.name, row.version)
        custom = components.statement(session, model, row).to_custom() if row.model else None
        components.repository.publish(
            [NewTarget(path=path, digest=row.recipe_digest, size=row.recipe_size, custom=custom)]
        )
        components.released(session, row, "tester")
    return both[0].value(), both[1].value()


def release_app(
    components: Components, database: Database, name: str, version: str, *architectures: str, **needs: str
) -> None:
    """A component of an app, signed for the fleet with the keys of this machine; for any platform if none is named.
    `needs` are version requirements of others by name."""
    recipe = {
        "RecipeFormatVersion": RECIPE_FORMAT,
        "ComponentName": name,
        "ComponentVersion": version,
        "ComponentDependencies": {other: {"VersionRequirement": said} for other, said in needs.items()},
        "Manifests": [
            {"Platform": {"os": "linux", "architecture": one}, "Lifecycle": {"Run": "sleep 1"}}
            for one in architectures or ("*",)
        ],
    }
    packed = Packed(name=name, version=version, kind=ComponentKind.APP, recipe=canonical(recipe), artifacts=())
    with database.write() as session:
        row = components.add(session, packed)
        path = release_target(ComponentKind.APP, name, version)
        components.repository.publish([NewTarget(path=path, digest=row.recipe_digest, size=row.recipe_size)])
        components.released(session, row, "tester")


class KnownModels:
    """Model versions held in a list."""

    def __init__(self, *models: ModelVersion) -> None:
        self.models = list(models)

    def by_label(self, session: Session, label: str) -> ModelVersion | None:
        """The one that is written so."""
        return next((one for one in self.models if one.label == label), None)
